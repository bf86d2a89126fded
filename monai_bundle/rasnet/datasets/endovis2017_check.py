"""Reads every file of EndoVis 2017 once, collects what is wrong with them, and counts Table I."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from rasnet.datasets.endovis2017 import TYPES, Sequence
from rasnet.datasets.endovis2017_cache import in_parallel, instance_counts
from rasnet.datasets.endovis2017_layouts import EndoVis2017
from rasnet.datasets.splits import Split
from rasnet.errors import RASNetError
from rasnet.progress import Progress, SilentProgress

PAPER_TRAIN = (445, 754, 1013, 276, 210, 302, 422)
PAPER_TEST = (212, 87, 184, 110, 18, 49, 27)
"""Table I of the paper: instances of each type, in the order of the schema ``endovis2017_types``."""

FULL_TRAIN_FRAMES = {str(number): 225 for number in range(1, 9)}


@dataclass(frozen=True)
class Check:
    """What reading every file has shown.

    Attributes:
        instances: by sequence name, instruments of each type in every frame, uint8 (N, 7).
        problems: a sentence each.
        incomplete: what of the challenge's training set is not there, a phrase each; no error by itself.
    """

    instances: Mapping[str, npt.NDArray[np.uint8]]
    problems: tuple[str, ...]
    incomplete: tuple[str, ...]


class TableRow(NamedTuple):
    """A row of Table I: instances of a type in the data and in the paper."""

    name: str
    train: int
    test: int
    paper_train: int
    paper_test: int


def check(data: EndoVis2017, progress: Progress | None = None) -> Check:
    """Read every picture and mask.

    Args:
        data: the sequences found.
        progress: told of every frame.
    """
    progress = progress or SilentProgress()
    progress.start("check EndoVis 2017", sum(map(len, data.sequences)))
    problems, instances = list(data.problems), {}
    for sequence in data.sequences:
        rows = np.zeros((len(sequence), len(TYPES) - 1), np.uint8)
        found: dict[str, int] = {}
        for index, result in enumerate(in_parallel(partial(_examine, sequence), range(len(sequence)))):
            if isinstance(result, str):
                # The same fault in every frame of a sequence is one problem, not 225.
                found.setdefault(result, index)
            else:
                rows[index] = result
            progress.advance(sequence.frames[index])
        problems += found
        problems += _sizes(sequence)
        if sequence.masks:
            instances[sequence.name] = rows
    progress.finish(problems=len(problems))
    return Check(instances, tuple(problems), tuple(_incomplete(data)))


def table_one(instances: Mapping[str, npt.NDArray[np.uint8]], split: Split, data: EndoVis2017) -> list[TableRow]:
    """Count the instances on both sides of a split, its validation frames with its training frames."""
    sides = []
    for side in ((split.train, split.validation), (split.test,)):
        total = np.zeros(len(TYPES) - 1, np.int64)
        for name, frames in ((name, frames) for part in side for name, frames in part.items()):
            total += instances[name][np.searchsorted(data[name].frames, frames)].sum(axis=0, dtype=np.int64)
        sides.append(total.tolist())
    names = [label.name for label in TYPES.instruments]
    return [TableRow(*row) for row in zip(names, *sides, PAPER_TRAIN, PAPER_TEST, strict=True)]


def _examine(sequence: Sequence, index: int) -> npt.NDArray[np.uint8] | str:
    """Count the instances of a frame, or say what is wrong with it."""
    try:
        if not sequence.masks:
            sequence.picture(index)
            return instance_counts(())
        _, truth = sequence.frame(index)
        return instance_counts(truth.instances)
    except RASNetError as error:
        return str(error)


def _sizes(sequence: Sequence) -> list[str]:
    """Say if pictures of a sequence differ in size, from their headers."""
    from PIL import Image

    sizes: dict[tuple[int, int], str] = {}
    for file in sequence.pictures:
        try:
            with Image.open(file) as image:
                sizes.setdefault(image.size, file.name)
        except (OSError, ValueError, SyntaxError):
            continue  # a problem of its own already
    if len(sizes) < 2:
        return []
    words = ", ".join(f"{name} is {width}x{height}" for (width, height), name in sizes.items())
    return [f"pictures of sequence {sequence.name} in {sequence.folder} differ in size ({words}); unpack them again"]


def _incomplete(data: EndoVis2017) -> list[str]:
    there = {sequence.name: sequence for sequence in data.sequences}
    words = []
    if missing := [name for name in FULL_TRAIN_FRAMES if name not in there]:
        words.append(f"training sequence{'s' * (len(missing) > 1)} {', '.join(missing)} not there")
    words += [
        f"sequence {name} has {len(there[name])} of {count} frames"
        for name, count in FULL_TRAIN_FRAMES.items()
        if name in there and len(there[name]) != count
    ]
    words += [f"sequence {sequence.name} has no ground truth" for sequence in data.sequences if not sequence.masks]
    return words
