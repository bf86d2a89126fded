"""A small case with masks that anyone can compute, and programs that work on it in other processes."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from PIL import Image

from rasnet.case import Case, ModelInfo
from rasnet.labels import LabelSchema
from rasnet.masks import Mask
from rasnet.video import RegionOfInterest, VideoSource, open_source

HEIGHT, WIDTH = 48, 64
MODEL = ModelInfo("toy", "ab" * 32, "torch")


def predicted_mask(index: int) -> Mask:
    """A 20x20 square, whose place and layer (1, 2 or 3) the frame's index gives. (H, W)."""
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    row, column = index % 28, (3 * index) % 44
    mask[row : row + 20, column : column + 20] = 1 + index % 3
    return mask


def predicted_parts(index: int) -> Mask:
    """Shaft (1) everywhere in the square but in its last 5 rows, which are manipulator (2). (H, W)."""
    parts = (predicted_mask(index) > 0).astype(np.uint8)
    parts[index % 28 + 15 :] *= 2
    return parts


def human_mask(index: int) -> Mask:
    """The upper half in layer 2: no square anywhere is equal to it. (H, W)."""
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    mask[: HEIGHT // 2 - index % 5] = 2
    return mask


def make_source(folder: Path, frames: int) -> VideoSource:
    """A folder of equal grey PNG frames."""
    folder.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (WIDTH, HEIGHT), (90, 60, 50)).save(folder / "0000.png")
    for index in range(1, frames):
        os.link(folder / "0000.png", folder / f"{index:04d}.png")
    return open_source(folder)


def make_case(folder: Path, frames: int = 12, **wishes: object) -> Case:
    """A case in ``folder/case`` about ``folder/frames``; `wishes` replace arguments of `Case.create`."""
    source = make_source(folder / "frames", frames)
    arguments = {
        "source": source,
        "schema": LabelSchema.load("instrument_parts"),
        "roi": RegionOfInterest.whole(HEIGHT, WIDTH),
        "model": MODEL,
        **wishes,
    }
    return Case.create(folder / "case", **arguments)


def predict(case: Case, indices: Iterable[int] | None = None) -> None:
    """Write the predictions of all missing frames, or of those given, as a long run does."""
    times = case.times
    with case.writer() as writer:
        for index in case.missing() if indices is None else indices:
            writer.write(index, times[index], predicted_mask(index), predicted_parts(index))


def _die_at_rename(number: int, *, before: bool) -> None:
    """Kill this process, as kill -9 does, right before or after it renames a file for the n-th time."""
    rename, count = Path.replace, 0

    def deadly(self: Path, target: Path) -> Path:
        nonlocal count
        count += 1
        if before and count == number:
            os.kill(os.getpid(), signal.SIGKILL)
        result = rename(self, target)
        if count == number:
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    Path.replace = deadly


def _read(case: Case, until: Path) -> None:
    """Read every mask over and over: each is a program's or a person's, and whole."""
    while not until.exists():
        for row in case.frames():
            mask = case.mask(row.index)
            assert np.array_equal(mask, predicted_mask(row.index)) or np.array_equal(mask, human_mask(row.index))


def _main(verb: str, folder: str, *rest: str) -> None:
    if verb.startswith("die-") and verb != "die-merging":
        _die_at_rename(int(rest[0]), before=verb == "die-before")
    case = Case.open(folder)
    if verb != "hold":
        print("ready", flush=True)
    if verb in ("predict", "die-before", "die-after"):
        predict(case)
    elif verb == "die-merging":
        _die_at_rename(int(rest[0]), before=False)
        case.merge_layers(1, [2, 3], who="A. Surgeon")
    elif verb == "correct":
        for index in map(int, rest):
            case.correct(index, human_mask(index), who="A. Surgeon", tool="test")
            time.sleep(0.002)
    elif verb == "read":
        _read(case, Path(rest[0]))
    elif verb == "hold":
        with case.writer():
            print("ready", flush=True)
            time.sleep(60)


if __name__ == "__main__":
    _main(*sys.argv[1:])
