"""Learning from corrections, with real processes: which frame next, carry a correction on, adapt the model."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

pytest.importorskip("slicer_core", reason="the package slicer-core is not installed")
pytest.importorskip("PySide6", reason="the package PySide6-Essentials is not installed")

from moving import dice, make_moving_case, true_mask, true_parts, wrong_mask
from processes import workers
from RASNetSlicerLib import installation

from rasnet.bundle import file_sha256, weights_path
from rasnet.case import Case, ModelInfo
from rasnet.review import order

if TYPE_CHECKING:
    from standin.application import Desk

Until = Callable[..., float]
FRAMES, MENDED, ELSEWHERE = 24, 12, 3
STROKE = slice(0, 10), slice(0, 12)
BUTTONS = ("planReviewButton", "propagateFrameButton", "propagateAllButton", "adaptButton", "findVideoButton")

# A process starts with this: few steps on small pictures, and frames 0.08 s apart count as different places.
SHORT_LESSON = """
import os, sys
if "adapt" in sys.orig_argv:
    from rasnet.adaptation import adapting, holding_back, learning
    load = adapting.load_model
    def small(weights):
        model = load(weights)
        model.segmenter.pixels = 128 * 160
        return model
    adapting.load_model = small
    learning.STEPS, holding_back.PLACE_S, holding_back.APART_S = int(os.environ["STEPS"]), 0.05, 0.05
    adapting._STILLS = adapting._OWN = adapting._EXAM_STILLS = 2
    adapting.LEAST_GAIN = float(os.environ["LEAST_GAIN"])
"""


def open_case(desk: Desk, folder: Path) -> None:
    desk.files.append(str(folder))
    desk.ui.caseButton.click()
    desk.ui.openButton.click()
    assert desk.widget.session is not None, (desk.said, desk.ui.planLabel.text)


@pytest.fixture
def moving(desk: Desk, tmp_path: Path) -> Desk:
    """A bar that moves, half of which the model has missed in every frame, and doubts most in the middle."""
    case = make_moving_case(
        tmp_path, FRAMES, mask=wrong_mask, uncertainty=lambda index: 0.6 - 0.02 * abs(index - MENDED)
    )
    case.close()
    open_case(desk, case.folder)
    return desk


@pytest.fixture
def lesson(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Make learning short."""
    (tmp_path / "path").mkdir()
    (tmp_path / "path" / "sitecustomize.py").write_text(SHORT_LESSON)

    def lesson(*, steps: int = 2, least_gain: float = 0.005) -> None:
        settings = {"PYTHONPATH": tmp_path / "path", "STEPS": steps, "LEAST_GAIN": least_gain}
        for name, value in settings.items():
            monkeypatch.setenv(name, str(value))

    return lesson


@pytest.fixture
def corrected(desk: Desk, tmp_path: Path) -> Desk:
    """A case of the released weights, in which a person has mended every second frame."""
    with make_moving_case(tmp_path, 10, mask=wrong_mask) as case:
        case.remember_model(ModelInfo("rasnet_instrument_parts", file_sha256(weights_path()), "torch-cpu"), who="test")
        for index in (0, 2, 4, 6, 8, 9):
            case.correct(index, true_mask(index), true_parts(index), who="A. Surgeon", tool="test")
    open_case(desk, case.folder)
    return desk


def stored(desk: Desk) -> dict[int, tuple[str, str | None]]:
    with Case.open(desk.widget.session.shown.case.folder) as case:
        return {row.index: (row.status, row.mask_sha256) for row in case.frames()}


def paint(desk: Desk, rows: slice, columns: slice) -> None:
    """A stroke that nobody has saved yet."""
    desk.ui.segmentEditor.setCurrentSegmentID("Layer_1")
    desk.ui.segmentEditor.stroke(rows, columns)


def finish(desk: Desk, until: Until) -> None:
    until(lambda: desk.widget.session.tasks.settled)
    desk.app.processEvents()


