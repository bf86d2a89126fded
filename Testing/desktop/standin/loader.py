"""Stand-in for PythonQt's QUiLoader: builds the widgets of a ``.ui`` file, and its connections, from stand-ins."""

from __future__ import annotations

from xml.etree import ElementTree

from PySide6 import QtCore, QtUiTools, QtWidgets

from standin import ctk_widgets, mrml_widgets
from standin.pythonqt import qt


class UiLoader(QtUiTools.QUiLoader):
    """Loads ``.ui`` files."""

    def createWidget(  # noqa: N802
        self, kind: str, parent: QtWidgets.QWidget | None = None, name: str = ""
    ) -> QtWidgets.QWidget:
        widgets = {**ctk_widgets.WIDGETS, **mrml_widgets.WIDGETS}
        widget = (widgets.get(kind) or getattr(qt, kind))(parent)
        widget.setObjectName(name)
        return widget

    def load(self, file: QtCore.QFile) -> QtWidgets.QWidget:
        """Build the widget of an open file."""
        root = ElementTree.fromstring(bytes(file.readAll()))
        connections = root.find("connections")
        if connections is not None:
            root.remove(connections)
        buffer = QtCore.QBuffer()
        buffer.setData(ElementTree.tostring(root))
        buffer.open(QtCore.QIODevice.OpenModeFlag.ReadOnly)
        top = super().load(buffer)
        for connection in [] if connections is None else connections:
            sender, signal, receiver, slot = (
                connection.findtext(word, "") for word in ("sender", "signal", "receiver", "slot")
            )
            target = getattr(_child(top, receiver), slot.partition("(")[0])
            _child(top, sender).connect(signal, target)
        return top


def _child(top: QtWidgets.QWidget, name: str) -> QtWidgets.QWidget:
    found = top if top.name == name else top.findChild(QtWidgets.QWidget, name)
    assert found is not None, f"the .ui connects {name}, which it does not have"
    return found
