"""Opening: a video, a folder, a case, a sequence in the scene; and what is said where that cannot be."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

pytest.importorskip("slicer_core", reason="the package slicer-core is not installed")
pytest.importorskip("PySide6", reason="the package PySide6-Essentials is not installed")

import slicer
from PySide6 import QtWidgets
from RASNetSlicerLib.images import rgb_of, vector_volume
from surgery import FRAMES, expected_mask, picture

from rasnet.case import Case

if TYPE_CHECKING:
    from standin.application import Desk

OK, CANCEL = QtWidgets.QMessageBox.StandardButton.Ok, QtWidgets.QMessageBox.StandardButton.Cancel
YES, NO = QtWidgets.QMessageBox.StandardButton.Yes, QtWidgets.QMessageBox.StandardButton.No
SAMPLE_CLIP = Path(__file__).resolve().parents[2] / "Resources" / "sample_clip.mp4"


def choose_case(desk: Desk, folder: Path) -> None:
    desk.files.append(str(folder))
    desk.ui.caseButton.click()


def choose_folder(desk: Desk, folder: Path) -> None:
    desk.files.append(str(folder))
    desk.ui.folderButton.click()


def settle(desk: Desk) -> None:
    """Let what was put off until the event loop happen."""
    desk.app.processEvents()
    desk.app.processEvents()


def image_browser(name: str = "Endoscope") -> slicer.vtkMRMLSequenceBrowserNode:
    """A sequence of pictures that somebody else has put into the scene."""
    scene = slicer.mrmlScene
    images = scene.AddNewNodeByClass("vtkMRMLSequenceNode", f"{name} images")
    images.SetIndexName("frame")
    for index in range(FRAMES):
        images.SetDataNodeAtValue(vector_volume(picture(index)), str(index))
    browser = scene.AddNewNodeByClass("vtkMRMLSequenceBrowserNode", name)
    browser.SetAndObserveMasterSequenceNodeID(images.GetID())
    return browser


# What works


def test_a_video_is_opened_by_three_presses(desk: Desk, tmp_path: Path) -> None:
    video = tmp_path / "operation.mp4"
    shutil.copy(SAMPLE_CLIP, video)
    desk.files.append(str(video))

    desk.ui.videoButton.click()
    assert desk.ui.sourceLabel.text == "operation.mp4: 250 frames of 640x512, 0:10 min at 25 frames/s"
    assert desk.ui.planLabel.text.startswith("In Slicer: frames 0 to 249, at full resolution: 250 frames")
    assert desk.ui.caseFolderEdit.currentPath == str(tmp_path / "operation.case")
    assert not (tmp_path / "operation.case").exists()  # looking writes nothing
    desk.ui.lastFrameSpinBox.value = 3
    settle(desk)
    assert "frames 0 to 3," in desk.ui.planLabel.text
    desk.ui.openButton.click()

    session = desk.widget.session
    assert session.shown.sequences.indices == [0, 1, 2, 3]
    assert session.shown.case.info.wanted == range(250)
    assert session.shown.case.layers() == []
    # Shown upright, in one large view.
    layout = slicer.app.layoutManager()
    assert layout.layout == slicer.vtkMRMLLayoutNode.SlicerLayoutOneUpRedSliceView
    red = layout.sliceWidget("Red").sliceLogic()
    assert red.GetSliceCompositeNode().GetBackgroundVolumeID() == session.shown.sequences.image_proxy.GetID()
    assert red.GetSliceNode().GetOrientation() == "Axial"


@pytest.mark.parametrize(
    ("set_up", "indices", "shape"),
    [
        pytest.param({"firstFrameSpinBox": 2}, [2, 3, 4, 5, 6, 7], (48, 64), id="from"),
        pytest.param({"firstFrameSpinBox": 2, "lastFrameSpinBox": 4}, [2, 3, 4], (48, 64), id="from to"),
        pytest.param({"everyNthSpinBox": 3}, [0, 3, 6], (48, 64), id="every third"),
        pytest.param({"scaleComboBox": 2}, list(range(8)), (24, 32), id="half resolution"),
    ],
)
def test_the_window_is_what_was_set(
    desk: Desk, small_case: Path, set_up: dict[str, int], indices: list[int], shape: tuple[int, int]
) -> None:
    choose_case(desk, small_case)
    for name, value in set_up.items():
        control = getattr(desk.ui, name)
        setattr(control, "currentIndex" if name == "scaleComboBox" else "value", value)
    settle(desk)
    desk.ui.openButton.click()

    shown = desk.widget.session.shown
    assert shown.sequences.indices == indices
    assert shown.mask(indices[0]).shape == shape


def test_the_window_moves_in_the_same_nodes(opened: Desk) -> None:
    shown = opened.widget.session.shown
    proxies = shown.sequences.image_proxy, shown.sequences.mask_proxy
    opened.ui.firstFrameSpinBox.value = 4
    settle(opened)
    assert opened.ui.openButton.text == "Show these frames"

    opened.ui.openButton.click()

    assert opened.widget.session.shown is shown
    assert shown.sequences.indices == [4, 5, 6, 7]
    assert (shown.sequences.image_proxy, shown.sequences.mask_proxy) == proxies


def test_another_case_takes_the_place_of_the_first(opened: Desk, tmp_path: Path, clip: Path) -> None:
    first = opened.widget.session
    choose_folder(opened, clip)
    opened.ui.lastFrameSpinBox.value = 2
    settle(opened)
    opened.answers.append(YES)

    opened.ui.openButton.click()

    assert opened.said.pop() == (
        f"Take frames out of the scene? Its instruments are kept in {first.shown.case.folder}."
    )
    assert opened.widget.session.shown.case.folder == tmp_path / "clip.case"
    assert slicer.mrmlScene.GetNumberOfNodesByClass("vtkMRMLSequenceBrowserNode") == 1
    assert slicer.mrmlScene.GetNumberOfNodesByClass("vtkMRMLSegmentationNode") == 1


def test_cancelling_leaves_nothing_in_the_scene(desk: Desk, clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from standin.pythonqt import qt

    choose_folder(desk, clip)
    nodes = slicer.mrmlScene.GetNumberOfNodes()
    monkeypatch.setattr(qt.QProgressDialog, "wasCanceled", True)

    desk.ui.openButton.click()

    assert desk.widget.session is None
    assert slicer.mrmlScene.GetNumberOfNodes() == nodes


def test_images_that_are_in_the_scene_get_masks_beside_them(desk: Desk, tmp_path: Path) -> None:
    browser = image_browser()
    theirs = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSequenceNode", "their segmentations")
    theirs.SetDataNodeAtValue(slicer.vtkMRMLSegmentationNode(), "0")
    browser.AddSynchronizedSequenceNode(theirs)
    desk.ui.sceneSelector.setCurrentNode(browser)
    settle(desk)
    assert desk.ui.sourceLabel.text == "Endoscope, from the scene"
    desk.ui.caseFolderEdit.currentPath = str(tmp_path / "endoscope.case")
    settle(desk)

    desk.ui.openButton.click()

    assert desk.said == []
    shown = desk.widget.session.shown
    assert shown.sequences.browser is browser
    assert shown.sequences.indices == list(range(FRAMES))
    np.testing.assert_array_equal(rgb_of(shown.sequences.image_proxy), picture(0))
    with shown.case.open_source() as source:  # what the worker sees
        np.testing.assert_array_equal(source[5].rgb, picture(5))
    assert not desk.ui.openButton.enabled  # once is enough
    assert theirs.GetNumberOfDataNodes() == 1  # a user's own segmentation is left alone
    assert shown.sequences.masks is not theirs


def test_a_case_whose_video_has_moved_asks_where_it_is(desk: Desk, small_case: Path, tmp_path: Path) -> None:
    shutil.move(small_case.parent / "frames", tmp_path / "elsewhere")
    with Case.open(small_case) as case:
        model = case.info.model
    choose_case(desk, small_case)
    desk.answers.append(CANCEL)
    desk.ui.openButton.click()
    assert "is no longer at" in desk.said.pop()
    assert desk.widget.session is None

    desk.answers.append(OK)
    desk.files.append(str(tmp_path / "elsewhere"))
    desk.ui.openButton.click()

    desk.said.pop()
    session = desk.widget.session
    assert session is not None
    np.testing.assert_array_equal(session.shown.mask(3), expected_mask(3))
    assert session.shown.case.info.model == model
    assert Path(session.shown.case.info.source.path) == tmp_path / "elsewhere"


def test_a_scene_that_was_saved_goes_on(opened: Desk, small_case: Path, tmp_path: Path) -> None:
    opened.files.append(str(tmp_path / "scene.mrb"))
    opened.ui.saveSceneButton.click()
    slicer.mrmlScene.Clear(False)
    assert opened.widget.session is None

    slicer.mrmlScene.ReadFromMRB(str(tmp_path / "scene.mrb"))
    opened.widget.enter()

    session = opened.widget.session
    assert session.shown.case.folder == small_case
    np.testing.assert_array_equal(session.shown.mask(3), expected_mask(3))
    assert opened.ui.layersTable.rowCount == 3
    opened.widget.exit()


def test_a_scene_whose_case_is_gone_says_so_once(opened: Desk, small_case: Path, tmp_path: Path) -> None:
    opened.files.append(str(tmp_path / "scene.mrb"))
    opened.ui.saveSceneButton.click()
    slicer.mrmlScene.Clear(False)
    small_case.rename(tmp_path / "elsewhere")

    slicer.mrmlScene.ReadFromMRB(str(tmp_path / "scene.mrb"))
    opened.widget.enter()
    opened.widget.exit()

    assert "is not a case" in opened.said.pop()
    assert opened.widget.session is None


@pytest.mark.parametrize("node", ["masks", "images", "browser"])
def test_nodes_that_someone_removes_end_the_session_with_its_strokes_saved(opened: Desk, node: str) -> None:
    session = opened.widget.session
    opened.ui.segmentEditor.setCurrentSegmentID("Layer_2")
    opened.ui.segmentEditor.stroke(slice(40, 46), slice(5, 20))

    slicer.mrmlScene.RemoveNode(getattr(session.shown.sequences, node))
    settle(opened)

    assert opened.widget.session is None
    assert not opened.ui.acceptButton.enabled
    with Case.open(session.shown.case.folder) as case:
        assert (case.mask(0)[40:46, 5:20] == 2).all()


# What is said


@pytest.mark.parametrize(
    ("make", "says"),
    [
        pytest.param(lambda folder: folder.mkdir(), "is not a case", id="a folder that is no case"),
        pytest.param(
            lambda folder: (folder.mkdir(), (folder / "case.json").write_text("{")), "is damaged", id="a broken case"
        ),
    ],
)
def test_what_is_no_case_is_said_in_the_panel(
    desk: Desk, tmp_path: Path, make: Callable[[Path], object], says: str
) -> None:
    make(tmp_path / "chosen")
    choose_case(desk, tmp_path / "chosen")

    assert says in desk.ui.planLabel.text
    assert not desk.ui.openButton.enabled


def test_what_is_no_video_is_said_in_the_panel(desk: Desk, tmp_path: Path) -> None:
    (tmp_path / "notes.mp4").write_text("no video")
    desk.files.append(str(tmp_path / "notes.mp4"))
    desk.ui.videoButton.click()

    assert "notes.mp4" in desk.ui.planLabel.text
    assert not desk.ui.openButton.enabled


def test_a_window_that_does_not_fit_is_said_in_the_panel(desk: Desk, small_case: Path) -> None:
    choose_case(desk, small_case)
    desk.ui.firstFrameSpinBox.value = 500
    settle(desk)
    assert "are not in the case, which covers 0 to 7" in desk.ui.planLabel.text
    assert not desk.ui.openButton.enabled


def test_a_browser_with_two_image_sequences_is_not_guessed_at(desk: Desk, tmp_path: Path) -> None:
    browser = image_browser()
    second = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSequenceNode", "second camera")
    for index in range(FRAMES):
        second.SetDataNodeAtValue(vector_volume(picture(index)), str(index))
    browser.AddSynchronizedSequenceNode(second)
    desk.ui.sceneSelector.setCurrentNode(browser)
    desk.ui.caseFolderEdit.currentPath = str(tmp_path / "two.case")
    settle(desk)

    desk.ui.openButton.click()

    assert "Endoscope" in desk.said.pop()
    assert desk.widget.session is None
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_written_is_said_and_nothing_is_left(desk: Desk, clip: Path) -> None:
    choose_folder(desk, clip)
    desk.ui.caseFolderEdit.currentPath = "/proc/operation.case"  # also root cannot write there
    settle(desk)

    desk.ui.openButton.click()

    assert "/proc/operation.case" in desk.said.pop()
    assert desk.widget.session is None


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is read-only to root")
def test_a_case_that_may_only_be_read_says_so_when_it_is_opened(desk: Desk, small_case: Path) -> None:
    choose_case(desk, small_case)
    for path in (small_case, *small_case.iterdir()):
        path.chmod(path.stat().st_mode & ~0o222)
    try:
        desk.ui.openButton.click()
    finally:
        for path in (small_case, *small_case.iterdir()):
            path.chmod(path.stat().st_mode | 0o200)

    assert str(small_case) in desk.said.pop()
    assert desk.widget.session is None


@pytest.mark.parametrize("lost", ["the bundle's configs", "the weights"])
def test_an_installation_without_its_bundle_is_said(
    desk: Desk, clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lost: str
) -> None:
    if lost == "the weights":
        monkeypatch.setattr("RASNetSlicerLib.opening.weights_path", lambda: tmp_path / "model.pt")
    else:
        monkeypatch.setattr("rasnet.bundle._HERE", tmp_path / "rasnet")
    choose_folder(desk, clip)

    desk.ui.openButton.click()

    assert ("there are no weights" if lost == "the weights" else lost) in desk.said.pop()
    assert desk.widget.session is None
    assert not (tmp_path / "clip.case").exists()


def test_a_missing_package_is_named(desk: Desk, clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    for name in [name for name in sys.modules if name.startswith("RASNetSlicerLib.opening")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "rasnet.inference.pipeline", None)
    choose_folder(desk, clip)

    assert "press Install" in desk.said.pop()
