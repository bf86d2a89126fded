"""All figures of a set of masks, one frame at a time: memory does not grow with the number of frames."""

from __future__ import annotations

import zlib
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from rasnet.errors import RASNetError
from rasnet.labels import LabelSchema
from rasnet.metrics.boundary import TOLERANCE
from rasnet.metrics.figures import INSTRUMENT, METRICS, compute_figures
from rasnet.metrics.results import ALL, Figure, Over, Results
from rasnet.metrics.tallies import Tallies, measure_frame

FloatArray = npt.NDArray[np.float64]

REPLICATES = 1000
COVERAGE = 95
"""Per cent that an interval covers."""


@dataclass
class _Sequence:
    """What one sequence has added so far.

    Attributes:
        frames: how many.
        total: of all frames.
        replicates: (replicates, width), of as many bootstrap samples of the frames.
        random: of this sequence's samples.
    """

    frames: int
    total: Tallies
    replicates: FloatArray
    random: np.random.Generator

    def add(self, frame: Tallies) -> None:
        """Add a frame to the total, and to each bootstrap sample as often as it is drawn."""
        self.frames += 1
        self.total.values[:] += frame.values
        drawn = self.random.poisson(1.0, len(self.replicates))
        held = np.flatnonzero(frame.values)
        self.replicates[:, held] += drawn[:, None] * frame.values[held]

    @property
    def partial(self) -> bool:
        """Whether the truth of any frame does not tell classes apart."""
        return bool(self.total.partial.any())

    def known(self) -> tuple[FloatArray, FloatArray]:
        """Total and replicates, without the classes if the truth does not tell them apart everywhere."""
        replicates = Tallies(self.replicates, self.total.classes)
        if self.partial:
            return self.total.without_classes().values, replicates.without_classes().values
        return self.total.values, replicates.values


