"""Reviewing a case in a scene: in which order, with which deeds, and what can be taken back."""

from __future__ import annotations

import time
from itertools import pairwise

import numpy as np
import pytest

pytest.importorskip("slicer_core", reason="the package slicer-core is not installed")

from editor import Editor
from hypothesis import given
from hypothesis import strategies as st
from RASNetSlicerLib.review import ReviewQueue, review_order
from RASNetSlicerLib.saving import STATUS
from RASNetSlicerLib.scene import CaseScene
from RASNetSlicerLib.window import plan_window
from surgery import expected_mask, predict, predicted_mask

from rasnet.case import Case, FrameRow
from rasnet.errors import RASNetError

STROKE = slice(40, 46), slice(5, 20)

DOUBTFUL_FIRST = [5, 4, 3, 2, 1, 0]
"""The predictions of the case, whose uncertainty is index / 10."""


def row(index: int, uncertainty: float | None, status: str = "predicted", fps: float = 25) -> FrameRow:
    return FrameRow(index, index / fps, status, uncertainty, (), None, "00")


# The order


def test_the_most_doubtful_come_first_and_their_neighbours_later() -> None:
    # One frame a second; doubt is highest around 3.
    rows = [row(index, doubt, fps=1) for index, doubt in enumerate([0.1, 0.5, 0.8, 0.9, 0.85, 0.4, 0.7])]

    assert review_order(rows, gap_s=2) == [3, 6, 1, 4, 2, 5, 0]
    assert review_order(rows, gap_s=0) == [3, 4, 2, 6, 1, 5, 0]


def test_frames_without_a_figure_come_last_and_those_of_a_person_not_at_all() -> None:
    rows = [row(0, None), row(50, 0.2), row(100, 0.9, "accepted"), row(150, 0.3, "corrected"), row(200, 0.1, "skipped")]

    assert review_order(rows) == [50, 0]


