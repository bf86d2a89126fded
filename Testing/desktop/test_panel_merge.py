"""One case of two people's, with the real process: what they agree on goes in, what they do not is listed."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

pytest.importorskip("slicer_core", reason="the package slicer-core is not installed")
pytest.importorskip("PySide6", reason="the package PySide6-Essentials is not installed")

from PySide6 import QtWidgets
from surgery import predicted_mask

from rasnet.case import Case
from rasnet.masks import Mask

if TYPE_CHECKING:
    from standin.application import Desk

Until = Callable[..., float]
YES = QtWidgets.QMessageBox.StandardButton.Yes


def without(layer: int, index: int) -> Mask:
    mask = predicted_mask(index)
    mask[mask == layer] = 0
    return mask


@pytest.fixture
def other(small_case: Path) -> Path:
    """Ben's case: another type for layer 1, which he misses in frame 4; frame 2 is as it was, and his, too."""
    folder = Path(shutil.copytree(small_case, small_case.with_name("ben.case")))
    with Case.open(folder) as case:
        case.update_layer(1, type="Large Needle Driver", who="Ben")
        case.correct(4, without(1, 4), who="Ben", tool="test")
        case.set_status(2, "accepted", who="Ben")
    return folder


def merge(desk: Desk, other: Path, out: Path, until: Until) -> None:
    desk.files.extend([str(other), str(out)])
    desk.ui.mergeButton.click()
    assert not desk.ui.mergeButton.enabled
    until(lambda: not desk.widget.session.busy)
    desk.app.processEvents()


def cells(desk: Desk) -> list[list[str]]:
    table = desk.ui.conflictsTable
    return [[table.item(row, column).text() for column in range(4)] for row in range(table.rowCount)]


def test_what_people_decided_differently_is_listed_and_the_rest_is_in_the_new_case(
    opened: Desk, other: Path, tmp_path: Path, until: Until
) -> None:
    shown, ui, out = opened.widget.session.shown, opened.ui, tmp_path / "both.case"
    assert ui.conflictsTable.isHidden()
    assert ui.openMergedButton.isHidden()
    shown.sequences.show(4)
    ui.segmentEditor.setCurrentSegmentID("Layer_3")
    ui.segmentEditor.stroke(slice(0, 5), slice(0, 20))  # the last stroke counts

    merge(opened, other, out, until)

    assert ui.compareLabel.text == "both.case has 5 frames. Conflicts: 2."
    assert cells(opened) == [
        ["type of layer 1", "Bipolar Forceps", "Large Needle Driver", "no type"],
        ["mask of frame 4", f"corrected by {shown.who}", "corrected by Ben", "left out"],
    ]
    with Case.open(out) as merged:
        assert merged.frame(4) is None
        assert merged.frame(2).status == "accepted"
    shown.sequences.show(0)
    ui.conflictsTable.cellClicked.emit(1, 0)
    assert shown.shown == 4
    ui.conflictsTable.cellClicked.emit(0, 0)  # an instrument is in no one frame
    assert shown.shown == 4


def test_the_new_case_opens_with_its_list_in_the_place_of_the_old_one(
    opened: Desk, other: Path, tmp_path: Path, until: Until
) -> None:
    opened.widget.session.shown.set_status(4, "accepted")
    merge(opened, other, tmp_path / "both.case", until)
    before = cells(opened)
    opened.answers.append(YES)

    opened.ui.openMergedButton.click()

    assert opened.said.pop().startswith("Take frames out of the scene?")
    shown = opened.widget.session.shown
    assert shown.case.folder == tmp_path / "both.case"
    assert cells(opened) == before
    assert not shown.mask(4).any()
    np.testing.assert_array_equal(shown.mask(2), predicted_mask(2))
    assert opened.ui.openMergedButton.isHidden()


def test_predictions_that_differ_are_told(opened: Desk, other: Path, tmp_path: Path, until: Until) -> None:
    with Case.open(other) as case:
        case.write_prediction(5, case.times[5], without(2, 5))

    merge(opened, other, tmp_path / "both.case", until)

    assert opened.ui.compareLabel.text.endswith("Predictions differ in 1 frames, and are those of this case.")


def test_a_folder_with_other_things_is_left_alone(opened: Desk, other: Path, tmp_path: Path, until: Until) -> None:
    (tmp_path / "holiday").mkdir()
    (tmp_path / "holiday" / "beach.png").touch()

    merge(opened, other, tmp_path / "holiday", until)

    assert "is not an empty folder" in opened.ui.compareLabel.text
    assert opened.ui.openMergedButton.isHidden()
    assert [path.name for path in (tmp_path / "holiday").iterdir()] == ["beach.png"]


def test_the_case_on_show_is_no_other_case(opened: Desk, small_case: Path, tmp_path: Path) -> None:
    opened.files.extend([str(small_case), str(tmp_path / "both.case")])

    opened.ui.mergeButton.click()

    assert opened.said.pop().endswith("is the case on show; choose another person's case of the same video")
    assert not opened.widget.session.busy


@pytest.mark.parametrize("answers", [[""], ["other", ""]])
def test_asking_and_then_not_wanting_does_nothing(opened: Desk, other: Path, answers: list[str]) -> None:
    opened.files.extend(str(other) if answer else "" for answer in answers)

    opened.ui.mergeButton.click()

    assert not opened.widget.session.busy
    assert opened.ui.compareLabel.isHidden()


def test_a_spoilt_list_keeps_nobody_from_the_case(desk: Desk, small_case: Path) -> None:
    (small_case / "conflicts.csv").write_text("kind;frame\nmask;4\n")

    desk.widget.attempt(lambda: desk.widget.open_case(small_case))

    assert desk.widget.session is not None
    assert desk.ui.conflictsTable.isHidden()
