"""The table of instruments: every edit counts for the whole video, in the scene and in the case."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

pytest.importorskip("slicer_core", reason="the package slicer-core is not installed")
pytest.importorskip("PySide6", reason="the package PySide6-Essentials is not installed")

import slicer
from PySide6 import QtCore, QtGui, QtWidgets
from RASNetSlicerLib import segments
from surgery import FRAMES, expected_mask

from rasnet.case import Layer

if TYPE_CHECKING:
    from standin.application import Desk

SHOW, COLOR, NAME, TYPE, OPACITY = range(5)  # columns
OK, CANCEL = QtWidgets.QMessageBox.StandardButton.Ok, QtWidgets.QMessageBox.StandardButton.Cancel


def select(desk: Desk, *rows: int) -> None:
    table = desk.ui.layersTable
    table.clearSelection()
    for row in rows:
        index = table.model().index(row, NAME)
        flags = QtCore.QItemSelectionModel.SelectionFlag
        table.selectionModel().select(index, flags.Select | flags.Rows)


def layer(desk: Desk, layer_id: int) -> Layer:
    return next(found for found in desk.widget.session.layers if found.id == layer_id)


def display(desk: Desk) -> slicer.vtkMRMLSegmentationDisplayNode:
    return desk.widget.session.shown.sequences.mask_proxy.GetDisplayNode()


def names_in_every_frame(desk: Desk) -> set[tuple[str, ...]]:
    sequences = desk.widget.session.shown.sequences
    found = [segments.read_layers(sequences.mask_node(index)) for index in sequences.indices]
    return {tuple(title for title, _color in frame.values()) for frame in found}


def test_the_table_shows_the_layers_of_the_case(opened: Desk) -> None:
    table = opened.ui.layersTable

    assert table.rowCount == 3
    assert [table.item(row, NAME).text() for row in range(3)] == ["Left forceps", "Instrument 2", "Instrument 3"]
    assert table.item(0, COLOR).background().color().getRgb()[:3] == (10, 200, 30)
    assert table.cellWidget(0, TYPE).currentText == "Bipolar Forceps"
    assert table.cellWidget(1, TYPE).currentText == "not known"
    types = opened.widget.session.shown.case.info.types
    box = table.cellWidget(1, TYPE)
    assert [box.itemText(item) for item in range(1, box.count)] == [label.name for label in types.instruments]


def test_rename(opened: Desk) -> None:
    opened.ui.layersTable.item(1, NAME).setText("Nadelhalter")

    assert layer(opened, 2).name == "Nadelhalter"
    assert names_in_every_frame(opened) == {("Left forceps", "Nadelhalter", "Instrument 3")}


def test_a_name_that_cannot_be_is_refused_and_the_old_one_comes_back(opened: Desk) -> None:
    opened.ui.layersTable.item(1, NAME).setText("  ")

    assert "cannot be named" in opened.said.pop()
    assert layer(opened, 2).name == opened.ui.layersTable.item(1, NAME).text() == "Instrument 2"


def test_recolour(opened: Desk) -> None:
    opened.colors.append(QtGui.QColor(1, 128, 254))

    opened.ui.layersTable.cellClicked.emit(1, COLOR)

    assert layer(opened, 2).color == (1, 128, 254)
    assert opened.ui.layersTable.item(1, COLOR).background().color().getRgb()[:3] == (1, 128, 254)


@pytest.mark.parametrize(("name", "kept"), [("Vessel Sealer", "Vessel Sealer"), ("not known", None)])
def test_type(opened: Desk, name: str, kept: str | None) -> None:
    box = opened.ui.layersTable.cellWidget(0, TYPE)
    item = box.findText(name)
    box.setCurrentIndex(item)

    box.activated.emit(item)

    assert layer(opened, 1).type == kept


def test_visibility_and_opacity_belong_to_the_layer_in_every_frame(opened: Desk) -> None:
    opened.ui.layersTable.item(0, SHOW).setCheckState(QtCore.Qt.CheckState.Unchecked)
    opened.ui.layersTable.cellWidget(1, OPACITY).value = 30
    opened.widget.session.shown.sequences.show(4)
    opened.ui.layersTable.item(2, NAME).setText("Third")  # draws the table anew

    assert not display(opened).GetSegmentVisibility("Layer_1")
    assert display(opened).GetSegmentOpacity2DFill("Layer_2") == pytest.approx(0.3)
    assert opened.ui.layersTable.item(0, SHOW).checkState() == QtCore.Qt.CheckState.Unchecked
    assert opened.ui.layersTable.cellWidget(1, OPACITY).value == 30


def test_add(opened: Desk) -> None:
    opened.ui.addLayerButton.click()

    assert opened.ui.layersTable.rowCount == 4
    assert opened.widget.current_layer() == 4
    assert opened.ui.segmentEditor.currentSegmentID() == "Layer_4"
    assert {len(names) for names in names_in_every_frame(opened)} == {4}


def test_merge_asks_and_counts_for_every_frame(opened: Desk) -> None:
    select(opened, 0, 2)
    assert opened.ui.mergeLayersButton.enabled
    assert not opened.ui.removeLayerButton.enabled
    opened.answers.extend([CANCEL, OK])

    opened.ui.mergeLayersButton.click()
    assert opened.said.pop() == "Make Instrument 3 part of Left forceps in the whole video?"
    assert opened.ui.layersTable.rowCount == 3

    opened.ui.mergeLayersButton.click()
    opened.said.pop()
    assert [found.id for found in opened.widget.session.layers] == [1, 2]
    for index in range(FRAMES):
        expected = np.where(expected_mask(index) == 3, 1, expected_mask(index))
        np.testing.assert_array_equal(opened.widget.session.shown.mask(index), expected)


def test_delete_asks_first(opened: Desk) -> None:
    select(opened, 1)
    opened.answers.extend([CANCEL, OK])
    opened.ui.removeLayerButton.click()
    assert "Delete Instrument 2 in the whole video?" in opened.said.pop()
    assert opened.ui.layersTable.rowCount == 3

    opened.ui.removeLayerButton.click()
    opened.said.pop()
    assert [found.id for found in opened.widget.session.layers] == [1, 3]
    assert not (opened.widget.session.shown.mask(3) == 2).any()


def test_split_from_this_frame_on(opened: Desk) -> None:
    opened.widget.session.shown.sequences.show(3)
    select(opened, 0)

    opened.ui.splitFrameButton.click()

    made = opened.widget.session.layers[-1].id
    assert opened.widget.current_layer() == made
    for index in range(6):
        expected = expected_mask(index)
        if index >= 3:
            expected[expected == 1] = made
        np.testing.assert_array_equal(opened.widget.session.shown.mask(index), expected)


def test_split_the_piece_under_the_crosshair(opened: Desk) -> None:
    shown = opened.widget.session.shown
    shown.sequences.show(3)
    select(opened, 1)
    # A second piece of layer 2, painted by hand.
    opened.ui.segmentEditor.setCurrentSegmentID("Layer_2")
    opened.ui.segmentEditor.stroke(slice(40, 46), slice(5, 20))
    crosshair = slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLCrosshairNode")
    if crosshair is None:
        crosshair = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLCrosshairNode")
    crosshair.SetCrosshairRAS(-10.0, -42.0, 0.0)  # column 10, row 42: Slicer's R and A point the other way

    opened.ui.splitPieceButton.click()

    made = opened.widget.session.layers[-1].id
    expected = expected_mask(3)
    expected[40:46, 5:20] = made
    np.testing.assert_array_equal(shown.mask(3), expected)


def test_a_crosshair_beside_the_instrument_is_said(opened: Desk) -> None:
    select(opened, 1)

    opened.ui.splitPieceButton.click()

    assert opened.said.pop()
    assert len(opened.widget.session.layers) == 3


def test_the_editor_and_the_table_select_the_same_layer(opened: Desk) -> None:
    select(opened, 2)
    assert opened.ui.segmentEditor.currentSegmentID() == "Layer_3"

    opened.ui.segmentEditor.setCurrentSegmentID("Layer_2")
    assert opened.widget.current_layer() == 2
