"""Stand-ins for qMRML widgets: plain Qt on top, Slicer's own MRML below."""

from __future__ import annotations

from typing import Any

import slicer
import vtk
from PySide6 import QtCore, QtGui, QtWidgets
from vtk.util.numpy_support import vtk_to_numpy

from standin.pythonqt import qt

EFFECTS = (
    "Threshold", "Paint", "Draw", "Erase", "Level tracing", "Grow from seeds", "Fill between slices", "Margin",
    "Hollow", "Smoothing", "Scissors", "Islands", "Logical operators", "Mask volume",
)  # fmt: skip


class MrmlWidget(qt.QWidget):
    """Knows the scene."""

    mrmlSceneChanged = QtCore.Signal(object)  # noqa: N815
    cpp_signals = ("mrmlSceneChanged(vtkMRMLScene*)",)

    def __init__(self, parent: QtWidgets.QWidget | None = None) -> None:
        super().__init__(parent)
        self._scene: slicer.vtkMRMLScene | None = None

    def setMRMLScene(self, scene: slicer.vtkMRMLScene | None) -> None:  # noqa: N802
        if scene is not self._scene:
            self._scene = scene
            self.mrmlSceneChanged.emit(scene)

    def mrmlScene(self) -> slicer.vtkMRMLScene | None:  # noqa: N802
        return self._scene


class Observing:
    """Observes VTK objects until the widget is deleted."""

    def watch(self, target: vtk.vtkObject | None, event: Any, act: Any) -> None:
        """Watch one object in place of the one before."""
        watched = self.__dict__.setdefault("_watched", {})
        if key := watched.pop(event, None):
            key[0].RemoveObserver(key[1])
        if target is not None:
            watched[event] = (target, target.AddObserver(event, lambda *_: act()))


class NodeComboBox(MrmlWidget, Observing):
    """Chooses a node of the scene."""

    currentNodeChanged = QtCore.Signal(object)  # noqa: N815
    cpp_signals = (*MrmlWidget.cpp_signals, "currentNodeChanged(vtkMRMLNode*)", "currentNodeChanged(bool)")

    def __init__(self, parent: QtWidgets.QWidget | None = None) -> None:
        super().__init__(parent)
        self._types: list[str] = []
        self._none = "None"
        self.addEnabled = self.removeEnabled = self.renameEnabled = True
        self._ids: list[str | None] = []
        self._box = QtWidgets.QComboBox()
        self._box.setSizeAdjustPolicy(QtWidgets.QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        row = QtWidgets.QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self._box)
        self._box.currentIndexChanged.connect(lambda _index: self.currentNodeChanged.emit(self.currentNode()))

    def types(self) -> list[str]:
        return self._types

    def setTypes(self, types: list[str]) -> None:  # noqa: N802
        self._types = list(types)
        self._fill()

    nodeTypes = QtCore.Property("QStringList", types, setTypes)  # noqa: N815

    def noneText(self) -> str:  # noqa: N802
        return self._none

    def setNoneText(self, text: str) -> None:  # noqa: N802
        self._none = text
        self._fill()

    noneDisplay = QtCore.Property(str, noneText, setNoneText)  # noqa: N815
    noneEnabled = QtCore.Property(bool, lambda self: True, lambda self, on: None)  # noqa: N815
    addEnabled = QtCore.Property(bool, lambda self: False, lambda self, on: None)  # noqa: N815
    removeEnabled = QtCore.Property(bool, lambda self: False, lambda self, on: None)  # noqa: N815
    renameEnabled = QtCore.Property(bool, lambda self: False, lambda self, on: None)  # noqa: N815

    def setMRMLScene(self, scene: slicer.vtkMRMLScene | None) -> None:  # noqa: N802
        super().setMRMLScene(scene)
        self.watch(scene, slicer.vtkMRMLScene.NodeAddedEvent, self._fill)
        self.watch(scene, slicer.vtkMRMLScene.NodeRemovedEvent, self._fill)
        self._fill()

    def currentNode(self) -> slicer.vtkMRMLNode | None:  # noqa: N802
        index = self._box.currentIndex()
        name = self._ids[index] if 0 <= index < len(self._ids) else None
        return None if name is None or self._scene is None else self._scene.GetNodeByID(name)

    def setCurrentNode(self, node: slicer.vtkMRMLNode | None) -> None:  # noqa: N802
        wanted = None if node is None else node.GetID()
        self._box.setCurrentIndex(self._ids.index(wanted) if wanted in self._ids else 0)

    def _fill(self) -> None:
        if self._scene is None:
            return
        chosen = self.currentNode()
        nodes = [node for kind in self._types for node in slicer.util.getNodesByClass(kind, self._scene)]
        self._box.blockSignals(True)
        self._box.clear()
        self._ids = [None, *(node.GetID() for node in nodes)]
        self._box.addItems([self._none, *(node.GetName() for node in nodes)])
        self.setCurrentNode(chosen)
        self._box.blockSignals(False)