def test_the_review_is_planned_by_what_helps_most(moving: Desk, until: Until) -> None:
    session, ui = moving.widget.session, moving.ui
    with Case.open(session.shown.case.folder) as case:
        expected = order(case)

    ui.planReviewButton.click()
    assert ui.learnLabel.text == "Getting ready…"
    assert not any(getattr(ui, name).enabled for name in BUTTONS)
    assert not ui.learnCancelButton.isHidden()
    finish(moving, until)

    assert session.review.order == [entry.index for entry in expected]
    assert 0 < len(session.review.order) < FRAMES  # without near-duplicates
    assert f"{len(expected)} frames are worth a look" in ui.learnLabel.text
    assert all(getattr(ui, name).enabled for name in BUTTONS)
    assert ui.learnCancelButton.isHidden()
    ui.nextButton.click()
    assert session.shown.shown == expected[0].index
    assert expected[0].why in ui.reviewLabel.text


def test_the_plan_outlives_a_frame_that_is_looked_at_again(
    moving: Desk, until: Until, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = moving.widget.session
    session.review.refresh([7, 3], {7: "it is doubtful"})
    monkeypatch.setattr(sys, "executable", str(tmp_path / "no-python"))

    moving.ui.findFrameButton.click()
    until(lambda: session.finding.problem)
    moving.app.processEvents()

    assert session.review.order == [7, 3]
    session.shown.sequences.show(7)
    moving.app.processEvents()
    assert moving.ui.reviewLabel.text == "Frames that wait for review: 2. This one: it is doubtful"


def test_a_correction_is_carried_on_while_a_person_works_elsewhere(moving: Desk, until: Until) -> None:
    session, ui = moving.widget.session, moving.ui
    shown = session.shown
    shown.sequences.show(MENDED)
    paint(moving, slice(50, 65), slice(20 + 2 * MENDED, 80 + 2 * MENDED))

    ui.propagateFrameButton.click()  # the stroke is saved first
    shown.sequences.show(ELSEWHERE)
    paint(moving, *STROKE)
    finish(moving, until)

    assert shown.shown == ELSEWHERE
    assert (shown.mask(ELSEWHERE)[STROKE] == 1).all()
    rows = {row.index: row.status for row in shown.case.frames()}
    assert [index for index in rows if rows[index] == "corrected"] == [ELSEWHERE, MENDED]
    for index in (MENDED - 3, MENDED - 1, MENDED + 1, MENDED + 3):
        assert dice(shown.mask(index), true_mask(index)) > 0.9 > dice(wrong_mask(index), true_mask(index))
        np.testing.assert_array_equal(shown.mask(index), shown.case.mask(index))
    assert f"frames follow frame {MENDED}: to frame {ELSEWHERE + 1}" in ui.learnLabel.text
    assert "a person has dealt with the next one" in ui.learnLabel.text
    assert "the case ends there" in ui.learnLabel.text


def test_every_correction_is_carried_on(moving: Desk, until: Until) -> None:
    case = moving.widget.session.shown.case
    for index in (2, 20):
        case.correct(index, true_mask(index), true_parts(index), who="A. Surgeon", tool="test")

    moving.ui.propagateAllButton.click()
    finish(moving, until)

    assert moving.ui.learnLabel.text == f"{FRAMES - 2} frames follow the corrections."
    for index in (1, 3, 19, 21):
        assert dice(moving.widget.session.shown.mask(index), true_mask(index)) > 0.9


def test_what_cannot_be_carried_on_is_one_sentence_with_a_log(moving: Desk, until: Until) -> None:
    before = stored(moving)

    moving.ui.propagateFrameButton.click()
    finish(moving, until)

    words = moving.ui.learnLabel.text
    assert words.startswith("Frame 0 of ")
    assert words.endswith("so correct or accept it first.")
    assert stored(moving) == before
    moving.ui.learnLogButton.click()
    assert moving.said.pop() == moving.widget.session.tasks.problem
    assert "Traceback" in moving.widget.session.tasks.log


def test_a_better_model_is_kept_and_its_masks_appear(
    corrected: Desk, until: Until, lesson: Callable[..., None]
) -> None:
    lesson(least_gain=-1)  # whatever two steps can teach is good enough
    session, ui = corrected.widget.session, corrected.ui
    before = stored(corrected)
    session.shown.sequences.show(4)

    ui.adaptButton.click()
    finish(corrected, until)

    words = ui.learnLabel.text
    assert words.startswith("<b>New model kept.</b> Dice of the frames held back rose from ")
    assert words.endswith("It learnt from 4 frames and was judged by 2 others. 4 frames were predicted anew.")
    assert session.shown.shown == 4
    after = stored(corrected)
    for index in range(10):
        status, mask = before[index]
        assert after[index][0] == status
        assert (after[index][1] == mask) == (status == "corrected")
        np.testing.assert_array_equal(session.shown.mask(index), session.shown.case.mask(index))
    assert list((session.shown.case.folder / "models").glob("*.pt"))


def test_a_model_that_did_not_get_better_is_said_to_be_dropped(moving: Desk) -> None:
    why = "the frames held back did not get better (Dice 0.912 before, 0.905 after), so the model stays as it was"
    tasks = moving.widget.session.tasks
    tasks.activity = "adapt"
    frames = {"learnt": [1, 5, 9], "held_back": [3, 7], "predicted": 0}
    tasks.result = {"event": "adaptation", "kept": False, "why": why, **frames}

    moving.widget.update()

    assert moving.ui.learnLabel.text == (
        "<b>Model stays as it was.</b> The frames held back did not get better (Dice 0.912 before, 0.905 after). "
        "It learnt from 3 frames and was judged by 2 others."
    )


def test_learning_can_be_cancelled(corrected: Desk, until: Until, lesson: Callable[..., None]) -> None:
    lesson(steps=100_000)
    before = stored(corrected)
    corrected.ui.adaptButton.click()
    until(lambda: corrected.widget.session.tasks.done)
    assert corrected.ui.learnProgressBar.maximum == 100_000
    assert len(workers("adapt")) == 1

    corrected.ui.learnCancelButton.click()
    assert corrected.ui.learnLabel.text == "Stopping…"
    assert not corrected.ui.learnCancelButton.enabled
    assert until(lambda: not workers("adapt")) < 2
    finish(corrected, until)

    assert corrected.ui.learnLabel.text.startswith("Stopped")
    assert corrected.ui.learnLogButton.isHidden()
    assert corrected.ui.adaptButton.enabled
    assert stored(corrected) == before


def test_a_crash_is_one_sentence(corrected: Desk, until: Until) -> None:
    corrected.ui.adaptButton.click()
    until(lambda: workers("adapt"))

    os.kill(workers("adapt")[0], signal.SIGKILL)
    finish(corrected, until)

    assert corrected.ui.learnLabel.text.startswith("The worker was killed (SIGKILL)")
    assert corrected.ui.adaptButton.enabled


def test_closing_the_scene_ends_learning(corrected: Desk, until: Until) -> None:
    corrected.ui.adaptButton.click()
    until(lambda: workers("adapt"))

    corrected.mrml.scene.Clear(False)

    assert until(lambda: not workers("adapt")) < 2
    assert corrected.widget.session is None
    assert not corrected.ui.adaptButton.enabled
    assert corrected.ui.learnLabel.text == ""


def test_learning_without_torch_says_where_to_get_it(moving: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    torch = installation.Requirement("torch", "torch>=2.6", 3000)
    monkeypatch.setattr(installation, "_missing", lambda _choice: [torch])

    moving.ui.adaptButton.click()

    words = moving.said.pop()
    assert words.startswith("learning needs torch")
    assert "Install…" in words
    assert not moving.widget.session.busy
