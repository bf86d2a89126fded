"""The section "See": the timeline below the video, and a table of figures."""

from __future__ import annotations

from typing import Any

import qt
import slicer
from slicer.i18n import tr as _

from RASNetSlicerLib.panel import Panel, Section, progress_dialog

_CLICKED = "dataSelected(vtkStringArray*,vtkCollection*)"
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
        self._plots: list[Any] = []

    def start(self) -> None:
        """Show the figures of the case on show."""
        assert self.session is not None
        self.ui.statisticsTable.setMRMLTableNode(self.session.timeline.table)

    def stop(self) -> None:
        """Show no figures."""
        self.ui.statisticsTable.setMRMLTableNode(None)
        for plot in self._plots:
            plot.disconnect(_CLICKED, self._on_click)
        self._plots.clear()

    def update(self) -> None:
        """Offer what there is."""
        self.ui.timelineButton.enabled = self.ui.statisticsButton.enabled = self.session is not None
        if self.session is not None:
            self.session.timeline.look_again()

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
        layouts = slicer.app.layoutManager()
        for place in range(layouts.plotViewCount):
            plot = layouts.plotWidget(place).plotView()
            if plot not in self._plots:
                plot.connect(_CLICKED, self._on_click)
                self._plots.append(plot)

    def _on_click(self, series: Any, selections: Any) -> None:
        """Show the frame of the point that was clicked."""
        if self.session is None or series.GetNumberOfValues() == 0:
            return
        # A point that stays selected would be told of again at the next click, before the new one.
        qt.QTimer.singleShot(0, self._forget_click)
        frame = self.session.timeline.frame_of(series.GetValue(0), selections.GetItemAsObject(0).GetValue(0))
        if frame is not None:
            self.session.shown.sequences.show(frame)

    def _forget_click(self) -> None:
        for plot in self._plots:
            plot.RemovePlotSelections()
