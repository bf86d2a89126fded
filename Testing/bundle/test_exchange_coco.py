"""COCO, judged by pycocotools."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from exchange_cases import LAYERS, STATUSES, empty_case, rich_case, rich_mask
from PIL import Image
from pycocotools.coco import COCO

from rasnet.case import Case
from rasnet.errors import RASNetError
from rasnet.exchange.formats import export_case, import_case


@pytest.fixture
def exported(tmp_path: Path) -> Path:
    export_case(rich_case(tmp_path / "theirs"), tmp_path / "coco", "coco", images=True, include_flagged=True)
    return tmp_path / "coco"


@pytest.fixture
def case(tmp_path: Path) -> Case:
    return empty_case(tmp_path / "ours")


def foreign(file: Path, annotations: list[dict[str, Any]], categories: tuple[str, ...] = ("Vessel Sealer",)) -> Path:
    """A COCO file as another program writes it, of frames 0 and 1."""
    data = {
        "images": [{"id": n, "file_name": f"img_{n:05d}.jpg", "width": 64, "height": 48} for n in (0, 1)],
        "categories": [{"id": 40 + n, "name": name} for n, name in enumerate(categories)],
        "annotations": [{"id": n, "image_id": 0, "category_id": 40, **a} for n, a in enumerate(annotations)],
    }
    file.write_text(json.dumps(data))
    return file


class TestExport:
    def test_pycocotools_reads_every_mask(self, exported: Path, capsys: pytest.CaptureFixture[str]) -> None:
        coco = COCO(str(exported / "annotations.json"))
        names = {category["id"]: category["name"] for category in coco.loadCats(coco.getCatIds())}
        assert names == {layer.id: layer.name for layer in LAYERS}
        assert [image["frame"] for image in coco.loadImgs(coco.getImgIds())] == list(STATUSES)
        for image in coco.loadImgs(coco.getImgIds()):
            mask = np.zeros((image["height"], image["width"]), np.uint8)
            for annotation in coco.loadAnns(coco.getAnnIds(imgIds=image["id"])):
                pixels = coco.annToMask(annotation).astype(bool)
                mask[pixels] = annotation["category_id"]
                rows, columns = np.nonzero(pixels)
                box = [columns.min(), rows.min(), np.ptp(columns) + 1, np.ptp(rows) + 1]
                assert annotation["bbox"] == box
                assert annotation["area"] == pixels.sum()
            np.testing.assert_array_equal(mask, rich_mask(image["frame"]))

    def test_pictures_lie_beside_it(self, exported: Path) -> None:
        coco = json.loads((exported / "annotations.json").read_text())
        for image in coco["images"]:
            with Image.open(exported / "images" / image["file_name"]) as picture:
                assert picture.size == (image["width"], image["height"])


class TestImport:
    def test_run_lengths_without_compression_and_polygons(self, tmp_path: Path, case: Case) -> None:
        runs = {"size": [48, 64], "counts": [48 * 10, 5, 48 * 64 - 48 * 10 - 5]}  # column 10, rows 0 to 4
        polygon = [[20, 10, 30, 10, 30, 20, 20, 20]]  # columns 20 to 29, rows 10 to 19
        import_case(case, foreign(tmp_path / "a.json", [{"segmentation": runs}, {"segmentation": polygon}]))
        expected = np.zeros((48, 64), np.uint8)
        expected[:5, 10] = expected[10:20, 20:30] = 1
        np.testing.assert_array_equal(case.mask(0), expected)
        assert not case.mask(1).any()
        (layer,) = case.layers()
        assert (layer.name, layer.type) == ("Vessel Sealer", "Vessel Sealer")

    def test_the_later_annotation_lies_on_top(self, tmp_path: Path, case: Case) -> None:
        square = [[0, 0, 10, 0, 10, 10, 0, 10]]
        below = {"segmentation": square}
        above = {"segmentation": [[5, 0, 15, 0, 15, 10, 5, 10]], "category_id": 41}
        import_case(case, foreign(tmp_path / "a.json", [below, above], ("Other", "Vessel Sealer")))
        assert [int(value) for value in case.mask(0)[0, :16]] == [1] * 5 + [2] * 10 + [0]

    def test_unknown_categories_are_refused_and_the_known_ones_listed(self, tmp_path: Path, case: Case) -> None:
        case.add_layer("Camera")
        with pytest.raises(
            RASNetError, match=r"'Spoon' is unknown \(known are the layers Camera and the types Bipolar"
        ):
            import_case(case, foreign(tmp_path / "a.json", [], ("Vessel Sealer", "Spoon")))
        assert not case.frames()

    @pytest.mark.parametrize(
        ("annotation", "sentence"),
        [
            (
                {"segmentation": [[60, 0, 70, 0, 70, 9]]},
                r"img_00000.jpg has a polygon outside the image \(x 60.0 to 70",
            ),
            ({"segmentation": [[0, 0, 1]]}, "has a damaged annotation"),
            ({"segmentation": {"size": [4, 4], "counts": [16]}}, "has an annotation without a mask of 64x48"),
            ({}, "has a damaged annotation"),
            ({"segmentation": [[0, 0, 9, 0, 9, 9]], "category_id": 7}, "of the unknown category 7"),
            ({"segmentation": [], "image_id": 99}, "annotations belong to the image 99, not listed"),
        ],
    )
    def test_damaged_annotations(self, annotation: dict[str, Any], sentence: str, tmp_path: Path, case: Case) -> None:
        with pytest.raises(RASNetError, match=sentence):
            import_case(case, foreign(tmp_path / "a.json", [annotation]))
        assert not case.frames()

    @pytest.mark.parametrize("text", ["", "[]", "{}", '{"images": 3, "categories": [], "annotations": []}'])
    def test_files_that_are_not_coco(self, text: str, tmp_path: Path, case: Case) -> None:
        (tmp_path / "a.json").write_text(text)
        with pytest.raises(RASNetError, match="is not a COCO file"):
            import_case(case, tmp_path / "a.json")
