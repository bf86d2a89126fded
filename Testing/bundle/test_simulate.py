"""The annotation loop with known masks in the place of a person."""

import csv
from pathlib import Path

import numpy as np
import pytest
from moving import HEIGHT, WIDTH, make_moving_case, true_mask, true_parts, wrong_mask
from PIL import Image
from typer.testing import CliRunner

from rasnet.case import Case
from rasnet.cli import app
from rasnet.errors import RASNetError
from rasnet.masks import write_mask
from rasnet.progress import SilentProgress
from rasnet.report.effort import write_effort
from rasnet.simulation import Effort, effort_for, simulate

FRAMES = 12
PALETTE = np.zeros((256, 3), np.uint8)


def write_truth(folder: Path, frames: int = FRAMES, *, parts: bool = True) -> Path:
    folder.mkdir()
    for index in range(frames):
        write_mask(folder / f"frame{index:04d}.png", true_parts(index) if parts else true_mask(index), PALETTE)
    return folder


@pytest.fixture
def case(tmp_path: Path) -> Case:
    """The upper half of the bar is missed everywhere: Dice 2/3."""
    return make_moving_case(tmp_path, FRAMES, mask=wrong_mask, uncertainty=lambda i: 0.3)


def run(case: Case, truth: Path, **wishes: object) -> list[Effort]:
    return simulate(case, truth, **{"shares": (0, 1 / 6, 1), "learn": False, **wishes})


class TestSimulate:
    def test_the_curve_begins_at_the_models_dice_and_ends_at_1(self, case: Case, tmp_path: Path) -> None:
        curve = run(case, write_truth(tmp_path / "truth"))
        assert curve[0] == Effort("queue", 0, 0.0, pytest.approx(2 / 3), pytest.approx(2 / 3))
        assert curve[-1] == Effort("queue", FRAMES, 1.0, 1.0, 1.0)
        assert [point.corrected for point in curve] == [0, 2, 12]

    def test_without_travel_each_correction_mends_one_frame(self, case: Case, tmp_path: Path) -> None:
        truth = write_truth(tmp_path / "truth")
        alone, carried = (run(case, truth, travel=travel)[1].dice for travel in (False, True))
        assert alone == pytest.approx((2 + 10 * 2 / 3) / 12)
        assert carried > 0.9

    @pytest.mark.parametrize("how", ["every n-th", "random"])
    def test_other_orders_correct_as_many_frames(self, case: Case, tmp_path: Path, how: str) -> None:
        curve = run(case, write_truth(tmp_path / "truth"), how=how, travel=False)
        assert [point.corrected for point in curve] == [0, 2, 12]
        assert {point.order for point in curve} == {how}

    def test_the_case_stays_as_it_is(self, case: Case, tmp_path: Path) -> None:
        before = case.frames(), len(list(case.journal()))
        run(case, write_truth(tmp_path / "truth"))
        assert (case.frames(), len(list(case.journal()))) == before

    def test_binary_masks_do_too(self, case: Case, tmp_path: Path) -> None:
        curve = run(case, write_truth(tmp_path / "truth", parts=False), labels="binary")
        assert curve[-1].dice == 1.0

    def test_frames_without_truth_do_not_count(self, case: Case, tmp_path: Path) -> None:
        assert run(case, write_truth(tmp_path / "truth", frames=8))[-1].corrected == 8

    def test_what_cannot_be_learnt_from_is_noted_and_the_curve_goes_on(self, case: Case, tmp_path: Path) -> None:
        curve = run(case, write_truth(tmp_path / "truth"), learn=True, shares=(0, 0.1))
        assert [point.adapted for point in curve] == [False] * 2

    def test_the_model_goes_on_from_the_weights_that_were_given(self, tmp_path: Path) -> None:
        class Notes(SilentProgress):
            def note(self, message: str) -> None:
                told.append(message)

        told: list[str] = []
        frames, other = 200, tmp_path / "other.pt"  # learning needs some seconds
        case = make_moving_case(tmp_path, frames, mask=wrong_mask)
        truth = write_truth(tmp_path / "truth", frames)
        run(case, truth, shares=(0, 1), travel=False, learn=True, weights=other, progress=Notes())
        assert [str(other) in message for message in told] == [True]

    def test_a_reviewed_case_is_refused(self, case: Case, tmp_path: Path) -> None:
        case.set_status(3, "accepted", who="A. Surgeon")
        with pytest.raises(RASNetError, match="somebody has reviewed"):
            run(case, write_truth(tmp_path / "truth"))

    def test_truth_of_another_size_is_refused(self, case: Case, tmp_path: Path) -> None:
        (tmp_path / "truth").mkdir()
        write_mask(tmp_path / "truth" / "0.png", np.zeros((HEIGHT // 2, WIDTH), np.uint8), PALETTE)
        with pytest.raises(RASNetError, match="give masks of the full frame"):
            run(case, tmp_path / "truth")

    def test_truth_of_other_frames_is_refused(self, case: Case, tmp_path: Path) -> None:
        (tmp_path / "truth").mkdir()
        write_mask(tmp_path / "truth" / "77.png", true_mask(0), PALETTE)
        with pytest.raises(RASNetError, match="the index of its frame"):
            run(case, tmp_path / "truth")


def test_effort_is_where_the_target_is_first_reached() -> None:
    curve = [Effort("queue", n, n / 100, dice, dice) for n, dice in ((0, 0.8), (3, 0.94), (5, 0.96), (8, 0.97))]
    assert effort_for(curve) == 0.05
    assert effort_for(curve, 0.99) is None


def test_the_plot_shows_a_line_an_order(tmp_path: Path) -> None:
    points = [Effort(how, n, n / 100, 0.9 + n / 200, 0.9) for how in ("queue", "random") for n in (0, 5, 10)]
    write_effort(points, tmp_path / "effort.png")
    with Image.open(tmp_path / "effort.png") as picture:
        pixels = np.asarray(picture.convert("RGB"))
    for color in ((0x00, 0x72, 0xB2), (0x99, 0x99, 0x99)):
        assert (pixels == color).all(axis=2).sum() > 50


def test_the_command_writes_curve_and_plot(case: Case, tmp_path: Path) -> None:
    arguments = ["simulate", str(case.folder), "--truth", str(write_truth(tmp_path / "truth")), "--no-learn"]
    done = CliRunner().invoke(app, [*arguments, "--out", str(tmp_path / "effort")])
    assert done.exit_code == 0, done.output
    with (tmp_path / "effort" / "effort.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert float(rows[0]["dice"]) == pytest.approx(2 / 3, abs=1e-3)
    assert (tmp_path / "effort" / "effort.png").stat().st_size > 5000
    assert "mean Dice of 0.95" in done.output
