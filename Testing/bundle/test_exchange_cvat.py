"""CVAT XML 1.1: what is written follows CVAT's format, and what CVAT writes is read."""

from itertools import groupby
from pathlib import Path
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from exchange_cases import LAYERS, STATUSES, empty_case, iou, rich_case, rich_mask, round_trip

from rasnet.case import Case
from rasnet.errors import RASNetError
from rasnet.exchange.formats import export_case, import_case


@pytest.fixture
def case(tmp_path: Path) -> Case:
    return empty_case(tmp_path / "ours")


def images(shapes: str, name: str = "clip/frame_000002.PNG", width: int = 64) -> str:
    """What "CVAT for images 1.1" looks like."""
    return (
        '<?xml version="1.0" encoding="utf-8"?><annotations><version>1.1</version><meta><task><mode>annotation</mode>'
        f'</task></meta><image id="0" name="{name}" width="{width}" height="48">{shapes}</image></annotations>'
    )


def write(tmp_path: Path, text: str) -> Path:
    (tmp_path / "annotations.xml").write_text(text, encoding="utf-8")
    return tmp_path / "annotations.xml"


class TestExport:
    def test_masks_are_run_lengths_inside_their_box(self, tmp_path: Path) -> None:
        export_case(rich_case(tmp_path), tmp_path / "out", "cvat", images=True, include_flagged=True)
        root = ET.parse(tmp_path / "out" / "annotations.xml").getroot()
        assert root.findtext("version") == "1.1"
        assert [label.findtext("name") for label in root.iter("label")] == [layer.name for layer in LAYERS]
        ids = {layer.name: layer.id for layer in LAYERS}
        found = {}
        for image in root.iter("image"):
            assert (tmp_path / "out" / "images" / image.attrib["name"]).is_file()
            mask = np.zeros((int(image.attrib["height"]), int(image.attrib["width"])), np.uint8)
            for shape in image.iter("mask"):
                left, top, width, height = (int(shape.attrib[key]) for key in ("left", "top", "width", "height"))
                runs = [int(number) for number in shape.attrib["rle"].split(",")]
                flat = [place % 2 for place, run in enumerate(runs) for _ in range(run)]
                pixels = np.array(flat, bool).reshape(height, width)
                assert pixels.any(axis=0)[[0, -1]].all()  # the box is tight
                assert pixels.any(axis=1)[[0, -1]].all()
                assert all(run > 0 for run in runs[1:])
                mask[top : top + height, left : left + width][pixels] = ids[shape.attrib["label"]]
            found[int(image.attrib["name"][5:11])] = mask
        assert list(found) == list(STATUSES)
        for index, mask in found.items():
            np.testing.assert_array_equal(mask, rich_mask(index))

    def test_tracks_are_polygons_of_one_component(self, tmp_path: Path) -> None:
        before, after, out = round_trip(tmp_path, "cvat_tracks")
        assert after.layers() == before.layers()
        assert {row.index: row.status for row in after.frames()} == STATUSES
        assert min(iou(before.mask(index), after.mask(index)) for index in STATUSES) > 0.99
        tracks = ET.parse(out / "annotations.xml").getroot().findall("track")
        assert [label for label, _ in groupby(track.attrib["label"] for track in tracks)] == sorted(
            layer.name for layer in LAYERS
        )
        for track in tracks:
            frames = [int(shape.attrib["frame"]) for shape in track]
            assert frames == sorted(set(frames))
            outside = {int(shape.attrib["frame"]) for shape in track if shape.attrib["outside"] == "1"}
            assert 3 in outside  # the frame without instruments


