"""Nodes beside the sequences of a case, which are found again when a saved scene is opened."""

from __future__ import annotations

import slicer

from RASNetSlicerLib.sequences import FrameSequences

_ROLE = "RASNet.Role"
_MASKS = "RASNet.Masks"


def companion(sequences: FrameSequences, kind: str, role: str) -> slicer.vtkMRMLNode:
    """The node that plays a role for some masks, made where there is none.

    Args:
        sequences: those of the case; nothing of them is changed.
        kind: class of the node.
        role: what it is, in words: part of the name of a new node.
    """
    scene = sequences.masks.GetScene()
    for place in range(scene.GetNumberOfNodesByClass(kind)):
        node = scene.GetNthNodeByClass(place, kind)
        if node.GetAttribute(_ROLE) == role and node.GetNodeReference(_MASKS) is sequences.masks:
            return node
    node = scene.AddNewNodeByClass(kind, f"{sequences.browser.GetName()} {role}")
    node.SetAttribute(_ROLE, role)
    node.SetNodeReferenceID(_MASKS, sequences.masks.GetID())
    return node
