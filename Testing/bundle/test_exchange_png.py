import json
from pathlib import Path

import numpy as np
import pytest
from cases import human_mask, make_case, predict, predicted_mask, predicted_parts
from PIL import Image

from rasnet.errors import RASNetError
from rasnet.exchange.png import export_png
from rasnet.labels import LabelSchema
from rasnet.masks import read_mask, temporary_name

TYPES = LabelSchema.load("endovis2017_types")


@pytest.fixture
def case(tmp_path):
    with make_case(tmp_path) as case:
        predict(case)
        yield case


def test_layers_are_written_as_they_are(tmp_path, case):
    case.update_layer(2, name="Left hand", color=(1, 2, 3), type="Vessel Sealer")
    case.correct(5, human_mask(5), who="A. Surgeon", tool="test")
    export_png(case, tmp_path / "out")
    for index in range(12):
        expected = human_mask(5) if index == 5 else predicted_mask(index)
        np.testing.assert_array_equal(read_mask(tmp_path / "out" / f"frame{index:06d}.png"), expected)
    table = json.loads((tmp_path / "out" / "labels.json").read_text())
    assert table["what"] == "layers"
    assert [label["id"] for label in table["labels"]] == [0, 1, 2, 3]
    assert table["labels"][2] == {"id": 2, "name": "Left hand", "color": [1, 2, 3], "type": "Vessel Sealer"}
    assert table["frames"][5] == {
        "file": "frame000005.png",
        "index": 5,
        "time": case.times[5],
        "status": "corrected",
    }
    with Image.open(tmp_path / "out" / "frame000001.png") as image:
        assert image.convert("RGB").getpixel((5, 5)) == (1, 2, 3)  # frame 1 shows layer 2


def test_parts_are_written_with_their_schema(tmp_path, case):
    export_png(case, tmp_path / "out", what="parts")
    np.testing.assert_array_equal(read_mask(tmp_path / "out" / "frame000007.png"), predicted_parts(7))
    table = json.loads((tmp_path / "out" / "labels.json").read_text())
    assert [label["name"] for label in table["labels"]] == ["background", "shaft", "manipulator"]


def test_types_are_layers_taken_through_their_types(tmp_path, case):
    names = {1: "Prograsp Forceps", 2: "Large Needle Driver", 3: "Prograsp Forceps"}
    for layer_id, name in names.items():
        case.update_layer(layer_id, type=name)
    export_png(case, tmp_path / "out", what="types")
    table = np.array([0, 2, 3, 2], np.uint8)  # the ids of these names in the schema
    for index in range(12):
        np.testing.assert_array_equal(
            read_mask(tmp_path / "out" / f"frame{index:06d}.png"), table[predicted_mask(index)]
        )
    labels = json.loads((tmp_path / "out" / "labels.json").read_text())["labels"]
    assert [(label["id"], label["name"]) for label in labels] == [(label.id, label.name) for label in TYPES.labels]


def test_types_that_nobody_gave_are_asked_for(tmp_path, case):
    case.update_layer(2, type="Other")
    with pytest.raises(RASNetError, match=r"1 \(Instrument 1\), 3 \(Instrument 3\); set their type"):
        export_png(case, tmp_path / "out", what="types")
    assert not (tmp_path / "out").exists()


def test_skipped_frames_are_left_out(tmp_path, case):
    case.set_status(3, "skipped", who="A. Surgeon")
    export_png(case, tmp_path / "out")
    names = sorted(path.name for path in (tmp_path / "out").glob("*.png"))
    assert names == [f"frame{index:06d}.png" for index in range(12) if index != 3]


@pytest.mark.parametrize("what", ["layers", "parts"])
def test_an_empty_case_has_nothing_to_export(tmp_path, what):
    with pytest.raises(RASNetError, match=f"no frames with {what}"):
        export_png(make_case(tmp_path), tmp_path / "out", what=what)


def test_unknown_contents_are_refused(tmp_path, case):
    with pytest.raises(RASNetError, match="use one of layers, parts, types"):
        export_png(case, tmp_path / "out", what="colours")


def test_an_export_never_mixes_with_what_is_there(tmp_path, case):
    (tmp_path / "out").mkdir()
    export_png(case, tmp_path / "out")
    before = sorted((tmp_path / "out").iterdir())
    with pytest.raises(RASNetError, match="not an empty folder"):
        export_png(case, tmp_path / "out", what="parts")
    assert sorted((tmp_path / "out").iterdir()) == before


def test_an_export_that_fails_leaves_nothing(tmp_path, case):
    (case.folder / "masks" / "00000008.png").unlink()
    with pytest.raises(RASNetError, match=r"00000008\.png"):
        export_png(case, tmp_path / "out")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["case", "frames"]


class FullDisk:
    """A watcher who, after the third frame, makes the disk refuse the file of the frame after it."""

    def __init__(self, making: Path) -> None:
        self.making = making

    def start(self, task, total):
        pass

    def advance(self, frame=None, count=1):
        if frame == 2:
            temporary_name(self.making / "frame000003.png").symlink_to("/dev/full")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_is_one_sentence_and_leaves_nothing(tmp_path, case):
    with pytest.raises(RASNetError, match=r"No space left on device.*export again"):
        export_png(case, tmp_path / "out", progress=FullDisk(tmp_path / ".out.tmp"))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["case", "frames"]
