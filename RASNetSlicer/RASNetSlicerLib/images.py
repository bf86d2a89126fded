"""Video frames as MRML volumes: one pixel of the full frame is one millimetre, upright in an axial slice view."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import slicer
import vtk
from vtk.util.numpy_support import vtk_to_numpy

# Rec. 709, the primaries of endoscopic video.
_LUMINANCE = np.array([0.2126, 0.7152, 0.0722], np.float32)


def ijk_to_ras(scale: int = 1) -> vtk.vtkMatrix4x4:
    """diag(-1, -1, 1), by which Slicer shows pictures; coarser pixels lie where their blocks lie in the frame."""
    matrix = vtk.vtkMatrix4x4()
    for axis in (0, 1):
        matrix.SetElement(axis, axis, -scale)
        matrix.SetElement(axis, 3, -(scale - 1) / 2)
    return matrix


def vector_volume(rgb: npt.NDArray[np.uint8], scale: int = 1) -> slicer.vtkMRMLVectorVolumeNode:
    """A volume node, not in any scene, that holds a copy of a picture, uint8 (H, W, 3)."""
    node = slicer.vtkMRMLVectorVolumeNode()
    node.SetAndObserveImageData(_image_data(rgb))
    node.SetVoxelVectorType(slicer.vtkMRMLVolumeNode.VoxelVectorTypeColorRGB)
    node.SetIJKToRASMatrix(ijk_to_ras(scale))
    return node


def rgb_of(node: slicer.vtkMRMLVectorVolumeNode) -> npt.NDArray[np.uint8]:
    """The picture of a volume node, uint8 (H, W, 3): a view of its voxels."""
    image = node.GetImageData()
    width, height, _ = image.GetDimensions()
    pixels: npt.NDArray[np.uint8] = vtk_to_numpy(image.GetPointData().GetScalars()).reshape(height, width, 3)
    return pixels


def set_luminance(node: slicer.vtkMRMLScalarVolumeNode, source: slicer.vtkMRMLVectorVolumeNode) -> None:
    """Make `node` the luminance of a picture, uint8, in the same geometry.

    The intensity tools of the Segment Editor (threshold, grow from seeds) see only the red component of a vector
    volume, and in endoscopic video tissue is red all over; luminance is what they can work with.
    """
    matrix = vtk.vtkMatrix4x4()
    source.GetIJKToRASMatrix(matrix)
    node.SetIJKToRASMatrix(matrix)
    grey = (rgb_of(source).astype(np.float32) @ _LUMINANCE + 0.5).astype(np.uint8)
    node.SetAndObserveImageData(_image_data(grey[..., np.newaxis]))


def _image_data(pixels: npt.NDArray[np.uint8]) -> vtk.vtkImageData:
    height, width, components = pixels.shape
    image = vtk.vtkImageData()
    image.SetDimensions(width, height, 1)
    image.AllocateScalars(vtk.VTK_UNSIGNED_CHAR, components)
    vtk_to_numpy(image.GetPointData().GetScalars())[:] = pixels.reshape(-1, components).squeeze()
    return image
