"""The sequences of a video in a scene: pictures and masks in one browser, an item of each for every frame."""

from __future__ import annotations

from collections.abc import Iterable

import slicer
import vtk

INDEX_NAME = "frame"

# Attribute of the masks, by which they are known among the segmentations of a browser: what a frame's index is.
_FRAMES_ARE = "RASNet.FramesAre"
_INDEX_VALUES = "index values"
_ITEMS = "items"


class FrameSequences:
    """Two sequences and their browser.

    Where RASNet loads the pictures, the index value of an item is the frame's index in the source. Where they were in
    the scene before, under index values of their own, a frame's index is the number of its item.

    - "Save changes" of the masks is on from the start and stays on: the proxy node then shares its segmentation with
      the item on show, so edits and display stay with their frame. Turning it off empties that item.
    - The masks are dense: where an item is missing, Slicer fills it with a neighbour's mask.
    - Whatever changes the browser or a sequence in it makes Slicer show the item anew, and undoes edits of other
      segmentations there that nobody saves; so what is to be remembered is written before the masks are in the browser.
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
        masks.SetAttribute(_FRAMES_ARE, _INDEX_VALUES)
        return cls(images, masks, scene.AddNewNodeByClass("vtkMRMLSequenceBrowserNode", name))

    @classmethod
    def join(cls, browser: slicer.vtkMRMLSequenceBrowserNode, images: slicer.vtkMRMLSequenceNode) -> FrameSequences:
        """Add an empty sequence for the masks of pictures that are in a browser; `fill` shows it."""
        masks = browser.GetScene().AddNewNodeByClass("vtkMRMLSequenceNode", f"{images.GetName()} instruments")
        masks.SetIndexName(images.GetIndexName())
        masks.SetIndexUnit(images.GetIndexUnit())
        masks.SetIndexType(images.GetIndexType())
        masks.SetAttribute(_FRAMES_ARE, _ITEMS)
        return cls(images, masks, browser)

    @classmethod
    def of_browser(cls, browser: slicer.vtkMRMLSequenceBrowserNode) -> FrameSequences | None:
        """The sequences of a browser that `create` or `join` made; None where one of them is gone."""
        images = browser.GetMasterSequenceNode()
        masks = next((node for node in synchronized(browser) if node.GetAttribute(_FRAMES_ARE)), None)
        return None if images is None or masks is None else cls(images, masks, browser)

    @property
    def indices(self) -> list[int]:
        """The frames, in order."""
        return [self._index(item) for item in range(self.images.GetNumberOfDataNodes())]

    @property
    def has_own_images(self) -> bool:
        """Whether RASNet loaded the pictures, and may load others in their place."""
        return bool(self.masks.GetAttribute(_FRAMES_ARE) == _INDEX_VALUES)

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
        return self._index(item) if 0 <= item < self.images.GetNumberOfDataNodes() else None

    def show(self, index: int) -> None:
        """Show a frame that is in the sequences."""
        self.browser.SetSelectedItemNumber(self.images.GetItemNumberFromIndexValue(self._value(index)))

    def mask_node(self, index: int) -> slicer.vtkMRMLSegmentationNode:
        """The segmentation of a frame; while it is on show, it shares everything with the proxy."""
        return self.masks.GetDataNodeAtValue(self._value(index))

    def geometry(self, index: int) -> vtk.vtkMatrix4x4:
        """IJK to RAS of a frame's picture, in which its mask lies too."""
        matrix = vtk.vtkMatrix4x4()
        self.images.GetDataNodeAtValue(self._value(index)).GetIJKToRASMatrix(matrix)
        return matrix

    def nodes(self, index: int) -> list[slicer.vtkMRMLSegmentationNode]:
        """The nodes that an attribute of a frame's segmentation is to be set on."""
        item, proxy = self.mask_node(index), self.mask_proxy
        return [item, proxy] if index == self.shown and proxy is not None else [item]

    def are_in(self, scene: slicer.vtkMRMLScene) -> bool:
        """Whether a scene still has the browser, and the browser both sequences."""
        return (
            bool(scene.IsNodePresent(self.browser))
            and self.browser.GetMasterSequenceNode() is self.images
            and self.masks in synchronized(self.browser)
        )

    def remove(self) -> None:
        """Remove what `create` has added to the scene, and what Slicer has added to it."""
        scene = self.browser.GetScene()
        proxies = [node for node in (self.image_proxy, self.mask_proxy) if node is not None]
        theirs = [node for proxy in proxies for node in (proxy.GetDisplayNode(), proxy.GetStorageNode())]
        for node in (self.browser, *proxies, *theirs, self.images, self.masks):
            if node is not None:
                scene.RemoveNode(node)

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

    def fill(self, masks: Iterable[tuple[int, slicer.vtkMRMLSegmentationNode]]) -> None:
        """Show masks with pictures that were in the browser before; one for every picture.

        The frame on show and everything else in the browser stay as they are.
        """
        for index, mask in masks:
            self.masks.SetDataNodeAtValue(mask, self._value(index))
        # Slicer shows the item anew, and with it undoes edits of other segmentations that nobody saves.
        others = [
            (node, _copy(node))
            for node in map(self.browser.GetProxyNode, synchronized(self.browser))
            if _is_segmentation(node)
        ]
        self.browser.AddSynchronizedSequenceNode(self.masks)
        self.connect()
        for node, copy in others:
            node.CopyContent(copy)
        self.mask_proxy.SetReferenceImageGeometryParameterFromVolumeNode(self.image_proxy)

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

    def _value(self, index: int) -> str:
        return str(index) if self.has_own_images else self.images.GetNthIndexValue(index)

    def _index(self, item: int) -> int:
        return int(self.images.GetNthIndexValue(item)) if self.has_own_images else item


def synchronized(browser: slicer.vtkMRMLSequenceBrowserNode) -> list[slicer.vtkMRMLSequenceNode]:
    """The sequences of a browser besides its master."""
    found = vtk.vtkCollection()
    browser.GetSynchronizedSequenceNodes(found, False)
    return [found.GetItemAsObject(item) for item in range(found.GetNumberOfItems())]


def _is_segmentation(node: slicer.vtkMRMLNode | None) -> bool:
    return node is not None and node.IsA("vtkMRMLSegmentationNode")


def _copy(node: slicer.vtkMRMLSegmentationNode) -> slicer.vtkMRMLSegmentationNode:
    copy = slicer.vtkMRMLSegmentationNode()
    copy.CopyContent(node)
    return copy
