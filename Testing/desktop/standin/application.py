"""Stand-in for Slicer's application around a real scene: `slicer.app`, `slicer.modules` and the module's host."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import slicer
import vtk
from mrml import Mrml
from PySide6 import QtCore, QtGui, QtWidgets

from standin import ctk_widgets, loader, mrml_widgets, parameter_node, plots, pythonqt, scripted_module
from standin.pythonqt import FileDialog, Manners, qt


class _ModuleManager(Manners, QtCore.QObject):
    moduleAboutToBeUnloaded = QtCore.Signal(str)  # noqa: N815


class _SliceWidget:
    def __init__(self, mrml: Mrml) -> None:
        self._logic = slicer.vtkMRMLSliceLogic()
        self._logic.SetMRMLApplicationLogic(mrml.application)
        self._logic.SetMRMLScene(mrml.scene)
        self._logic.AddSliceNode("Red")

    def sliceLogic(self) -> slicer.vtkMRMLSliceLogic:  # noqa: N802
        return self._logic

    def mrmlSliceNode(self) -> slicer.vtkMRMLSliceNode:  # noqa: N802
        return self._logic.GetSliceNode()


class _LayoutManager:
    def __init__(self, mrml: Mrml) -> None:
        self._red = _SliceWidget(mrml)
        self._plot = plots.PlotWidget(mrml)
        self.plotViewCount = 1
        self.layout = 0

    def setLayout(self, layout: int) -> None:  # noqa: N802
        self.layout = layout

    def sliceViewNames(self) -> list[str]:  # noqa: N802
        return ["Red"]

    def mrmlSliceLogics(self) -> vtk.vtkCollection:  # noqa: N802
        logics = vtk.vtkCollection()
        logics.AddItem(self._red.sliceLogic())
        return logics

    def sliceWidget(self, _name: str) -> _SliceWidget:  # noqa: N802
        return self._red

    def plotWidget(self, place: int) -> plots.PlotWidget:  # noqa: N802
        assert place < self.plotViewCount
        return self._plot


class Application(Manners, QtCore.QObject):
    """`slicer.app`, as far as the module and `slicer.util` use it."""

    startupCompleted = QtCore.Signal()  # noqa: N815
    aboutToQuit = QtCore.Signal()  # noqa: N815
    applicationName = "Slicer stand-in"  # noqa: N815
    applicationVersion = "5.12.4"  # noqa: N815
    majorVersion, minorVersion = 5, 12  # noqa: N815

    def __init__(self, mrml: Mrml, temporary: str) -> None:
        super().__init__()
        self._qt = pythonqt.application()
        self._manager = _ModuleManager()
        self._layout = _LayoutManager(mrml)
        self._mrml = mrml
        self.temporaryPath = self.slicerHome = temporary

    def testingEnabled(self) -> bool:  # noqa: N802
        return False

    def moduleManager(self) -> _ModuleManager:  # noqa: N802
        return self._manager

    def layoutManager(self) -> _LayoutManager:  # noqa: N802
        return self._layout

    def applicationLogic(self) -> slicer.vtkSlicerApplicationLogic:  # noqa: N802
        return self._mrml.application

    def topLevelWidgets(self) -> list[QtWidgets.QWidget]:  # noqa: N802
        return self._qt.topLevelWidgets()

    def processEvents(self) -> None:  # noqa: N802
        self._qt.processEvents()

    def setOverrideCursor(self, cursor: QtGui.QCursor) -> None:  # noqa: N802
        self._qt.setOverrideCursor(cursor)

    def restoreOverrideCursor(self) -> None:  # noqa: N802
        self._qt.restoreOverrideCursor()


class Host(qt.QWidget):
    """What Slicer puts a module's widget into."""

    def __init__(self, source: ModuleType, parent: QtWidgets.QWidget) -> None:
        super().__init__(parent)
        self.setLayout(QtWidgets.QVBoxLayout())
        self._source = source
        self._start()

    def reload(self) -> None:
        """Build the widget again from the code that was loaded last."""
        self._source = sys.modules[self._source.__name__]
        self._start()

    def _start(self) -> None:
        name = self._source.__name__
        self.module_widget = getattr(self._source, f"{name}Widget")(self)
        self.module_widget.setup()
        setattr(slicer.modules, f"{name}Widget", self.module_widget)


