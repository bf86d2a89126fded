"""How many corrections a video needs: the annotation loop, with known masks in the place of a person."""

from __future__ import annotations

import csv
import random
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import astuple, dataclass, fields
from pathlib import Path
from typing import Literal

import cv2
import numpy as np

from rasnet.case import Case
from rasnet.errors import RASNetError
from rasnet.evaluation import label_schema
from rasnet.files import clear_errors, whole_file
from rasnet.mask_sequences import MaskSequence, Reader, open_sequences
from rasnet.masks import Mask
from rasnet.metrics.confusion import ANY_INSTRUMENT, IGNORE
from rasnet.progress import Progress, SilentProgress
from rasnet.propagation import propagate
from rasnet.review import order

Order = Literal["queue", "every n-th", "random"]
"""How the annotator chooses frames."""

TARGET = 0.95
"""Of the Dice of a video whose every frame is corrected, which is 1: that is wished for ..."""

EFFORT = 0.05
"""... with this share of its frames corrected."""

SHARES = (0.0, 0.01, 0.02, 0.03, 0.05, 0.08, 0.12)
"""Shares of the frames after which Dice is measured."""

WHO, TOOL = "simulated annotator", "rasnet simulate"


@dataclass(frozen=True)
class Effort:
    """A point of the curve.

    Attributes:
        order: how frames were chosen.
        corrected: frames corrected so far.
        share: of the frames that have a true mask, 0 to 1.
        dice: mean over these frames of the Dice of instrument against background, 0 to 1; an empty mask of an empty
            frame counts as 1.
        pooled: Dice over the pixels of all these frames, 0 to 1.
        adapted: whether the model has learnt from the corrections and kept it.
    """

    order: Order
    corrected: int
    share: float
    dice: float
    pooled: float
    adapted: bool = False


def simulate(
    case: Case,
    truth: str | Path,
    *,
    labels: Literal["parts", "binary"] = "parts",
    how: Order = "queue",
    shares: Sequence[float] = SHARES,
    travel: bool = True,
    learn: bool = True,
    weights: str | Path | None = None,
    seed: int = 0,
    progress: Progress | None = None,
) -> list[Effort]:
    """Correct a copy of a case with known masks, some frames at a time, and measure how good the whole video is.

    Corrections travel (`rasnet.propagation.propagate`), and what is left of the queue is ordered anew for each share.
    When the share `EFFORT` is reached, the model learns (`rasnet.adaptation.adapt`), and all corrections travel once
    more over what it predicts then. The case itself stays as it is.

    Args:
        case: segmented, and not reviewed yet; its video must be where it was.
        truth: folder of index masks, or a case, of all or some of the case's frames.
        labels: what the values of `truth` mean: part ids, or instrument wherever they are not 0.
        how: the order in which the annotator goes.
        shares: of the frames with a true mask, after which Dice is measured; growing.
        travel: whether corrections travel.
        learn: whether the model learns.
        weights: checkpoint that it goes on from; as for `rasnet.adaptation.adapt`.
        seed: of a random order.
        progress: told of every share.

    Returns:
        The curve, by growing effort.

    Raises:
        RASNetError: case and truth have no frame in common, somebody has reviewed the case, or a step fails.
    """
    progress = progress or SilentProgress()
    if any(row.status != "predicted" for row in case.frames()):
        raise RASNetError(
            f"somebody has reviewed {case.folder}, and a simulation begins at the beginning; "
            "segment the video into a new case for it"
        )
    sequence = _open_truth(Path(truth), labels)
    try:
        curve: list[Effort] = []
        # Whoever takes every n-th frame chooses n beforehand: each share begins anew.
        for run in [[share] for share in shares] if how == "every n-th" else [shares]:
            with _copied(case) as copy:
                annotator = _Annotator(copy, _in_common(copy, sequence), labels, travel, weights)
                curve += _follow(annotator, how, run, learn, seed, progress)
        return curve
    finally:
        sequence.close()


def effort_for(curve: Sequence[Effort], target: float = TARGET) -> float | None:
    """Share of the frames, 0 to 1, after which the mean Dice reaches a target; None where it never does."""
    return next((point.share for point in curve if point.dice >= target), None)


def write_curve(curves: Sequence[Effort], output: str | Path) -> None:
    """Write points as CSV, one a line.

    Raises:
        RASNetError: the file cannot be written.
    """
    with clear_errors(Path(output)), whole_file(Path(output)) as path, path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([field.name for field in fields(Effort)])
        writer.writerows(
            [round(value, 4) if isinstance(value, float) else value for value in astuple(point)] for point in curves
        )


