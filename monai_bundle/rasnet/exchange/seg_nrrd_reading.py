"""Reading 3D Slicer segmentations (.seg.nrrd), our own and those that Slicer saves."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import numpy as np

from rasnet.case import CaseInfo
from rasnet.errors import RASNetError
from rasnet.exchange.content import MaskLabel
from rasnet.exchange.incoming import Incoming, IncomingFrame, read_folder, read_table
from rasnet.exchange.seg_nrrd import (
    FIRST_FRAME,
    FRAME_STEP,
    NAME_TAG,
    NO_MASK,
    STATUS,
    STATUS_LETTERS,
    SUFFIX,
    TYPE_TAG,
    slicerio,
)
from rasnet.masks import Mask


def read_seg_nrrd(path: Path, info: CaseInfo) -> Incoming:
    """Read one file whose slices are frames.

    Without the header fields of `rasnet.exchange.seg_nrrd.export_seg_nrrd`, which Slicer drops, slice k is the k-th
    frame that the case wants, and an empty slice says nothing. Slicer cuts a segmentation to what it holds; the
    file's origin says where the rest was. Where segments overlap, the later one lies on top.

    Args:
        path: the file.
        info: of the case that the masks are for.

    Raises:
        RASNetError: slicerio is not installed, or the file is not such a segmentation.
    """
    segmentation = _read(path)
    labels, stack = tuple(map(_label, segmentation["segments"])), _stack(segmentation, path)
    left, top, first = _offset(segmentation, path)
    status = str(segmentation.get(STATUS, ""))
    start = int(segmentation.get(FIRST_FRAME, info.start))
    step = int(segmentation.get(FRAME_STEP, info.step))
    ours = len(status) == len(stack)
    frames = [
        IncomingFrame(
            where=f"slice {number} of {path.name}",
            read=_placed(mask, (info.height, info.width), top, left, f"slice {number} of {path.name}"),
            index=start + step * (number + first),
            status=_status(status[number]) if ours else None,
        )
        for number, mask in enumerate(stack)
        if (status[number] != NO_MASK if ours else mask.any())
    ]
    return Incoming(labels, tuple(frames), defines_layers=True)


def read_seg_nrrd_frames(folder: Path, info: CaseInfo) -> Incoming:
    """Read a folder that `rasnet.exchange.seg_nrrd.write_seg_nrrd_frames` wrote.

    Raises:
        RASNetError: the export was not finished, or slicerio is not installed.
    """
    slicerio()
    read_table(folder)

    def read(path: Path) -> Mask:
        segmentation = _read(path)
        left, top, _ = _offset(segmentation, path)
        (mask,) = _stack(segmentation, path)[:1]
        return _placed(mask, (info.height, info.width), top, left, path.name)()

    return read_folder(folder, folder, SUFFIX, read)


def _read(path: Path) -> dict[str, Any]:
    try:
        segmentation: dict[str, Any] = slicerio().read_segmentation(str(path))
        segmentation["voxels"], segmentation["segments"]
    except RASNetError:
        raise
    except Exception as error:  # nrrd raises errors of its own, zlib's, and bare ones
        raise RASNetError(f"{path} is no whole .seg.nrrd file ({error}); save it again") from error
    return segmentation


def _label(segment: dict[str, Any]) -> MaskLabel:
    tags = segment.get("tags", {})
    red, green, blue = (round(255 * value) for value in segment["color"])
    name = unquote(tags[NAME_TAG]) if NAME_TAG in tags else str(segment["name"])
    return MaskLabel(_id(segment), name, (red, green, blue), tags.get(TYPE_TAG))


def _id(segment: dict[str, Any]) -> int:
    ours = re.fullmatch(r"Layer_(\d+)", segment["id"])
    return int(ours.group(1)) if ours else int(re.sub(r"\D", "", segment["id"]) or segment["labelValue"])


def _stack(segmentation: dict[str, Any], path: Path) -> Mask:
    """Label ids, uint8 (k, H, W)."""
    segments = segmentation["segments"]
    ids = [_id(segment) for segment in segments]
    if len(set(ids)) < len(ids) or max(ids, default=0) > 255:
        raise RASNetError(f"{path} has segments whose ids do not tell them apart; name their ids Segment_1 to _255")
    voxels = np.asarray(segmentation["voxels"])
    layered = voxels if voxels.ndim == 4 else voxels[None]
    stack = np.zeros(layered.shape[:0:-1], np.uint8)
    for segment, number in zip(segments, ids, strict=True):
        layer = layered[int(segment.get("layer", 0))].transpose(2, 1, 0)
        stack[layer == segment["labelValue"]] = number
    return stack


def _offset(segmentation: dict[str, Any], path: Path) -> tuple[int, int, int]:
    matrix = np.asarray(segmentation["ijkToLPS"], np.float64)
    offset = matrix[:3, 3].round()
    if not np.allclose(matrix[:3, :3], np.eye(3), atol=1e-3) or not np.allclose(matrix[:3, 3], offset, atol=1e-2):
        raise RASNetError(f"{path} is not in the geometry of the video (spacing 1, upright); save it from its scene")
    left, top, first = (int(value) for value in offset)
    return left, top, first


def _placed(mask: Mask, size: tuple[int, int], top: int, left: int, where: str) -> Callable[[], Mask]:
    """What gives the mask in its place in the frame."""

    def read() -> Mask:
        if mask.shape == size:
            return mask
        height, width = mask.shape
        if top < 0 or left < 0 or top + height > size[0] or left + width > size[1]:
            raise RASNetError(
                f"{where} lies outside the frame of {size[1]}x{size[0]}; export it in the video's geometry"
            )
        frame = np.zeros(size, np.uint8)
        frame[top : top + height, left : left + width] = mask
        return frame

    return read


def _status(letter: str) -> Any:
    return next((status for status, known in STATUS_LETTERS.items() if known == letter), None)
