"""EndoVis 2015 "Instrument segmentation and tracking": its robotic videos and its rigid (laparoscopic) frames.

Both state parts as grey values: 0 background, 70 manipulator (wrist and jaws), 160 shaft.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from itertools import zip_longest
from pathlib import Path

import numpy as np
import numpy.typing as npt

from rasnet.datasets.example import Example
from rasnet.datasets.images import images_in, need_folder, read_grey, read_rgb
from rasnet.errors import RASNetError
from rasnet.labels import LabelSchema
from rasnet.video import Frame, VideoSource, open_source

# Half-way between the values, since the robotic masks come as lossy video.
MANIPULATOR_FROM, SHAFT_FROM = 36, 116

_RAW, _CLASS = "_raw", "_class.png"


def part_ids(values: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Turn grey values into ids of the schema ``instrument_parts``.

    Args:
        values: uint8, near 0, 70 or 160.

    Returns:
        uint8 of the same shape.
    """
    schema = LabelSchema.load("instrument_parts")
    ids = np.zeros(256, np.uint8)
    ids[MANIPULATOR_FROM:SHAFT_FROM] = schema["manipulator"].id
    ids[SHAFT_FROM:] = schema["shaft"].id
    return ids[values]


def read_robotic(folder: Path, step: int = 1) -> Iterator[Example]:
    """Read a robotic sequence: ``Video.avi`` and one ``*Segmentation.avi`` an instrument, or one for all.

    Args:
        folder: of one sequence, for example ``Dataset1``.
        step: take every step-th frame.

    Raises:
        RASNetError: files are missing, damaged, or differ in their number of frames.
    """
    files = sorted(need_folder(folder).glob("*Segmentation*.avi"))
    if not (folder / "Video.avi").is_file() or not files:
        raise RASNetError(f"{folder} must hold Video.avi and *Segmentation.avi; unpack the EndoVis 2015 archive again")
    with ExitStack() as stack:
        video, *masks = (stack.enter_context(open_source(file)) for file in (folder / "Video.avi", *files))
        for mask, file in zip(masks, files, strict=True):
            if len(mask) != len(video):
                raise RASNetError(
                    f"{file} has {len(mask)} frames and Video.avi has {len(video)}; unpack the archive again"
                )
        for picture, *values in _in_step(folder, [video, *masks], step):
            yield Example(picture.rgb, part_ids(np.max([value.rgb[..., 0] for value in values], axis=0)))


def read_rigid(folder: Path, step: int = 1) -> Iterator[Example]:
    """Read a conventional operation: ``Raw/*_raw.png`` with ``Masks/*_class.png``.

    Args:
        folder: of one operation, for example ``OP1``.
        step: take every step-th frame.

    Raises:
        RASNetError: a folder, a mask or a picture is missing or broken.
    """
    for file in images_in(folder / "Raw")[::step]:
        mask = folder / "Masks" / (file.stem.removesuffix(_RAW) + _CLASS)
        if not mask.is_file():
            raise RASNetError(f"there is no mask {mask} for {file.name}; unpack the EndoVis 2015 archive again")
        yield Example(read_rgb(file), part_ids(read_grey(mask)))


def _in_step(folder: Path, sources: list[VideoSource], step: int) -> Iterator[tuple[Frame, ...]]:
    """Read videos side by side; a frame that one of them has lost would shift all that follow."""
    for frames in zip_longest(*(source.read(step=step) for source in sources)):
        if len({frame.index if frame else None for frame in frames}) > 1:
            raise RASNetError(f"a video in {folder} has damaged frames; unpack the EndoVis 2015 archive again")
        yield frames
