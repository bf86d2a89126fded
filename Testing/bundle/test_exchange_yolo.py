"""YOLO segmentation, judged by what training code does with the polygons."""

import json
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import yaml
from exchange_cases import LAYERS, STATUSES, empty_case, iou, rich_case, rich_mask, round_trip

from rasnet.case import Case
from rasnet.errors import RASNetError
from rasnet.exchange.formats import export_case, import_case
from rasnet.masks import Mask


@pytest.fixture
def case(tmp_path: Path) -> Case:
    return empty_case(tmp_path / "ours")


def fill_as_trainers_do(text: str, height: int, width: int) -> Mask:
    """Classes + 1: coordinates times the size, cut to whole numbers, filled by OpenCV."""
    mask = np.zeros((height, width), np.uint8)
    for line in text.splitlines():
        kind, *numbers = line.split()
        points = np.array(numbers, np.float32).reshape(-1, 2) * (width, height)
        cv2.fillPoly(mask, [points.astype(np.int32)], int(kind) + 1)
    return mask


def foreign(folder: Path, line: str, names: str = "names: [Vessel Sealer, Other]") -> Path:
    (folder / "labels" / "val").mkdir(parents=True)
    (folder / "labels" / "val" / "shot_003.txt").write_text(line)
    (folder / "data.yaml").write_text(names)
    return folder


class TestExport:
    def test_a_round_trip_keeps_ids_names_colours_and_all_but_the_cuts(self, tmp_path: Path) -> None:
        before, after, _ = round_trip(tmp_path, "yolo")
        assert after.layers() == before.layers()
        assert {row.index: row.status for row in after.frames()} == STATUSES
        assert min(iou(before.mask(index), after.mask(index)) for index in STATUSES) > 0.99

    def test_trainers_see_the_same_masks(self, tmp_path: Path) -> None:
        export_case(rich_case(tmp_path), tmp_path / "out", "yolo", images=True, include_flagged=True)
        classes = np.array([0, 1, 0, 2, 0, 0, 0, 3], np.uint8)
        for index in STATUSES:
            text = (tmp_path / "out" / "labels" / "train" / f"frame{index:06d}.txt").read_text()
            assert iou(fill_as_trainers_do(text, 48, 64), classes[rich_mask(index)]) > 0.99
            assert (tmp_path / "out" / "images" / "train" / f"frame{index:06d}.png").is_file()
            for line in text.splitlines():
                numbers = np.array(line.split()[1:], float)
                assert len(numbers) >= 6
                assert ((numbers > 0) & (numbers < 1)).all()

    def test_the_data_file_is_yaml(self, tmp_path: Path) -> None:
        export_case(rich_case(tmp_path), tmp_path / "out", "yolo", include_flagged=True)
        data = yaml.safe_load((tmp_path / "out" / "data.yaml").read_text(encoding="utf-8"))
        assert data["names"] == dict(enumerate(layer.name for layer in LAYERS))
        assert data["train"] == data["val"] == "images/train"


class TestImport:
    def test_a_data_set_of_another_program(self, tmp_path: Path, case: Case) -> None:
        square = "1 0.25 0.25 0.484375 0.25 0.484375 0.4791667 0.25 0.4791667"  # pixels 16 to 31, 12 to 23
        result = import_case(case, foreign(tmp_path / "set", square + "\n"))
        expected = np.zeros((48, 64), np.uint8)
        expected[12:24, 16:32] = 2
        assert result.written == (3,)
        np.testing.assert_array_equal(case.mask(3), expected)
        assert {layer.id: layer.type for layer in case.layers()} == {1: "Vessel Sealer", 2: "Other"}

    @pytest.mark.parametrize(
        ("line", "sentence"),
        [
            ("0 0.5 0.5 1.2 0.5 0.7 0.9", r"shot_003.txt, line 1, has a polygon outside the image \(x 32.0 to 76.8 of"),
            ("0 0.5 0.5 0.1 0.1", "line 1, is a box, not a polygon"),
            ("5 0.1 0.1 0.2 0.1 0.2 0.2", "line 1, has the unknown class 5"),
            ("0 0.1 0.1 0.2 0.1 0.2", "line 1, is not a class and pairs of numbers"),
            ("a 0.1 0.1 0.2 0.1 0.2 0.2", "line 1, is not a class and pairs of numbers"),
            ("0 nan 0.1 0.2 0.1 0.2 0.2", "polygon without points"),
        ],
    )
    def test_damaged_lines(self, line: str, sentence: str, tmp_path: Path, case: Case) -> None:
        with pytest.raises(RASNetError, match=sentence):
            import_case(case, foreign(tmp_path / "set", line))
        assert not case.frames()

    @pytest.mark.parametrize("names", ["", "names: {1: a}", "names: 5", "a: [", "names: [1"])
    def test_names_that_are_none(self, names: str, tmp_path: Path, case: Case) -> None:
        with pytest.raises(RASNetError, match="does not name its classes from 0 on"):
            import_case(case, foreign(tmp_path / "set", "", names))

    def test_without_pyyaml(self, tmp_path: Path, case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "yaml", None)
        with pytest.raises(RASNetError, match=r"pip install 'rasnet\[yolo\]'"):
            import_case(case, foreign(tmp_path / "set", ""))

    def test_unknown_names(self, tmp_path: Path, case: Case) -> None:
        with pytest.raises(RASNetError, match="the category 'Spoon' is unknown"):
            import_case(case, foreign(tmp_path / "set", "", "names: [Spoon]"))

    def test_half_of_an_export(self, tmp_path: Path, case: Case) -> None:
        out = tmp_path / "out"
        export_case(rich_case(tmp_path / "theirs"), out, "yolo", include_flagged=True)
        (out / "labels" / "train" / "frame000002.txt").unlink()
        with pytest.raises(RASNetError, match=r"labels.json names frame000002.txt, which is not there"):
            import_case(case, out)
        (out / "data.yaml").unlink()
        with pytest.raises(RASNetError, match=r"has no data\.yaml, so it is no YOLO data set"):
            import_case(case, out, "yolo")
        assert json.loads((out / "labels.json").read_text())["what"] == "layers"
