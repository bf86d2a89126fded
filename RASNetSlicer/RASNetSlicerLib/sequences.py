"""The sequences of a video in a scene: pictures and masks in one browser, an item of each for every frame."""

from __future__ import annotations

from collections.abc import Iterable

import slicer
import vtk

INDEX_NAME = "frame"


class FrameSequences:
    """Two sequences and their browser; the index value of an item is the frame's index in the source.

    - "Save changes" of the masks is on from the start and stays on: the proxy node then shares its segmentation with
      the item on show, so edits and display stay with their frame. Turning it off empties that item.
    - The masks are dense: where an item is missing, Slicer fills it with a neighbour's mask.
    - The Segment Editor forgets its undo history when another frame is shown; no undo crosses frames.

    Args:
        images: sequence of vtkMRMLVectorVolumeNode.
        masks: sequence of vtkMRMLSegmentationNode.
        browser: of both; the pictures are its master.
    """

    def __init__(
        self,
        images: slicer.vtkMRMLSequenceNode,
        masks: slicer.vtkMRMLSequenceNode,
        browser: slicer.vtkMRMLSequenceBrowserNode,
    ) -> None:
        self.images = images
        self.masks = masks
        self.browser = browser

    @classmethod
    def create(cls, scene: slicer.vtkMRMLScene, name: str) -> FrameSequences:
        """Add empty sequences and a browser to a scene."""
        images = scene.AddNewNodeByClass("vtkMRMLSequenceNode", f"{name} video")
        masks = scene.AddNewNodeByClass("vtkMRMLSequenceNode", f"{name} instruments")
        for sequence in (images, masks):
            sequence.SetIndexName(INDEX_NAME)
            sequence.SetIndexUnit("")
        return cls(images, masks, scene.AddNewNodeByClass("vtkMRMLSequenceBrowserNode", name))

    @classmethod
    def of_browser(cls, browser: slicer.vtkMRMLSequenceBrowserNode) -> FrameSequences | None:
        """The sequences of a browser that `create` made; None where one of them is gone."""
        images = browser.GetMasterSequenceNode()
        masks = next((node for node in _synchronized(browser) if _holds_segmentations(node)), None)
        return None if images is None or masks is None else cls(images, masks, browser)

    @property
    def indices(self) -> list[int]:
        """The frames, in order."""
        return [int(self.images.GetNthIndexValue(item)) for item in range(self.images.GetNumberOfDataNodes())]

    @property
    def image_proxy(self) -> slicer.vtkMRMLVectorVolumeNode:
        """The picture on show."""
        return self.browser.GetProxyNode(self.images)

    @property
    def mask_proxy(self) -> slicer.vtkMRMLSegmentationNode:
        """The segmentation on show: the node that editors edit."""
        return self.browser.GetProxyNode(self.masks)

    @property
    def shown(self) -> int | None:
        """The frame on show."""
        item = self.browser.GetSelectedItemNumber()
        return int(self.images.GetNthIndexValue(item)) if 0 <= item < self.images.GetNumberOfDataNodes() else None

    def show(self, index: int) -> None:
        """Show a frame that is in the sequences."""
        self.browser.SetSelectedItemNumber(self.images.GetItemNumberFromIndexValue(str(index)))

    def mask_node(self, index: int) -> slicer.vtkMRMLSegmentationNode:
        """The segmentation of a frame; while it is on show, it shares everything with the proxy."""
        return self.masks.GetDataNodeAtValue(str(index))

    def nodes(self, index: int) -> list[slicer.vtkMRMLSegmentationNode]:
        """The nodes that an attribute of a frame's segmentation is to be set on."""
        item = self.mask_node(index)
        return [item, self.mask_proxy] if index == self.shown else [item]

    def replace(
        self,
        frames: Iterable[tuple[int, slicer.vtkMRMLVectorVolumeNode, slicer.vtkMRMLSegmentationNode]],
        rate: float,
        show: int | None = None,
    ) -> None:
        """Put other frames in the place of all that are there.

        Args:
            frames: index, picture and mask of each, in ascending order.
            rate: playback, items a second.
            show: the frame to show, or the one nearest to it; None for the first.
        """
        is_new = self.browser.GetMasterSequenceNode() is None
        self.browser.SetPlaybackActive(False)
        # With no item selected, nothing that happens to the proxy is saved into the items to come.
        self.browser.SetSelectedItemNumber(-1)
        self.images.RemoveAllDataNodes()
        self.masks.RemoveAllDataNodes()
        try:
            for index, image, mask in frames:
                self.images.SetDataNodeAtValue(image, str(index))
                self.masks.SetDataNodeAtValue(mask, str(index))
        finally:
            self.connect()
            self.browser.SetPlaybackRateFps(rate)
            if self.indices:
                self.show(min(self.indices, key=lambda index: abs(index - (show or 0))))
                self.mask_proxy.SetReferenceImageGeometryParameterFromVolumeNode(self.image_proxy)
                if is_new:
                    # Slicer has stretched the colours by the brightest pixel of the first frame.
                    self.image_proxy.GetDisplayNode().SetWindowLevel(255, 127.5)

    def connect(self) -> None:
        """Let the browser show both sequences together, and save what happens to the masks."""
        if self.browser.GetMasterSequenceNode() is None:
            self.browser.SetAndObserveMasterSequenceNodeID(self.images.GetID())
            self.browser.AddSynchronizedSequenceNode(self.masks)
        self.browser.SetSaveChanges(self.masks, True)

    def renew(self) -> None:
        """Let the proxy nodes share the item on show; after a scene was opened they hold copies."""
        item = self.browser.GetSelectedItemNumber()
        self.browser.SetSelectedItemNumber(-1)
        self.browser.SetSelectedItemNumber(max(item, 0))


def _synchronized(browser: slicer.vtkMRMLSequenceBrowserNode) -> list[slicer.vtkMRMLSequenceNode]:
    found = vtk.vtkCollection()
    browser.GetSynchronizedSequenceNodes(found, False)
    return [found.GetItemAsObject(item) for item in range(found.GetNumberOfItems())]


def _holds_segmentations(sequence: slicer.vtkMRMLSequenceNode) -> bool:
    return sequence.GetDataNodeClassName() == "vtkMRMLSegmentationNode"
