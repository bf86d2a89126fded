"""Two cases against each other, with figures that anyone can compute; and who changed what in one."""

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cases import HEIGHT, WIDTH, make_case, predict
from PIL import Image
from typer.testing import CliRunner

from rasnet.case import Case, Layer
from rasnet.cli import app
from rasnet.comparison import compare_cases, match_layers, worst_frames
from rasnet.comparison_report import write_comparison
from rasnet.errors import RASNetError
from rasnet.masks import Mask, mask_sha256
from rasnet.record import read_changes

FRAMES = 4


def rasnet(*arguments: str | Path) -> Any:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def bars(left: int, right: int, shift: int = 0) -> Mask:
    """Two bars of 20 x 10 px, 200 px each, in layers `left` and `right`; the right one is shifted down."""
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    mask[5:25, 5:15] = left
    mask[5 + shift : 25 + shift, 40:50] = right
    return mask


@pytest.fixture
def cases(tmp_path: Path) -> tuple[Case, Case]:
    """The same instruments under other ids; in frame 2 the second person has one 10 px lower, in 3 none at all."""
    first, second = (make_case(tmp_path / name, FRAMES, model=None) for name in ("anna", "ben"))
    first.set_layers([Layer(1, "A", (255, 0, 0), "Other"), Layer(2, "B", (0, 255, 0), "Vessel Sealer")])
    second.set_layers(
        [Layer(5, "Left", (0, 0, 255), "Vessel Sealer"), Layer(4, "Right", (9, 9, 9), "Vessel Sealer")],
    )
    second.add_layer("Ghost")
    for index in range(FRAMES):
        first.correct(index, bars(1, 2), who="Anna", tool="test")
    for index, mask in enumerate((bars(5, 4), bars(5, 4), bars(5, 4, shift=10), bars(0, 0))):
        second.correct(index, mask, who="Ben", tool="test")
    return first, second


class TestFigures:
    def test_layers_match_by_their_pixels(self, cases: tuple[Case, Case]) -> None:
        found = compare_cases(*cases)
        pairs = [(pair.first and pair.first.name, pair.second and pair.second.name) for pair in found.layers]
        assert pairs == [("A", "Left"), ("B", "Right"), (None, "Ghost")]
        assert [pair.same_type for pair in found.layers] == [False, True, None]
        assert [pair.frames for pair in found.layers] == [4, 4, 0]

    def test_dice_is_pooled(self, cases: tuple[Case, Case]) -> None:
        left, right, ghost = compare_cases(*cases).layers
        assert left.dice == pytest.approx(2 * 600 / (800 + 600))
        assert right.dice == pytest.approx(2 * (200 + 200 + 100) / (800 + 600))
        assert np.isnan(ghost.dice)

    def test_nsd_is_the_mean_over_frames(self, cases: tuple[Case, Case]) -> None:
        left, right, _ = compare_cases(*cases, tolerance=0.0).layers
        assert left.nsd == pytest.approx(3 / 4)  # the same three times, missing once
        outline = 2 * 20 + 2 * 8
        shared = 2 * 10  # of the two long sides; the short sides lie inside the other bar
        assert right.nsd == pytest.approx((2 + shared / outline) / 4)

    def test_frames(self, cases: tuple[Case, Case]) -> None:
        found = compare_cases(*cases)
        assert [frame.dice for frame in found.frames] == [1, 1, pytest.approx(2 * 300 / 800), 0]
        assert [frame.index for frame in worst_frames(found.frames, 5)] == [3, 2]

    def test_frames_of_one_case_only(self, cases: tuple[Case, Case]) -> None:
        first, second = cases
        first.set_status(0, "skipped", who="Anna")
        second.set_status(1, "skipped", who="Ben")
        found = compare_cases(first, second)
        assert (found.only_first, found.only_second) == ((1,), (0,))

    def test_a_case_agrees_with_itself(self, cases: tuple[Case, Case]) -> None:
        found = compare_cases(cases[0], cases[0])
        assert [(pair.dice, pair.nsd, pair.same_type) for pair in found.layers] == [(1, 1, True)] * 2
        assert worst_frames(found.frames, 5) == []

    def test_the_best_pairing_wins_as_a_whole(self) -> None:
        counts = np.zeros((256, 256), np.int64)
        counts[1, 1], counts[1, 2], counts[2, 1] = 60, 20, 45  # pixels of layer a that are layer b
        assert match_layers(counts) == {1: 2, 2: 1}  # IoU 20/80 + 45/105, more than 60/125 alone

    def test_other_videos_are_refused(self, cases: tuple[Case, Case], tmp_path: Path) -> None:
        other = make_case(tmp_path / "other", FRAMES + 1)
        with pytest.raises(RASNetError, match="give two cases of one video"):
            compare_cases(cases[0], other)

    def test_nothing_in_common(self, cases: tuple[Case, Case], tmp_path: Path) -> None:
        with pytest.raises(RASNetError, match="no frame with a mask in common"):
            compare_cases(cases[0], make_case(tmp_path / "empty", FRAMES))


