"""Frames and masks of a case as MRML nodes, one by one, so that no more than one is held twice."""

from __future__ import annotations

from collections.abc import Iterator

import slicer

from rasnet.progress import Progress
from RASNetSlicerLib.images import ijk_to_ras, vector_volume
from RASNetSlicerLib.saving import FrameSaver
from RASNetSlicerLib.scaling import shrink_image
from RASNetSlicerLib.segments import make_segmentation
from RASNetSlicerLib.sequences import FrameSequences


def read_frames(
    saver: FrameSaver, progress: Progress
) -> Iterator[tuple[int, slicer.vtkMRMLVectorVolumeNode, slicer.vtkMRMLSegmentationNode]]:
    """Index, picture and mask of each frame of the saver's window; damaged ones are left out."""
    case, span, scale = saver.case, saver.window.frames, saver.window.scale
    rows = saver.rows()
    progress.start("load frames", len(span))
    with case.open_source() as source:
        for frame in source.read(span.start, span.stop, span.step):
            mask = saver.mask(rows.get(frame.index))
            image = vector_volume(shrink_image(frame.rgb, scale), scale)
            yield frame.index, image, make_segmentation(mask, saver.layers, case.info.types, ijk_to_ras(scale))
            progress.advance(frame.index)
    progress.finish(frames=len(span))


def read_masks(
    saver: FrameSaver, sequences: FrameSequences, progress: Progress
) -> Iterator[tuple[int, slicer.vtkMRMLSegmentationNode]]:
    """Index and mask of each picture that is in the scene already, in the picture's geometry."""
    rows, indices = saver.rows(), sequences.indices
    progress.start("load masks", len(indices))
    for index in indices:
        mask = saver.mask(rows.get(index))
        yield index, make_segmentation(mask, saver.layers, saver.case.info.types, sequences.geometry(index))
        progress.advance(index)
    progress.finish(frames=len(indices))
