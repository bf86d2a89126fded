"""Dice from pixel counts pooled over whole validation sources, at the size that masks are kept at."""

from __future__ import annotations

import math
from typing import Any

import torch
from ignite.engine import Engine, Events
from torch import Tensor

from rasnet.inference.segmenter import decide
from rasnet.labels import ANY_INSTRUMENT, IGNORE, LabelSchema

INSTRUMENT = "instrument"


class PooledDice:
    """Measures a MONAI evaluator, source by source: ``<source> instrument``, and ``<source> <part>`` where known.

    The metric that it is attached as is the mean over the sources of the Dice of instrument against background, so
    that a long video counts no more than a short one.

    Args:
        schema: names the network's channels.
    """

    def __init__(self, schema: str = "instrument_parts") -> None:
        self._names = [INSTRUMENT, *(label.name for label in LabelSchema.load(schema).instruments)]
        self._counts: dict[str, Tensor] = {}
        self._partial: set[str] = set()

    def attach(self, engine: Engine, name: str) -> None:
        """Follow an evaluator whose batches hold ``source`` and ``label``, and whose output holds ``pred``."""
        engine.add_event_handler(Events.EPOCH_STARTED, self._reset)
        engine.add_event_handler(Events.ITERATION_COMPLETED, self._count)
        engine.add_event_handler(Events.EPOCH_COMPLETED, self._compute, name)

    def update(self, source: str, scores: Tensor, label: Tensor) -> None:
        """Count the pixels of a batch.

        Args:
            source: that the batch is of.
            scores: float (B, C, h, w).
            label: integers (B, H, W): class ids, `ANY_INSTRUMENT` or `IGNORE`.
        """
        found = decide(scores.float(), (label.shape[-2], label.shape[-1]))
        known = label != IGNORE
        counts = [_counts(found > 0, label > 0, known)]
        counts += [_counts(found == part, label == part, known) for part in range(1, len(self._names))]
        self._counts[source] = self._counts.get(source, 0) + torch.stack(counts)
        if (label == ANY_INSTRUMENT).any():
            self._partial.add(source)

    def result(self) -> dict[str, float]:
        """Give each source's figures; nan where neither truth nor prediction holds the class."""
        figures = {}
        for source, counts in self._counts.items():
            names = [INSTRUMENT] if source in self._partial else self._names
            for name, (overlap, sizes) in zip(names, counts.tolist(), strict=False):
                figures[f"{source} {name}"] = 2 * overlap / sizes if sizes else math.nan
        return figures

    def _reset(self, _: Engine) -> None:
        self._counts, self._partial = {}, set()

    def _count(self, engine: Any) -> None:
        batch, output = engine.state.batch, engine.state.output
        self.update(batch["source"], output["pred"], output["label"])

    def _compute(self, engine: Any, name: str) -> None:
        figures = self.result()
        instrument = [figures[f"{source} {INSTRUMENT}"] for source in self._counts]
        engine.state.metrics.update(figures)
        engine.state.metrics[name] = sum(instrument) / len(instrument)


def _counts(found: Tensor, truth: Tensor, known: Tensor) -> Tensor:
    """Pixels in common, and the sum of both sizes: int64 (2,)."""
    found, truth = found & known, truth & known
    return torch.stack([(found & truth).sum(), found.sum() + truth.sum()])