@given(st.lists(st.none() | st.floats(0, 1), max_size=80), st.integers(0, 20))
def test_every_frame_comes_once_and_the_first_ones_are_apart(doubts: list[float | None], gap: int) -> None:
    rows = [row(index, doubt, fps=1) for index, doubt in enumerate(doubts)]

    order = review_order(rows, gap_s=gap)

    assert sorted(order) == list(range(len(rows)))
    # As many as cannot be nearer to each other than the gap, in whatever way the greedy choice falls.
    first = order[: -(-len(rows) // (2 * gap - 1))] if gap else order
    assert all(after - before >= gap for before, after in pairwise(sorted(first)))


def test_an_hour_of_video_is_put_into_order_at_once() -> None:
    doubts = np.random.default_rng(0).random(90_000)
    began = time.perf_counter()

    assert len(review_order([row(index, doubt) for index, doubt in enumerate(doubts)])) == 90_000

    assert time.perf_counter() - began < 5


# Walking


def test_the_order_is_that_of_doubt_and_follows_the_case(shown: CaseScene, case: Case) -> None:
    queue = ReviewQueue(shown)
    assert queue.order == review_order(case.frames()) == [5, 0, 3, 4, 2, 1]  # frames 0 and 1 are of one doubt

    predict(Case.open(case.folder), range(6, 8))
    queue.refresh()
    assert queue.order[0] == 7


def test_next_walks_through_what_waits_and_previous_back(shown: CaseScene) -> None:
    queue = ReviewQueue(shown, DOUBTFUL_FIRST)
    shown.sequences.show(7)  # not in the order

    assert [queue.next() for _ in range(3)] == [5, 4, 3]
    assert shown.shown == 3
    assert [queue.previous() for _ in range(3)] == [4, 5, None]
    assert shown.shown == 5


def test_what_a_person_has_dealt_with_is_passed_over(shown: CaseScene, editor: Editor) -> None:
    queue = ReviewQueue(shown, order=[2, 0, 4, 5])
    shown.sequences.show(0)
    editor.paint("Layer_2", *STROKE)  # saved when the next is shown
    shown.sequences.show(2)

    assert queue.waiting == [2, 4, 5]
    assert [queue.next(), queue.next(), queue.next()] == [4, 5, 2]  # after the last the first again


def test_frames_that_are_not_loaded_are_counted(shown: CaseScene) -> None:
    shown.move(plan_window(shown.case.info, start=2, stop=4))
    queue = ReviewQueue(shown, DOUBTFUL_FIRST)

    assert (queue.waiting, queue.elsewhere) == ([3, 2], 4)
    shown.sequences.show(2)
    assert queue.next() == 3
    assert queue.accept() == 2
    assert queue.accept() is None
    assert (queue.waiting, queue.elsewhere) == ([], 4)


# Deeds


@pytest.mark.parametrize(("deed", "status"), [("accept", "accepted"), ("skip", "skipped")])
def test_a_deed_is_in_the_case_and_on_the_frame_and_leads_on(shown: CaseScene, deed: str, status: str) -> None:
    queue = ReviewQueue(shown, DOUBTFUL_FIRST)
    shown.sequences.show(5)

    assert getattr(queue, deed)() == 4

    assert shown.shown == 4
    assert queue.status_of(5) == status
    assert shown.sequences.mask_node(5).GetAttribute(STATUS) == status
    entry = list(shown.case.journal(5))[-1]
    assert (entry.who, entry.what, entry.after) == ("A. Surgeon", "set status", status)


def test_accepting_takes_the_strokes_with_it(shown: CaseScene, editor: Editor) -> None:
    shown.sequences.show(5)
    editor.paint("Layer_2", *STROKE)

    ReviewQueue(shown).accept()

    assert (shown.case.mask(5)[STROKE] == 2).all()
    assert shown.case.frame(5).status == "accepted"


def test_a_frame_without_a_mask_can_be_skipped_and_not_accepted(shown: CaseScene) -> None:
    queue = ReviewQueue(shown, DOUBTFUL_FIRST)
    shown.sequences.show(7)
    with pytest.raises(RASNetError, match=r"frame 7 of .* has no mask yet"):
        queue.accept()
    assert not queue.can_undo

    queue.skip()
    assert queue.status_of(7) == "skipped"
    assert queue.undo() == 7
    assert queue.status_of(7) == ""
    assert shown.case.frame(7) is None


def test_a_layer_comes_from_the_frame_before_as_it_is_there(shown: CaseScene) -> None:
    shown.sequences.show(3)

    assert ReviewQueue(shown).copy_layer(1) == 2

    expected = np.where(predicted_mask(3) == 1, 0, predicted_mask(3))
    expected[predicted_mask(2) == 1] = 1
    np.testing.assert_array_equal(shown.mask(3), expected)
    np.testing.assert_array_equal(shown.case.mask(3), expected)
    assert shown.case.frame(3).status == "corrected"


@pytest.mark.parametrize(
    ("index", "layer", "message"),
    [(0, 1, "frame 0 is the first that is loaded"), (3, 3, "layer 3 is not in frame 2")],
)
def test_what_cannot_be_copied_is_said(shown: CaseScene, index: int, layer: int, message: str) -> None:
    queue = ReviewQueue(shown, DOUBTFUL_FIRST)
    shown.sequences.show(index)

    with pytest.raises(RASNetError, match=message):
        queue.copy_layer(layer)

    np.testing.assert_array_equal(shown.mask(index), expected_mask(index))
    assert not queue.can_undo


# Taking back


def test_deeds_are_taken_back_one_by_one_wherever_the_view_is(shown: CaseScene, case: Case) -> None:
    case.write_prediction(4, case.times[4], predicted_mask(4), (predicted_mask(4) > 0).astype(np.uint8))
    shown.refresh()
    before = [(case.frame(index), case.mask(index).tobytes()) for index in range(6)]
    queue = ReviewQueue(shown, DOUBTFUL_FIRST)
    shown.sequences.show(5)
    queue.accept()
    queue.copy_layer(2)  # in frame 4
    queue.skip()
    assert [queue.status_of(index) for index in (5, 4)] == ["accepted", "skipped"]
    shown.sequences.show(0)

    assert [queue.undo(), queue.status_of(4), shown.shown] == [4, "corrected", 4]
    assert [queue.undo(), queue.undo(), queue.undo()] == [4, 5, None]

    assert [(case.frame(index), case.mask(index).tobytes()) for index in range(6)] == before
    assert (case.parts(4) > 0).sum() == (predicted_mask(4) > 0).sum()
    for index in range(6):
        np.testing.assert_array_equal(shown.mask(index), predicted_mask(index))
        assert shown.sequences.mask_node(index).GetAttribute(STATUS) == "predicted"


@pytest.mark.parametrize("deed", ["accept", "copy_layer"])
def test_what_was_painted_since_is_never_taken_back(shown: CaseScene, editor: Editor, deed: str) -> None:
    queue = ReviewQueue(shown, DOUBTFUL_FIRST)
    shown.sequences.show(5)
    queue.accept() if deed == "accept" else queue.copy_layer(1)
    shown.sequences.show(5)
    editor.paint("Layer_2", *STROKE)

    with pytest.raises(RASNetError, match="frame 5 was changed since"):
        queue.undo()

    assert (shown.case.mask(5)[STROKE] == 2).all()
    assert shown.case.frame(5).status == "corrected"


def test_a_deed_outside_the_window_is_taken_back_in_the_case(shown: CaseScene) -> None:
    queue = ReviewQueue(shown, DOUBTFUL_FIRST)
    shown.sequences.show(5)
    queue.accept()
    shown.move(plan_window(shown.case.info, start=0, stop=3))

    assert queue.undo() == 5
    assert shown.case.frame(5).status == "predicted"
    assert shown.shown in range(3)