class _Annotator:
    """Corrects a case with known masks.

    Args:
        case: a copy.
        truth: reads the true mask of a frame, by index.
        labels: what its values mean.
        travel: whether corrections travel.
        weights: checkpoint that the model learns from.
    """

    def __init__(
        self, case: Case, truth: dict[int, Reader], labels: str, travel: bool, weights: str | Path | None
    ) -> None:
        self.case = case
        self.truth = truth
        self.done: list[int] = []
        self._has_parts = labels == "parts"
        self._travels = travel
        self._weights = weights

    def correct(self, indices: Sequence[int]) -> None:
        """Correct frames, all of them before any travels."""
        for index in indices:
            true, old = self.truth[index](), self.case.mask(index)
            known = true != IGNORE
            mask = np.where(known, _layers(true, old), old)
            parts = None
            if self._has_parts:
                before = self.case.parts(index)
                parts = np.where(true == ANY_INSTRUMENT, 0, true).astype(np.uint8)
                parts = np.where(known, parts, 0 if before is None else before).astype(np.uint8)
            self.case.correct(index, mask, parts, who=WHO, tool=TOOL)
        self.done += indices
        if self._travels:
            propagate(self.case, indices)

    def learn(self) -> bool:
        """Let the model learn; where it keeps that, corrections travel over its new masks."""
        from rasnet.adaptation import adapt

        if not adapt(self.case, weights=self._weights, who=WHO).kept:
            return False
        if self._travels:
            propagate(self.case, self.done)
        return True

    def measure(self) -> tuple[float, float]:
        """Mean Dice of the frames, and Dice of all their pixels."""
        counts = []
        for index, read in self.truth.items():
            true = read()
            known = true != IGNORE
            found, wanted = (self.case.mask(index) > 0) & known, (true > 0) & known
            counts.append((2 * np.count_nonzero(found & wanted), np.count_nonzero(found) + np.count_nonzero(wanted)))
        twice, sizes = np.array(counts, np.float64).T
        each = np.divide(twice, sizes, out=np.ones_like(sizes), where=sizes > 0)
        return float(each.mean()), float(twice.sum() / sizes.sum()) if sizes.sum() else 1.0


def _follow(
    annotator: _Annotator, how: Order, shares: Sequence[float], learn: bool, seed: int, progress: Progress
) -> list[Effort]:
    """Go along the shares."""
    frames = list(annotator.truth)
    curve: list[Effort] = []
    adapted = False
    progress.start("simulate", len(shares))
    for share in shares:
        count = round(share * len(frames))
        annotator.correct(_next(annotator, how, count, seed))
        curve.append(Effort(how, len(annotator.done), len(annotator.done) / len(frames), *annotator.measure(), adapted))
        if learn and not adapted and share >= EFFORT:
            learn = False  # once is enough
            try:
                adapted = annotator.learn()
            except RASNetError as error:
                progress.note(str(error))
            if adapted:
                last = curve[-1]
                curve.append(Effort(how, last.corrected, last.share, *annotator.measure(), adapted))
        progress.advance()
    progress.finish(dice=curve[-1].dice, share=curve[-1].share)
    return curve


def _next(annotator: _Annotator, how: Order, count: int, seed: int) -> list[int]:
    """Frames to correct so that `count` are done."""
    lacking = count - len(annotator.done)
    if lacking <= 0:
        return []
    frames = list(annotator.truth)
    if how == "queue":
        chosen = [entry.index for entry in order(annotator.case) if entry.index in annotator.truth]
    elif how == "every n-th":
        chosen = [frames[int((place + 0.5) * len(frames) / lacking)] for place in range(lacking)]
    else:
        chosen = random.Random(seed).sample(frames, len(frames))
    done = set(annotator.done)
    rest = [index for index in frames if index not in chosen]
    return [index for index in [*chosen, *rest] if index not in done][:lacking]


def _layers(true: Mask, old: Mask) -> Mask:
    """True instrument pixels in the layer that is nearest to them; layer 1 where there is none."""
    if not old.any():
        return (true > 0).astype(np.uint8)
    _, nearest = cv2.distanceTransformWithLabels(
        (old == 0).astype(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
    )
    layer_of = np.zeros(nearest.max() + 1, np.uint8)
    layer_of[nearest[old > 0]] = old[old > 0]
    layers: Mask = layer_of[nearest] * (true > 0)
    return layers


def _open_truth(truth: Path, labels: str) -> MaskSequence:
    sequences = open_sequences(truth, label_schema(labels), truth=True)
    if len(sequences) > 1:
        for sequence in sequences.values():
            sequence.close()
        raise RASNetError(f"{truth} holds {len(sequences)} sequences; give the folder of one")
    return next(iter(sequences.values()))


def _in_common(case: Case, sequence: MaskSequence) -> dict[int, Reader]:
    """Readers of the true masks of frames that the case has a mask of, by index."""
    have = {row.index for row in case.frames() if row.mask_sha256 is not None}
    readers = {key: read for key, read in sequence.frames.items() if isinstance(key, int) and key in have}
    if not readers:
        raise RASNetError(
            f"no true mask is of a frame that {case.folder} has a mask of; the last number in a file's name must be "
            "the index of its frame"
        )
    size = case.info.height, case.info.width
    shape = next(iter(readers.values()))().shape
    if shape != size:
        raise RASNetError(
            f"true masks are {shape[1]}x{shape[0]} and the video is {size[1]}x{size[0]}; give masks of the full frame"
        )
    return readers


@contextmanager
def _copied(case: Case) -> Iterator[Case]:
    """A copy of a case, in a temporary folder, as it is at one moment."""
    with tempfile.TemporaryDirectory(prefix="rasnet-simulate-") as place:
        folder = Path(place) / case.folder.resolve().name
        shutil.copytree(case.folder, folder, ignore=shutil.ignore_patterns("case.db*", "writer.lock"))
        with (
            closing(sqlite3.connect(case.folder / "case.db")) as here,
            closing(sqlite3.connect(folder / "case.db")) as there,
        ):
            here.backup(there)
        with Case.open(folder) as copy:
            yield copy
