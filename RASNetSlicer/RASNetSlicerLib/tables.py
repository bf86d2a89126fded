"""Columns of numbers and words as a table node."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
import slicer
import vtk
from vtk.util.numpy_support import numpy_to_vtk


def set_columns(node: slicer.vtkMRMLTableNode, columns: Mapping[str, npt.NDArray[np.generic] | Sequence[str]]) -> None:
    """Give a table exactly these columns; views are told once."""
    table = vtk.vtkTable()
    for name, values in columns.items():
        if isinstance(values, np.ndarray):
            column = numpy_to_vtk(values, deep=True)
        else:
            column = vtk.vtkStringArray()
            for value in values:
                column.InsertNextValue(value)
        column.SetName(name)
        table.AddColumn(column)
    node.SetAndObserveTable(table)
