"""The part of the section "Compare" that makes one case of two, and lists what is left for a person to decide."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import qt
import slicer
from slicer.i18n import tr as _

from RASNetSlicerLib.panel import Panel, Section

if TYPE_CHECKING:
    from rasnet.merging import Conflict
    from RASNetSlicerLib.session import Session

ABOUT, FIRST, SECOND, OUTCOME = range(4)


class MergePart(Section):
    """Merges two cases, lists the conflicts, leads to their frames, and opens the new case."""

    def __init__(self, panel: Panel) -> None:
        super().__init__(panel)
        self.on_click(self.ui.mergeButton, self._merge)
        self.on_click(self.ui.openMergedButton, self._open)
        table = self.ui.conflictsTable
        table.setColumnCount(4)
        table.setHorizontalHeaderLabels([_("About"), _("First case"), _("Second case"), _("Now")])
        table.horizontalHeader().setSectionResizeMode(qt.QHeaderView.Stretch)
        table.verticalHeader().hide()
        table.connect("cellClicked(int,int)", self._on_cell)
        self._conflicts: list[Conflict] = []

    @property
    def outcome(self) -> str:
        """What came of the merge; "" where something else was begun last."""
        result = self.session.tasks.result if self.session else None
        if self.session is None or self.session.merged is None or result is None or result["event"] != "merge":
            return ""
        words = [
            _("{name} has {count} frames.").format(name=self.session.merged.name, count=result["frames"]),
            _("Conflicts: {count}.").format(count=len(self.session.conflicts)),
        ]
        if result["predictions"]:
            words.append(
                _("Predictions differ in {count} frames, and are those of this case.").format(
                    count=result["predictions"]
                )
            )
        return " ".join(words)

    def update(self) -> None:
        """Show what is left to decide, and offer the new case."""
        session, ui = self.session, self.ui
        conflicts = session.conflicts if session else []
        ui.mergeButton.enabled = session is not None and not session.busy
        ui.openMergedButton.visible = session is not None and session.merged is not None
        ui.openMergedButton.enabled = session is not None and not session.busy
        if conflicts != self._conflicts:
            self._fill(conflicts)
        for widget in (ui.conflictsLabel, ui.conflictsTable):
            widget.visible = bool(conflicts)

    def _fill(self, conflicts: list[Conflict]) -> None:
        self._conflicts = conflicts
        table = self.ui.conflictsTable
        table.setRowCount(len(conflicts))
        for row, found in enumerate(conflicts):
            cells = {ABOUT: _about(found), FIRST: found.first, SECOND: found.second, OUTCOME: found.outcome}
            for column, text in cells.items():
                item = qt.QTableWidgetItem(text)
                item.setToolTip(text)
                table.setItem(row, column, item)
        table.resizeRowsToContents()

    def _merge(self) -> None:
        assert self.session is not None
        if (other := ask_for_other_case()) is None:
            return
        start = str(self.session.shown.case.folder.with_name("merged.case"))
        title = _("Folder of the new case: empty or new")
        if path := qt.QFileDialog.getSaveFileName(slicer.util.mainWindow(), title, start, ""):
            self.session.merge(other, Path(path))

    def _open(self) -> None:
        assert self.session is not None
        assert self.session.merged is not None
        self.panel.open_case(self.session.merged)

    def _on_cell(self, row: int, _column: int) -> None:
        frame = self._conflicts[row].frame
        if frame is not None:
            self.panel.attempt(lambda: show_frame(self.session, frame))


def ask_for_other_case() -> Path | None:
    """Ask for the folder of another person's case; None where the person presses Cancel."""
    title = _("Another person's case of this video")
    path = qt.QFileDialog.getExistingDirectory(slicer.util.mainWindow(), title, "")
    return Path(path) if path else None


def show_frame(session: Session | None, frame: int) -> None:
    """Go to a frame that is in Slicer.

    Raises:
        RASNetError: it is not.
    """
    from rasnet.errors import RASNetError

    assert session is not None
    sequences = session.shown.sequences
    if frame not in sequences.indices:
        raise RASNetError(f"frame {frame} is not among the frames in Slicer; show others in the section Open")
    sequences.show(frame)


def _about(conflict: Conflict) -> str:
    if conflict.frame is not None:
        return _("{kind} of frame {frame}").format(kind=conflict.kind, frame=conflict.frame)
    return _("{kind} of layer {layer}").format(kind=conflict.kind, layer=conflict.layer)
