"""Which frame comes next: doubt, disagreement over time, and no frame twice."""

from pathlib import Path

import numpy as np
import pytest
from moving import HEIGHT, WIDTH, make_moving_case, true_mask
from typer.testing import CliRunner

from rasnet.case import Case
from rasnet.cli import app
from rasnet.errors import RASNetError
from rasnet.review import order

FRAMES = 24


def indices(case: Case) -> list[int]:
    return [entry.index for entry in order(case)]


def test_the_frame_amid_doubtful_ones_comes_first(tmp_path: Path) -> None:
    case = make_moving_case(tmp_path, FRAMES, uncertainty=lambda i: 0.8 if 14 <= i <= 18 else 0.02)
    assert 14 <= indices(case)[0] <= 18


def test_a_mask_that_disagrees_with_its_neighbours_is_doubtful_though_the_model_is_sure(tmp_path: Path) -> None:
    def flickering(index: int) -> np.ndarray:
        return np.zeros((HEIGHT, WIDTH), np.uint8) if index == 9 else true_mask(index)

    first = order(make_moving_case(tmp_path, FRAMES, mask=flickering, uncertainty=lambda i: 0.01))[0]
    assert abs(first.index - 9) <= 1
    assert "neighbours" in first.why


def test_a_mask_that_moves_with_the_picture_does_not_disagree(tmp_path: Path) -> None:
    steady = order(make_moving_case(tmp_path, 8, uncertainty=lambda i: 0.0))
    assert sum(entry.score for entry in steady) < 0.5  # of 8 frames


def test_near_duplicates_are_left_out_and_the_rest_is_spread(tmp_path: Path) -> None:
    chosen = indices(make_moving_case(tmp_path, FRAMES))
    assert 1 < len(chosen) < FRAMES
    assert np.diff(sorted(chosen)).min() > 1


def test_every_scene_is_looked_at_early(tmp_path: Path) -> None:
    case = make_moving_case(tmp_path, FRAMES, cut=12, uncertainty=lambda i: 0.3)
    assert len({index >= 12 for index in indices(case)[:2]}) == 2


def test_what_a_person_dealt_with_is_out_and_covers_what_looks_like_it(tmp_path: Path) -> None:
    case = make_moving_case(tmp_path, FRAMES, uncertainty=lambda i: 0.6 if i < 12 else 0.1)
    first = indices(case)[0]
    case.set_status(first, "accepted", who="A. Surgeon")
    case.set_status(20, "skipped", who="A. Surgeon")
    left = indices(case)
    assert not {first - 1, first, first + 1, 20} & set(left)


def test_scores_never_rise(tmp_path: Path) -> None:
    scores = [entry.score for entry in order(make_moving_case(tmp_path, FRAMES, uncertainty=lambda i: i / FRAMES))]
    assert scores == sorted(scores, reverse=True)


def test_nothing_is_left_when_everything_is_reviewed(tmp_path: Path) -> None:
    case = make_moving_case(tmp_path, 3)
    for index in range(3):
        case.set_status(index, "accepted", who="A. Surgeon")
    assert order(case) == []


def test_a_case_without_masks_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RASNetError, match="no masks to review"):
        order(make_moving_case(tmp_path, 3, predicted=()))


def test_the_command_prints_frames_as_csv(tmp_path: Path) -> None:
    case = make_moving_case(tmp_path, 6)
    done = CliRunner().invoke(app, ["queue", str(case.folder), "--csv", "--progress", "none"])
    lines = done.stdout.splitlines()
    assert (done.exit_code, lines[0]) == (0, "frame,seconds,score,why")
    assert [int(line.split(",")[0]) for line in lines[1:]] == indices(case)


def test_the_command_shows_a_table(tmp_path: Path) -> None:
    case = make_moving_case(tmp_path, 6)
    done = CliRunner().invoke(app, ["queue", str(case.folder), "--progress", "none"])
    assert done.exit_code == 0
    assert "score" in done.stdout
