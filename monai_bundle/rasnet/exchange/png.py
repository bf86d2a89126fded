"""Export of a case as one index-mask PNG a frame, with a file that says what each value is."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np

from rasnet.case import Case, FrameRow
from rasnet.errors import RASNetError
from rasnet.files import clear_errors, whole_folder
from rasnet.labels import LabelSchema
from rasnet.masks import Mask, write_mask
from rasnet.progress import Progress, SilentProgress

Content = Literal["layers", "parts", "types"]


@dataclass(frozen=True)
class _View:
    """One way to look at the masks of a case: what a frame shows, in which colours, and what values mean."""

    mask: Callable[[FrameRow], Mask]
    has: Callable[[FrameRow], bool]
    palette: Mask
    labels: list[dict[str, Any]]


def export_png(
    case: Case,
    folder: str | Path,
    *,
    what: Content = "layers",
    progress: Progress | None = None,
) -> None:
    """Write ``frame000042.png`` for every frame that has a mask, and ``labels.json``.

    The PNG files are uint8 palette images of the full frame: pixel values are ids, 0 is background.
    ``labels.json`` holds ``what``, the ``labels`` (id, name, color, and for layers their type) and the
    ``frames`` (file, index, time in seconds, status). Frames that a person skipped are left out.

    Args:
        case: the case.
        folder: to make; it may exist if it is empty. It appears only when everything is written.
        what: values are ``"layers"`` (layer ids), ``"parts"`` (ids of `CaseInfo.parts`) or ``"types"``
            (layers mapped to ids of `CaseInfo.types`: semantic masks).
        progress: told of each frame.

    Raises:
        RASNetError: nothing to export, a layer whose type is not known, a folder that is not empty, or a
            full disk.
    """
    progress = SilentProgress() if progress is None else progress
    view = _view(case, what)
    rows = [row for row in case.frames() if row.status != "skipped" and view.has(row)]
    if not rows:
        raise RASNetError(f"{case.folder} has no frames with {what} to export; segment it first")
    target = Path(folder)
    with clear_errors(target), whole_folder(target) as making:
        progress.start("export png", len(rows))
        for row in rows:
            write_mask(making / _file_name(row), view.mask(row), view.palette)
            progress.advance(row.index)
        table = {"what": what, "labels": view.labels, "frames": [_frame_entry(row) for row in rows]}
        (making / "labels.json").write_text(json.dumps(table, indent=2) + "\n", encoding="utf-8")
    progress.finish(folder=str(target), frames=len(rows))


def _view(case: Case, what: Content) -> _View:
    if what == "layers":
        return _View(lambda row: case.mask(row.index), _has_mask, case.palette(), _layer_labels(case))
    if what == "parts":
        schema = case.info.parts
        return _View(lambda row: _parts(case, row), lambda row: bool(row.parts_sha256), *_schema_view(schema))
    if what == "types":
        table, schema = _type_table(case), case.info.types
        return _View(lambda row: table.take(case.mask(row.index)), _has_mask, *_schema_view(schema))
    raise RASNetError(f"cannot export '{what}'; use one of {', '.join(get_args(Content))}")


def _has_mask(row: FrameRow) -> bool:
    return row.mask_sha256 is not None


def _parts(case: Case, row: FrameRow) -> Mask:
    parts = case.parts(row.index)
    if parts is None:
        raise RASNetError(f"frame {row.index} of {case.folder} lost its parts during the export; export again")
    return parts


def _type_table(case: Case) -> Mask:
    """Type id of each layer id, uint8 (256,)."""
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
    return table


def _layer_labels(case: Case) -> list[dict[str, Any]]:
    layers = [
        {"id": layer.id, "name": layer.name, "color": list(layer.color), "type": layer.type} for layer in case.layers()
    ]
    return [{"id": 0, "name": "background", "color": [0, 0, 0], "type": None}, *layers]


def _schema_view(schema: LabelSchema) -> tuple[Mask, list[dict[str, Any]]]:
    labels = [{"id": label.id, "name": label.name, "color": list(label.color)} for label in schema.labels]
    return schema.palette, labels


def _file_name(row: FrameRow) -> str:
    return f"frame{row.index:06d}.png"


def _frame_entry(row: FrameRow) -> dict[str, Any]:
    return {"file": _file_name(row), "index": row.index, "time": row.pts, "status": row.status}
