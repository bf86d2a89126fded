"""Which instrument is in view when, as a plot, and what each comes to, as a table."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
import slicer
import vtk

from rasnet.case import Layer
from rasnet.errors import RASNetError
from rasnet.progress import Progress
from RASNetSlicerLib.companions import companion
from RASNetSlicerLib.observers import weak_observer
from RASNetSlicerLib.scene import CaseScene
from RASNetSlicerLib.statistics import CaseStatistics
from RASNetSlicerLib.tables import set_columns

_LAYER = "RASNet.Layer"
_EVERY = "all frames"
_KEEP_UP_S = 0.03  # that one look for changes may keep Slicer from drawing
_TIME = "time (s)"
_MARGIN = 0.6  # beyond the first and the last row


class Timeline:
    """A plot of a case over time, which marks the frame on show, and a table of its instruments.

    The plot has a row for each layer, at the height of its id, with a line where the layer is in view, and at the
    bottom a line along all frames. Both cover the whole case, loaded or not. The nodes belong to the masks: they are
    saved with the scene, and found again when it is opened.

    Args:
        shown: the case in its scene.

    Attributes:
        chart: the plot, for a plot view.
        table: a row for each layer: instrument, type, time on screen (s), entries, tip path (px).
    """

    def __init__(self, shown: CaseScene) -> None:
        self._shown = shown
        self._statistics = CaseStatistics(shown.case)
        self.chart = companion(shown.sequences, "vtkMRMLPlotChartNode", "timeline")
        self.table = companion(shown.sequences, "vtkMRMLTableNode", "statistics")
        self._spans = companion(shown.sequences, "vtkMRMLTableNode", "timeline data")
        self._now = companion(shown.sequences, "vtkMRMLTableNode", "timeline marker")
        self._marker = companion(shown.sequences, "vtkMRMLPlotSeriesNode", "frame on show")
        self._every = companion(shown.sequences, "vtkMRMLPlotSeriesNode", _EVERY)
        self._marked: int | None = None
        self._drawn: object = None
        self._outdated = False
        self._describe_chart()
        browser = shown.sequences.browser
        self._observed = [(browser, browser.AddObserver("ModifiedEvent", weak_observer(self._follow, self._report)))]

    def refresh(self, *, progress: Progress | None = None) -> None:
        """Draw the case as it is now; only frames that changed since are measured.

        Args:
            progress: told of each frame that is measured.

        Raises:
            RASNetError: a mask of the case is damaged.
        """
        self._statistics.refresh(progress=progress)
        self._outdated = False
        self._draw()

    def look_again(self) -> None:
        """The case may have changed: `keep_up` shall look."""
        self._outdated = True

    def keep_up(self) -> bool:
        """Draw again what was drawn once and has changed since, a little at each tick of a timer.

        Returns:
            Whether it was drawn.
        """
        if self._drawn is None or not self._outdated:
            return False
        try:
            self._outdated = not self._statistics.refresh(most_seconds=_KEEP_UP_S)
        except RASNetError as error:
            self._outdated = False  # once is enough; `refresh` says it to the user
            self._report(error)
            return False
        if self._outdated or self._drawn == self._statistics.measured:
            return False
        self._draw()
        return True

    def close(self) -> None:
        """Stop following the frame on show; the nodes stay."""
        for node, tag in self._observed:
            node.RemoveObserver(tag)
        self._observed.clear()

    def frame_at(self, time_s: float) -> int:
        """The loaded frame that is nearest to a time of the plot, seconds."""
        return min(self._shown.sequences.indices, key=lambda index: abs(self._shown.case.times[index] - time_s))

    def frame_of(self, series_id: str, point: int) -> int | None:
        """The loaded frame that is nearest to a point of the plot.

        Args:
            series_id: ID of the point's series node.
            point: its number, as Slicer's plot view counts the points that a person clicks.

        Returns:
            Its index; None where the point is of another plot.
        """
        if not self.chart.HasPlotSeriesNodeID(series_id):
            return None
        series = self._shown.scene.GetNodeByID(series_id)
        table = series.GetTableNode().GetTable()
        times, rows = (table.GetColumnByName(name) for name in (series.GetXColumnName(), series.GetYColumnName()))
        if series.GetTableNode() is self._spans and point % 2 and not _goes_on(rows, point):
            point -= 1  # the end of a line belongs to the frame before it, and not to the next one
        return self.frame_at(times.GetValue(point))

    def _draw(self) -> None:
        self._drawn = self._statistics.measured
        self._draw_spans(self._statistics.presence.layers)
        self._fill_table()
        self.chart.SetYAxisRange(*self._height)
        self._marked = None
        self._follow()

    @property
    def _height(self) -> tuple[float, float]:
        """From below the row of all frames to above the last."""
        ids = [layer.id for layer in self._statistics.presence.layers]
        return -_MARGIN, max(ids, default=1) + _MARGIN

    def _describe_chart(self) -> None:
        self.chart.SetTitle(f"{self._shown.case.info.source.name}: instruments in view")
        self.chart.SetXAxisTitle(_TIME)
        self.chart.SetYAxisTitle("layer")
        self.chart.SetLegendVisibility(True)
        self.chart.SetYAxisRangeAuto(False)
        self._marker.SetName("frame on show")
        self._marker.SetColor(0.85, 0.1, 0.1)
        _draw_as_line(self._marker, self._now, _TIME, "row", width=1.5)
        self._every.SetName(_EVERY)
        self._every.SetColor(0.6, 0.6, 0.6)
        _draw_as_line(self._every, self._spans, _TIME, _EVERY, width=3)

    def _draw_spans(self, layers: Sequence[Layer]) -> None:
        """A series for each layer: a line at its row where it is in view, and NaN, which breaks the line, elsewhere."""
        presence = self._statistics.presence
        starts, ends = presence.times, presence.times + presence.durations
        columns: dict[str, npt.NDArray[np.float64]] = {_TIME: np.stack([starts, ends], axis=1).ravel()}
        for place, layer in enumerate(layers):
            row = np.where(presence.areas[:, place] > 0, float(layer.id), np.nan)
            columns[f"Layer_{layer.id}"] = row.repeat(2)
        columns[_EVERY] = np.zeros(2 * len(starts))
        set_columns(self._spans, columns)
        series = self._series(layers)
        self.chart.RemoveAllPlotSeriesNodeIDs()
        for layer in layers:
            node = series[str(layer.id)]
            node.SetName(layer.name)
            node.SetColor(*(value / 255 for value in layer.color))
            _draw_as_line(node, self._spans, _TIME, f"Layer_{layer.id}", width=8)
            self.chart.AddAndObservePlotSeriesNodeID(node.GetID())
        for node in (self._every, self._marker):
            self.chart.AddAndObservePlotSeriesNodeID(node.GetID())

    def _series(self, layers: Sequence[Layer]) -> Mapping[str, slicer.vtkMRMLPlotSeriesNode]:
        """The series of each layer, by id; those of layers that are gone are removed."""
        ids = {str(layer.id) for layer in layers}
        series = {}
        for place in reversed(range(self.chart.GetNumberOfPlotSeriesNodes())):
            node = self.chart.GetNthPlotSeriesNode(place)
            if node.GetAttribute(_LAYER) in ids:
                series[node.GetAttribute(_LAYER)] = node
            elif node not in (self._marker, self._every):
                self._shown.scene.RemoveNode(node)
        for name in ids - series.keys():
            series[name] = self._shown.scene.AddNewNodeByClass("vtkMRMLPlotSeriesNode")
            series[name].SetAttribute(_LAYER, name)
        return series

    def _fill_table(self) -> None:
        found = self._statistics.layers()
        set_columns(
            self.table,
            {
                "instrument": [summary.layer.name for summary in found],
                "type": [summary.layer.type or "not known" for summary in found],
                "time on screen (s)": np.array([round(summary.seconds, 2) for summary in found]),
                "entries": np.array([summary.entries for summary in found], np.int64),
                "tip path (px)": np.array([round(summary.path_px, 1) for summary in found]),
            },
        )

    def _follow(self) -> None:
        """Put the marker to the frame on show."""
        shown = self._shown.shown
        if shown is None or shown == self._marked:
            return
        self._marked = shown
        time = float(self._shown.case.times[shown])
        set_columns(self._now, {_TIME: np.array([time, time]), "row": np.array(self._height)})

    def _report(self, error: RASNetError) -> None:
        logging.error("%s", error)


def _draw_as_line(
    node: slicer.vtkMRMLPlotSeriesNode, table: slicer.vtkMRMLTableNode, x: str, y: str, width: float
) -> None:
    node.SetPlotType(node.PlotTypeScatter)
    node.SetAndObserveTableNodeID(table.GetID())
    node.SetXColumnName(x)
    node.SetYColumnName(y)
    node.SetMarkerStyle(node.MarkerStyleNone)
    node.SetLineStyle(node.LineStyleSolid)
    node.SetLineWidth(width)


def _goes_on(rows: vtk.vtkDoubleArray, point: int) -> bool:
    """Whether a line is drawn from a point of the plot to the next."""
    return point + 1 < rows.GetNumberOfTuples() and rows.GetValue(point + 1) == rows.GetValue(point)
