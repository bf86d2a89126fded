"""Layers as segments: one labelmap for all layers of a frame, and the same segment ids in every frame."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import slicer
import vtk
from vtk.util.numpy_support import vtk_to_numpy

from rasnet.case import Layer
from rasnet.labels import LabelSchema
from rasnet.masks import Mask
from RASNetSlicerLib.terminology import TYPE_TAG, terminology_entry

_LABELMAP = "Binary labelmap"

Stamp = tuple[tuple[object, ...], ...]


def segment_id(layer_id: int) -> str:
    """Id of a layer's segment, in every frame and in every scene."""
    return f"Layer_{layer_id}"


def layer_id(name: str) -> int | None:
    """The layer of a segment id; None for a segment that is not one of ours."""
    number = name.removeprefix("Layer_")
    return int(number) if name.startswith("Layer_") and number.isdecimal() else None


def make_segmentation(
    mask: Mask, layers: Sequence[Layer], types: LabelSchema, geometry: vtk.vtkMatrix4x4
) -> slicer.vtkMRMLSegmentationNode:
    """A segmentation node, not in any scene, of one frame.

    Args:
        mask: layer ids, uint8 (H, W); values that are not in `layers` are left out of the segmentation.
        layers: all layers of the case, also those that are not in this frame.
        types: the schema that layer types are named after.
        geometry: IJK to RAS of the frame's picture.
    """
    node = slicer.vtkMRMLSegmentationNode()
    node.GetSegmentation().SetSourceRepresentationName(_LABELMAP)
    put_layers(node, layers, types)
    put_mask(node, mask, geometry)
    return node


def put_layers(node: slicer.vtkMRMLSegmentationNode, layers: Sequence[Layer], types: LabelSchema) -> None:
    """Give a segmentation exactly these layers, by id; what layers it has keep their pixels and their display."""
    segmentation = node.GetSegmentation()
    known = {segment_id(layer.id) for layer in layers}
    for name in segmentation.GetSegmentIDs():
        if name not in known:
            segmentation.RemoveSegment(name)
    for position, layer in enumerate(layers):
        segment = segmentation.GetSegment(segment_id(layer.id))
        if segment is None:
            segment = slicer.vtkSegment()
            segment.SetLabelValue(layer.id)
            segment.AddRepresentation(_LABELMAP, _shared_labelmap(segmentation))
            _describe(segment, layer, types)
            segmentation.AddSegment(segment, segment_id(layer.id))
        else:
            _describe(segment, layer, types)
        if segmentation.GetSegmentIndex(segment_id(layer.id)) != position:
            segmentation.SetSegmentIndex(segment_id(layer.id), position)


def put_mask(node: slicer.vtkMRMLSegmentationNode, mask: Mask, geometry: vtk.vtkMatrix4x4) -> None:
    """Replace the pixels of a segmentation; afterwards all segments share one labelmap of the whole frame."""
    height, width = mask.shape
    image = slicer.vtkOrientedImageData()
    image.SetDimensions(width, height, 1)
    image.AllocateScalars(vtk.VTK_UNSIGNED_CHAR, 1)
    vtk_to_numpy(image.GetPointData().GetScalars())[:] = mask.ravel()
    image.SetImageToWorldMatrix(geometry)
    segmentation = node.GetSegmentation()
    for name, segment in _segments(node):
        segment.SetLabelValue(layer_id(name) or segment.GetLabelValue())
        segment.AddRepresentation(_LABELMAP, image)
    segmentation.SetConversionParameter(
        slicer.vtkSegmentationConverter.GetReferenceImageGeometryParameterName(),
        slicer.vtkSegmentationConverter.SerializeImageGeometry(image),
    )
    segmentation.InvokeEvent(slicer.vtkSegmentation.SourceRepresentationModified)


