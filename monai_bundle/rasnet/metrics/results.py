"""Figures with their intervals, and the files that they are kept in."""

from __future__ import annotations

import csv
import json
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from rasnet.files import clear_errors, whole_file
from rasnet.metrics.figures import MEAN, METRICS

ALL = "all"
"""The name of the whole set, among those of its sequences."""

Over = Literal["sequences", "frames"] | None
"""What a bootstrap interval comes of drawing; None where there was only one of it, and so no interval."""


@dataclass(frozen=True)
class Figure:
    """One number.

    Attributes:
        sequence: that it is of; `ALL` for the set.
        metric: a key of `METRICS`.
        label: a class, `MEAN` or `INSTRUMENT`.
        value: the figure.
        low: lower end of its 95 % interval; None where there is none.
        high: upper end.
        over: what the interval comes of drawing.
        frames: that were compared.
    """

    sequence: str
    metric: str
    label: str
    value: float
    low: float | None
    high: float | None
    over: Over
    frames: int


@dataclass(frozen=True, eq=False)
class Results:
    """All figures of a comparison.

    Attributes:
        figures: those of the set, then those of each sequence.
        labels: names of the classes, background first.
        frames: number of frames of each sequence.
        confusion: int64 (C, C): pixels of the set by true class (rows) and predicted class. Sequences whose truth does
            not tell classes apart are not in it.
        tolerance: of the normalised surface Dice, as a share of the diagonal.
    """

    figures: tuple[Figure, ...]
    labels: tuple[str, ...]
    frames: dict[str, int]
    confusion: npt.NDArray[np.int64]
    tolerance: float

    def find(self, metric: str, label: str = MEAN, sequence: str = ALL) -> Figure | None:
        """Find one figure; None where there was nothing to measure."""
        wanted = (sequence, metric, label)
        found = (figure for figure in self.figures if (figure.sequence, figure.metric, figure.label) == wanted)
        return next(found, None)

    def value(self, metric: str, label: str = MEAN, sequence: str = ALL) -> float:
        """Give the value of one figure; nan where there was nothing to measure."""
        figure = self.find(metric, label, sequence)
        return float("nan") if figure is None else figure.value

    def to_json(self) -> dict[str, Any]:
        """Give all of it as an object that JSON can hold."""
        return {
            "metrics": {name: words for name, words in METRICS.items() if self._has(name)},
            "tolerance": self.tolerance,
            "frames": self.frames,
            "labels": list(self.labels),
            "confusion": self.confusion.tolist(),
            "figures": [asdict(figure) for figure in self.figures],
        }

    def _has(self, metric: str) -> bool:
        return any(figure.metric == metric for figure in self.figures)


def write_csv(path: str | Path, results: dict[str, Results]) -> None:
    """Write figures as a table with one line a figure.

    Args:
        path: the file; it appears whole or not at all.
        results: by the name of what was compared, which is the first column.

    Raises:
        RASNetError: it cannot be written.
    """
    with clear_errors(Path(path)), whole_file(Path(path)) as making, making.open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["masks", *(field.name for field in fields(Figure))])
        for name, result in results.items():
            table.writerows([name, *asdict(figure).values()] for figure in result.figures)


def write_json(path: str | Path, data: dict[str, Any]) -> None:
    """Write an object as a JSON file that appears whole or not at all.

    Raises:
        RASNetError: it cannot be written.
    """
    with clear_errors(Path(path)), whole_file(Path(path)) as making:
        making.write_text(json.dumps(data, indent=1, allow_nan=False) + "\n", encoding="utf-8")