class TestReport:
    def test_tables_and_pictures(self, cases: tuple[Case, Case], tmp_path: Path) -> None:
        written = write_comparison(compare_cases(*cases), *cases, tmp_path / "out")
        assert [path.name for path in written] == ["layers.csv", "frames.csv", "worst_frames.png"]
        with (tmp_path / "out" / "layers.csv").open(newline="") as file:
            rows = list(csv.DictReader(file))
        assert (rows[0]["first"], rows[0]["second"], rows[0]["dice"]) == ("A", "Left", "0.857143")
        assert (rows[0]["same_type"], rows[2]["first"], rows[2]["dice"]) == ("no", "", "")
        with Image.open(tmp_path / "out" / "worst_frames.png") as page:
            pixels = np.asarray(page.convert("RGB")).astype(int)
        red = (pixels[..., 0] > 150) & (pixels[..., 1:].max(axis=2) < 80)
        assert red[:, : pixels.shape[1] // 2].any()  # layer A in the left picture, and its match in the same colour
        assert red[:, pixels.shape[1] // 2 :].any()

    def test_command(self, cases: tuple[Case, Case], tmp_path: Path) -> None:
        folders = [case.folder for case in cases]
        done = rasnet("compare", *folders, "--out", tmp_path / "out")
        assert done.exit_code == 0, done.output
        assert "4 frames in common" in done.stdout
        assert "0.857" in done.stdout
        assert rasnet("compare", folders[0], tmp_path).exit_code == 2


class TestLog:
    def test_every_change_has_its_parent_and_hashes(self, tmp_path: Path) -> None:
        case = make_case(tmp_path, FRAMES)
        predict(case, [0, 1])
        case.correct(1, bars(1, 2), who="Anna", tool="test")
        case.set_status(1, "accepted", who="Ben")
        case.correct(1, bars(1, 1), who="Ben", tool="test")
        changes = list(read_changes(case, frame=1))
        assert [change.entry.what for change in changes] == ["predict", "correct", "set status", "correct"]
        first, second, status, third = changes
        assert first.parent is None
        assert (second.parent, second.entry.before) == (first.entry.id, first.entry.after)
        assert second.entry.after == mask_sha256(bars(1, 2))
        assert status.parent == second.entry.id
        assert (third.parent, third.entry.before) == (second.entry.id, second.entry.after)
        assert [change.entry.frame for change in read_changes(case, who="Ben")] == [1, 1]

    def test_table_and_json(self, cases: tuple[Case, Case]) -> None:
        folder = cases[0].folder
        table = rasnet("log", folder, "--frame", "2").stdout
        assert "Anna" in table
        assert mask_sha256(bars(1, 2))[:8] in "".join(table.split())
        entries = json.loads(rasnet("log", folder, "--who", "Anna", "--json").stdout)
        assert [entry["frame"] for entry in entries] == list(range(FRAMES))
        assert entries[0]["after"] == mask_sha256(bars(1, 2))
        assert set(entries[0]) >= {"id", "parent", "when", "who", "tool", "what", "before", "after"}
        assert json.loads(rasnet("log", folder, "--who", "nobody", "--json").stdout) == []