class Desk:
    """A desktop with the module on it, and what a person answers to dialogs.

    Args:
        mrml: scene and logics.
        temporary: folder for files.
        patch: pytest's; it takes the stand-in away after the test.
        module: the scripted module's file.

    Attributes:
        files: what file dialogs are going to answer.
        colors: what colour dialogs are going to answer.
        answers: which buttons are going to be pressed in message boxes that ask.
        said: what message boxes have said.
        samples: what was registered with the Sample Data module.
    """

    def __init__(self, mrml: Mrml, temporary: str, patch: Any, module: Path) -> None:
        self.mrml = mrml
        self.files: list[str] = []
        self.colors: list[QtGui.QColor] = []
        self.said: list[str] = []
        self.answers: list[object] = []
        patch.setattr(FileDialog, "answers", self.files)
        patch.setattr(pythonqt.ColorDialog, "answers", self.colors)
        patch.setattr(ctk_widgets.MessageBox, "said", self.said)
        patch.setattr(ctk_widgets.MessageBox, "answers", self.answers)
        self.app = Application(mrml, temporary)
        translation = ModuleType("slicer.i18n")
        translation.tr = lambda text: text
        translation.translate = lambda _context, text: text
        pythonqt.qt.QUiLoader = loader.UiLoader
        self.samples: list[dict[str, Any]] = []
        samples = ModuleType("SampleData")
        samples.SampleDataLogic = SimpleNamespace(
            registerCustomSampleDataSource=lambda **source: self.samples.append(source)
        )
        for name, stand_in in (
            ("qt", qt),
            ("ctk", ctk_widgets.ctk),
            ("SampleData", samples),
            ("slicer.i18n", translation),
            ("slicer.ScriptedLoadableModule", scripted_module.module),
            ("slicer.parameterNodeWrapper", parameter_node.module),
        ):
            patch.setitem(sys.modules, name, stand_in)
            if name.startswith("slicer."):
                patch.setattr(slicer, name.removeprefix("slicer."), stand_in, raising=False)
        patch.setattr(slicer, "app", self.app, raising=False)
        patch.setattr(slicer.util, "selectModule", self.select_module)
        patch.setattr(slicer.util, "getModuleWidget", lambda _name: self.widget)
        for name, kind in mrml_widgets.WIDGETS.items():
            patch.setattr(slicer, name, kind, raising=False)
        charts = slicer.vtkSlicerPlotsLogic()
        charts.SetMRMLApplicationLogic(mrml.application)
        charts.SetMRMLScene(mrml.scene)
        slicer.modules.plots = SimpleNamespace(logic=lambda: charts)
        self.window = qt.QMainWindow()
        self.window.setObjectName("qSlicerMainWindow")
        self._load(module, patch)

    def _load(self, path: Path, patch: Any) -> None:
        spec = importlib.util.spec_from_file_location(path.stem, path)
        source = importlib.util.module_from_spec(spec)
        patch.setitem(sys.modules, path.stem, source)
        spec.loader.exec_module(source)
        parent = SimpleNamespace(path=str(path))
        self.module = getattr(source, path.stem)(parent)
        setattr(
            slicer.modules,
            path.stem.lower(),
            SimpleNamespace(path=str(path), widgetRepresentation=lambda: self.host),
        )
        self.app.startupCompleted.emit()
        self.area = QtWidgets.QScrollArea()
        self.area.setWidgetResizable(True)
        self.area.setHorizontalScrollBarPolicy(QtCore.Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.window.setCentralWidget(self.area)
        self.host = Host(source, self.area)
        self.area.setWidget(self.host)

    @property
    def widget(self) -> Any:
        """The module's widget."""
        return self.host.module_widget

    @property
    def ui(self) -> Any:
        """Its controls."""
        return self.widget.ui

    def select_module(self, name: str) -> None:
        """Slicer's module selector, which knows this one module."""
        assert name == self.widget.moduleName
        self.widget.enter()

    def picture(self, width: int = 400) -> QtGui.QImage:
        """The whole panel at a width, as the stand-in draws it."""
        self.window.show()
        self.host.setFixedWidth(width)
        self.app.processEvents()
        height = QtWidgets.QWidget.sizeHint(self.host).height()
        self.window.resize(width + 4, height + 4)
        self.app.processEvents()
        return self.host.grab().toImage()

    def close(self) -> None:
        """Quit, as Slicer quits."""
        self.app.aboutToQuit.emit()
        self.app.moduleManager().moduleAboutToBeUnloaded.emit(self.widget.moduleName)
        self.window.close()
        self.window.setObjectName("")  # `slicer.util.mainWindow` goes by it
        self.window.deleteLater()
        self.app.processEvents()
        QtCore.QCoreApplication.sendPostedEvents(None, QtCore.QEvent.Type.DeferredDelete)
