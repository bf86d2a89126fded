"""The frames that the weights do best and worst on, and some between, as one picture.

    python Testing/benchmarks/worst_frames.py sources.json pictures.png --dataset-dir DATA
    python Testing/benchmarks/worst_frames.py sources.json pictures.png --weights other.pt --each 6

The data list is that of train_parts.yaml, of which the sources with "split": "validation" are taken; synthetic ones may
be among them. Each frame is shown as it is and with what is right, missed and wrong.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, NamedTuple

import cv2
import numpy as np
import numpy.typing as npt
import torch
import typer
from PIL import Image, ImageDraw
from rich.progress import track

from rasnet.bundle import weights_path
from rasnet.datasets.frames import read_examples
from rasnet.datasets.sources import Source, read_sources
from rasnet.inference import Backend, load_backend
from rasnet.labels import IGNORE
from rasnet.report.style import font

UInt8Array = npt.NDArray[np.uint8]
BoolArray = npt.NDArray[np.bool_]

# Of Okabe and Ito's colours, which colour-blind people tell apart: found rightly, missed, taken for an instrument.
_RIGHT, _MISSED, _WRONG = (0, 158, 115), (240, 228, 66), (204, 60, 220)
_TILE = (200, 256)
_GAP, _LINE, _HEADER = 6, 24, 40
_CANVAS = (512, 640)
"""Of synthetic frames; read ones keep their size."""


class Judged(NamedTuple):
    """A frame and what is said of it.

    Attributes:
        dice: of the instrument against the rest; 1 where both masks are empty.
        in_view: whether there is an instrument.
        source: the name of where it is from.
        rgb: uint8 (h, w, 3), at the size of a tile.
        errors: uint8 (h, w, 3), the same with what is right, missed and wrong.
    """

    dice: float
    in_view: bool
    source: str
    rgb: UInt8Array
    errors: UInt8Array


def judge(source: Source, backend: Backend) -> Iterator[Judged]:
    """Segment the frames of a source."""
    for rgb, mask in read_examples(source, _CANVAS, torch.device("cpu")):
        found = backend(np.ascontiguousarray(rgb)[None])[0][0] > 0
        known, truth = mask != IGNORE, (mask > 0) & (mask != IGNORE)
        found &= known
        both = int(truth.sum() + found.sum())
        dice = 2 * float((truth & found).sum()) / both if both else 1.0
        shown = cv2.resize(rgb, _TILE[::-1], interpolation=cv2.INTER_AREA)
        yield Judged(dice, bool(truth.any()), source.name, shown, _draw_errors(shown, _shrink(truth), _shrink(found)))


def _shrink(mask: BoolArray) -> BoolArray:
    return cv2.resize(mask.astype(np.uint8), _TILE[::-1], interpolation=cv2.INTER_NEAREST) > 0


def _draw_errors(rgb: UInt8Array, truth: BoolArray, found: BoolArray) -> UInt8Array:
    picture = rgb // 2
    for where, color in ((truth & found, _RIGHT), (truth & ~found, _MISSED), (found & ~truth, _WRONG)):
        picture[where] = picture[where] // 3 + np.array(color, np.uint8) // 3 * 2
    return picture


def lay_out(rows: list[tuple[str, list[Judged]]], title: str) -> Image.Image:
    """Put frames in rows under headings, each with its errors below."""
    height, width = _TILE
    block = 2 * height + _LINE + _GAP
    columns = max(len(frames) for _, frames in rows)
    size = (max(columns * (width + _GAP) + _GAP, 800), _HEADER + len(rows) * (block + _LINE + _GAP))
    sheet = Image.new("RGB", size, "white")
    draw = ImageDraw.Draw(sheet)
    draw.text((_GAP, _HEADER // 2), title, "black", font(15), anchor="lm")
    place = size[0] - _GAP
    for words, color in (("wrong", _WRONG), ("missed", _MISSED), ("right", _RIGHT)):
        length = int(draw.textlength(words, font(14)))
        draw.text((place, _HEADER // 2), words, "black", font(14), anchor="rm")
        draw.rectangle((place - length - 22, _HEADER // 2 - 7, place - length - 8, _HEADER // 2 + 7), color)
        place -= length + 36
    for line, (heading, frames) in enumerate(rows):
        top = _HEADER + line * (block + _LINE + _GAP)
        draw.text((_GAP, top + _LINE // 2), heading, "black", font(14), anchor="lm")
        for column, frame in enumerate(frames):
            left = _GAP + column * (width + _GAP)
            sheet.paste(Image.fromarray(frame.rgb), (left, top + _LINE))
            sheet.paste(Image.fromarray(frame.errors), (left, top + _LINE + height + 2))
            words = f"Dice {frame.dice:.2f}, {frame.source}"
            draw.text((left, top + _LINE + 2 * height + 2 + _LINE // 2), words, "black", font(12), anchor="lm")
    return sheet


def main(
    data_list: Annotated[Path, typer.Argument(help="Data list of train_parts.yaml.", exists=True)],
    picture: Annotated[Path, typer.Argument(help="PNG or JPEG file to write.")],
    dataset_dir: Annotated[
        Path | None, typer.Option(help="Where relative folders start.", show_default="the list's folder")
    ] = None,
    weights: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Weights to look at.", show_default="the released ones")
    ] = None,
    each: Annotated[int, typer.Option(min=1, metavar="N", help="Frames in a row.")] = 5,
) -> None:
    """Show the best, the middle and the worst frames."""
    weights = weights or weights_path()
    backend, _ = load_backend(weights, "cpu")
    sources = [source for source in read_sources(data_list, dataset_dir) if source.split == "validation"]
    judged = sorted((frame for source in track(sources) for frame in judge(source, backend)), key=lambda j: -j.dice)
    with_instruments = [frame for frame in judged if frame.in_view]
    between = with_instruments[:: max(1, len(with_instruments) // (each + 1))][1:]
    rows = [
        ("best with an instrument in view", with_instruments[:each]),
        ("spread evenly between best and worst", between[:each]),
        ("worst of all", judged[-each:]),
    ]
    lay_out(rows, f"{weights.name}, {len(judged)} frames").save(picture, quality=88)
    print(f"{picture} shows the best and worst {each} of {len(judged)} frames")


if __name__ == "__main__":
    typer.run(main)
