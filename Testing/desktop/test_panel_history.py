"""What happened to the frame on show and to the case, as the panel tells it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

pytest.importorskip("slicer_core", reason="the package slicer-core is not installed")
pytest.importorskip("PySide6", reason="the package PySide6-Essentials is not installed")

from RASNetSlicerLib import history

if TYPE_CHECKING:
    from standin.application import Desk

WHEN, FRAME, WHO, WHAT, TOOL = range(5)


@pytest.fixture
def unfolded(opened: Desk) -> Desk:
    """The section is open, and frame 2 on show."""
    opened.widget.session.shown.sequences.show(2)
    opened.ui.historySection.collapsed = False
    opened.app.processEvents()
    return opened


def column(desk: Desk, number: int) -> list[str]:
    table = desk.ui.historyTable
    return [table.item(row, number).text() for row in range(table.rowCount)]


def test_a_frames_history_has_its_changes_newest_first(unfolded: Desk) -> None:
    assert column(unfolded, WHAT) == ["predict"]
    assert column(unfolded, WHO) == ["toy"]

    unfolded.ui.segmentEditor.setCurrentSegmentID("Layer_3")
    unfolded.ui.segmentEditor.stroke(slice(0, 5), slice(0, 20))
    unfolded.app.processEvents()
    unfolded.ui.acceptButton.click()
    unfolded.widget.session.shown.sequences.show(2)
    unfolded.app.processEvents()

    assert column(unfolded, WHAT) == ["set status: corrected → accepted", "correct", "predict"]
    assert column(unfolded, TOOL)[:2] == ["Slicer stand-in 5.12.4"] * 2
    assert all(len(when) == len("2026-01-31 23:59") for when in column(unfolded, WHEN))
    assert unfolded.ui.historyTable.isColumnHidden(FRAME)
    assert unfolded.ui.historyLabel.text == "Changes: 3, the newest first"
    assert "with Slicer stand-in" in unfolded.ui.historyTable.item(1, WHAT).toolTip()


def test_it_follows_the_frame_on_show(unfolded: Desk) -> None:
    unfolded.widget.session.shown.sequences.show(7)
    unfolded.app.processEvents()

    assert column(unfolded, WHAT) == []
    assert unfolded.ui.historyLabel.text == "Nothing has happened to this frame yet."


def test_the_whole_case_has_layers_too_and_says_which_frame(unfolded: Desk) -> None:
    unfolded.ui.historyComboBox.currentIndex = 1
    unfolded.app.processEvents()
    unfolded.widget.attempt(lambda: unfolded.widget.session.edits.rename(1, "Schere"))

    assert column(unfolded, WHAT)[0] == "rename layer, no. 1: Left forceps → Schere"
    assert column(unfolded, WHAT)[-1].startswith("create: ")
    assert not unfolded.ui.historyTable.isColumnHidden(FRAME)
    assert [frame for frame in column(unfolded, FRAME) if frame] == ["5", "4", "3", "2", "1", "0"]


def test_a_long_history_is_cut_and_says_so(unfolded: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history, "MOST", 4)

    unfolded.ui.historyComboBox.currentIndex = 1
    unfolded.app.processEvents()

    assert unfolded.ui.historyTable.rowCount == 4
    assert unfolded.ui.historyLabel.text == "The newest 4 changes; rasnet log shows them all."


def test_nobody_reads_while_the_section_is_folded(opened: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    def read(*_asked: object) -> None:
        raise AssertionError("the section is folded")

    monkeypatch.setattr(history, "read_history", read)

    opened.widget.update()

    assert opened.ui.historyTable.rowCount == 0


def test_without_a_case_there_is_no_history(unfolded: Desk) -> None:
    unfolded.widget.close_session()
    unfolded.widget.update()

    assert unfolded.ui.historyTable.rowCount == 0
    assert unfolded.ui.historyLabel.text == "Open a video first."
