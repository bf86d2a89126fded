"""From predictions to figures, on the paper's split and over the four folds together."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from rasnet.datasets.endovis2017 import TYPES
from rasnet.datasets.split_frames import SplitFrames
from rasnet.metrics import Figure, Results, SegmentationMetrics, write_json
from rasnet.progress import Progress
from rasnet.reproduction.runs import Predictions


def evaluate(
    parts: Sequence[tuple[SplitFrames, Predictions]], kept: Path, newest: float, task: str, progress: Progress
) -> Results:
    """Compare predictions with the truth, or read what an earlier comparison has found.

    Args:
        parts: test frames and what was predicted for them: one pair, or one for each fold.
        kept: the file that the figures are kept in.
        newest: time of the last change of the predictions, seconds; figures from before are computed again.
        task: for the progress.
        progress: told of every frame.
    """
    if kept.is_file() and kept.stat().st_mtime >= newest:
        return results_from_json(json.loads(kept.read_text(encoding="utf-8")))
    metrics = SegmentationMetrics(TYPES)
    progress.start(task, sum(len(frames) for frames, _ in parts))
    for frames, predictions in parts:
        for group in frames.groups:
            for predicted, truth in zip(predictions[group.source.name], group.masks.numpy(), strict=True):
                metrics.add(group.source.name, predicted, truth)
                progress.advance()
    results = metrics.results()
    write_json(kept, results.to_json())
    progress.finish()
    return results


def results_from_json(data: Mapping[str, Any]) -> Results:
    """Build results from the object that `Results.to_json` gives."""
    return Results(
        figures=tuple(Figure(**figure) for figure in data["figures"]),
        labels=tuple(data["labels"]),
        frames=dict(data["frames"]),
        confusion=np.array(data["confusion"], np.int64),
        tolerance=data["tolerance"],
    )
