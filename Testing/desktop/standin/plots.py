"""Stand-in for Slicer's plot view: a signal above, and below VTK's own chart, which finds the point under the mouse."""

from __future__ import annotations

from typing import TYPE_CHECKING

import vtk
from PySide6 import QtCore

from standin.pythonqt import qt

if TYPE_CHECKING:
    from mrml import Mrml


class PlotView(qt.QWidget):
    """qMRMLPlotView: draws the chart that is chosen, and tells which of its points were clicked."""

    dataSelected = QtCore.Signal(object, object)  # noqa: N815
    cpp_signals = ("dataSelected(vtkStringArray*,vtkCollection*)",)

    def __init__(self, mrml: Mrml) -> None:
        super().__init__()
        self._mrml = mrml
        self._plots: dict[str, vtk.vtkPlot] = {}
        self._chart: vtk.vtkChartXY | None = None

    def RemovePlotSelections(self) -> None:  # noqa: N802
        """No point is selected any more."""
        if self._chart is not None:
            self._chart.RemovePlotSelections()

    # What a hand with a mouse does

    def click(self, time_s: float, row: float) -> None:
        """Click into the plot, at these coordinates of its axes."""
        view = self._draw()
        assert self._chart is not None
        pixels = []
        for axis, value, side in ((vtk.vtkAxis.BOTTOM, time_s, 0), (vtk.vtkAxis.LEFT, row, 1)):
            low, high = self._chart.GetAxis(axis).GetMinimum(), self._chart.GetAxis(axis).GetMaximum()
            first, last = self._chart.GetPoint1()[side], self._chart.GetPoint2()[side]
            pixels.append(round(first + (value - low) / (high - low) * (last - first)))
        mouse = view.GetInteractor()
        mouse.SetEventInformation(*pixels, 0, 0, "\0", 0, None)
        for event in ("MouseMoveEvent", "LeftButtonPressEvent", "LeftButtonReleaseEvent"):
            mouse.InvokeEvent(event)

    def _draw(self) -> vtk.vtkContextView:
        """The chart as its nodes are now; selections stay."""
        if self._chart is None:
            self._view, self._chart = vtk.vtkContextView(), vtk.vtkChartXY()
            window = vtk.vtkEGLRenderWindow()
            window.SetOffScreenRendering(True)
            window.SetSize(900, 300)
            self._view.SetRenderWindow(window)
            self._view.GetScene().AddItem(self._chart)
            # As Slicer sets its charts up.
            self._chart.SetClickActionToButton(vtk.vtkChart.SELECT, vtk.vtkContextMouseEvent.LEFT_BUTTON)
            self._chart.SetActionToButton(vtk.vtkChart.PAN, vtk.vtkContextMouseEvent.LEFT_BUTTON)
            self._chart.AddObserver(vtk.vtkCommand.SelectionChangedEvent, self._emit)
        node = self._mrml.scene.GetNodeByID(self._mrml.application.GetSelectionNode().GetActivePlotChartID())
        for place in range(node.GetNumberOfPlotSeriesNodes()):
            series = node.GetNthPlotSeriesNode(place)
            if series.GetID() not in self._plots:
                self._plots[series.GetID()] = self._chart.AddPlot(vtk.vtkChart.LINE)
            table = series.GetTableNode().GetTable()
            self._plots[series.GetID()].SetInputData(table, series.GetXColumnName(), series.GetYColumnName())
        axis = self._chart.GetAxis(vtk.vtkAxis.LEFT)
        axis.SetBehavior(vtk.vtkAxis.FIXED)
        axis.SetRange(*node.GetYAxisRange())
        self._view.Render()
        return self._view

    def _emit(self, _chart: vtk.vtkChartXY, _event: str) -> None:
        names, points = vtk.vtkStringArray(), vtk.vtkCollection()
        for name, plot in self._plots.items():
            selection = plot.GetSelection()
            if selection is not None and selection.GetNumberOfValues():
                names.InsertNextValue(name)
                points.AddItem(selection)
        self.dataSelected.emit(names, points)


class PlotWidget:
    """qMRMLPlotWidget, of which the panel wants the view alone."""

    def __init__(self, mrml: Mrml) -> None:
        self._view = PlotView(mrml)

    def plotView(self) -> PlotView:  # noqa: N802
        return self._view