class SegmentEditorWidget(MrmlWidget):
    """Slicer's segment editor: its own logic and node below, buttons without their effects' options above."""

    def __init__(self, parent: QtWidgets.QWidget | None = None) -> None:
        super().__init__(parent)
        self._node: slicer.vtkMRMLSegmentEditorNode | None = None
        self._logic = slicer.vtkSlicerSegmentEditorLogic()
        self.unorderedEffectsVisible = True
        self.segmentationNodeSelectorVisible = self.sourceVolumeNodeSelectorVisible = True
        self.switchToSegmentationsButtonVisible = self.addRemoveSegmentButtonsVisible = True
        self.segments_list = QtWidgets.QListWidget()
        self.segments_list.setMaximumHeight(70)
        self._effects = QtWidgets.QGridLayout()
        self._buttons: dict[str, QtWidgets.QToolButton] = {}
        self._undo, self._redo = qt.QToolButton(), qt.QToolButton()
        for button, name, act in ((self._undo, "Undo", self.undo), (self._redo, "Redo", self.redo)):
            button.setObjectName(f"{name}Button")
            button.setText(name)
            button.clicked.connect(act)
        column = QtWidgets.QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.segments_list)
        column.addLayout(self._effects)
        row = QtWidgets.QHBoxLayout()
        row.addWidget(self._undo)
        row.addWidget(self._redo)
        row.addStretch(1)
        column.addLayout(row)
        self.setEffectNameOrder(EFFECTS)

    # Slicer's interface

    def setEffectNameOrder(self, names: list[str]) -> None:  # noqa: N802
        unknown = set(names) - set(EFFECTS)
        assert not unknown, f"Slicer has no effects {unknown}"
        for button in self._buttons.values():
            button.hide()
            button.deleteLater()
        self._buttons = {}
        for place, name in enumerate(names):
            button = QtWidgets.QToolButton()
            button.setText(name)
            button.setCheckable(True)
            button.setSizePolicy(QtWidgets.QSizePolicy.Policy.Expanding, QtWidgets.QSizePolicy.Policy.Fixed)
            button.clicked.connect(lambda _on, name=name: self.setActiveEffectByName(name))
            self._effects.addWidget(button, place // 3, place % 3)
            self._buttons[name] = button

    def setActiveEffectByName(self, name: str) -> None:  # noqa: N802
        assert self._node is not None
        self._node.SetActiveEffectName(name)

    def setActiveEffect(self, effect: None) -> None:  # noqa: N802
        assert effect is None, "the stand-in has no effects, only their names"
        if self._node is not None:
            self._node.SetActiveEffectName("")

    def setSegmentationNodeSelectorVisible(self, on: bool) -> None:  # noqa: N802
        self.segmentationNodeSelectorVisible = on

    def setSourceVolumeNodeSelectorVisible(self, on: bool) -> None:  # noqa: N802
        self.sourceVolumeNodeSelectorVisible = on

    def setSwitchToSegmentationsButtonVisible(self, on: bool) -> None:  # noqa: N802
        self.switchToSegmentationsButtonVisible = on

    def setAddRemoveSegmentButtonsVisible(self, on: bool) -> None:  # noqa: N802
        self.addRemoveSegmentButtonsVisible = on

    def setMaximumNumberOfUndoStates(self, count: int) -> None:  # noqa: N802
        self._logic.SetMaximumNumberOfUndoStates(count)

    def setupViewObservations(self) -> None:  # noqa: N802
        """Slicer's effects listen to the mouse from here on."""

    def removeViewObservations(self) -> None:  # noqa: N802
        """Slicer's effects no longer listen."""

    def installKeyboardShortcuts(self, parent: QtWidgets.QWidget | None = None) -> None:  # noqa: N802
        """Slicer's editor has keys of its own."""

    def uninstallKeyboardShortcuts(self) -> None:  # noqa: N802
        """Without them."""

    def setMRMLSegmentEditorNode(self, node: slicer.vtkMRMLSegmentEditorNode | None) -> None:  # noqa: N802
        self._node = node
        self._logic.SetSegmentEditorNode(node)

    def mrmlSegmentEditorNode(self) -> slicer.vtkMRMLSegmentEditorNode | None:  # noqa: N802
        return self._node

    def setMRMLScene(self, scene: slicer.vtkMRMLScene | None) -> None:  # noqa: N802
        super().setMRMLScene(scene)
        self._logic.SetMRMLScene(scene)

    def setSegmentationNode(self, node: slicer.vtkMRMLSegmentationNode | None) -> None:  # noqa: N802
        assert self._node is not None, "Slicer needs the segment editor node first"
        self._node.SetAndObserveSegmentationNode(node)
        self._logic.SetSegmentationNode(node)
        self._list()

    def segmentationNode(self) -> slicer.vtkMRMLSegmentationNode | None:  # noqa: N802
        return None if self._node is None else self._node.GetSegmentationNode()

    def setSourceVolumeNode(self, node: slicer.vtkMRMLVolumeNode | None) -> None:  # noqa: N802
        assert self._node is not None
        self._node.SetAndObserveSourceVolumeNode(node)
        self._logic.SetSourceVolumeNode(node)

    def sourceVolumeNode(self) -> slicer.vtkMRMLVolumeNode | None:  # noqa: N802
        return None if self._node is None else self._node.GetSourceVolumeNode()

    def setCurrentSegmentID(self, name: str) -> None:  # noqa: N802
        assert self._node is not None
        self._node.SetSelectedSegmentID(name)
        self._list()

    def currentSegmentID(self) -> str:  # noqa: N802
        return (self._node.GetSelectedSegmentID() if self._node else None) or ""

    def undo(self) -> None:
        self._logic.Undo()
        self._history()

    def redo(self) -> None:
        self._logic.Redo()
        self._history()

    # What a hand with a mouse does

    def stroke(self, rows: slice, columns: slice, *, erase: bool = False) -> None:
        """Paint a rectangle of the picture into the current segment, or erase it."""
        assert self._node is not None
        self._logic.ResetModifierLabelmapToDefault()
        brush = self._logic.GetModifierLabelmap()
        left, right, top, bottom, _, _ = brush.GetExtent()
        pixels = vtk_to_numpy(brush.GetPointData().GetScalars()).reshape(bottom - top + 1, right - left + 1)
        pixels[rows, columns] = 1
        brush.Modified()
        mode = self._logic.ModificationModeRemove if erase else self._logic.ModificationModeAdd
        self._logic.SaveStateForUndo()
        self._logic.ModifySegmentByLabelmap(self.segmentationNode(), self.currentSegmentID(), brush, mode, False, False)
        self._history()

    def _history(self) -> None:
        self._undo.setEnabled(self._logic.CanUndo())
        self._redo.setEnabled(self._logic.CanRedo())

    def _list(self) -> None:
        self._history()
        self.segments_list.clear()
        node = self.segmentationNode()
        for name in [] if node is None else node.GetSegmentation().GetSegmentIDs():
            segment = node.GetSegmentation().GetSegment(name)
            icon = QtGui.QPixmap(12, 12)
            icon.fill(QtGui.QColor.fromRgbF(*segment.GetColor()))
            item = QtWidgets.QListWidgetItem(QtGui.QIcon(icon), segment.GetName(), self.segments_list)
            item.setSelected(name == self.currentSegmentID())


class _BrowserWidget(MrmlWidget, Observing):
    """Shows and moves the frame of a sequence browser."""

    def __init__(self, parent: QtWidgets.QWidget | None = None) -> None:
        super().__init__(parent)
        self._browser: slicer.vtkMRMLSequenceBrowserNode | None = None

    def setMRMLSequenceBrowserNode(self, browser: slicer.vtkMRMLSequenceBrowserNode | None) -> None:  # noqa: N802
        self._browser = browser
        self.setEnabled(browser is not None)
        self.watch(browser, vtk.vtkCommand.ModifiedEvent, self._update)
        self._update()

    def mrmlSequenceBrowserNode(self) -> slicer.vtkMRMLSequenceBrowserNode | None:  # noqa: N802
        return self._browser

    def _update(self) -> None:
        """Show what the browser says."""


class PlayWidget(_BrowserWidget):
    """First, previous, play, next, last."""

    def __init__(self, parent: QtWidgets.QWidget | None = None) -> None:
        super().__init__(parent)
        row = QtWidgets.QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        for text, act in (
            ("|◀", lambda browser: browser.SelectFirstItem()),
            ("◀", lambda browser: browser.SelectNextItem(-1)),
            ("▶", lambda browser: browser.SetPlaybackActive(not browser.GetPlaybackActive())),
            ("▶|", lambda browser: browser.SelectNextItem(1)),
        ):
            button = QtWidgets.QToolButton()
            button.setText(text)
            button.clicked.connect(lambda _on=False, act=act: self._browser and act(self._browser))
            row.addWidget(button)


class SeekWidget(_BrowserWidget):
    """A slider over the frames."""

    def __init__(self, parent: QtWidgets.QWidget | None = None) -> None:
        super().__init__(parent)
        self._slider, self._label = QtWidgets.QSlider(QtCore.Qt.Orientation.Horizontal), QtWidgets.QLabel()
        row = QtWidgets.QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self._slider, 1)
        row.addWidget(self._label)
        self._slider.valueChanged.connect(lambda item: self._browser and self._browser.SetSelectedItemNumber(item))

    def slider(self) -> QtWidgets.QSlider:
        return self._slider

    def _update(self) -> None:
        if self._browser is None or self._browser.GetMasterSequenceNode() is None:
            return
        item = self._browser.GetSelectedItemNumber()
        self._slider.blockSignals(True)
        self._slider.setMaximum(max(0, self._browser.GetNumberOfItems() - 1))
        self._slider.setValue(item)
        self._slider.blockSignals(False)
        if item >= 0:
            self._label.setText(self._browser.GetMasterSequenceNode().GetNthIndexValue(item))


