"""Stand-in for the module ``ctk``: the widgets of it that the panel uses."""

from __future__ import annotations

from types import ModuleType
from typing import ClassVar

from PySide6 import QtCore, QtGui, QtWidgets

from standin.pythonqt import FileDialog, Manners, qt


class CollapsibleButton(qt.QWidget):
    """A titled section that can be folded."""

    contentsCollapsed = QtCore.Signal(bool)  # noqa: N815

    def __init__(self, parent: QtWidgets.QWidget | None = None) -> None:
        super().__init__(parent)
        self._text, self._collapsed = "", False
        self._shown: list[QtWidgets.QWidget] = []
        self._header = QtGui.QFontMetrics(QtWidgets.QWidget.font(self)).height() + 10
        self.setContentsMargins(0, self._header, 0, 0)

    def getText(self) -> str:  # noqa: N802
        return self._text

    def setText(self, text: str) -> None:  # noqa: N802
        self._text = text
        self.update()

    def isCollapsed(self) -> bool:  # noqa: N802
        return self._collapsed

    def setCollapsed(self, collapsed: bool) -> None:  # noqa: N802
        if collapsed == self._collapsed:
            return
        self._collapsed = collapsed
        if collapsed:
            children = [child for child in self.children() if isinstance(child, QtWidgets.QWidget)]
            self._shown = [child for child in children if not child.isHidden()]
        for child in self._shown:
            child.setVisible(not collapsed)
        self.setMaximumHeight(self._header if collapsed else 16777215)
        self.contentsCollapsed.emit(collapsed)

    text = QtCore.Property(str, getText, setText)
    collapsed = QtCore.Property(bool, isCollapsed, setCollapsed)

    def mousePressEvent(self, event: QtGui.QMouseEvent) -> None:  # noqa: N802
        if event.position().y() < self._header:
            self.setCollapsed(not self._collapsed)

    def paintEvent(self, _event: QtGui.QPaintEvent) -> None:  # noqa: N802
        painter = QtWidgets.QStylePainter(self)
        option = QtWidgets.QStyleOptionButton()
        option.initFrom(self)
        option.rect = QtCore.QRect(0, 0, QtWidgets.QWidget.width(self), self._header - 4)
        option.text = ("▸ " if self._collapsed else "▾ ") + self._text
        painter.drawControl(QtWidgets.QStyle.ControlElement.CE_PushButton, option)


class PathLineEdit(qt.QWidget):
    """A path with a button that asks for it."""

    Files, Dirs, Drives, Readable, Writable = 1, 2, 4, 8, 16
    currentPathChanged = QtCore.Signal(str)  # noqa: N815

    def __init__(self, parent: QtWidgets.QWidget | None = None) -> None:
        super().__init__(parent)
        self.filters = self.Files
        self.nameFilters: list[str] = []
        self._edit = QtWidgets.QLineEdit()
        browse = QtWidgets.QToolButton()
        browse.setText("...")
        browse.clicked.connect(self.browse)
        row = QtWidgets.QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self._edit, 1)
        row.addWidget(browse)
        self._edit.textChanged.connect(self.currentPathChanged)

    def path(self) -> str:
        return self._edit.text()

    def setPath(self, path: str) -> None:  # noqa: N802
        self._edit.setText(str(path))

    currentPath = QtCore.Property(str, path, setPath)  # noqa: N815

    def browse(self) -> None:
        """Ask for the path."""
        self.setPath(FileDialog._answer(self))


class MessageBox(qt.QMessageBox):
    """Keeps what it would have said, and answers as told; see `Desk`."""

    said: ClassVar[list[str]] = []
    answers: ClassVar[list[object]] = []

    def exec_(self) -> object:
        """Say it to the test."""
        self.said.append(self.text)
        offered = QtWidgets.QMessageBox.standardButtons(self)
        kinds = QtWidgets.QMessageBox.StandardButton
        asks = bool(offered & (kinds.Cancel | kinds.No))
        assert self.answers or not asks, f"nobody told what to answer to: {self.text}"
        return self.answers.pop(0) if asks else kinds.Ok


ctk = ModuleType("ctk", __doc__)
WIDGETS: dict[str, type[Manners]] = {}
for _name, _kind in (
    ("ctkCollapsibleButton", CollapsibleButton),
    ("ctkPathLineEdit", PathLineEdit),
    ("ctkMessageBox", MessageBox),
):
    _kind.__name__ = _name
    WIDGETS[_name] = _kind
    setattr(ctk, _name, _kind)
