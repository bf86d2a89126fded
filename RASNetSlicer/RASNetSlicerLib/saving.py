"""What the scene and the case last agreed on, frame by frame, and how edits get from one into the other."""

from __future__ import annotations

import numpy as np

from rasnet.case import Case, FrameRow, Layer
from rasnet.masks import Mask, mask_sha256
from RASNetSlicerLib import segments
from RASNetSlicerLib.adoption import adopt_layers
from RASNetSlicerLib.scaling import carry_edit, shrink_mask
from RASNetSlicerLib.sequences import FrameSequences
from RASNetSlicerLib.window import Window

STATUS = "RASNet.Status"
"""Attribute of a frame's segmentation node: the frame's status; "" while nobody has said anything about it."""

UNCERTAINTY = "RASNet.Uncertainty"
"""Attribute of a frame's segmentation node: of the most uncertain class; "" where the model gave none."""


class FrameSaver:
    """Carries edited frames into the case, and frames of the case into the scene.

    Args:
        case: the case.
        sequences: the nodes that show it.
        window: what of it they show.
        who: the person who corrects.
        tool: the program in use, with its version.

    Attributes:
        case: the case.
        window: what of it is shown.
        layers: those that every frame in the scene has.
    """

    def __init__(self, case: Case, sequences: FrameSequences, window: Window, who: str, tool: str) -> None:
        self.window = window
        self.who = who
        self.tool = tool
        self.layers: list[Layer] = []
        self.case = case
        self._sequences = sequences
        self._stamps: dict[int, segments.Stamp] = {}
        self._hashes: dict[int, str | None] = {}

    @property
    def frames(self) -> list[int]:
        """The frames in the scene; none while a window is being filled."""
        return list(self._stamps)

    def forget(self) -> None:
        """The scene is about to show other frames."""
        self._stamps.clear()
        self._hashes.clear()

    def agree(self, index: int, row: FrameRow | None) -> None:
        """What the scene has of a frame now is what the case has."""
        node = self._sequences.mask_node(index)
        self._stamps[index] = segments.stamp(node)
        self._hashes[index] = row.mask_sha256 if row else None
        self.describe(index, row)

    def describe(self, index: int, row: FrameRow | None) -> None:
        """Set the attributes of a frame's node."""
        uncertainty = row.uncertainty if row else None
        for node in self._sequences.nodes(index):
            node.SetAttribute(STATUS, row.status if row else "")
            node.SetAttribute(UNCERTAINTY, "" if uncertainty is None else f"{uncertainty:.4f}")

    def is_edited(self, index: int) -> bool:
        """Whether anyone changed a frame in the scene since scene and case agreed."""
        return segments.stamp(self._sequences.mask_node(index)) != self._stamps[index]

    def is_outdated(self, index: int, row: FrameRow | None) -> bool:
        """Whether anyone changed a frame's mask in the case since scene and case agreed."""
        return (row.mask_sha256 if row else None) != self._hashes[index]

    def save(self, index: int) -> bool:
        """Write a frame into the case if it was edited; see `CaseScene.save_frame`."""
        if not self.is_edited(index):
            return False
        node = self._sequences.mask_node(index)
        values = adopt_layers(self.case, node, self.layers, who=self.who, tool=self.tool)
        mask = segments.read_mask(node, self.window.shape, values)
        changed = self._write(index, mask)
        shared = segments.is_shared(node)
        self.show_layers()
        segments.put_layers(node, self.layers, self.case.info.types)
        if not shared:
            segments.put_mask(node, mask, self._sequences.geometry(index))
            self._select_again(values)
        self.agree(index, self.case.frame(index))
        return changed

    def show_layers(self) -> None:
        """Give the case's layers to all frames but those that have edits of their own, which follow when saved."""
        layers = self.case.layers()
        if layers == self.layers:
            return
        self.layers = layers
        for index in [index for index in self._stamps if not self.is_edited(index)]:
            node = self._sequences.mask_node(index)
            segments.put_layers(node, layers, self.case.info.types)
            self._stamps[index] = segments.stamp(node)

    def show_mask(self, index: int, row: FrameRow | None) -> None:
        """Take a frame from the case, whatever the scene has of it."""
        node = self._sequences.mask_node(index)
        segments.put_layers(node, self.layers, self.case.info.types)
        segments.put_mask(node, self.mask(row), self._sequences.geometry(index))
        self.agree(index, row)

    def mask(self, row: FrameRow | None) -> Mask:
        """The case's mask of a frame in the window's shape; background where it has none."""
        return shrink_mask(self._full_mask(row), self.window.scale)

    def rows(self) -> dict[int, FrameRow]:
        """What the case says of its frames, by index."""
        return {row.index: row for row in self.case.frames()}

    def _full_mask(self, row: FrameRow | None) -> Mask:
        if row is None or row.mask_sha256 is None:
            return np.zeros((self.case.info.height, self.case.info.width), np.uint8)
        return self.case.mask(row.index)

    def _write(self, index: int, mask: Mask) -> bool:
        row = self.case.frame(index)
        if self.window.scale > 1:
            mask = carry_edit(self._full_mask(row), mask, self.window.scale)
        same = mask_sha256(mask) == row.mask_sha256 if row and row.mask_sha256 else not mask.any()
        if same:
            return False
        self.case.correct(index, mask, who=self.who, tool=self.tool)
        return True

    def _select_again(self, values: dict[str, int]) -> None:
        """Let editors go on with the segment that took the place of the one they had selected."""
        scene, kind = self._sequences.browser.GetScene(), "vtkMRMLSegmentEditorNode"
        for editor in [scene.GetNthNodeByClass(item, kind) for item in range(scene.GetNumberOfNodesByClass(kind))]:
            selected = editor.GetSelectedSegmentID()
            if editor.GetSegmentationNode() is self._sequences.mask_proxy and selected in values:
                editor.SetSelectedSegmentID(segments.segment_id(values[selected]))
