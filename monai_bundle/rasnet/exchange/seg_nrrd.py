"""3D Slicer segmentations (.seg.nrrd): one file with the frames along z, or one file a frame."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np

from rasnet.case import Case, FrameStatus
from rasnet.errors import RASNetError
from rasnet.exchange.content import WITH_MASKS, ExportContent, MaskLabel, frame_name
from rasnet.exchange.terminology import CATEGORY, code_of
from rasnet.files import clear_errors, whole_file, whole_folder
from rasnet.labels import LabelSchema
from rasnet.masks import Mask
from rasnet.progress import Progress, SilentProgress

MEMORY_LIMIT = 2 << 30  # bytes of voxels; writing needs about twice as much

SUFFIX = ".seg.nrrd"
FIRST_FRAME, FRAME_STEP, STATUS = "RASNet_FirstFrame", "RASNet_FrameStep", "RASNet_Status"
NAME_TAG, TYPE_TAG = "RASNet.Name", "RASNet.Type"
STATUS_LETTERS: dict[FrameStatus, str] = {"predicted": "p", "corrected": "c", "accepted": "a"}
NO_MASK = "-"

# Slicer's geometry of pictures, IJK to RAS diag(-1, -1, 1), is the identity in the LPS space of NRRD files:
# voxel (x, y, k) lies x mm left, y mm posterior, k mm superior, and the picture is upright in an axial view.
_IJK_TO_LPS = np.eye(4)
_COMPRESSION_LEVEL = 4  # of gzip; masks gain nothing from more


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
    fields ``RASNet_FirstFrame`` and ``RASNet_FrameStep`` say which frame a slice is, ``RASNet_Status`` has a letter
    a slice: p predicted, c corrected, a accepted, - without a mask. NRRD headers are ASCII, so names lose their
    accents, and a name that has no ASCII letter becomes "Instrument" and the layer's id; the tag ``RASNet.Name`` has
    the whole name, percent-encoded.

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
    _chosen(case, start, stop)
    content = ExportContent.choose(case, statuses=WITH_MASKS, start=start, stop=stop)
    write_seg_nrrd(content, Path(path), images=False, progress=progress or SilentProgress())


def write_seg_nrrd(content: ExportContent, path: Path, *, images: bool, progress: Progress) -> None:
    """Write what `export_seg_nrrd` does, of content that is chosen already; there is no place for pictures."""
    slicer = slicerio()
    if not path.name.endswith(SUFFIX):
        raise RASNetError(f"3D Slicer knows segmentations by their ending; name the file {path.stem}{SUFFIX}")
    frames = _chosen(content.case, content.start, content.stop)
    rows = {row.index: row for row in content.rows}
    stack = np.zeros((len(frames), content.case.info.height, content.case.info.width), np.uint8)
    progress.start("export seg.nrrd", len(frames))
    for slice_number, index in enumerate(frames):
        if index in rows:
            stack[slice_number] = content.mask(rows[index])
        progress.advance(index)
    status = "".join(STATUS_LETTERS[rows[index].status] if index in rows else NO_MASK for index in frames)
    with clear_errors(path), whole_file(path) as making:
        _write(slicer, making, content, stack, frames, status)
    progress.finish(path=str(path), frames=len(frames))


def write_seg_nrrd_frames(content: ExportContent, folder: Path, *, images: bool, progress: Progress) -> None:
    """Write ``frame000042.seg.nrrd`` for every frame, one slice each, and ``labels.json``.

    Args:
        content: what to write.
        folder: to make; it appears only when everything is written.
        images: write the pictures as well, into ``images``.
        progress: told of each frame.

    Raises:
        RASNetError: slicerio is not installed, the folder is not empty, or the disk is full.
    """
    slicer = slicerio()
    with clear_errors(folder), whole_folder(folder) as making:
        progress.start("export seg.nrrd", len(content.rows))
        for row in content.rows:
            target, frames = making / f"{frame_name(row)}{SUFFIX}", range(row.index, row.index + 1)
            _write(slicer, target, content, content.mask(row)[None], frames, STATUS_LETTERS[row.status])
            progress.advance(row.index)
        if images:
            content.write_pictures(making / "images", progress)
        content.write_table(making, SUFFIX)
    progress.finish(folder=str(folder), frames=len(content.rows))


def slicerio() -> Any:
    """Load slicerio.

    Raises:
        RASNetError: it is not installed.
    """
    try:
        import slicerio
    except ImportError as error:
        raise RASNetError(
            "slicerio reads and writes .seg.nrrd; install it with `pip install 'rasnet[seg-nrrd]'`"
        ) from error
    return slicerio


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


def _write(slicer: Any, path: Path, content: ExportContent, stack: Mask, frames: Sequence[int], status: str) -> None:
    """Write a stack of masks, uint8 (k, H, W), of `frames`."""
    step = frames.step if isinstance(frames, range) else 1
    segmentation = {
        "voxels": stack.transpose(2, 1, 0),  # x, y, k, laid out as the file wants it: x fastest
        "ijkToLPS": _IJK_TO_LPS,
        "encoding": "gzip",
        "containedRepresentationNames": ["Binary labelmap"],
        "masterRepresentation": "Binary labelmap",
        FIRST_FRAME: str(frames[0]),
        FRAME_STEP: str(step),
        STATUS: status,
        "segments": [_segment(label, content.case.info.types) for label in content.labels],
    }
    slicer.write_segmentation(str(path), segmentation, compression_level=_COMPRESSION_LEVEL)


def _segment(label: MaskLabel, types: LabelSchema) -> dict[str, Any]:
    code, name = code_of(label.type, types), _ascii(label.name)
    tags = {} if label.type is None else {TYPE_TAG: _ascii(label.type)}
    return {
        "id": f"Layer_{label.id}",
        "name": name or f"Instrument {label.id}",
        "color": [value / 255 for value in label.color or (0, 0, 0)],
        "labelValue": label.id,
        "layer": 0,
        "terminology": {
            "contextName": "RASNet surgical instruments",
            "category": [CATEGORY.scheme, CATEGORY.value, CATEGORY.meaning],
            "type": [code.scheme, code.value, _ascii(code.meaning)],
        },
        "tags": tags if name == label.name else {**tags, NAME_TAG: quote(label.name)},
    }


def _ascii(text: str) -> str:
    """The text without accents and without letters that have no ASCII form."""
    return unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().strip()
