"""Means over sequences and seeds with 95 % intervals, and paired differences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]

Scores = Mapping[str, Mapping[int, float]]
"""One figure of one network: by the sequence that was left out, then by seed."""

REPLICATES = 10_000
COVERAGE = 95
"""Per cent that an interval is meant to cover."""


@dataclass(frozen=True)
class Estimate:
    """A mean.

    Attributes:
        mean: over the sequences of the means over their seeds.
        low: lower end of its interval; None where there is but one run.
        high: upper end.
        runs: how many.
        positive: how many of the runs have a value above 0.
    """

    mean: float
    low: float | None
    high: float | None
    runs: int
    positive: int


def estimate(scores: Scores, replicates: int = REPLICATES) -> Estimate:
    """Average, every sequence as much as any other, and bootstrap the average in two steps.

    A replicate draws as many sequences as there are, with replacement, and of each sequence that it draws as many
    seeds as it has, with replacement. The interval reaches from the 2.5th to the 97.5th percentile of the replicates'
    means. Draws are the same for scores of the same shape.

    Raises:
        ValueError: there is no run.
    """
    rows = [np.array([seeds[seed] for seed in sorted(seeds)]) for _, seeds in sorted(scores.items()) if seeds]
    if not rows:
        raise ValueError("there is no run to average")
    runs, positive = sum(map(len, rows)), int(sum((row > 0).sum() for row in rows))
    mean = float(np.mean([row.mean() for row in rows]))
    if runs == 1:
        return Estimate(mean, None, None, runs, positive)
    low, high = np.percentile(_replicates(rows, replicates), [50 - COVERAGE / 2, 50 + COVERAGE / 2])
    return Estimate(mean, float(low), float(high), runs, positive)


def differences(scores: Scores, reference: Scores) -> dict[str, dict[int, float]]:
    """Subtract a reference, run by run, where both have a run of that sequence and seed."""
    return {
        sequence: {
            seed: value - reference[sequence][seed] for seed, value in seeds.items() if seed in reference[sequence]
        }
        for sequence, seeds in scores.items()
        if sequence in reference
    }


def _replicates(rows: Sequence[FloatArray], count: int) -> FloatArray:
    """Means of bootstrap samples, (count,)."""
    random = np.random.default_rng(0)
    chosen = random.integers(len(rows), size=(count, len(rows)))
    total = np.zeros(count)
    for place in range(len(rows)):
        means = np.stack([row[random.integers(len(row), size=(count, len(row)))].mean(axis=1) for row in rows], axis=1)
        total += means[np.arange(count), chosen[:, place]]
    return total / len(rows)
