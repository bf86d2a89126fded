"""Masks that go to other programs and come back, by the panel's buttons."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

pytest.importorskip("slicer_core", reason="the package slicer-core is not installed")
pytest.importorskip("PySide6", reason="the package PySide6-Essentials is not installed")

from PySide6 import QtCore, QtWidgets
from surgery import predicted_mask

from rasnet.case import Case
from rasnet.exchange.formats import FORMATS, export_case

if TYPE_CHECKING:
    from standin.application import Desk

YES, NO = QtWidgets.QMessageBox.StandardButton.Yes, QtWidgets.QMessageBox.StandardButton.No


def export(desk: Desk, answer: Callable[[Any], None]) -> None:
    """Press the button, and answer the dialog that it opens."""

    def act() -> None:
        dialog = QtWidgets.QApplication.activeModalWidget()
        answer(dialog)
        buttons = dialog.findChild(QtWidgets.QDialogButtonBox)
        buttons.button(QtWidgets.QDialogButtonBox.StandardButton.Ok).click()

    QtCore.QTimer.singleShot(0, act)
    desk.ui.exportFormatButton.click()


def choose(dialog: Any, box: str, item: int) -> None:
    dialog.findChild(QtWidgets.QComboBox, box).setCurrentIndex(item)


def tick(dialog: Any, box: str) -> None:
    dialog.findChild(QtWidgets.QCheckBox, box).setChecked(True)


def test_the_dialog_has_every_format_and_what_it_can_hold(opened: Desk, tmp_path: Path) -> None:
    offered: dict[str, tuple[int, bool, bool]] = {}

    def look(dialog: Any) -> None:
        formats, contents, pictures = (
            dialog.findChild(kind, name)
            for kind, name in (
                (QtWidgets.QComboBox, "formatComboBox"),
                (QtWidgets.QComboBox, "contentsComboBox"),
                (QtWidgets.QCheckBox, "picturesCheckBox"),
            )
        )
        for place in range(formats.count):
            formats.setCurrentIndex(place)
            name, summary = formats.itemText(place).split(": ", 1)
            assert summary
            offered[name] = contents.count, pictures.isEnabled(), pictures.isChecked()

    opened.files.append("")  # does not want it after all
    before = sorted(tmp_path.iterdir())
    export(opened, look)

    assert offered == {
        name: (len(found.contents), found.pictures == "optional", found.pictures == "always")
        for name, found in FORMATS.items()
    }
    assert sorted(tmp_path.iterdir()) == before


def test_an_export_holds_what_was_chosen(opened: Desk, tmp_path: Path) -> None:
    opened.widget.session.shown.set_status(2, "accepted")

    def answer(dialog: Any) -> None:
        choose(dialog, "formatComboBox", list(FORMATS).index("png"))
        tick(dialog, "picturesCheckBox")
        tick(dialog, "reviewedCheckBox")

    opened.files.append(str(tmp_path / "png"))
    opened.answers.append(YES)
    export(opened, answer)

    assert opened.said.pop().startswith("frame 2 may be outside the body")
    assert len(list((tmp_path / "png").rglob("frame000002.png"))) == 2  # mask and picture
    assert opened.window.statusBar().currentMessage() == f"The masks of 1 frames are in {tmp_path / 'png'}"


def test_a_format_that_is_a_file_gets_its_ending(opened: Desk, tmp_path: Path) -> None:
    opened.files.append(str(tmp_path / "stack"))
    opened.answers.append(YES)

    export(opened, lambda dialog: choose(dialog, "formatComboBox", list(FORMATS).index("seg_nrrd")))

    opened.said.clear()
    assert (tmp_path / "stack.seg.nrrd").is_file()


def test_flagged_frames_stay_without_a_yes(opened: Desk, tmp_path: Path) -> None:
    opened.files.append(str(tmp_path / "png"))
    opened.answers.append(NO)

    export(opened, lambda dialog: None)

    assert "may be outside the body" in opened.said.pop()
    assert not (tmp_path / "png").exists()


@pytest.fixture
def theirs(small_case: Path, tmp_path: Path) -> Path:
    """The small case for CVAT, in frame 4 without layer 2."""
    with Case.open(small_case) as case:
        out = tmp_path / "cvat"
        mask = predicted_mask(4)
        mask[mask == 2] = 0
        case.correct(4, mask, who="somebody", tool="other program")
        export_case(case, out, "cvat", include_flagged=True)
        case.correct(4, predicted_mask(4), who="somebody", tool="other program")
        case.set_status(4, "predicted", who="somebody")
    return out


@pytest.mark.parametrize(("button", "name"), [("importFolderButton", ""), ("importFileButton", "annotations.xml")])
def test_imported_masks_are_on_show(opened: Desk, theirs: Path, button: str, name: str) -> None:
    shown = opened.widget.session.shown
    shown.refresh()
    shown.sequences.show(4)
    opened.files.append(str(theirs / name))

    getattr(opened.ui, button).click()

    assert not (shown.mask(4) == 2).any()
    assert "1 frames have other masks now" in opened.window.statusBar().currentMessage()
    assert "corrected" in opened.ui.frameLabel.text
    assert 4 not in opened.widget.session.review.order


def test_a_persons_frame_is_not_overwritten_and_the_panel_says_so(opened: Desk, theirs: Path) -> None:
    shown = opened.widget.session.shown
    shown.refresh()
    shown.set_status(4, "accepted")
    opened.files.append(str(theirs))

    opened.ui.importFolderButton.click()

    assert "frame 4 of the case would change, which a person has corrected, accepted or skipped" in opened.said.pop()
    np.testing.assert_array_equal(shown.mask(4), predicted_mask(4))


def test_a_folder_of_something_else_is_one_sentence(opened: Desk, tmp_path: Path) -> None:
    (tmp_path / "holiday").mkdir()
    opened.files.append(str(tmp_path / "holiday"))

    opened.ui.importFolderButton.click()

    assert opened.said.pop().startswith(
        f"nothing tells the format of {tmp_path / 'holiday'}; choose what was written as one of png"
    )


def test_asking_for_masks_and_then_not_wanting_them_changes_nothing(opened: Desk) -> None:
    for name in ("importFileButton", "importFolderButton"):
        opened.files.append("")
        getattr(opened.ui, name).click()

    assert not opened.widget.session.busy
