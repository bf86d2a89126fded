"""Which instrument is in view when, how sure the model was, and what a person said: one picture a video."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from rasnet.errors import RASNetError
from rasnet.files import clear_errors, whole_file
from rasnet.progress import Progress
from rasnet.report.presence import Presence, frame_durations, measure_presence
from rasnet.report.style import NOT_SEGMENTED, STATUS_COLORS, Color, clock

if TYPE_CHECKING:
    from rasnet.case import Case

_WIDTH = 12.0  # inches
_DPI = 130
_HATCHED: dict[str, Any] = {"facecolor": "white", "edgecolor": "0.75", "hatch": "////"}
_TICKS_S = (0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200)


def write_timeline(case: Case, output: str | Path, *, progress: Progress | None = None) -> None:
    """Draw the case over time.

    From top to bottom: a row for each layer in its colour, drawn where the layer is in view; the uncertainty
    of each frame, where the model gave one; and a strip with the status of each frame.

    Args:
        case: the case.
        output: the picture to write; its ending chooses the format (``.png``, ``.svg``, ``.pdf``).
        progress: who watches.

    Raises:
        RASNetError: no frame is segmented yet, or matplotlib is not installed.
    """
    rows = case.frames()
    if not rows:
        raise RASNetError(f"{case.folder} has no segmented frame to draw yet; run `rasnet segment` first")
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        raise RASNetError("the timeline needs matplotlib; install it with `pip install matplotlib`") from error

    presence = measure_presence(case, progress=progress)
    uncertain = any(row.uncertainty is not None for row in rows)
    heights = [0.38 * max(len(presence.layers), 1), *([1.1] if uncertain else []), 0.3]
    figure = Figure(figsize=(_WIDTH, sum(heights) + 1.4), dpi=_DPI, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(len(heights), 1, sharex=True, squeeze=False, height_ratios=heights)[:, 0]
    _draw_layers(axes[0], presence, case)
    if uncertain:
        _draw_uncertainty(axes[1], case)
    _draw_status(axes[-1], case)
    for axis in axes[:-1]:
        axis.tick_params(axis="x", length=0)
    _mark_time(axes[-1], *_time_range(case))
    axes[0].set_title(f"{case.info.source.name}: instruments in view", loc="left", fontsize=12, weight="bold")
    with clear_errors(Path(output)), whole_file(Path(output)) as path:
        figure.savefig(path)


def _draw_layers(axis: Any, presence: Presence, case: Case) -> None:
    durations = frame_durations(case)
    known = {row.index for row in presence.frames}
    unknown = _join([(float(case.times[index]), durations[index]) for index in durations if index not in known])
    rows = max(len(presence.layers), 1)
    # White is "not in view"; where nobody has looked, or is not to be relied on, the paper is hatched.
    axis.broken_barh(unknown, (-0.5, rows), linewidth=0, **_HATCHED)
    for position, layer in enumerate(presence.layers):
        color = _rgb(layer.color)
        bars = [(start, end - start) for start, end in presence.spans(position)]
        # The thin edge keeps a single frame of a long video visible.
        axis.broken_barh(bars, (position - 0.34, 0.68), facecolor=color, edgecolor=color, linewidth=0.7)
        axis.text(
            1.008,
            position,
            f"{sum(length for _, length in bars):.1f} s",
            transform=axis.get_yaxis_transform(),
            va="center",
            fontsize=8.5,
        )
    names = [f"{layer.name}\n{layer.type}" if layer.type else layer.name for layer in presence.layers]
    axis.set_yticks(range(len(names)), names, fontsize=8.5)
    axis.set_ylim(rows - 0.5, -0.5)
    axis.tick_params(axis="y", length=0)
    axis.grid(axis="x", color="0.88", linewidth=0.7)
    axis.set_axisbelow(True)
    axis.text(1.008, 1.03, "on screen", transform=axis.transAxes, va="bottom", fontsize=8.5)
    _frame(axis)


def _draw_uncertainty(axis: Any, case: Case) -> None:
    wanted = case.info.wanted
    # Frames without a figure stay NaN and leave a gap: no line across what was not measured.
    values = {row.index: row.uncertainty for row in case.frames() if row.uncertainty is not None}
    curve = np.array([values.get(index, np.nan) for index in wanted])
    times = case.times[np.array(wanted)]
    axis.fill_between(times, curve, color="0.85", linewidth=0)
    axis.plot(times, curve, color="0.25", linewidth=1.0)
    axis.set_ylim(0, float(np.nanmax(curve)) * 1.15 or 1.0)
    axis.set_ylabel("uncertainty", fontsize=8.5)
    axis.tick_params(axis="y", labelsize=8)
    axis.grid(color="0.88", linewidth=0.7)
    _frame(axis)


def _draw_status(axis: Any, case: Case) -> None:
    durations = frame_durations(case)
    spoken_of = {row.index: row.status for row in case.frames()}
    frames: dict[str, list[int]] = {status: [] for status in STATUS_COLORS}
    for index in durations:
        frames[spoken_of.get(index, NOT_SEGMENTED)].append(index)
    for status, indices in frames.items():
        if not indices:
            continue
        bars = _join([(float(case.times[index]), durations[index]) for index in indices])
        look: dict[str, Any] = {"facecolor": _rgb(STATUS_COLORS[status])}
        if status == NOT_SEGMENTED:
            look = _HATCHED
        axis.broken_barh(bars, (0, 1), linewidth=0, label=f"{status} ({len(indices)})", **look)
    axis.set_ylim(0, 1)
    axis.set_yticks([0.5], ["status"], fontsize=8.5)
    axis.tick_params(axis="y", length=0)
    axis.legend(loc="upper right", bbox_to_anchor=(1, -0.75), ncols=5, fontsize=8.5, frameon=False)
    _frame(axis)


def _mark_time(axis: Any, start: float, end: float) -> None:
    length = end - start
    step = next((tick for tick in _TICKS_S if length / tick <= 12), _TICKS_S[-1])
    ticks = np.arange(np.ceil(start / step), np.floor(end / step + 1e-6) + 1) * step
    axis.set_xlim(start, start + length)
    axis.set_xticks(ticks, [clock(tick, decimals=1 if step < 1 else 0) for tick in ticks], fontsize=8.5)
    axis.set_xlabel("time in the video (min:s)", fontsize=8.5, loc="left")


def _time_range(case: Case) -> tuple[float, float]:
    """Presentation time at which the case's first frame comes and its last one goes, seconds."""
    durations = frame_durations(case)
    first, last = case.info.wanted[0], case.info.wanted[-1]
    return float(case.times[first]), float(case.times[last]) + durations[last]


def _join(bars: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """Join bars that touch, so that a strip of a hundred thousand frames stays a small picture."""
    joined: list[tuple[float, float]] = []
    for start, length in bars:
        if joined and start - sum(joined[-1]) < 1e-6:
            joined[-1] = (joined[-1][0], start + length - joined[-1][0])
        else:
            joined.append((start, length))
    return joined


def _frame(axis: Any) -> None:
    for side in ("top", "right"):
        axis.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        axis.spines[side].set_color("0.6")


def _rgb(color: Color) -> tuple[float, float, float]:
    red, green, blue = color
    return red / 255, green / 255, blue / 255