class SegmentationMetrics:
    """Compares masks with true ones, frame by frame, and gives the figures of `rasnet.metrics.figures.METRICS`.

    Every figure has a 95 % bootstrap percentile interval. That of a set of several sequences comes of drawing whole
    sequences: frames of one sequence resemble each other. That of one sequence can only come of drawing frames
    (each counts a Poisson(1) number of times in each sample, so that no frame need be kept), says so, and is too
    narrow for what another sequence would give.

    A truth may hold `ANY_INSTRUMENT` and `IGNORE`. A sequence in which any pixel is `ANY_INSTRUMENT` counts for
    instrument against background alone.

    Args:
        schema: the classes.
        tolerance: of the normalised surface Dice, as a share of the picture's diagonal.
        replicates: bootstrap samples.
        seed: of the bootstrap.

    Examples:
        >>> metrics = SegmentationMetrics(LabelSchema.load("instrument_parts"))
        >>> mask = np.uint8([[0, 1, 1, 2]])
        >>> metrics.add("operation 1", predicted=mask, truth=mask)
        1.0
        >>> metrics.results().value("pooled_dice", "shaft")
        1.0
    """

    def __init__(
        self, schema: LabelSchema, *, tolerance: float = TOLERANCE, replicates: int = REPLICATES, seed: int = 0
    ) -> None:
        if not 0 <= tolerance <= 1:
            raise RASNetError(f"the tolerance {tolerance} is not a share of the diagonal; give 0 to 1, such as 0.02")
        self.schema = schema
        self.tolerance = tolerance
        self._replicates = replicates
        self._seed = seed
        self._sequences: dict[str, _Sequence] = {}

    def add(
        self,
        sequence: str,
        predicted: npt.NDArray[np.uint8],
        truth: npt.NDArray[np.uint8],
        *,
        spacing: tuple[float, float] = (1.0, 1.0),
    ) -> float:
        """Add a frame.

        Args:
            sequence: that the frame is of: what a bootstrap may not part.
            predicted: class ids, uint8 (H, W).
            truth: class ids, `ANY_INSTRUMENT` or `IGNORE`, uint8 (H, W).
            spacing: height and width of a pixel, where it is not square.

        Returns:
            The frame's Dice of instrument against background; 1 where neither mask has any.

        Raises:
            RASNetError: the masks differ in size or hold a value that means nothing; the frame is not counted.
        """
        if sequence == ALL:
            raise RASNetError(f"a sequence cannot be called '{ALL}', which names the whole set; rename it")
        frame = measure_frame(predicted, truth, len(self.schema), self.tolerance, spacing)
        if sequence not in self._sequences:
            self._sequences[sequence] = self._begin(sequence)
        self._sequences[sequence].add(frame)
        overlap, found, true = frame.binary
        return float(2 * overlap / (found + true)) if found + true else 1.0

    def results(self) -> Results:
        """Compute every figure, of each sequence and of the set.

        Raises:
            RASNetError: no frame was added.
        """
        if not self._sequences:
            raise RASNetError("there is no frame to evaluate; add some first")
        everyone = list(self._sequences)
        full = [name for name in everyone if not self._sequences[name].partial]
        # What a set says of classes comes from the sequences that know them, and so do its intervals.
        figures = [figure for figure in self._of_set(full) if figure.label != INSTRUMENT]
        figures += [figure for figure in self._of_set(everyone) if figure.label == INSTRUMENT]
        figures.sort(key=lambda figure: list(METRICS).index(figure.metric))
        for name in everyone:
            figures += self._of_one(name, name)
        matrix = sum((self._sequences[name].total.matrix for name in full), Tallies.zero(len(self.schema)).matrix)
        return Results(
            figures=tuple(figures),
            labels=tuple(label.name for label in self.schema.labels),
            frames={name: sequence.frames for name, sequence in self._sequences.items()},
            confusion=matrix.astype(np.int64),
            tolerance=self.tolerance,
        )

    def _begin(self, name: str) -> _Sequence:
        width = Tallies.width(len(self.schema))
        random = np.random.default_rng([self._seed, zlib.crc32(name.encode())])  # whatever the order of sequences
        return _Sequence(0, Tallies.zero(len(self.schema)), np.zeros((self._replicates, width)), random)

    def _of_set(self, names: list[str]) -> list[Figure]:
        """Figures of some sequences taken together."""
        if not names:
            return []
        if len(names) == 1:
            return self._of_one(names[0], ALL)
        totals = np.stack([self._sequences[name].known()[0] for name in names])
        random = np.random.default_rng(self._seed)
        drawn = random.multinomial(len(names), np.full(len(names), 1 / len(names)), size=self._replicates)
        frames = sum(self._sequences[name].frames for name in names)
        return self._figures(ALL, totals.sum(axis=0), drawn @ totals, "sequences", frames)

    def _of_one(self, name: str, called: str) -> list[Figure]:
        """Figures of one sequence."""
        sequence = self._sequences[name]
        over: Over = "frames" if sequence.frames > 1 else None
        return self._figures(called, *sequence.known(), over, sequence.frames)

    def _figures(self, name: str, total: FloatArray, replicates: FloatArray, over: Over, frames: int) -> list[Figure]:
        labels = [label.name for label in self.schema.instruments]
        values = compute_figures(Tallies(total, len(self.schema)), labels)
        samples = compute_figures(Tallies(replicates, len(self.schema)), labels)
        return [
            Figure(name, metric, label, float(value), *_interval(samples[metric, label], over), over, frames)
            for (metric, label), value in values.items()
            if not np.isnan(value)
        ]


def _interval(samples: FloatArray, over: Over) -> tuple[float | None, float | None]:
    """Percentiles of the samples that have a figure at all."""
    samples = samples[~np.isnan(samples)]
    if over is None or not len(samples):
        return None, None
    tail = (100 - COVERAGE) / 2
    low, high = np.percentile(samples, [tail, 100 - tail])
    return float(low), float(high)
