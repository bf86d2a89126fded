"""The section "Compare": how far another person's case of the same video agrees with the one on show."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import qt
import slicer
from slicer.i18n import tr as _

from RASNetSlicerLib.panel import Panel, Section
from RASNetSlicerLib.panel_merge import MergePart, ask_for_other_case, show_frame
from RASNetSlicerLib.panel_tasks import TaskRow

_WIDTHS = (92, 92, 45, 45, 62)  # pixels; together what a narrow panel has


class CompareSection(Section):
    """Compares two cases, and leads to the frames on which they differ."""

    def __init__(self, panel: Panel) -> None:
        super().__init__(panel)
        ui = self.ui
        self.on_click(ui.compareButton, self._compare)
        self.on_click(ui.comparePicturesButton, self._show_pictures)
        self.on_click(ui.saveComparisonButton, self._save)
        ui.worstFramesComboBox.connect("activated(int)", self._on_frame)
        ui.comparisonTable.verticalHeader().hide()
        ui.comparisonTable.setWordWrap(True)
        self._row = TaskRow(
            panel,
            ("compare", "merge"),
            ui.compareProgressBar,
            ui.compareCancelButton,
            ui.compareLabel,
            ui.compareLogButton,
        )
        self._merging = MergePart(panel)
        self._shown: object = None
        self._window: Any = None

    def stop(self) -> None:
        """Show no comparison."""
        self.ui.comparisonTable.setMRMLTableNode(None)
        self._shown = None

    def update(self) -> None:
        """Show what is under way, and what came of it."""
        session, ui = self.session, self.ui
        comparison = session.comparison if session else None
        ui.compareButton.enabled = session is not None and not session.busy
        if comparison is not self._shown:
            self._shown = comparison
            self._fill()
        for widget in (ui.comparisonTable, ui.saveComparisonButton):
            widget.visible = comparison is not None
        for widget in (ui.worstFramesLabel, ui.worstFramesComboBox):
            widget.visible = comparison is not None and bool(comparison.worst)
        ui.comparePicturesButton.visible = comparison is not None and comparison.picture is not None
        self._merging.update()
        self._row.show(self._merging.outcome or self._outcome())

    def _outcome(self) -> str:
        comparison = self.session.comparison if self.session else None
        if comparison is None:
            return ""
        return _("{count} frames in common with {name}; mean Dice {dice:.3f}.").format(
            count=comparison.frames, name=comparison.other.name, dice=comparison.dice
        )

    def _fill(self) -> None:
        comparison = self.session.comparison if self.session else None
        table, frames = self.ui.comparisonTable, self.ui.worstFramesComboBox
        frames.clear()
        table.setMRMLTableNode(comparison.table if comparison is not None else None)
        if comparison is None:
            return
        for column, width in enumerate(_WIDTHS):
            table.setColumnWidth(column, width)
        table.resizeRowsToContents()
        frames.addItem(_("choose one"))
        for frame in comparison.worst:
            frames.addItem(_("frame {frame}: Dice {dice:.3f}").format(frame=frame.index, dice=frame.dice))

    def _compare(self) -> None:
        assert self.session is not None
        if other := ask_for_other_case():
            self.session.compare(other)

    def _on_frame(self, item: int) -> None:
        if item > 0:
            assert self.session is not None
            assert self.session.comparison is not None
            frame = self.session.comparison.worst[item - 1].index
            self.panel.attempt(lambda: show_frame(self.session, frame))

    def _show_pictures(self) -> None:
        """Both people's masks side by side, in a window of its own that may stay open."""
        assert self.session is not None
        assert self.session.comparison is not None
        picture = qt.QLabel()
        picture.setPixmap(qt.QPixmap(str(self.session.comparison.picture)))
        area = qt.QScrollArea()
        area.setWidget(picture)
        self._window = qt.QDialog(slicer.util.mainWindow())
        self._window.setWindowTitle(_("Frames that differ most"))
        layout = qt.QVBoxLayout(self._window)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(area)
        self._window.resize(1340, 800)
        self._window.show()

    def _save(self) -> None:
        assert self.session is not None
        assert self.session.comparison is not None
        title = _("Folder for figures and pictures")
        if path := qt.QFileDialog.getExistingDirectory(slicer.util.mainWindow(), title, ""):
            folder = self.session.comparison.save(Path(path))
            slicer.util.showStatusMessage(_("The comparison is in {folder}").format(folder=folder), 5000)
