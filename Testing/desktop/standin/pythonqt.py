"""Stand-in for the module ``qt``: PySide6 with PythonQt's manners.

- properties are read and set without parentheses: ``spinBox.value = 3``;
- signals are connected by their signature, ``button.connect("clicked(bool)", f)``, or by ``button.clicked.connect(f)``;
- file dialogs return a string;
- an attribute that a widget does not have cannot be set by accident.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

from PySide6 import QtCore, QtGui, QtUiTools, QtWidgets

# C++ calls these virtual methods by name, or Python code calls them as methods or static methods in PythonQt too.
_METHODS = {"sizeHint", "minimumSizeHint", "singleShot"}
_VIRTUAL = {"QProgressBar": {"text"}}


class Manners:
    """What PythonQt adds to every QObject."""

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        # PySide6 looks for these two in the very class of an object, and passes by those that it inherits.
        cls.connect, cls.disconnect = Manners.connect, Manners.disconnect

    def connect(self, signal: str, slot: Callable[..., object]) -> bool:
        """Connect a signal that is named by its C++ signature."""
        _signal(self, signal).connect(slot)
        return True

    def disconnect(self, signal: str, slot: Callable[..., object]) -> bool:
        """Undo `connect`."""
        return bool(_signal(self, signal).disconnect(slot))

    def className(self) -> str:  # noqa: N802 (Qt's name)
        """The C++ class."""
        return type(self).__name__

    @property
    def name(self) -> str:
        """PythonQt's short word for objectName."""
        return str(QtCore.QObject.objectName(self))

    @name.setter
    def name(self, value: str) -> None:
        QtCore.QObject.setObjectName(self, value)

    def __setattr__(self, name: str, value: object) -> None:
        if "_pythonqt" in vars(type(self)) and not hasattr(type(self), name):
            raise AttributeError(f"{type(self).__name__} has no property {name}")
        super().__setattr__(name, value)


def signature_names(kind: type) -> set[str]:
    """Signatures of all signals of a class."""
    meta = kind.staticMetaObject
    methods = [meta.method(number) for number in range(meta.methodCount())]
    own = {
        bytes(m.methodSignature()).decode() for m in methods if m.methodType() == QtCore.QMetaMethod.MethodType.Signal
    }
    return own | set(getattr(kind, "cpp_signals", ()))


def wrap(kind: type) -> type:
    """A class of PySide6 with PythonQt's manners."""
    if not (isinstance(kind, type) and issubclass(kind, QtCore.QObject)):
        return kind
    if issubclass(kind, QtWidgets.QLayout):
        return kind
    meta = kind.staticMetaObject
    names = {meta.property(number).name() for number in range(meta.propertyCount())} - _METHODS
    for ancestor, virtual in _VIRTUAL.items():
        if issubclass(kind, getattr(QtWidgets, ancestor)):
            names -= virtual
    members: dict[str, Any] = {name: _property(kind, name) for name in names}
    members["_pythonqt"] = True
    if hasattr(kind, "exec"):
        members["exec_"] = kind.exec
    return type(kind.__name__, (Manners, kind), members)


def _property(kind: type, name: str) -> property:
    def read(self: QtCore.QObject) -> object:
        return QtCore.QObject.property(self, name)

    setter = getattr(kind, f"set{name[0].upper()}{name[1:]}", None)

    def write(self: QtCore.QObject, value: object) -> None:
        if setter is not None:
            setter(self, value)
        elif not QtCore.QObject.setProperty(self, name, value):
            raise TypeError(f"{name} cannot be {value!r}")

    index = kind.staticMetaObject.indexOfProperty(name)
    return property(read, write if kind.staticMetaObject.property(index).isWritable() else None)


def _signal(sender: Any, signature: str) -> Any:
    normal = bytes(QtCore.QMetaObject.normalizedSignature(signature)).decode()
    if normal not in signature_names(type(sender)):
        raise ValueError(f"{type(sender).__name__} has no signal {signature}")
    return getattr(sender, normal.partition("(")[0])


class FileDialog(wrap(QtWidgets.QFileDialog)):
    """Answers what a test has put on the desk instead of asking."""

    answers: list[str] = []  # noqa: RUF012

    @classmethod
    def _answer(cls, *_asked: object) -> str:
        assert cls.answers, f"nobody told the file dialog what to answer to {_asked}"
        return cls.answers.pop(0)

    getOpenFileName = getSaveFileName = getExistingDirectory = _answer  # noqa: N815


class ColorDialog(wrap(QtWidgets.QColorDialog)):
    """Answers what a test has put on the desk instead of asking."""

    answers: list[QtGui.QColor] = []  # noqa: RUF012

    @classmethod
    def getColor(cls, *_asked: object) -> QtGui.QColor:  # noqa: N802
        """The next answer."""
        return cls.answers.pop(0)


class QtStandIn(ModuleType):
    """The module ``qt``; classes are wrapped when they are first asked for."""

    def __getattr__(self, name: str) -> Any:
        for module in (QtCore, QtGui, QtWidgets, QtUiTools):
            found = getattr(module, name, None)
            if found is not None:
                value = wrap(found)
                setattr(self, name, value)
                return value
        raise AttributeError(f"the stand-in for qt has no {name}")


def application() -> QtWidgets.QApplication:
    """The one application of this process."""
    return QtWidgets.QApplication.instance() or QtWidgets.QApplication(sys.argv[:1])


qt = QtStandIn("qt", __doc__)
qt.QFileDialog = FileDialog
qt.QColorDialog = ColorDialog
qt.Signal = QtCore.Signal
