"""The section "History": who changed what, when and with which tool."""

from __future__ import annotations

from typing import TYPE_CHECKING

import qt
from slicer.i18n import tr as _

from RASNetSlicerLib.panel import Panel, Section

if TYPE_CHECKING:
    from RASNetSlicerLib.history import Event

WHEN, FRAME, WHO, WHAT, TOOL = range(5)
_WIDTHS = {WHEN: 84, FRAME: 42, WHO: 60, TOOL: 58}  # pixels; a date and a time in two lines


class HistorySection(Section):
    """Shows what happened to the frame on show, or to the whole case."""

    def __init__(self, panel: Panel) -> None:
        super().__init__(panel)
        table = self.ui.historyTable
        table.setColumnCount(5)
        table.setHorizontalHeaderLabels([_("When"), _("Frame"), _("Who"), _("What"), _("Tool")])
        header = table.horizontalHeader()
        header.setSectionResizeMode(qt.QHeaderView.Fixed)
        header.setSectionResizeMode(WHAT, qt.QHeaderView.Stretch)
        for column, width in _WIDTHS.items():
            table.setColumnWidth(column, width)
        table.verticalHeader().hide()
        self.ui.historySection.connect("contentsCollapsed(bool)", lambda _collapsed: panel.update())
        self._events: list[Event] = []

    def update(self) -> None:
        """Show the newest changes; while the section is folded, nobody reads them."""
        ui = self.ui
        if ui.historySection.collapsed:
            return
        whole = self.panel.parameters.history == "whole case"
        events = self._read(whole)
        ui.historyTable.setColumnHidden(FRAME, not whole)
        if events != self._events:
            self._fill(events)
        ui.historyLabel.text = self._caption(whole)

    def _read(self, whole: bool) -> list[Event]:
        frame = self.session.shown.shown if self.session else None
        if self.session is None or (frame is None and not whole):
            return []
        from RASNetSlicerLib.history import read_history

        return read_history(self.session.shown.case, None if whole else frame)

    def _fill(self, events: list[Event]) -> None:
        self._events = events
        table = self.ui.historyTable
        table.setRowCount(len(events))
        for row, event in enumerate(events):
            for column, text in enumerate((event.when, event.frame, event.who, event.what, event.tool)):
                item = qt.QTableWidgetItem(text)
                item.setToolTip(event.details)
                table.setItem(row, column, item)
        table.resizeRowsToContents()

    def _caption(self, whole: bool) -> str:
        if self.session is None:
            return _("Open a video first.")
        from RASNetSlicerLib.history import MOST

        if len(self._events) == MOST:
            return _("The newest {count} changes; rasnet log shows them all.").format(count=MOST)
        if whole or self._events:
            return _("Changes: {count}, the newest first").format(count=len(self._events))
        return _("Nothing has happened to this frame yet.")
