"""Finding instruments with the real worker: one frame, the whole video, cancel, and every way in which it can end."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

pytest.importorskip("slicer_core", reason="the package slicer-core is not installed")
pytest.importorskip("PySide6", reason="the package PySide6-Essentials is not installed")

import slicer
from processes import workers

from rasnet.case import Case
from rasnet.video import open_source

if TYPE_CHECKING:
    from standin.application import Desk

Until = Callable[..., float]
LONG = 250
SAMPLE_CLIP = Path(__file__).resolve().parents[2] / "Resources" / "sample_clip.mp4"


def open_clip(desk: Desk, folder: Path, first: int, last: int) -> None:
    """Open some frames of the sample clip, which has more than any test waits for."""
    (folder / "operation.mp4").symlink_to(SAMPLE_CLIP)
    desk.files.append(str(folder / "operation.mp4"))
    desk.ui.videoButton.click()
    desk.ui.firstFrameSpinBox.value, desk.ui.lastFrameSpinBox.value = first, last
    desk.app.processEvents()
    desk.ui.openButton.click()
    assert desk.widget.session is not None, (desk.said, desk.ui.planLabel.text)


@pytest.fixture
def running(desk: Desk, tmp_path: Path, until: Until) -> Desk:
    """A video that is being segmented; the worker has a process, and may still be loading its model."""
    open_clip(desk, tmp_path, 0, 3)
    desk.ui.findVideoButton.click()
    until(workers)
    return desk


def test_this_frame_then_the_video_then_cancel(desk: Desk, tmp_path: Path, until: Until) -> None:
    open_clip(desk, tmp_path, 0, 11)
    session, ui = desk.widget.session, desk.ui
    shown = session.shown
    shown.sequences.show(5)

    # This frame.
    ui.findFrameButton.click()
    assert ui.progressLabel.text == "Loading the model…"
    assert not ui.findFrameButton.enabled
    assert not ui.findVideoButton.enabled
    assert not ui.openButton.enabled
    until(lambda: not session.finding.busy)
    assert session.finding.problem == ""
    assert shown.mask(5).any()
    assert "model is loaded" in ui.workerLabel.text
    assert ui.layersTable.rowCount == len(session.layers) > 0
    assert "found by the program" in ui.frameLabel.text
    before = session.layers

    # The whole video: masks arrive, and the person works on.
    shown.sequences.show(7)
    ui.segmentEditor.setCurrentSegmentID("Layer_1")
    ui.segmentEditor.stroke(slice(0, 20), slice(0, 20))
    ui.findVideoButton.click()
    desk.app.processEvents()
    until(lambda: session.finding.done)
    assert not ui.cancelButton.isHidden()
    assert ui.progressBar.value == session.finding.done
    assert ui.progressBar.maximum == LONG - 2  # frame 5 is done, and frame 7 is a person's
    assert "frames/s" in ui.progressLabel.text
    assert "left" in ui.progressLabel.text
    assert shown.shown == 7  # the frame on show is the person's affair
    until(lambda: shown.mask(0).any())
    assert (shown.mask(7)[:20, :20] == 1).all()
    assert shown.case.frame(7).status == "corrected"
    shown.sequences.show(1)
    until(lambda: shown.mask(1).any())
    assert shown.shown == 1
    assert session.layers[: len(before)] == before

    # Review begins before the search ends.
    ui.nextButton.click()
    assert shown.case.frame(shown.shown).status == "predicted"

    # Cancel.
    ui.cancelButton.click()
    assert ui.progressLabel.text == "Stopping…"
    assert until(lambda: not workers()) < 2
    until(lambda: not session.finding.busy)
    assert session.finding.problem == ""
    assert ui.findVideoButton.enabled
    rows = session.shown.case.frames()
    assert 3 <= len(rows) < LONG
    for index in shown.sequences.indices:
        row = session.shown.case.frame(index)
        assert shown.mask(index).any() == (row is not None and session.shown.case.mask(index).any())
    assert session.review.waiting


def test_a_worker_that_crashes_gives_one_sentence_and_its_log(running: Desk, until: Until) -> None:
    (worker,) = workers()
    os.kill(worker, signal.SIGKILL)
    until(lambda: not running.widget.session.finding.busy)

    words = running.ui.progressLabel.text
    assert "SIGKILL" in words
    assert words.count(".") == 1
    assert running.ui.findVideoButton.enabled
    running.widget.session.finding.log = "Traceback"  # what it would have written
    running.widget.update()
    running.ui.logButton.click()
    assert running.said.pop() == running.widget.session.finding.problem


@pytest.mark.parametrize("package", ["av", "cv2"])
def test_a_worker_without_a_package_names_it(
    desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, until: Until, package: str
) -> None:
    (tmp_path / "path").mkdir()
    (tmp_path / "path" / f"{package}.py").write_text(
        f"raise ModuleNotFoundError(\"No module named '{package}'\", name='{package}')\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "path"))
    open_clip(desk, tmp_path, 0, 1)

    desk.ui.findVideoButton.click()
    until(lambda: not desk.widget.session.finding.busy)

    words = desk.ui.progressLabel.text
    assert package in words
    assert "\n" not in words
    assert desk.ui.logButton.enabled


def test_a_worker_that_cannot_be_started_says_so(
    opened: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, until: Until
) -> None:
    monkeypatch.setattr(sys, "executable", str(tmp_path / "no-python"))

    opened.ui.findFrameButton.click()
    until(lambda: not opened.widget.session.finding.busy)

    assert "cannot be started" in opened.ui.progressLabel.text


def test_closing_the_scene_ends_the_worker_and_saves_the_stroke(running: Desk, until: Until) -> None:
    session = running.widget.session
    added = session.edits.add("Clip applier")
    running.widget.update()
    running.ui.segmentEditor.setCurrentSegmentID(f"Layer_{added.id}")
    running.ui.segmentEditor.stroke(slice(0, 20), slice(0, 20))

    slicer.mrmlScene.Clear(False)

    assert until(lambda: not workers()) < 2
    assert running.widget.session is None
    with Case.open(session.shown.case.folder) as case:
        assert (case.mask(0)[:20, :20] == added.id).all()
    assert not running.ui.findVideoButton.enabled
    running.widget.enter()  # the panel goes on without it
    running.widget.exit()


def test_reloading_the_module_ends_the_worker_and_goes_on_with_the_case(running: Desk, until: Until) -> None:
    before = running.widget

    slicer.util.reloadScriptedModule("RASNetSlicer")

    assert until(lambda: not workers()) < 2
    assert running.widget is not before
    assert before.session is None
    assert before.Observations == []
    assert running.widget.session.shown.sequences.indices == [0, 1, 2, 3]
    assert running.ui.findVideoButton.enabled


def test_quitting_slicer_ends_the_worker(running: Desk, until: Until) -> None:
    running.app.aboutToQuit.emit()

    assert until(lambda: not workers()) < 2
    assert running.widget.session is None


def test_instruments_of_a_real_operation_are_found(desk: Desk, shared_data: Path, tmp_path: Path, until: Until) -> None:
    video = tmp_path / "operation.avi"
    video.symlink_to(shared_data / "endovis2015_robotic" / "Dataset3" / "Video.avi")
    with open_source(shared_data / "endovis2015_robotic" / "Dataset3" / "Segmentation.avi") as source:
        truth = source[100].rgb[..., 0] > 35
    desk.files.append(str(video))
    desk.ui.videoButton.click()
    desk.ui.firstFrameSpinBox.value, desk.ui.lastFrameSpinBox.value = 100, 101
    desk.app.processEvents()
    desk.ui.openButton.click()

    desk.ui.findFrameButton.click()
    until(lambda: not desk.widget.session.finding.busy)

    found = desk.widget.session.shown.mask(100) > 0
    assert desk.ui.layersTable.rowCount > 0
    assert 2 * (found & truth).sum() / (found.sum() + truth.sum()) > 0.8
    assert desk.widget.session.shown.shown == 100
