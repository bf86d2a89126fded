"""An axial slice view rendered without a screen, as the red view of Slicer shows it."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import slicer
import vtk
from mrml import Mrml
from vtk.util.numpy_support import vtk_to_numpy

_OVERLAY = "vtkMRMLSegmentationsDisplayableManager2D"


class SliceView:
    """A view that fits one picture exactly.

    Args:
        mrml: the scene.
        background: volume to show.
        zoom: screen pixels along the side of a picture's pixel.
    """

    def __init__(self, mrml: Mrml, background: slicer.vtkMRMLVolumeNode, zoom: int) -> None:
        width, height, _ = background.GetImageData().GetDimensions()
        self._size = (width * zoom, height * zoom)
        self._logic = slicer.vtkMRMLSliceLogic()
        self._logic.SetMRMLApplicationLogic(mrml.application)
        self._logic.SetMRMLScene(mrml.scene)
        node = self._logic.AddSliceNode("Red")
        node.SetOrientation("Axial")  # without it, the picture is mirrored
        self._logic.GetSliceCompositeNode().SetBackgroundVolumeID(background.GetID())
        node.SetDimensions(*self._size, 1)
        spacing = background.GetSpacing()[0]
        node.SetFieldOfView(width * spacing, height * spacing, 1)
        bounds = [0.0] * 6
        background.GetRASBounds(bounds)
        # Slicer samples at the corner of a screen pixel; at its middle, no sample lies between two of the picture.
        half = spacing / zoom / 2
        node.GetSliceToRAS().SetElement(0, 3, (bounds[0] + bounds[1]) / 2 - half)
        node.GetSliceToRAS().SetElement(1, 3, (bounds[2] + bounds[3]) / 2 + half)
        node.UpdateMatrices()

        self._window = vtk.vtkEGLRenderWindow()
        self._window.SetOffScreenRendering(True)
        self._window.SetMultiSamples(0)
        self._window.SetSize(*self._size)
        # Two renderers, as overlays are blended with what lies below their layer.
        self._window.SetNumberOfLayers(2)
        below, above = vtk.vtkRenderer(), vtk.vtkRenderer()
        above.SetLayer(1)
        for renderer in (below, above):
            self._window.AddRenderer(renderer)
        self._interactor = vtk.vtkGenericRenderWindowInteractor()
        self._interactor.SetRenderWindow(self._window)
        factory = slicer.vtkMRMLSliceViewDisplayableManagerFactory.GetInstance()
        factory.SetMRMLApplicationLogic(mrml.application)
        if not factory.IsDisplayableManagerRegistered(_OVERLAY):
            factory.RegisterDisplayableManager(_OVERLAY)
        self._group = slicer.vtkMRMLDisplayableManagerGroup()
        self._group.Initialize(factory, above)
        self._group.SetMRMLDisplayableNode(node)
        self._background = vtk.vtkImageMapper()
        self._background.SetColorWindow(255)
        self._background.SetColorLevel(127.5)
        actor = vtk.vtkActor2D()
        actor.SetMapper(self._background)
        below.AddActor2D(actor)

    def picture(self) -> npt.NDArray[np.uint8]:
        """What a person sees, uint8 (H * zoom, W * zoom, 3)."""
        self._logic.UpdatePipeline()
        self._background.SetInputConnection(self._logic.GetImageDataConnection())
        self._window.Render()
        grab = vtk.vtkWindowToImageFilter()
        grab.SetInput(self._window)
        grab.ReadFrontBufferOff()
        grab.Update()
        width, height = self._size
        pixels = vtk_to_numpy(grab.GetOutput().GetPointData().GetScalars()).reshape(height, width, -1)
        return pixels[::-1, :, :3].copy()
