"""The section "Instruments": the table of layers, and edits that count for the whole video."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import qt
import slicer
from slicer.i18n import tr as _

from RASNetSlicerLib.panel import Panel, Section, progress_dialog

if TYPE_CHECKING:
    from rasnet.case import Layer
    from RASNetSlicerLib.session import Session

SHOW, COLOR, NAME, TYPE, OPACITY = range(5)
_WIDTHS = {SHOW: 22, COLOR: 24, TYPE: 152, OPACITY: 56}


class LayersSection(Section):
    """Shows the instruments and changes them."""

    def __init__(self, panel: Panel) -> None:
        super().__init__(panel)
        table = self.ui.layersTable
        table.setColumnCount(5)
        table.setHorizontalHeaderLabels(["", "", _("Instrument"), _("Type"), _("Opacity")])
        header = table.horizontalHeader()
        header.setSectionResizeMode(qt.QHeaderView.Fixed)
        header.setSectionResizeMode(NAME, qt.QHeaderView.Stretch)
        header.setMinimumSectionSize(20)
        for column, width in _WIDTHS.items():
            table.setColumnWidth(column, width)
        table.verticalHeader().hide()
        table.connect("cellChanged(int,int)", self._on_cell_changed)
        table.connect("cellClicked(int,int)", self._on_cell_clicked)
        table.connect("itemSelectionChanged()", self._on_selection)
        self.on_click(self.ui.addLayerButton, self._add)
        self.on_click(self.ui.mergeLayersButton, self._merge)
        self.on_click(self.ui.removeLayerButton, self._remove)
        self.on_click(self.ui.splitFrameButton, self._split_frame)
        self.on_click(self.ui.splitPieceButton, self._split_piece)
        self._layers: list[Layer] = []
        self._filling = False

    # What is on show

    @property
    def selected(self) -> list[int]:
        """Ids of the selected layers, the topmost first."""
        rows = sorted({index.row() for index in self.ui.layersTable.selectionModel().selectedRows()})
        return [self._layers[row].id for row in rows if row < len(self._layers)]

    def select(self, layer_id: int) -> None:
        """Select one layer."""
        ids = [layer.id for layer in self._layers]
        if layer_id in ids and self.selected != [layer_id]:
            self.ui.layersTable.selectRow(ids.index(layer_id))

    def update(self) -> None:
        """Show the layers of the case."""
        session = self.session
        layers = session.layers if session else []
        if layers != self._layers:
            self._fill(layers)
        enabled = session is not None
        self.ui.layersTable.enabled = self.ui.addLayerButton.enabled = enabled
        self._enable_buttons()

    def _fill(self, layers: list[Layer]) -> None:
        table, selected = self.ui.layersTable, self.selected
        self._filling = True
        try:
            self._layers = layers
            # Qt deletes replaced widgets at its leisure, and leaves them in a corner of the table until then.
            for row in range(table.rowCount):
                for column in (TYPE, OPACITY):
                    table.cellWidget(row, column).hide()
            table.setRowCount(len(layers))
            for row, layer in enumerate(layers):
                self._fill_row(row, layer)
            table.clearSelection()
        finally:
            self._filling = False
        kept = [layer_id for layer_id in selected if layer_id in {layer.id for layer in layers}]
        if layers:
            self.select(kept[0] if kept else layers[0].id)

    def _fill_row(self, row: int, layer: Layer) -> None:
        from RASNetSlicerLib.segments import segment_id

        table, display, name = self.ui.layersTable, self._display(), segment_id(layer.id)
        show = qt.QTableWidgetItem()
        show.setFlags(qt.Qt.ItemIsUserCheckable | qt.Qt.ItemIsEnabled)
        show.setCheckState(qt.Qt.Checked if display.GetSegmentVisibility(name) else qt.Qt.Unchecked)
        show.setToolTip(_("Show or hide this instrument"))
        table.setItem(row, SHOW, show)
        color = qt.QTableWidgetItem()
        color.setFlags(qt.Qt.ItemIsEnabled)
        color.setBackground(qt.QBrush(qt.QColor(*layer.color)))
        color.setToolTip(_("Click to choose another colour"))
        table.setItem(row, COLOR, color)
        title = qt.QTableWidgetItem(layer.name)
        title.setToolTip(_("{name}: double-click to rename").format(name=layer.name))
        table.setItem(row, NAME, title)
        table.setCellWidget(row, TYPE, self._type_box(layer))
        table.setCellWidget(row, OPACITY, self._opacity_box(layer, display.GetSegmentOpacity2DFill(name)))

    def _type_box(self, layer: Layer) -> Any:
        assert self.session is not None
        names = [label.name for label in self.session.shown.case.info.types.instruments]
        box = qt.QComboBox()
        box.addItem(_("not known"))
        for name in names:
            box.addItem(name)
        box.setCurrentIndex(names.index(layer.type) + 1 if layer.type in names else 0)
        box.setMinimumContentsLength(8)
        box.view().setMinimumWidth(box.view().sizeHintForColumn(0) + 24)  # long names are whole in the list
        box.setToolTip(_("What {name} is, in the whole video").format(name=layer.name))

        def choose(index: int) -> None:
            chosen = names[index - 1] if index else None
            self._edit(lambda session: session.edits.set_type(layer.id, chosen))

        box.connect("activated(int)", choose)
        return box

    def _opacity_box(self, layer: Layer, opacity: float) -> Any:
        from RASNetSlicerLib.segments import segment_id

        box = qt.QSpinBox()
        box.setRange(0, 100)
        box.setSingleStep(10)
        box.setSuffix(" %")
        box.setValue(round(100 * opacity))
        box.setButtonSymbols(qt.QAbstractSpinBox.NoButtons)
        box.setToolTip(_("How strongly {name} is drawn").format(name=layer.name))

        def change(percent: int) -> None:
            self._display().SetSegmentOpacity2DFill(segment_id(layer.id), percent / 100)

        box.connect("valueChanged(int)", change)
        return box

    def _display(self) -> Any:
        assert self.session is not None
        return self.session.shown.sequences.mask_proxy.GetDisplayNode()

    def _enable_buttons(self) -> None:
        count, ui = len(self.selected), self.ui
        ui.mergeLayersButton.enabled = count > 1
        for button in (ui.removeLayerButton, ui.splitFrameButton, ui.splitPieceButton):
            button.enabled = count == 1

    # What a person does

    def _on_selection(self) -> None:
        if self._filling:
            return
        self._enable_buttons()
        if len(self.selected) == 1:
            self.panel.select_layer(self.selected[0])

    def _on_cell_changed(self, row: int, column: int) -> None:
        from RASNetSlicerLib.segments import segment_id

        if self._filling or row >= len(self._layers):
            return
        layer, item = self._layers[row], self.ui.layersTable.item(row, column)
        if column == SHOW:
            self._display().SetSegmentVisibility(segment_id(layer.id), item.checkState() == qt.Qt.Checked)
        elif column == NAME and item.text() != layer.name:
            name = item.text()
            self._edit(lambda session: session.edits.rename(layer.id, name))

    def _on_cell_clicked(self, row: int, column: int) -> None:
        if column != COLOR:
            return
        layer = self._layers[row]
        title = _("Colour of {name}").format(name=layer.name)
        color = qt.QColorDialog.getColor(qt.QColor(*layer.color), slicer.util.mainWindow(), title)
        if color.isValid():
            chosen = (color.red(), color.green(), color.blue())
            self._edit(lambda session: session.edits.recolor(layer.id, chosen))

    def _edit(self, change: Any) -> None:
        """Change a layer; where the case refuses, the table shows again what is true."""
        assert self.session is not None
        session: Session = self.session
        if not self.panel.attempt(lambda: change(session)):
            self._layers = []
            self.update()

    def _add(self) -> None:
        assert self.session is not None
        added = self.session.edits.add()
        self.update()
        self.select(added.id)

    def _merge(self) -> None:
        assert self.session is not None
        into, *others = self.selected
        names = {layer.id: layer.name for layer in self._layers}
        gone = ", ".join(names[other] for other in others)
        if not _agreed(_("Make {gone} part of {into} in the whole video?").format(gone=gone, into=names[into])):
            return
        with progress_dialog(_("Merge")) as progress:
            self.session.edits.merge(into, others, progress=progress)

    def _remove(self) -> None:
        assert self.session is not None
        (layer_id,) = self.selected
        name = next(layer.name for layer in self._layers if layer.id == layer_id)
        if not _agreed(_("Delete {name} in the whole video? This cannot be taken back.").format(name=name)):
            return
        with progress_dialog(_("Delete")) as progress:
            self.session.edits.remove(layer_id, progress=progress)

    def _split_frame(self) -> None:
        assert self.session is not None
        (layer_id,) = self.selected
        with progress_dialog(_("Split")) as progress:
            made = self.session.edits.split_at(layer_id, self.session.shown.shown, progress=progress)
        self.update()
        self.select(made.id)

    def _split_piece(self) -> None:
        assert self.session is not None
        (layer_id,) = self.selected
        shown = self.session.shown
        with progress_dialog(_("Split")) as progress:
            made = self.session.edits.split_component(layer_id, shown.shown, self._crosshair(), progress=progress)
        self.update()
        self.select(made.id)

    def _crosshair(self) -> tuple[int, int]:
        """Column and row of the pixel under the crosshair."""
        import vtk

        assert self.session is not None
        crosshair = slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLCrosshairNode")
        position = [0.0, 0.0, 0.0] if crosshair is None else list(crosshair.GetCrosshairRAS())
        to_pixels = vtk.vtkMatrix4x4()
        self.session.shown.sequences.image_proxy.GetRASToIJKMatrix(to_pixels)
        column, row, *_rest = to_pixels.MultiplyPoint([*position, 1.0])
        return round(column), round(row)


def _agreed(question: str) -> bool:
    return bool(slicer.util.confirmOkCancelDisplay(question, windowTitle="RASNet"))
