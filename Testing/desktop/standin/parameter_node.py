"""Stand-in for `slicer.parameterNodeWrapper`: typed state in a node, and widgets that follow it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType
from typing import Annotated, Any, get_args, get_origin, get_type_hints

import slicer
import vtk
from PySide6 import QtWidgets

from standin.pythonqt import Manners


@dataclass
class Minimum:
    minimum: float


@dataclass
class Maximum:
    maximum: float


@dataclass
class WithinRange:
    minimum: float
    maximum: float


class Choice:
    def __init__(self, choices: list[Any]) -> None:
        self.choices = choices


@dataclass
class Default:
    value: Any


def parameterNodeWrapper(kind: type) -> type:  # noqa: N802
    """Make the annotated members of a class live in a `vtkMRMLScriptedModuleNode`."""
    hints = get_type_hints(kind, include_extras=True)
    for name, hint in hints.items():
        setattr(kind, name, _member(name, hint, getattr(kind, name, None)))
    kind.__init__ = _init
    for method in (connectGui, disconnectGui, AddObserver, RemoveObserver):
        setattr(kind, method.__name__, method)
    kind._hints = hints
    return kind


def _split(hint: Any) -> tuple[type, list[Any]]:
    return (get_args(hint)[0], list(get_args(hint)[1:])) if get_origin(hint) is Annotated else (hint, [])


def _node_kind(kind: Any) -> bool:
    options = get_args(kind) or (kind,)
    return any(isinstance(option, type) and issubclass(option, slicer.vtkMRMLNode) for option in options)


def _member(name: str, hint: Any, default: Any) -> property:
    kind, notes = _split(hint)
    stated = [note.value for note in notes if isinstance(note, Default)]
    if _node_kind(kind):
        return property(
            lambda self: self.parameterNode.GetNodeReference(name),
            lambda self, node: self.parameterNode.SetNodeReferenceID(name, node.GetID() if node else None),
        )
    first = stated[0] if stated else default if default is not None else kind()

    def read(self: Any) -> Any:
        words = self.parameterNode.GetParameter(name)
        return kind(json.loads(words)) if words else first

    def write(self: Any, value: Any) -> None:
        for note in notes:
            low, high = getattr(note, "minimum", value), getattr(note, "maximum", value)
            if isinstance(note, (Minimum, Maximum, WithinRange)) and not low <= value <= high:
                raise ValueError(f"{name} is {value}, not within {low} and {high}")
            if isinstance(note, Choice) and value not in note.choices:
                raise ValueError(f"{name} is {value!r}, not one of {note.choices}")
        self.parameterNode.SetParameter(name, json.dumps(kind(value)))

    return property(read, write)


def _init(self: Any, node: slicer.vtkMRMLScriptedModuleNode) -> None:
    self.parameterNode = node
    self._connected = {}


def AddObserver(self: Any, event: Any, act: Callable[..., None]) -> int:  # noqa: N802
    return int(self.parameterNode.AddObserver(event, act))


def RemoveObserver(self: Any, tag: int) -> None:  # noqa: N802
    self.parameterNode.RemoveObserver(tag)


def connectGui(self: Any, ui: Any) -> int:  # noqa: N802
    """Let the widgets that say ``SlicerParameterName`` show their parameter and change it."""
    widgets = [w for w in vars(ui).values() if isinstance(w, QtWidgets.QWidget) and w.property("SlicerParameterName")]
    connectors = [_Connector(self, w.property("SlicerParameterName"), w) for w in widgets]
    observer = self.parameterNode.AddObserver(
        vtk.vtkCommand.ModifiedEvent, lambda *_: [connector.show() for connector in connectors]
    )
    tag = len(self._connected)
    self._connected[tag] = (connectors, observer)
    return tag


def disconnectGui(self: Any, tag: int) -> None:  # noqa: N802
    connectors, observer = self._connected.pop(tag)
    self.parameterNode.RemoveObserver(observer)
    for connector in connectors:
        connector.disconnect()


class _Connector:
    """Joins a parameter and a widget, for the pairs that Slicer knows."""

    def __init__(self, parameters: Any, name: str, widget: Manners) -> None:
        kind, notes = _split(parameters._hints[name])
        self._parameters, self._name, self._widget, self._kind = parameters, name, widget, kind
        self._choices = next((note.choices for note in notes if isinstance(note, Choice)), None)
        if isinstance(widget, (QtWidgets.QSpinBox, QtWidgets.QDoubleSpinBox)):
            assert kind is (int if isinstance(widget, QtWidgets.QSpinBox) else float)
            low = next((note.minimum for note in notes if hasattr(note, "minimum")), -(2**31))
            high = next((note.maximum for note in notes if hasattr(note, "maximum")), 2**31 - 1)
            widget.setRange(low, high)
            self._property, self._signal = "value", widget.valueChanged
        elif isinstance(widget, QtWidgets.QCheckBox):
            assert kind is bool
            self._property, self._signal = "checked", widget.toggled
        elif isinstance(widget, QtWidgets.QComboBox):
            assert self._choices is not None, "Slicer needs a Choice here"
            widget.clear()
            widget.addItems([str(choice) for choice in self._choices])
            self._property, self._signal = "currentIndex", widget.currentIndexChanged
        elif isinstance(widget, QtWidgets.QLineEdit):
            assert kind is str
            self._property, self._signal = "text", widget.textChanged
        elif hasattr(widget, "currentNodeChanged"):
            assert _node_kind(kind)
            self._property, self._signal = "", widget.currentNodeChanged
        else:
            raise RuntimeError(f"Slicer joins no {widget.className()} to {kind}")
        self.show()
        self._signal.connect(self._changed)

    def show(self) -> None:
        value = getattr(self._parameters, self._name)
        if not self._property:
            self._widget.setCurrentNode(value)
        else:
            setattr(self._widget, self._property, self._choices.index(value) if self._choices else value)

    def disconnect(self) -> None:
        self._signal.disconnect(self._changed)

    def _changed(self, *_value: object) -> None:
        if not self._property:
            value = self._widget.currentNode()
        else:
            value = getattr(self._widget, self._property)
            value = self._choices[value] if self._choices else self._kind(value)
        setattr(self._parameters, self._name, value)


module = ModuleType("slicer.parameterNodeWrapper", __doc__)
for _thing in (parameterNodeWrapper, Minimum, Maximum, WithinRange, Choice, Default):
    setattr(module, _thing.__name__, _thing)
