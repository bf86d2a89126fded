"""Frames by which a model is judged show what it has not learnt from."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rasnet.adaptation.holding_back import divide
from rasnet.case import FrameRow
from rasnet.errors import RASNetError


def row(index: int, pts: float) -> FrameRow:
    return FrameRow(index, pts, "corrected", None, (), None, "ab")


def test_one_place_of_four_is_held_back() -> None:
    rows = [row(index, 10.0 * index) for index in range(8)]
    learn, held_back = divide(rows)
    assert (len(learn), len(held_back)) == (6, 2)
    assert sorted(learn + held_back, key=lambda r: r.index) == rows


def test_frames_of_one_place_stay_together() -> None:
    rows = [row(4 * place + i, 10.0 * place + 0.01 * i) for place in range(4) for i in range(4)]
    learn, held_back = divide(rows)
    assert {r.index // 4 for r in learn}.isdisjoint({r.index // 4 for r in held_back})


@pytest.mark.parametrize("step_s", [0.04, 0.4, 0.8, 0.99])
def test_a_video_of_which_a_person_did_a_lot_can_be_learnt_from(step_s: float) -> None:
    learn, held_back = divide([row(index, index * step_s) for index in range(int(8 / step_s))])
    assert len(learn) >= len(held_back) > 0


@given(st.lists(st.floats(0, 60), max_size=40))
def test_what_is_asked_was_not_learnt(times: list[float]) -> None:
    try:
        learn, held_back = divide([row(index, time) for index, time in enumerate(sorted(times))])
    except RASNetError:
        assert np.unique(np.floor(times)).size < 12  # of the seconds of a minute
    else:
        assert min(abs(one.pts - other.pts) for one in learn for other in held_back) >= 0.4


@pytest.mark.parametrize(
    "times", [(), (5.0,), (0.0, 10.0, 20.0), (0.0, 0.5, 1.0, 1.5, 2.0, 2.5), (0.0, 0.9, 1.0, 1.9, 2.0, 2.9)]
)
def test_too_few_places_are_refused(times: tuple[float, ...]) -> None:
    with pytest.raises(RASNetError, match=r"show too little of the video.*4 places that are 1 s or more apart"):
        divide([row(index, time) for index, time in enumerate(times)])
