"""Export of a case as one 3D Slicer segmentation (.seg.nrrd): one segment a layer, the frames along z."""

from __future__ import annotations

import unicodedata
from pathlib import Path
from typing import Any

import numpy as np

from rasnet.case import Case, Layer
from rasnet.errors import RASNetError
from rasnet.files import clear_errors, whole_file
from rasnet.labels import Code, LabelSchema
from rasnet.masks import Mask
from rasnet.progress import Progress, SilentProgress

MEMORY_LIMIT = 2 << 30  # bytes of voxels; writing needs about twice as much

# Slicer's geometry of pictures, IJK to RAS diag(-1, -1, 1), is the identity in the LPS space of NRRD files:
# voxel (x, y, k) lies x mm left, y mm posterior, k mm superior, and the picture is upright in an axial view.
_IJK_TO_LPS = np.eye(4)
_COMPRESSION_LEVEL = 4  # of gzip; masks gain nothing from more
_CATEGORY = Code("SCT", "260787004", "Physical object")
_UNKNOWN_INSTRUMENT = Code("SCT", "37759000", "Surgical instrument")


def export_seg_nrrd(
    case: Case,
    path: str | Path,
    *,
    start: int | None = None,
    stop: int | None = None,
    progress: Progress | None = None,
) -> None:
    """Write a segmentation that 3D Slicer and slicerio read.

    Slice k is the k-th wanted frame of the range; frames without a mask and frames that a person skipped
    are empty slices. Segment ids are ``Layer_1``, ``Layer_2`` ..., label values are the layer ids, all in one
    shared labelmap uint8 (x, y, k), spacing 1, 1, 1. Terminology comes from the types schema. The header
    fields ``RASNet_FirstFrame`` and ``RASNet_FrameStep`` say which frame a slice is. NRRD headers are ASCII, so
    names lose their accents, and a name that has no ASCII letter becomes "Instrument" and the layer's id.

    Args:
        case: the case.
        path: ends in ``.seg.nrrd``; appears only when it is whole.
        start: first frame; None for the first of the case.
        stop: one past the last frame; None for the end of the case.
        progress: told of each frame.

    Raises:
        RASNetError: slicerio is not installed, the name or range is wrong, the range needs more than 2 GiB
            of voxels, or the disk is full.
    """
    try:
        import slicerio
    except ImportError as error:
        raise RASNetError("slicerio writes .seg.nrrd; install it with `pip install 'rasnet[seg-nrrd]'`") from error
    target = Path(path)
    if not target.name.endswith(".seg.nrrd"):
        raise RASNetError(f"3D Slicer knows segmentations by their ending; name the file {target.stem}.seg.nrrd")
    frames = _chosen(case, start, stop)
    segmentation = {
        "voxels": _voxels(case, frames, SilentProgress() if progress is None else progress),
        "ijkToLPS": _IJK_TO_LPS,
        "encoding": "gzip",
        "containedRepresentationNames": ["Binary labelmap"],
        "masterRepresentation": "Binary labelmap",
        "RASNet_FirstFrame": str(frames.start),
        "RASNet_FrameStep": str(frames.step),
        "segments": [_segment(layer, case.info.types) for layer in case.layers()],
    }
    with clear_errors(target), whole_file(target) as making:
        slicerio.write_segmentation(str(making), segmentation, compression_level=_COMPRESSION_LEVEL)
    if progress is not None:
        progress.finish(path=str(target), frames=len(frames))


def _chosen(case: Case, start: int | None, stop: int | None) -> range:
    wanted = case.info.wanted
    chosen = [index for index in wanted if (start is None or index >= start) and (stop is None or index < stop)]
    if not chosen:
        raise RASNetError(
            f"frames {start} to {stop} are not in {case.folder}, which covers {wanted[0]} to {wanted[-1]}; "
            "choose a range in it"
        )
    size = case.info.height * case.info.width
    if len(chosen) * size > MEMORY_LIMIT:
        raise RASNetError(
            f"{len(chosen)} frames of {case.info.width}x{case.info.height} need {len(chosen) * size / 2**30:.1f} GiB, "
            f"and one .seg.nrrd may hold {MEMORY_LIMIT >> 30} GiB; choose a range of at most {MEMORY_LIMIT // size} "
            "frames"
        )
    return range(chosen[0], chosen[-1] + 1, wanted.step)


def _voxels(case: Case, frames: range, progress: Progress) -> Mask:
    """The labelmap, uint8 (x, y, k), laid out as the file wants it: x fastest."""
    stack = np.zeros((len(frames), case.info.height, case.info.width), np.uint8)
    rows = {row.index: row for row in case.frames()}
    progress.start("export seg.nrrd", len(frames))
    for slice_number, index in enumerate(frames):
        row = rows.get(index)
        if row is not None and row.mask_sha256 is not None and row.status != "skipped":
            stack[slice_number] = case.mask(index)
        progress.advance(index)
    voxels: Mask = stack.transpose(2, 1, 0)
    return voxels


def _segment(layer: Layer, types: LabelSchema) -> dict[str, Any]:
    label = types[layer.type] if layer.type is not None else None
    code = label.code if label is not None and label.code is not None else _UNKNOWN_INSTRUMENT
    return {
        "id": f"Layer_{layer.id}",
        "name": _ascii(layer.name) or f"Instrument {layer.id}",
        "color": [value / 255 for value in layer.color],
        "labelValue": layer.id,
        "layer": 0,
        "terminology": {
            "contextName": "RASNet surgical instruments",
            "category": [_CATEGORY.scheme, _CATEGORY.value, _CATEGORY.meaning],
            "type": [code.scheme, code.value, _ascii(code.meaning)],
        },
        "tags": {"RASNet.Type": _ascii(layer.type)} if layer.type is not None else {},
    }


def _ascii(text: str) -> str:
    """The text without accents and without letters that have no ASCII form."""
    return unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().strip()
