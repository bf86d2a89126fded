"""Dice of every class from pixel counts pooled over all validation frames: what the paper's tables hold."""

from __future__ import annotations

import math
from typing import Any

import torch
from ignite.engine import Engine, Events
from torch import Tensor

from rasnet.inference.segmenter import decide
from rasnet.labels import LabelSchema


class PooledConfusion:
    """Measures a MONAI evaluator: the confusion matrix of all its frames, the Dice of each class, and their mean.

    The metric that it is attached as is the mean over the instrument classes that truth or prediction hold.
    Pixels whose class nobody knows (`rasnet.labels.ANY_INSTRUMENT`, `rasnet.labels.IGNORE`) do not count.

    Args:
        schema: names the network's channels.

    Attributes:
        matrix: pixels by true (row) and predicted (column) class, int64 (C, C), on the CPU.
    """

    def __init__(self, schema: str) -> None:
        self.schema = LabelSchema.load(schema)
        self._counts: Tensor | None = None

    def attach(self, engine: Engine, name: str) -> None:
        """Follow an evaluator whose batches hold ``label``, and whose output holds ``pred``."""
        engine.add_event_handler(Events.EPOCH_STARTED, self._reset)
        engine.add_event_handler(Events.ITERATION_COMPLETED, self._count)
        engine.add_event_handler(Events.EPOCH_COMPLETED, self._compute, name)

    @property
    def matrix(self) -> Tensor:
        """Pixels by true and predicted class so far."""
        return torch.zeros(self._shape, dtype=torch.int64) if self._counts is None else self._counts.cpu()

    def update(self, scores: Tensor, label: Tensor) -> None:
        """Count the pixels of a batch.

        Args:
            scores: float (B, C, h, w).
            label: integers (B, H, W).
        """
        classes = len(self.schema)
        found = decide(scores.float(), (label.shape[-2], label.shape[-1])).long()
        known = label < classes
        pairs = (label.long() * classes + found)[known]
        counts = torch.bincount(pairs, minlength=classes**2).view(self._shape)
        self._counts = counts if self._counts is None else self._counts + counts

    def result(self) -> dict[str, float]:
        """Give the Dice of each instrument class; nan where neither truth nor prediction holds it."""
        matrix = self.matrix.double()
        sizes = (matrix.sum(dim=0) + matrix.sum(dim=1)).tolist()
        overlap = matrix.diagonal().tolist()
        return {
            label.name: 2 * overlap[label.id] / sizes[label.id] if sizes[label.id] else math.nan
            for label in self.schema.instruments
        }

    @property
    def _shape(self) -> tuple[int, int]:
        return len(self.schema), len(self.schema)

    def _reset(self, _: Engine | None = None) -> None:
        self._counts = None

    def _count(self, engine: Any) -> None:
        self.update(engine.state.output["pred"], engine.state.output["label"])

    def _compute(self, engine: Any, name: str) -> None:
        figures = self.result()
        there = [value for value in figures.values() if not math.isnan(value)]
        engine.state.metrics.update({f"Dice {name}": value for name, value in figures.items()})
        engine.state.metrics[name] = sum(there) / len(there) if there else 0.0
