"""The section "See": the timeline below the video, and a table of figures."""

from __future__ import annotations

import qt
import slicer
from slicer.i18n import tr as _

from RASNetSlicerLib.panel import Panel, Section, progress_dialog

_WIDTHS = (84, 70, 68, 52, 54)  # pixels; together what a narrow panel has, beside a scroll bar


class SeeSection(Section):
    """Shows which instrument is in view when, and for how long."""

    def __init__(self, panel: Panel) -> None:
        super().__init__(panel)
        self.on_click(self.ui.timelineButton, self._show_timeline)
        self.on_click(self.ui.statisticsButton, self.measure)
        table = self.ui.statisticsTable
        table.verticalHeader().hide()
        table.setWordWrap(True)
        header = table.horizontalHeader()
        header.setDefaultAlignment(qt.Qt.AlignCenter | qt.Qt.TextWordWrap)
        header.setMinimumHeight(40)  # two lines

    def start(self) -> None:
        """Show the figures of the case on show."""
        assert self.session is not None
        self.ui.statisticsTable.setMRMLTableNode(self.session.timeline.table)

    def stop(self) -> None:
        """Show no figures."""
        self.ui.statisticsTable.setMRMLTableNode(None)

    def update(self) -> None:
        """Offer what there is."""
        self.ui.timelineButton.enabled = self.ui.statisticsButton.enabled = self.session is not None

    def measure(self) -> None:
        """Measure the frames that have changed."""
        assert self.session is not None
        with progress_dialog(_("Measure")) as progress:
            self.session.timeline.refresh(progress=progress)
        for column, width in enumerate(_WIDTHS):
            self.ui.statisticsTable.setColumnWidth(column, width)
        self.ui.statisticsTable.resizeRowsToContents()

    def _show_timeline(self) -> None:
        assert self.session is not None
        self.measure()
        slicer.modules.plots.logic().ShowChartInLayout(self.session.timeline.chart)
