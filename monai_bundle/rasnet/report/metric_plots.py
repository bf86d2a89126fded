"""Pictures of how good masks are: confusion matrix, bars a class, reliability curve."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from rasnet.errors import RASNetError
from rasnet.files import clear_errors, whole_file
from rasnet.metrics.figures import INSTRUMENT, MEAN
from rasnet.metrics.results import ALL

if TYPE_CHECKING:
    from rasnet.metrics import ReliabilityCurve, Results

_DPI = 130
_COLORS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00")  # Okabe and Ito


def write_confusion(results: Results, output: str | Path) -> None:
    """Draw the confusion matrix of a set: of each true class, how many per cent of its pixels were taken for which.

    Args:
        results: of the comparison.
        output: the picture to write; its ending chooses the format (``.png``, ``.svg``, ``.pdf``).

    Raises:
        RASNetError: it cannot be written, or matplotlib is not installed.
    """
    matrix = results.confusion.astype(float)
    rows = matrix.sum(axis=1, keepdims=True)
    share = 100 * np.divide(matrix, rows, out=np.full_like(matrix, np.nan), where=rows > 0)
    count = len(results.labels)
    figure = _figure(3.2 + 0.75 * count, 2.2 + 0.6 * count)
    axis = figure.add_subplot()
    image = axis.imshow(share, cmap="Blues", vmin=0, vmax=100, aspect="auto")
    for (row, column), value in np.ndenumerate(share):
        color = "white" if value > 60 else "0.15"
        words = "no pixel" if np.isnan(value) and column == 0 else _per_cent(value)
        axis.text(column, row, words, ha="center", va="center", fontsize=8.5, color=color)
    axis.set_xticks(range(count), results.labels, rotation=35, ha="right", rotation_mode="anchor", fontsize=8.5)
    axis.set_yticks(range(count), [f"{name}\n{_pixels(n)}" for name, n in zip(results.labels, rows[:, 0], strict=True)])
    axis.tick_params(length=0, labelsize=8.5)
    axis.set_xlabel("predicted", fontsize=9.5)
    axis.set_ylabel("true", fontsize=9.5)
    axis.set_title("Pixels by true and predicted class", loc="left", fontsize=11, weight="bold")
    for edge in np.arange(count - 1) + 0.5:
        axis.axhline(edge, color="white", linewidth=1.5)
        axis.axvline(edge, color="white", linewidth=1.5)
    for spine in axis.spines.values():
        spine.set_visible(False)
    bar = figure.colorbar(image, ax=axis, shrink=0.8, ticks=[0, 25, 50, 75, 100])
    bar.set_label("% of the true class", fontsize=8.5)
    bar.ax.tick_params(labelsize=8)
    bar.outline.set_visible(False)
    _save(figure, output)


def write_class_bars(results: dict[str, Results], output: str | Path, metric: str = "pooled_dice") -> None:
    """Draw a metric class by class, with its intervals, for one comparison or several side by side.

    Args:
        results: by the name that the legend gives them.
        output: the picture to write.
        metric: a key of `rasnet.metrics.METRICS` that goes from 0 to 1.

    Raises:
        RASNetError: nothing to draw, it cannot be written, or matplotlib is not installed.
    """
    labels = _labels(results, metric)
    if not labels:
        raise RASNetError(f"no comparison has '{metric}' for any class; choose another metric")
    width = 0.8 / len(results)
    figure = _figure(max(5.0, 1.6 + (0.55 + 0.4 * len(results)) * len(labels)), 4.2)
    axis = figure.add_subplot()
    over = set()
    for place, (name, result) in enumerate(results.items()):
        for position, label in enumerate(labels):
            found = result.find(metric, label)
            if found is None:
                continue
            over.add(found.over)
            x = position + (place - (len(results) - 1) / 2) * width
            color = _COLORS[place % len(_COLORS)]
            axis.bar(x, found.value, 0.92 * width, color=color, label=name if position == 0 else None)
            if found.low is not None and found.high is not None:
                axis.vlines(x, found.low, found.high, color="0.15", linewidth=1.2)
            top = max(found.value, found.high or 0)
            axis.text(x, top + 0.012, f"{found.value:.2f}", ha="center", va="bottom", fontsize=8)
    if MEAN in labels:
        axis.axvline(labels.index(MEAN) - 0.5, color="0.8", linewidth=0.8)
    axis.set_xticks(range(len(labels)), [label.replace(" ", "\n") for label in labels], fontsize=8.5)
    axis.set_ylim(0, 1.09)
    axis.set_yticks(np.linspace(0, 1, 6))
    axis.set_ylabel(metric.replace("_", " ").replace("dice", "Dice").replace("iou", "IoU"), fontsize=9.5)
    axis.tick_params(axis="x", length=0)
    axis.tick_params(axis="y", labelsize=8.5)
    axis.grid(axis="y", color="0.9", linewidth=0.7)
    axis.set_axisbelow(True)
    _open_frame(axis)
    drawn = f"; lines: 95 % bootstrap over {' or '.join(sorted(filter(None, over)))}" if over - {None} else ""
    axis.set_title(f"By class{drawn}", loc="left", fontsize=10)
    if len(results) > 1:
        axis.legend(frameon=False, fontsize=8.5, ncols=3, loc="upper left", bbox_to_anchor=(0, -0.13))
    _save(figure, output)


def write_reliability(curves: dict[str, ReliabilityCurve], output: str | Path) -> None:
    """Draw how often the predicted class is right by how sure the model was, and below how many pixels are how sure.

    Args:
        curves: by the name that the legend gives them, for example before and after the temperature.
        output: the picture to write.

    Raises:
        RASNetError: a curve without pixels, it cannot be written, or matplotlib is not installed.
    """
    if not curves or not all(curve.count.sum() for curve in curves.values()):
        raise RASNetError("a reliability curve needs pixels with a known class; add labelled frames")
    figure = _figure(5.2, 6.0)
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=[3.2, 1])
    start = min(0.5, *(float(curve.confidence.min()) for curve in curves.values()))
    upper.plot([0, 1], [0, 1], color="0.6", linewidth=1, linestyle=(0, (4, 3)), label="as sure as right")
    for (name, curve), color in zip(curves.items(), _COLORS, strict=False):
        words = f"{name}: ECE {curve.ece:.4f}"
        upper.plot(curve.confidence, curve.accuracy, "o-", color=color, markersize=4, linewidth=1.6, label=words)
        lower.plot(curve.confidence, 100 * curve.count / curve.count.sum(), "o-", color=color, markersize=3)
    upper.set_xlim(start - 0.02, 1.01)
    upper.set_ylim(min(start - 0.02, *(float(curve.accuracy.min()) - 0.03 for curve in curves.values())), 1.02)
    upper.set_ylabel("share of pixels that are right", fontsize=9.5)
    upper.set_title("Reliability of the predicted class", loc="left", fontsize=11, weight="bold")
    upper.legend(frameon=False, fontsize=9, loc="upper left")
    lower.set_yscale("log")
    lower.set_ylabel("% of pixels", fontsize=9.5)
    lower.set_xlabel("confidence (probability of the predicted class)", fontsize=9.5)
    for axis in (upper, lower):
        axis.grid(color="0.9", linewidth=0.7)
        axis.tick_params(labelsize=8.5)
        _open_frame(axis)
    _save(figure, output)


def _labels(results: dict[str, Results], metric: str) -> list[str]:
    """The classes that any comparison has a figure of, then mean and instrument."""
    names = dict.fromkeys(name for result in results.values() for name in (*result.labels[1:], MEAN, INSTRUMENT))
    ordered = [name for name in names if name not in (MEAN, INSTRUMENT)] + [MEAN, INSTRUMENT]
    return [name for name in dict.fromkeys(ordered) if any(r.find(metric, name, ALL) for r in results.values())]


def _figure(width: float, height: float) -> Any:
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        raise RASNetError("pictures of metrics need matplotlib; install it with `pip install matplotlib`") from error
    figure = Figure(figsize=(width, height), dpi=_DPI, layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def _save(figure: Any, output: str | Path) -> None:
    with clear_errors(Path(output)), whole_file(Path(output)) as path:
        figure.savefig(path)


def _open_frame(axis: Any) -> None:
    for side in ("top", "right"):
        axis.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        axis.spines[side].set_color("0.6")


def _per_cent(value: float) -> str:
    if np.isnan(value) or value == 0:
        return ""
    return f"{value:.1f}" if value >= 0.05 else "<0.1"


def _pixels(count: float) -> str:
    for size, unit in ((1e6, "M"), (1e3, "k")):
        if count >= size:
            return f"{count / size:.1f} {unit}px"
    return f"{count:.0f} px"