def read_mask(
    node: slicer.vtkMRMLSegmentationNode, shape: tuple[int, int], values: dict[str, int] | None = None
) -> Mask:
    """The mask of a segmentation, whatever an editor made of its labelmaps.

    Editors crop labelmaps to what they hold, renumber segments, and split the labelmap where segments overlap. Where
    they do, the labelmap that was changed last is on top.

    Args:
        node: the segmentation.
        shape: rows and columns of the mask.
        values: mask value by segment id; None for the layers' own. Segments without one are left out.

    Returns:
        uint8 (H, W), a copy.
    """
    mask = np.zeros(shape, np.uint8)
    by_age = sorted(_segments(node), key=lambda item: item[1].GetRepresentation(_LABELMAP).GetMTime())
    for image, segments in _by_labelmap(by_age):
        table = np.zeros(256, np.uint8)
        for name, segment in segments:
            value = layer_id(name) if values is None else values.get(name)
            table[segment.GetLabelValue()] = value or 0
        left, right, top, bottom, first, last = image.GetExtent()
        if right < left or bottom < top or last < first:
            continue
        pixels = vtk_to_numpy(image.GetPointData().GetScalars()).reshape(bottom - top + 1, right - left + 1)
        # An editor may also paint beyond the frame.
        rows = slice(max(top, 0), min(bottom + 1, shape[0]))
        columns = slice(max(left, 0), min(right + 1, shape[1]))
        inside = table[pixels[rows.start - top : rows.stop - top, columns.start - left : columns.stop - left]]
        np.copyto(mask[rows, columns], inside, where=inside > 0)
    return mask


def is_shared(node: slicer.vtkMRMLSegmentationNode) -> bool:
    """Whether all segments lie in one labelmap under their layers' ids."""
    own_values = all(segment.GetLabelValue() == layer_id(name) for name, segment in _segments(node))
    return own_values and len({id(image) for image, _ in _by_labelmap(_segments(node))}) <= 1


def read_layers(node: slicer.vtkMRMLSegmentationNode) -> dict[str, tuple[str, tuple[int, int, int]]]:
    """Name and colour (0 to 255) of each segment, by segment id, in their order."""
    return {name: (segment.GetName(), _color(segment)) for name, segment in _segments(node)}


def read_entry(segment: slicer.vtkSegment) -> str:
    """The terminology tag of a segment; "" where it has none."""
    entry = vtk.reference("")
    segment.GetTag(slicer.vtkSegment.GetTerminologyEntryTagName(), entry)
    return str(entry)


def stamp(node: slicer.vtkMRMLSegmentationNode) -> Stamp:
    """Changes when anyone edits pixels, names, colours, types or segments; not by showing another frame and back."""
    return tuple(
        (
            name,
            segment.GetName(),
            segment.GetColor(),
            read_entry(segment),
            segment.GetRepresentation(_LABELMAP).GetMTime(),
        )
        for name, segment in _segments(node)
    )


def _segments(node: slicer.vtkMRMLSegmentationNode) -> list[tuple[str, slicer.vtkSegment]]:
    segmentation = node.GetSegmentation()
    return [(name, segmentation.GetSegment(name)) for name in segmentation.GetSegmentIDs()]


def _by_labelmap(
    segments: Iterable[tuple[str, slicer.vtkSegment]],
) -> Iterator[tuple[slicer.vtkOrientedImageData, list[tuple[str, slicer.vtkSegment]]]]:
    groups: dict[str, tuple[slicer.vtkOrientedImageData, list[tuple[str, slicer.vtkSegment]]]] = {}
    for name, segment in segments:
        image = segment.GetRepresentation(_LABELMAP)
        groups.setdefault(image.GetAddressAsString(""), (image, []))[1].append((name, segment))
    yield from groups.values()


def _shared_labelmap(segmentation: slicer.vtkSegmentation) -> slicer.vtkOrientedImageData:
    if segmentation.GetNumberOfSegments():
        return segmentation.GetNthSegment(0).GetRepresentation(_LABELMAP)
    image = slicer.vtkOrientedImageData()
    image.SetDimensions(1, 1, 1)
    image.AllocateScalars(vtk.VTK_UNSIGNED_CHAR, 1)
    vtk_to_numpy(image.GetPointData().GetScalars())[:] = 0
    return image


def _describe(segment: slicer.vtkSegment, layer: Layer, types: LabelSchema) -> None:
    segment.SetNameAutoGenerated(False)
    segment.SetColorAutoGenerated(False)
    if segment.GetName() != layer.name:
        segment.SetName(layer.name)
    if _color(segment) != layer.color:
        segment.SetColor(*(value / 255 for value in layer.color))
    segment.SetTag(slicer.vtkSegment.GetTerminologyEntryTagName(), terminology_entry(layer.type, types))
    segment.SetTag(TYPE_TAG, layer.type or "")


def _color(segment: slicer.vtkSegment) -> tuple[int, int, int]:
    red, green, blue = (round(value * 255) for value in segment.GetColor())
    return red, green, blue
