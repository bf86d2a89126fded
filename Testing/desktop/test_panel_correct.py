"""Correcting: strokes are in the case at once, and single keys lead through the frames to review."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

pytest.importorskip("slicer_core", reason="the package slicer-core is not installed")
pytest.importorskip("PySide6", reason="the package PySide6-Essentials is not installed")

from PySide6 import QtCore, QtTest, QtWidgets
from surgery import expected_mask

from rasnet.case import Case

if TYPE_CHECKING:
    from standin.application import Desk

STROKE = slice(40, 46), slice(5, 20)
KEYS = {"next": "N", "previous": "P", "accept": "A", "skip": "S", "copyLayer": "C", "undo": "Z"}


def painted(index: int, layer: int) -> np.ndarray:
    mask = expected_mask(index)
    mask[STROKE] = layer
    return mask


def stroke(desk: Desk, layer: int) -> None:
    desk.ui.segmentEditor.setCurrentSegmentID(f"Layer_{layer}")
    desk.ui.segmentEditor.stroke(*STROKE)
    desk.app.processEvents()
    desk.app.processEvents()


def case_mask(desk: Desk, index: int) -> np.ndarray:
    with Case.open(desk.widget.session.shown.case.folder) as case:
        return case.mask(index)


def test_a_stroke_is_in_the_case_before_the_next(opened: Desk) -> None:
    shown = opened.widget.session.shown
    shown.sequences.show(2)

    stroke(opened, 2)

    np.testing.assert_array_equal(case_mask(opened, 2), painted(2, 2))
    assert shown.shown == 2
    assert opened.ui.frameLabel.text == "<b>Frame 2</b>: corrected"


def test_undo_takes_back_strokes_first_and_deeds_then(opened: Desk) -> None:
    shown = opened.widget.session.shown
    opened.ui.skipButton.click()
    (skipped,) = [row.index for row in shown.case.frames() if row.status == "skipped"]
    frame = shown.shown
    stroke(opened, 2)

    opened.ui.undoButton.click()
    opened.app.processEvents()
    np.testing.assert_array_equal(case_mask(opened, frame), expected_mask(frame))
    assert shown.case.frame(skipped).status == "skipped"

    opened.ui.undoButton.click()
    assert shown.case.frame(skipped).status == "predicted"
    assert shown.shown == skipped
    assert not opened.ui.undoButton.enabled


def test_the_way_through_the_review(opened: Desk) -> None:
    session, ui = opened.widget.session, opened.ui
    assert ui.reviewLabel.text == "Frames that wait for review: 6"
    order = list(session.review.order)

    visited = []
    ui.nextButton.click()
    while len(visited) < 6:
        visited.append(session.shown.shown)
        (ui.skipButton if len(visited) % 2 else ui.acceptButton).click()

    assert sorted(visited) == sorted(order)
    statuses = {row.index: row.status for row in session.shown.case.frames()}
    assert [statuses[index] for index in visited] == ["skipped", "accepted"] * 3
    opened.app.processEvents()
    assert ui.reviewLabel.text in ("Frames that wait for review: 0", "No other frame waits for review here")
    ui.previousButton.click()
    assert session.shown.shown in order


def test_a_layer_is_copied_from_the_frame_before(opened: Desk) -> None:
    shown = opened.widget.session.shown
    shown.sequences.show(6)  # no program has been here
    opened.widget.layers.select(2)

    opened.ui.copyLayerButton.click()

    np.testing.assert_array_equal(case_mask(opened, 6), np.where(expected_mask(5) == 2, 2, 0))
    opened.ui.undoButton.click()
    assert not case_mask(opened, 6).any()


def test_what_cannot_be_accepted_is_said(opened: Desk) -> None:
    opened.widget.session.shown.sequences.show(7)

    opened.ui.acceptButton.click()

    assert "7" in opened.said.pop()
    assert opened.widget.session.shown.case.frame(7) is None


def test_single_keys_work_while_the_module_is_on_show(opened: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    pressed: list[str] = []
    for name in KEYS:
        getattr(opened.ui, f"{name}Button").clicked.connect(lambda _on=False, name=name: pressed.append(name))
    stroke(opened, 2)  # so that there is something to undo
    opened.window.show()
    opened.window.activateWindow()
    QtTest.QTest.qWaitForWindowActive(opened.window, 1000)
    keys = {name: getattr(QtCore.Qt.Key, f"Key_{key}") for name, key in KEYS.items()}

    opened.widget.enter()
    opened.widget.layers.select(1)
    for key in keys.values():
        QtTest.QTest.keyClick(opened.window, key)
        opened.app.processEvents()
    assert pressed == list(keys)
    for name, key in KEYS.items():
        assert f"({key})" in getattr(opened.ui, f"{name}Button").text  # the hint

    # In a text field they are letters.
    edit = opened.ui.caseFolderEdit.findChild(QtWidgets.QLineEdit)
    opened.ui.openSection.collapsed = False
    edit.setFocus()
    QtTest.QTest.keyClick(edit, keys["next"])
    assert edit.text().endswith("n")
    assert len(pressed) == 6

    opened.widget.exit()
    QtTest.QTest.keyClick(opened.window, keys["next"])
    assert len(pressed) == 6
    opened.said.clear()


@pytest.mark.parametrize(
    ("effect", "sees_brightness"),
    [("Paint", False), ("Threshold", True), ("Grow from seeds", True), ("Islands", False)],
)
def test_effects_that_look_at_brightness_get_a_picture_of_it(opened: Desk, effect: str, sees_brightness: bool) -> None:
    opened.ui.segmentEditor.setActiveEffectByName(effect)

    source = opened.ui.segmentEditor.sourceVolumeNode()
    assert source.GetImageData().GetNumberOfScalarComponents() == (1 if sees_brightness else 3)


def test_a_stroke_that_cannot_be_saved_is_said_and_kept(opened: Desk) -> None:
    masks = opened.widget.session.shown.case.folder / "masks"
    masks.rename(masks.with_name("away"))

    stroke(opened, 2)

    assert "cannot be written" in opened.said[0]
    np.testing.assert_array_equal(opened.widget.session.shown.mask(0), painted(0, 2))
    masks.with_name("away").rename(masks)
    opened.said.clear()
    opened.widget.session.shown.save()
    np.testing.assert_array_equal(case_mask(opened, 0), painted(0, 2))


def test_frames_are_browsed_with_slicers_own_widgets(opened: Desk) -> None:
    opened.ui.seekWidget.slider().setValue(5)
    opened.app.processEvents()

    assert opened.widget.session.shown.shown == 5
    assert "Frame 5" in opened.ui.frameLabel.text
