"""The paper's tables with what was measured beside what the paper says."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from rasnet.datasets.endovis2017 import TYPES
from rasnet.datasets.endovis2017_check import TableRow
from rasnet.metrics import MEAN, Results
from rasnet.reproduction import paper
from rasnet.reproduction.plan import EXPERIMENTS, Plan

NOT_RUN = "not run"

_TITLES = {experiment.name: experiment.title for experiment in EXPERIMENTS}
_MEASURED = ("Dice", "IoU", "fg. Dice", "fg. IoU")
_METRICS = ("pooled_dice", "pooled_iou", "paper_foreground_only_dice", "paper_foreground_only_iou")


@dataclass(frozen=True)
class Table:
    """A table for people.

    Attributes:
        title: above it.
        headings: of the columns; the first is that of the rows' names.
        rows: text.
        notes: below it.
    """

    title: str
    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    notes: str = ""


def table_one_of(rows: list[TableRow]) -> Table:
    """Instances in the data and in the paper."""
    total = tuple(str(sum(column)) for column in zip(*(row[1:] for row in rows), strict=True))
    body = tuple((row.name, *map(str, row[1:])) for row in rows)
    headings = ("instances", "train", "test", "paper: train", "paper: test")
    note = "Instruments in view, summed over frames; validation frames count with the training."
    return Table("Table I: instances", headings, (*body, ("Total", *total)), note)


def table_two(plan: Plan, results: Mapping[str, Results]) -> Table:
    """RASNet from random and from ImageNet weights."""
    rows = tuple(_row(words, name, results, paper.TABLE_II[name]) for words, name in _INITIALISATIONS)
    note = "" if plan.weights["resnet50"] else "Without ImageNet weights (--resnet50) there is no pre-trained network."
    return Table("Table II: initialisation of RASNet", _headings("encoder"), rows, note)


def table_three(plan: Plan, results: Mapping[str, Results]) -> Table:
    """Networks."""
    rows = tuple(
        _row(_TITLES[name], plan.main.name if name == "rasnet" else name, results, score)
        for name, score in paper.TABLE_III.items()
    )
    note = "" if plan.weights["resnet50"] else "All networks start from random weights; the paper's from ImageNet's."
    return Table("Table III: networks", _headings("network"), rows, note)


def table_four(plan: Plan, results: Mapping[str, Results]) -> Table:
    """RASNet by type."""
    measured = results.get(plan.main.name)
    rows = tuple(
        (name if name != MEAN else "Mean", *_figures(measured, name), *_both(paper.TABLE_IV[name]))
        for name in (*(label.name for label in TYPES.instruments), MEAN)
    )
    return Table(f"Table IV: {plan.main.title} by type", _headings("type"), rows)


def table_of_folds(plan: Plan, results: Mapping[str, Results]) -> Table:
    """All networks on the four folds, with later work."""
    metrics = ("pooled_dice", "pooled_iou", "challenge_iou", "isi_iou", "mc_iou")
    rows = [
        (_TITLES[name], *(_per_cent(result.value(metric), result, metric) for metric in metrics))
        for name, result in results.items()
    ]
    rows += [
        (f"{name} (published)", "", "", *("" if value is None else f"{value:.1f}" for value in score))
        for name, score in paper.FOLDS.items()
    ]
    return Table(
        "Four folds: no sequence on both sides",
        ("network", "Dice", "IoU", "Challenge IoU", "ISI IoU", "mc IoU"),
        tuple(rows),
        "Every sequence is tested by a network that never saw it. In brackets: 95 % interval over sequences.",
    )


_INITIALISATIONS = (("random", "rasnet_random"), ("pre-trained on ImageNet", "rasnet"))


def _headings(first: str) -> tuple[str, ...]:
    return (first, *_MEASURED, "paper: Dice", "paper: IoU")


def _row(words: str, name: str, results: Mapping[str, Results], score: paper.Score) -> tuple[str, ...]:
    return (words, *_figures(results.get(name), MEAN), *_both(score))


def _figures(results: Results | None, label: str) -> tuple[str, ...]:
    if results is None:
        return (NOT_RUN, *[""] * (len(_METRICS) - 1))
    return tuple(_per_cent(results.value(metric, label)) for metric in _METRICS)


def _both(score: paper.Score) -> tuple[str, str]:
    return f"{score.dice:.2f}", f"{score.iou:.2f}"


def _per_cent(value: float, results: Results | None = None, metric: str = "") -> str:
    """Write a share in per cent, with its interval where results are given."""
    if math.isnan(value):
        return "-"
    figure = results.find(metric) if results is not None else None
    interval = ""
    if figure is not None and figure.low is not None and figure.high is not None:
        interval = f" ({100 * figure.low:.0f}-{100 * figure.high:.0f})"
    return f"{100 * value:.2f}{interval}"
