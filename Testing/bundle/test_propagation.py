"""A correction travels with the picture, stops where it must, and says how far it trusts itself."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from moving import HEIGHT, WIDTH, dice, make_moving_case, true_mask, true_parts, wrong_mask
from typer.testing import CliRunner

from rasnet.case import Case
from rasnet.cli import app
from rasnet.errors import RASNetError
from rasnet.propagation import _between, _Labels, human_frames, propagate

WHO = {"who": "A. Surgeon", "tool": "test"}


def correct(case: Case, index: int) -> None:
    case.correct(index, true_mask(index), true_parts(index), **WHO)


@pytest.mark.parametrize("start", [0, 10, 19], ids=["forwards", "both ways", "backwards"])
def test_what_the_model_misses_everywhere_is_mended_around_the_correction(tmp_path: Path, start: int) -> None:
    case = make_moving_case(tmp_path, 20, mask=wrong_mask)
    correct(case, start)
    propagate(case, start)
    for index in range(20):
        assert dice(wrong_mask(index), true_mask(index)) == pytest.approx(2 / 3)
        assert dice(case.mask(index), true_mask(index)) > 0.9


def test_parts_travel_too(tmp_path: Path) -> None:
    case = make_moving_case(tmp_path, 8, mask=wrong_mask)
    correct(case, 0)
    propagate(case, 0)
    parts, true = case.parts(6), true_parts(6)
    assert parts is not None
    assert (parts == true)[true > 0].mean() > 0.9


def test_where_the_model_is_right_it_leads(tmp_path: Path) -> None:
    """The correction confirms the model; flow alone would drift."""
    case = make_moving_case(tmp_path, 20, uncertainty=lambda i: 0.02)
    correct(case, 0)
    propagate(case, 0)
    assert dice(case.mask(19), true_mask(19)) > 0.985


def test_a_frame_that_nothing_was_known_of_gets_what_is_carried(tmp_path: Path) -> None:
    case = make_moving_case(tmp_path, 6, predicted=())
    correct(case, 2)
    propagate(case, 2)
    assert [row.index for row in case.frames()] == list(range(6))
    assert dice(case.mask(5), true_mask(5)) > 0.9


def test_it_stops_at_a_cut(tmp_path: Path) -> None:
    case = make_moving_case(tmp_path, 12, mask=wrong_mask, cut=7)
    correct(case, 3)
    back, forth = propagate(case, 3)
    assert (back.last, back.stopped) == (0, "end of the case")
    assert (forth.last, forth.stopped) == (6, "cut")
    assert np.array_equal(case.mask(7), wrong_mask(7))


@pytest.mark.parametrize(
    ("status", "reason"), [("accepted", "human frame"), ("corrected", "human frame"), ("skipped", "skipped frame")]
)
def test_it_stops_at_a_persons_frame_and_never_writes_one(tmp_path: Path, status: str, reason: str) -> None:
    case = make_moving_case(tmp_path, 12, mask=wrong_mask)
    correct(case, 2)
    case.set_status(6, status, who="A. Surgeon")
    before = case.frame(6)
    _, forth = propagate(case, 2)
    assert (forth.last, forth.stopped) == (5, reason)
    assert case.frame(6) == before
    assert np.array_equal(case.mask(6), wrong_mask(6))
    assert np.array_equal(case.mask(7), wrong_mask(7))


def test_trust_falls_with_the_distance_and_becomes_the_uncertainty(tmp_path: Path) -> None:
    case = make_moving_case(tmp_path, 16, mask=wrong_mask, uncertainty=lambda i: 0.5)
    correct(case, 0)
    _, forth = propagate(case, 0)
    trust = [forth.trust[index] for index in range(1, 16)]
    assert trust[0] > 0.9 > trust[-1]
    assert case.frame(9).uncertainty == pytest.approx(1 - forth.trust[9])
    assert case.frame(9).status == "predicted"
    assert case.frame(9).model == "propagation of frame 0"


def test_a_correction_without_instruments_takes_a_false_one_away(tmp_path: Path) -> None:
    case = make_moving_case(tmp_path, 5, uncertainty=lambda i: 0.4)
    case.correct(0, np.zeros((HEIGHT, WIDTH), np.uint8), **WHO)
    propagate(case, 0)
    assert np.count_nonzero(case.mask(3)) < 0.05 * np.count_nonzero(true_mask(3))


def test_the_persons_layer_goes_along(tmp_path: Path) -> None:
    """The model calls the instrument 1 and the person 7."""
    case = make_moving_case(tmp_path, 10, uncertainty=lambda i: 0.02)
    case.correct(0, true_mask(0) * np.uint8(7), **WHO)
    propagate(case, 0)
    assert np.unique(case.mask(9)).tolist() == [0, 7]


def test_twice_is_as_good_as_once(tmp_path: Path) -> None:
    case = make_moving_case(tmp_path, 8, mask=wrong_mask)
    correct(case, 4)
    propagate(case, 4)
    propagate(case, 4)
    assert dice(case.mask(0), true_mask(0)) > 0.9


def test_the_journal_names_what_wrote_a_mask(tmp_path: Path) -> None:
    case = make_moving_case(tmp_path, 3, mask=wrong_mask)
    correct(case, 0)
    propagate(case, 0)
    last = list(case.journal(1))[-1]
    assert (last.what, last.who) == ("predict", "propagation of frame 0")
    assert last.before != last.after


@pytest.mark.parametrize("index", [1, 99])
def test_a_frame_that_no_person_dealt_with_is_refused(tmp_path: Path, index: int) -> None:
    case = make_moving_case(tmp_path, 3)
    with pytest.raises(RASNetError, match=f"frame {index} .*correct or accept it first"):
        propagate(case, index)


class TestCommand:
    def test_it_says_how_far_it_went_and_why_no_further(self, tmp_path: Path) -> None:
        case = make_moving_case(tmp_path, 6, mask=wrong_mask, cut=4)
        correct(case, 1)
        done = CliRunner().invoke(app, ["propagate", str(case.folder), "--all", "--progress", "none"])
        assert done.exit_code == 0
        assert "forwards to 3" in done.stdout
        assert "(cut)" in done.stdout
        assert human_frames(case) == [1]

    def test_it_wants_frames_or_all(self, tmp_path: Path) -> None:
        case = make_moving_case(tmp_path, 2)
        done = CliRunner().invoke(app, ["propagate", str(case.folder)])
        assert done.exit_code == 2
        assert "--all" in done.output


class TestBetweenTwoOutlines:
    """Labels of 320x64 pixels, as many as the small picture has, in which an instrument reaches to a column."""

    @staticmethod
    def reaching(column: int) -> _Labels:
        layers = np.zeros((64, 320), np.uint8)
        layers[20:44, :column] = 1
        return _Labels(layers, None)

    @staticmethod
    def weights(value: float) -> npt.NDArray[np.float32]:
        return np.full((64, 320), value, np.float32)

    @pytest.mark.parametrize(
        ("mine", "theirs", "column"),
        [(1.0, 1.0, 104), (3.0, 1.0, 102), (1.0, 3.0, 106), (100.0, 0.01, 100), (0.01, 100.0, 108)],
    )
    def test_the_edge_lies_between_theirs_by_their_odds(self, mine: float, theirs: float, column: int) -> None:
        found = _between(self.reaching(100), self.reaching(108), self.weights(mine), self.weights(theirs))
        assert abs(np.count_nonzero(found.layers[32]) - column) <= 1

    @pytest.mark.parametrize(("mine", "theirs", "shown"), [(2.0, 1.0, True), (1.0, 2.0, False)])
    def test_of_what_only_one_shows_the_better_odds_decide(self, mine: float, theirs: float, shown: bool) -> None:
        nothing = _Labels(np.zeros((64, 320), np.uint8), None)
        large = _Labels(np.zeros((64, 320), np.uint8), None)
        large.layers[:, 100:200] = 3
        found = _between(large, nothing, self.weights(mine), self.weights(theirs)).layers
        assert (found[:, 116:184] == (3 if shown else 0)).all()
        assert set(np.unique(found)) <= {0, 3}

    def test_labels_that_agree_stay(self) -> None:
        labels = self.reaching(77)
        np.testing.assert_array_equal(
            _between(labels, labels, self.weights(0.3), self.weights(2.0)).layers, labels.layers
        )
