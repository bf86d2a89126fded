"""Comparing with another person's case, with the real process: figures, pictures, and the frames that differ."""

from __future__ import annotations

import csv
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

pytest.importorskip("slicer_core", reason="the package slicer-core is not installed")
pytest.importorskip("PySide6", reason="the package PySide6-Essentials is not installed")

from PySide6 import QtWidgets
from surgery import predicted_mask

from rasnet.case import Case

if TYPE_CHECKING:
    from standin.application import Desk

Until = Callable[..., float]


@pytest.fixture
def other(small_case: Path) -> Path:
    """Ben's case: another name and type for layer 1, which he misses in frame 4, and half of it in frame 2."""
    folder = Path(shutil.copytree(small_case, small_case.with_name("ben.case")))
    with Case.open(folder) as case:
        case.update_layer(1, name="Grasper", type="Large Needle Driver", who="Ben")
        mask = predicted_mask(4)
        mask[mask == 1] = 0
        case.correct(4, mask, who="Ben", tool="test")
        mask = predicted_mask(2)
        mask[10:16][mask[10:16] == 1] = 0
        case.correct(2, mask, who="Ben", tool="test")
    return folder


def compare(desk: Desk, folder: Path, until: Until) -> None:
    desk.files.append(str(folder))
    desk.ui.compareButton.click()
    assert not desk.ui.compareButton.enabled
    until(lambda: not desk.widget.session.busy)
    desk.app.processEvents()


def test_figures_and_the_frames_that_differ_most(opened: Desk, other: Path, until: Until) -> None:
    ui = opened.ui
    assert ui.comparisonTable.isHidden()
    with Case.open(opened.widget.session.shown.case.folder) as case:
        before = case.frames()

    compare(opened, other, until)

    assert ui.compareLabel.text.startswith("6 frames in common with ben.case; mean Dice 0.")
    table = ui.comparisonTable
    cells = [[table.item(row, column).text() for column in range(5)] for row in range(table.rowCount)]
    # Layer 1 has 144 pixels a frame; Ben has 144 + 72 of 6 x 144 less.
    dice = 2 * (6 * 144 - 216) / (2 * 6 * 144 - 216)
    assert cells[0][:3] == ["Left forceps", "Grasper", f"{dice:.3f}"]
    assert cells[0][4] == "Bipolar Forceps / Large Needle Driver"
    assert cells[1][2:] == ["1.000", "1.000", "-"]
    assert sum(table.columnWidth(column) for column in range(5)) < 338  # all in view
    with Case.open(opened.widget.session.shown.case.folder) as case:
        assert case.frames() == before

    box = ui.worstFramesComboBox
    assert box.count == 3
    assert [box.itemText(item).partition(":")[0] for item in range(3)] == ["choose one", "frame 4", "frame 2"]
    opened.widget.session.shown.sequences.show(0)
    box.activated.emit(1)
    assert opened.widget.session.shown.shown == 4


def test_pictures_are_shown_side_by_side_and_kept_where_one_wants_them(
    opened: Desk, other: Path, tmp_path: Path, until: Until
) -> None:
    compare(opened, other, until)

    opened.ui.comparePicturesButton.click()
    window = opened.widget.comparing._window
    picture = window.findChild(QtWidgets.QLabel).pixmap
    assert picture.width() > 2 * 640 > picture.width() / 2  # both people's
    window.close()

    (tmp_path / "kept").mkdir()
    opened.files.append(str(tmp_path / "kept"))
    opened.ui.saveComparisonButton.click()
    kept = tmp_path / "kept" / "comparison with ben"
    assert sorted(path.name for path in kept.iterdir()) == ["frames.csv", "layers.csv", "worst_frames.png"]
    with (kept / "layers.csv").open(newline="") as file:
        assert next(row["second"] for row in csv.DictReader(file)) == "Grasper"
    assert str(kept) in opened.window.statusBar().currentMessage()


def test_a_frame_outside_the_window_is_not_shown_but_said(opened: Desk, other: Path, until: Until) -> None:
    compare(opened, other, until)
    opened.ui.openSection.collapsed = False
    opened.ui.lastFrameSpinBox.value = 3
    opened.app.processEvents()
    opened.ui.openButton.click()

    opened.ui.worstFramesComboBox.activated.emit(1)

    assert opened.said.pop() == "frame 4 is not among the frames in Slicer; show others in the section Open"


def test_two_who_agree_have_nothing_to_look_at(opened: Desk, small_case: Path, until: Until) -> None:
    twin = Path(shutil.copytree(small_case, small_case.with_name("twin.case")))

    compare(opened, twin, until)

    assert opened.ui.compareLabel.text == "6 frames in common with twin.case; mean Dice 1.000."
    assert opened.ui.worstFramesComboBox.isHidden()
    assert opened.ui.comparePicturesButton.isHidden()


@pytest.mark.parametrize(
    ("folder", "sentence"),
    [
        ("empty", "is not a case (it has no case.json); choose the folder of another case"),
        ("case", "is the case on show; choose another person's case of the same video"),
    ],
)
def test_what_cannot_be_compared_is_refused_at_once(opened: Desk, small_case: Path, folder: str, sentence: str) -> None:
    (small_case.parent / "empty").mkdir()
    opened.files.append(str(small_case.parent / folder))

    opened.ui.compareButton.click()

    assert opened.said.pop() == f"{small_case.parent / folder} {sentence}"
    assert not opened.widget.session.busy


def test_a_case_of_another_video_is_refused_in_one_sentence(opened: Desk, tmp_path: Path, until: Until) -> None:
    from moving import make_moving_case

    with make_moving_case(tmp_path / "else", 2) as case:
        folder = case.folder

    compare(opened, folder, until)

    assert opened.ui.compareLabel.text.endswith("give two cases of one video.")
    assert not opened.ui.compareLogButton.isHidden()
    assert opened.ui.comparisonTable.isHidden()


def test_asking_and_then_not_wanting_does_nothing(opened: Desk) -> None:
    opened.files.append("")

    opened.ui.compareButton.click()

    assert not opened.widget.session.busy
    assert opened.ui.compareLabel.isHidden()
