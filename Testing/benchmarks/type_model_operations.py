"""Synthetic operations whose types are withheld, and the annotator who gives them back with one word a layer."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
import torch
from material import RASNET
from startup import run

from rasnet.case import Case
from rasnet.errors import RASNetError
from rasnet.labels import LabelSchema
from rasnet.mask_sequences import open_sequences
from rasnet.masks import mask_values
from rasnet.synthetic import SyntheticFrame, SyntheticScene, write_case
from rasnet.video import RegionOfInterest

SCHEMA = LabelSchema.load("endovis2017_types")
TYPES = tuple(label.name for label in SCHEMA.instruments)

INSTRUMENTS = 3
"""In each operation: one that stays, one that leaves and comes back, one that comes later."""

FPS = 2.0

Mistake = Literal["changed id", "swapped ids", "none"]
MISTAKES: tuple[Mistake, ...] = ("changed id", "swapped ids", "none")
"""From the middle of a video on, instrument 1 has a new id, or 1 and 2 are taken for each other: what trackers do."""


@dataclass(frozen=True)
class Operation:
    """A synthetic operation, and where its files are.

    Attributes:
        name: of its files.
        seed: of the scene.
        types: of its instruments.
        frames: how many.
        size: height and width in pixels.
        folder: of its files.
    """

    name: str
    seed: int
    types: tuple[str, ...]
    frames: int
    size: tuple[int, int]
    folder: Path

    @property
    def video(self) -> Path:
        """The film."""
        return self.folder / f"{self.name}.mp4"

    @property
    def truth(self) -> Path:
        """The case with exact masks and types, which neither annotator nor model is shown."""
        return self.folder / "truth" / f"{self.name}.case"

    @property
    def annotated(self) -> Path:
        """The case that a program began and the annotator mends."""
        return self.folder / "annotated" / f"{self.name}.case"

    @property
    def found(self) -> Path:
        """The case that the model of types makes."""
        return self.folder / "found" / f"{self.name}.case"

    @property
    def frame_wise(self) -> Path:
        """The folder of what that model says of each frame by itself: masks of types."""
        return self.folder / "frame_wise" / self.name


class _DrawnOnce(SyntheticScene):
    """A scene short enough to keep its frames, which are asked for twice: for the video and for the masks."""

    def render(self, index: int) -> SyntheticFrame:
        if index not in self._drawn:
            self._drawn[index] = super().render(index)
        return self._drawn[index]

    @cached_property
    def _drawn(self) -> dict[int, SyntheticFrame]:
        return {}


def plan_operations(count: int, folder: Path, *, seed: int, frames: int, size: tuple[int, int]) -> list[Operation]:
    """Deal the types to operations, each as often as any other, give or take one.

    Args:
        count: of operations.
        folder: for their files; they are named after it.
        seed: of the dealing, and of the first scene; the others count on from it.
        frames: of each.
        size: height and width in pixels.
    """
    random = np.random.default_rng(seed)
    rounds = -(-count * INSTRUMENTS // len(TYPES))
    dealt = [TYPES[place] for _ in range(rounds) for place in random.permutation(len(TYPES))]
    return [
        Operation(
            f"{folder.name}_{number}",
            seed + number,
            tuple(dealt[number * INSTRUMENTS : (number + 1) * INSTRUMENTS]),
            frames,
            size,
            folder,
        )
        for number in range(count)
    ]


def draw_operation(operation: Operation) -> None:
    """Write the video, and the case of the truth."""
    torch.set_num_threads(1)  # operations are drawn side by side, each on a core
    operation.truth.parent.mkdir(parents=True, exist_ok=True)
    scene = _DrawnOnce(operation.seed, size=operation.size, frames=operation.frames, fps=FPS, types=operation.types)
    write_case(scene, operation.video, operation.truth)


def annotate(operation: Operation, mistake: Mistake) -> list[str]:
    """Play a program that has found the instruments, and the annotator who says what they are.

    The program's masks are the true ones without types, but for a mistake in their ids.

    Returns:
        The words that the annotator gave to `rasnet layers`, such as ``--merge 1=4``.

    Raises:
        RASNetError: what the annotator left is not the truth.
    """
    middle = operation.frames // 2
    seen = _predict(operation, mistake, middle)
    commands = _mending(mistake, middle, seen)
    commands[-1] += [f"--type {number}={name}" for number, name in enumerate(operation.types, 1) if number in seen]
    for words in commands:
        options = [part for word in words for part in word.split(" ", 1)]
        run((*RASNET, "layers", str(operation.annotated), *options, "--progress", "none"))
    with Case.open(operation.annotated) as case:
        for row in case.frames():
            case.set_status(row.index, "accepted", who="annotator")
    _check(operation)
    return [word for words in commands for word in words]


def _predict(operation: Operation, mistake: Mistake, middle: int) -> set[int]:
    """Make the case of a program whose mistake begins in the middle.

    Returns:
        True ids of the instruments that come into view.
    """
    right = np.arange(256, dtype=np.uint8)
    wrong = right.copy()
    if mistake == "changed id":
        wrong[1] = INSTRUMENTS + 1
    elif mistake == "swapped ids":
        wrong[[1, 2]] = 2, 1
    seen: set[int] = set()
    with Case.open(operation.truth) as truth, truth.open_source() as source:
        roi = RegionOfInterest.whole(source.height, source.width)
        with Case.create(operation.annotated, source=source, schema=truth.info.schema, roi=roi, model=None) as case:
            for index, pts in enumerate(truth.times.tolist()):
                mask = truth.mask(index)
                seen.update(value for value in mask_values(mask) if value)
                ids = cv2.LUT(mask, wrong if index >= middle else right)
                case.write_prediction(index, pts, ids, truth.parts(index))
    return seen


def _mending(mistake: Mistake, middle: int, seen: set[int]) -> list[list[str]]:
    """Words that mend a mistake, one list a command; the last may be without."""
    if mistake == "changed id":
        return [[f"--merge 1={INSTRUMENTS + 1}"]]
    if mistake == "swapped ids":
        # The first split makes a layer, with the next number that is free: from there on it is instrument 2.
        return [[f"--split 1@{middle}", f"--split 2@{middle}=1"], [f"--merge 2={max(seen) + 1}"]]
    return [[]]


def _check(operation: Operation) -> None:
    """See that every frame teaches the true types."""
    true, taught = (
        open_sequences(folder, SCHEMA, typed=False)[operation.name] for folder in (operation.truth, operation.annotated)
    )
    try:
        for key, mask in true.frames.items():
            if not np.array_equal(mask(), taught.frames[key]()):
                raise RASNetError(f"the annotator left frame {key} of {operation.annotated} with wrong types")
    finally:
        true.close()
        taught.close()
