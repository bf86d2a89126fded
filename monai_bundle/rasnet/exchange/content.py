"""What of a case goes into an export: which frames, which masks, and what their values mean."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple, get_args

import numpy as np
import numpy.typing as npt
from PIL import Image

from rasnet.case import Case, FrameRow, FrameStatus
from rasnet.errors import RASNetError
from rasnet.labels import LabelSchema
from rasnet.masks import Mask, mask_values
from rasnet.progress import Progress

Content = Literal["layers", "parts", "types"]

REVIEWED: tuple[FrameStatus, ...] = ("corrected", "accepted")
WITH_MASKS: tuple[FrameStatus, ...] = ("predicted", *REVIEWED)
"""Statuses of frames to hand over; a person who skips a frame says to leave it out."""

LABELS_FILE = "labels.json"


@dataclass(frozen=True)
class MaskLabel:
    """What a value of a mask means.

    Attributes:
        id: the value, 1 to 255.
        name: of the layer, part or type.
        color: red, green, blue; None where a file does not say.
        type: of a layer; None where it is not known, and for parts.
    """

    id: int
    name: str
    color: tuple[int, int, int] | None = None
    type: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Give the label as files of several formats write it."""
        return {"id": self.id, "name": self.name, "color": list(self.color or (0, 0, 0)), "type": self.type}


class Segment(NamedTuple):
    """One label in one frame.

    Attributes:
        label: what it is.
        pixels: bool (H, W).
    """

    label: MaskLabel
    pixels: npt.NDArray[np.bool_]


@dataclass(frozen=True)
class ExportContent:
    """The frames and masks that an export holds.

    Attributes:
        case: they are of.
        what: layers, parts or types.
        rows: the frames, by index.
        labels: of the masks, background left out.
        palette: colours by mask value, uint8 (256, 3).
        mask: gives the mask of a frame, uint8 (H, W).
        start: first frame that was asked for; None for the first there is.
        stop: one past the last; None for the end.
    """

    case: Case
    what: Content
    rows: tuple[FrameRow, ...]
    labels: tuple[MaskLabel, ...]
    palette: Mask
    mask: Callable[[FrameRow], Mask]
    start: int | None = None
    stop: int | None = None

    @classmethod
    def choose(
        cls,
        case: Case,
        what: Content = "layers",
        *,
        statuses: Collection[FrameStatus] = WITH_MASKS,
        start: int | None = None,
        stop: int | None = None,
    ) -> ExportContent:
        """Choose what to hand over.

        Args:
            case: the case.
            what: ``"layers"`` (layer ids), ``"parts"`` (ids of `CaseInfo.parts`) or ``"types"`` (layers mapped to ids
                of `CaseInfo.types`: semantic masks).
            statuses: of the frames.
            start: first frame; None for the first there is.
            stop: one past the last frame; None for the end.

        Raises:
            RASNetError: no such frames, or types are asked for and a layer has none.
        """
        if what not in get_args(Content):
            raise RASNetError(f"cannot export '{what}'; use one of {', '.join(get_args(Content))}")
        labels, palette, mask = _VIEWS[what](case)
        key = "parts_sha256" if what == "parts" else "mask_sha256"
        rows = tuple(
            row
            for row in case.frames()
            if row.status in statuses
            and getattr(row, key) is not None
            and (start is None or row.index >= start)
            and (stop is None or row.index < stop)
        )
        if not rows:
            advice = "segment it first" if "predicted" in statuses else "review some first"
            where = "" if start is None and stop is None else f" in frames {start or 0} to {stop or 'the end'}"
            raise RASNetError(f"{case.folder} has no frames with {what} to export{where}; {advice}")
        return cls(case, what, rows, labels, palette, mask, start, stop)

    def segments(self, row: FrameRow) -> Iterator[Segment]:
        """Give the labels that a frame shows, by id."""
        mask = self.mask(row)
        present = set(mask_values(mask))
        return (Segment(label, mask == label.id) for label in self.labels if label.id in present)

    def write_table(self, folder: Path, suffix: str, digits: int = 6) -> None:
        """Write ``labels.json``: what values mean, and time and status of every frame's file."""
        background = {"id": 0, "name": "background", "color": [0, 0, 0], "type": None}
        table = {
            "what": self.what,
            "labels": [background, *(label.to_json() for label in self.labels)],
            "frames": [
                {"file": frame_name(row, digits) + suffix, "index": row.index, "time": row.pts, "status": row.status}
                for row in self.rows
            ],
        }
        text = json.dumps(table, indent=2) + "\n"
        (folder / LABELS_FILE).write_text(text, encoding="utf-8")

    def write_pictures(self, folder: Path, progress: Progress, suffix: str = ".png", digits: int = 6) -> None:
        """Write the picture of every frame, without any of the video's metadata.

        Raises:
            RASNetError: the video has moved, or a frame of it is damaged.
        """
        folder.mkdir(parents=True)
        progress.start("export pictures", len(self.rows))
        with self.case.open_source() as source:
            for row in self.rows:
                Image.fromarray(source[row.index].rgb).save(folder / (frame_name(row, digits) + suffix), quality=95)
                progress.advance(row.index)


def frame_name(row: FrameRow, digits: int = 6) -> str:
    """Name a frame's files, without their ending."""
    return f"frame{row.index:0{digits}d}"


_View = tuple[tuple[MaskLabel, ...], Mask, Callable[[FrameRow], Mask]]


def _layers(case: Case) -> _View:
    labels = tuple(MaskLabel(layer.id, layer.name, layer.color, layer.type) for layer in case.layers())
    return labels, case.palette(), lambda row: case.mask(row.index)


def _parts(case: Case) -> _View:
    def read(row: FrameRow) -> Mask:
        parts = case.parts(row.index)
        if parts is None:
            raise RASNetError(f"frame {row.index} of {case.folder} lost its parts during the export; export again")
        return parts

    return *_schema_view(case.info.parts), read


def _types(case: Case) -> _View:
    untyped = [f"{layer.id} ({layer.name})" for layer in case.layers() if layer.type is None]
    if untyped:
        raise RASNetError(
            f"nobody has said yet what these layers of {case.folder} are: {', '.join(untyped)}; set their type in "
            "3D Slicer or with `Case.update_layer(id, type=...)`, or export layers instead of types"
        )
    table = np.zeros(256, np.uint8)
    for layer in case.layers():
        if layer.type is not None:
            table[layer.id] = case.info.types[layer.type].id
    return *_schema_view(case.info.types), lambda row: table.take(case.mask(row.index))


def _schema_view(schema: LabelSchema) -> tuple[tuple[MaskLabel, ...], Mask]:
    kinds = schema.kind == "types"
    labels = (
        MaskLabel(label.id, label.name, label.color, label.name if kinds else None) for label in schema.instruments
    )
    return tuple(labels), schema.palette


_VIEWS: dict[str, Callable[[Case], _View]] = {"layers": _layers, "parts": _parts, "types": _types}
