"""What an editor did to the segments of one frame, taken over into the case."""

from __future__ import annotations

from collections.abc import Sequence

import slicer

from rasnet.case import Case, Layer
from RASNetSlicerLib.segments import read_layers, segment_id


def adopt_layers(
    case: Case, node: slicer.vtkMRMLSegmentationNode, layers: Sequence[Layer], *, who: str, tool: str
) -> dict[str, int]:
    """Bring new segments, names and colours of one frame's segmentation into the case.

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
    values = {}
    for name, (title, color) in read_layers(node).items():
        layer = known.get(name)
        if layer is None:
            layer = case.add_layer(title, color=color, who=who, tool=tool)
        elif (layer.name, layer.color) != (title, color):
            case.update_layer(layer.id, name=title, color=color, who=who, tool=tool)
        values[name] = layer.id
    return values