class TestImport:
    def test_masks_and_polygons_of_cvat(self, tmp_path: Path, case: Case) -> None:
        shapes = (
            '<polygon label="Other" source="manual" occluded="0" z_order="1" '
            'points="10.00,10.00;19.90,10.00;19.90,19.90;10.00,19.90"></polygon>'
            '<mask label="Vessel Sealer" source="manual" occluded="0" z_order="0" '
            'rle="0, 4, 2, 4" left="8" top="10" width="5" height="2"/>'
        )
        result = import_case(case, write(tmp_path, images(shapes)))
        assert result.written == (2,)
        ids = {layer.name: layer.id for layer in case.layers()}
        expected = np.zeros((48, 64), np.uint8)
        expected[10, 8:12] = expected[11, 9:13] = ids["Vessel Sealer"]
        expected[10:20, 10:20] = ids["Other"]  # above, by its z_order
        np.testing.assert_array_equal(case.mask(2), expected)

    def test_tracks_of_cvat(self, tmp_path: Path, case: Case) -> None:
        polygon = 'occluded="0" z_order="0" points="1.0,1.0;5.0,1.0;5.0,4.0"'
        text = (
            "<annotations><version>1.1</version><meta><task><mode>interpolation</mode></task></meta>"
            f'<track id="0" label="Other" source="manual"><polygon frame="1" keyframe="1" outside="0" {polygon}/>'
            f'<polygon frame="2" keyframe="0" outside="0" {polygon}/>'
            f'<polygon frame="3" keyframe="1" outside="1" {polygon}/></track></annotations>'
        )
        assert import_case(case, write(tmp_path, text)).written == (1, 2)
        assert case.mask(2)[2, 4] == 1

    @pytest.mark.parametrize(
        ("shapes", "sentence"),
        [
            ('<mask label="Spoon" rle="0, 1" left="0" top="0" width="1" height="1"/>', "'Spoon' is unknown"),
            ('<polygon label="Other" points="1,1;80,1;80,9"/>', "polygon outside the image"),
            ('<mask label="Other" rle="0, 4" left="63" top="0" width="2" height="2"/>', "a mask outside the image"),
            ('<mask label="Other" rle="0, 3" left="0" top="0" width="2" height="2"/>', "do not fill their box of 2x2"),
            ('<mask label="Other" rle="x" left="0" top="0" width="2" height="2"/>', "has a damaged <mask>"),
            ('<box label="Other" xtl="0" ytl="0" xbr="9" ybr="9"/>', "has a <box>, which is no mask"),
            ('<polygon label="Other"/>', "has a damaged <polygon>"),
        ],
    )
    def test_shapes_that_are_no_masks(self, shapes: str, sentence: str, tmp_path: Path, case: Case) -> None:
        with pytest.raises(RASNetError, match=sentence):
            import_case(case, write(tmp_path, images(shapes)))
        assert not case.frames()

    def test_two_images_of_one_frame_and_one_of_none(self, tmp_path: Path, case: Case) -> None:
        shape = '<mask label="Other" rle="0, 1" left="0" top="0" width="1" height="1"/>'
        body = images(shape, "a/frame_2.png").removesuffix("</annotations>")
        body += f'<image id="1" name="b/frame_2.png" width="64" height="48">{shape}</image>'
        body += f'<image id="2" name="left.png" width="64" height="48">{shape}</image></annotations>'
        with pytest.raises(RASNetError) as caught:
            import_case(case, write(tmp_path, body))
        assert "a/frame_2.png and b/frame_2.png are both frame 2" in str(caught.value)
        assert "left.png has no place in the video (nothing says which frame it is)" in str(caught.value)

    @pytest.mark.parametrize("text", ["", "<html/>", "<annotations>", images("", width=0).replace('"0"', '"a"')])
    def test_files_that_are_not_cvat(self, text: str, tmp_path: Path, case: Case) -> None:
        with pytest.raises(RASNetError, match=r"is not a CVAT XML 1\.1 file"):
            import_case(case, write(tmp_path, text))

    def test_half_of_an_export(self, tmp_path: Path, case: Case) -> None:
        export_case(rich_case(tmp_path / "theirs"), tmp_path / "out", "cvat", include_flagged=True)
        path = tmp_path / "out" / "annotations.xml"
        root = ET.parse(path).getroot()
        root.remove(root.findall("image")[1])
        ET.ElementTree(root).write(path)
        with pytest.raises(RASNetError, match=r"annotations.xml lacks the image frame000001.png"):
            import_case(case, tmp_path / "out")