class TableView(qt.QTableWidget, Observing):
    """Shows a table node."""

    def __init__(self, parent: QtWidgets.QWidget | None = None) -> None:
        super().__init__(parent)
        self._table: slicer.vtkMRMLTableNode | None = None

    def setMRMLScene(self, scene: slicer.vtkMRMLScene | None) -> None:  # noqa: N802
        """The table node brings its scene."""

    def setMRMLTableNode(self, node: slicer.vtkMRMLTableNode | None) -> None:  # noqa: N802
        self._table = node
        self.watch(node, vtk.vtkCommand.ModifiedEvent, self._update)
        self._update()

    def mrmlTableNode(self) -> slicer.vtkMRMLTableNode | None:  # noqa: N802
        return self._table

    def _update(self) -> None:
        self.clear()
        if self._table is None:
            return
        rows, columns = self._table.GetNumberOfRows(), self._table.GetNumberOfColumns()
        self.setRowCount(rows)
        self.setColumnCount(columns)
        self.setHorizontalHeaderLabels([self._table.GetColumnName(column) for column in range(columns)])
        for row in range(rows):
            for column in range(columns):
                self.setItem(row, column, QtWidgets.QTableWidgetItem(self._table.GetCellText(row, column)))


WIDGETS = {
    "qMRMLWidget": MrmlWidget,
    "qMRMLNodeComboBox": NodeComboBox,
    "qMRMLSegmentEditorWidget": SegmentEditorWidget,
    "qMRMLSequenceBrowserPlayWidget": PlayWidget,
    "qMRMLSequenceBrowserSeekWidget": SeekWidget,
    "qMRMLTableView": TableView,
}
for _name, _kind in WIDGETS.items():
    _kind.__name__ = _name
