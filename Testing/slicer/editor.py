"""The Segment Editor's logic, used as its brush and its undo button use it."""

from __future__ import annotations

import slicer
from mrml import Mrml
from RASNetSlicerLib.scene import CaseScene
from vtk.util.numpy_support import vtk_to_numpy


class Editor:
    """Paints into the frame on show.

    Args:
        mrml: the scene.
        shown: the case in it.
    """

    def __init__(self, mrml: Mrml, shown: CaseScene) -> None:
        self._shown = shown
        self.node = mrml.scene.AddNewNodeByClass("vtkMRMLSegmentEditorNode")
        self.node.SetAndObserveSegmentationNode(shown.sequences.mask_proxy)
        self.node.SetOverwriteMode(self.node.OverwriteAllSegments)
        self.logic = slicer.vtkSlicerSegmentEditorLogic()
        self.logic.SetMRMLScene(mrml.scene)
        self.logic.SetSegmentEditorNode(self.node)
        self.logic.SetSegmentationNode(shown.sequences.mask_proxy)
        self.logic.SetSourceVolumeNode(shown.sequences.image_proxy)

    def paint(self, segment: str, rows: slice, columns: slice) -> None:
        """Add a rectangle to a segment, and take it from the others unless overlap is allowed."""
        self._stroke(segment, rows, columns, self.logic.ModificationModeAdd)

    def erase(self, segment: str, rows: slice, columns: slice) -> None:
        """Take a rectangle from a segment."""
        self._stroke(segment, rows, columns, self.logic.ModificationModeRemove)

    def allow_overlap(self) -> None:
        """Let segments overlap from now on."""
        self.node.SetOverwriteMode(self.node.OverwriteNone)

    def _stroke(self, segment: str, rows: slice, columns: slice, mode: int) -> None:
        self.node.SetSelectedSegmentID(segment)
        self.logic.ResetModifierLabelmapToDefault()
        brush = self.logic.GetModifierLabelmap()
        left, right, top, bottom, _, _ = brush.GetExtent()
        pixels = vtk_to_numpy(brush.GetPointData().GetScalars()).reshape(bottom - top + 1, right - left + 1)
        pixels[rows, columns] = 1
        brush.Modified()
        self.logic.SaveStateForUndo()
        self.logic.ModifySegmentByLabelmap(self._shown.sequences.mask_proxy, segment, brush, mode, False, False)
