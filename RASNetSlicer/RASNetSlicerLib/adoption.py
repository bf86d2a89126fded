"""What an editor did to the segments of one frame, taken over into the case."""

from __future__ import annotations

from collections.abc import Sequence

import slicer

from rasnet.case import Case, Layer
from RASNetSlicerLib.segments import read_entry, read_layers, segment_id
from RASNetSlicerLib.terminology import terminology_entry, type_of_entry


def adopt_layers(
    case: Case, node: slicer.vtkMRMLSegmentationNode, layers: Sequence[Layer], *, who: str, tool: str
) -> dict[str, int]:
    """Bring new segments, names, colours and types of one frame's segmentation into the case.

    A segment that is not a layer becomes one. A segment that is missing is a layer that was erased from this frame,
    not from the video: removing a layer everywhere is `LayerEdits.remove`.

    Args:
        case: the case.
        node: the segmentation of the frame.
        layers: what the scene took for the layers when the person edited.
        who: the person.
        tool: the program.

    Returns:
        Mask value by segment id.

    Raises:
        RASNetError: the case cannot be written, has 255 layers, or a name cannot be printed.
    """
    known = {segment_id(layer.id): layer for layer in layers}
    values, types = {}, case.info.types
    for name, (title, color) in read_layers(node).items():
        layer = known.get(name)
        if layer is None:
            layer = case.add_layer(title, color=color, who=who, tool=tool)
        elif (layer.name, layer.color) != (title, color):
            case.update_layer(layer.id, name=title, color=color, who=who, tool=tool)
        entry = read_entry(node.GetSegmentation().GetSegment(name))
        if entry != terminology_entry(layer.type, types):
            # A type that somebody chose in Slicer's own list of instruments.
            chosen = type_of_entry(entry, types)
            if chosen is not None and chosen != (layer.type or ""):
                case.update_layer(layer.id, type=chosen, who=who, tool=tool)
        values[name] = layer.id
    return values
