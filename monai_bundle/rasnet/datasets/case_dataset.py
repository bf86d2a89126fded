"""Cases as training data: what a person has accepted or corrected, with layers mapped to the classes of a schema."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from rasnet.case import Case, FrameRow
from rasnet.datasets.example import Example
from rasnet.errors import RASNetError
from rasnet.labels import ANY_INSTRUMENT, LabelSchema
from rasnet.masks import Mask
from rasnet.progress import Progress, SilentProgress

TRUSTED = ("accepted", "corrected")
"""States of a frame that a person has answered for."""


def trusted_frames(case: Case) -> list[FrameRow]:
    """Give the frames of a case that a person has answered for, by index.

    Raises:
        RASNetError: there is none.
    """
    rows = [row for row in case.frames() if row.status in TRUSTED and row.mask_sha256 is not None]
    if not rows:
        raise RASNetError(
            f"no frame of {case.folder} is accepted or corrected, so that there is nothing to learn from; "
            "review some frames of it first"
        )
    return rows


def read_case(
    case: Case, schema: LabelSchema, rows: list[FrameRow] | None = None, progress: Progress | None = None
) -> Iterator[Example]:
    """Read pictures and masks of a case, cropped to its region of interest.

    For a schema of types, a layer's type, said once, labels it in every frame; a layer whose type nobody has said
    teaches that there is some instrument (`ANY_INSTRUMENT`). For a schema of parts the same holds where a frame has
    no parts.

    Args:
        case: to learn from; its video must be where it was.
        schema: of the network that learns.
        rows: the frames; all of `trusted_frames` by default.
        progress: told of every frame.

    Raises:
        RASNetError: the video is gone or damaged, there is no frame to learn from, or the case speaks of classes that
            the schema does not have.
    """
    progress = progress or SilentProgress()
    rows = trusted_frames(case) if rows is None else rows
    table = _type_table(case, schema) if schema.kind == "types" else _layer_table()
    with case.open_source() as source:
        for row in rows:
            layers = case.mask(row.index)
            mask = table[layers] if schema.kind == "types" else _parts(case, row.index, layers, schema)
            roi = case.info.roi
            yield Example(roi.crop(source[row.index].rgb), roi.crop(mask))
            progress.advance(row.index)


def _layer_table() -> Mask:
    """Every layer is some instrument, uint8 (256,)."""
    table = np.full(256, ANY_INSTRUMENT, np.uint8)
    table[0] = 0
    return table


def _type_table(case: Case, schema: LabelSchema) -> Mask:
    """Class of each layer id, uint8 (256,)."""
    table = _layer_table()
    for layer in case.layers():
        if layer.type is not None:
            try:
                table[layer.id] = schema[layer.type].id
            except RASNetError as error:
                raise RASNetError(
                    f"layer {layer.id} of {case.folder} is a {layer.type}, which the label schema '{schema.name}' does "
                    "not have; give the layer one of its types, or train with another --label_schema"
                ) from error
    return table


def _parts(case: Case, index: int, layers: Mask, schema: LabelSchema) -> Mask:
    """Part ids of a frame; `ANY_INSTRUMENT` where a layer has none."""
    if case.info.parts.name != schema.name:
        raise RASNetError(
            f"{case.folder} holds parts of the schema '{case.info.parts.name}', not '{schema.name}'; "
            f"train with --label_schema {case.info.parts.name}"
        )
    parts = case.parts(index)
    unknown = (layers > 0) if parts is None else (layers > 0) & (parts == 0)
    known = np.zeros_like(layers) if parts is None else parts
    return np.where(unknown, np.uint8(ANY_INSTRUMENT), known)
