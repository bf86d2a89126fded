"""The curve of annotation effort: how good a video is after how many corrections."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rasnet.errors import RASNetError
from rasnet.files import clear_errors, whole_file

if TYPE_CHECKING:
    from rasnet.simulation import Effort

_DPI = 130
_STYLES = {  # colours of Okabe and Ito
    "queue": ("#0072b2", "o"),
    "every n-th": ("#e69f00", "s"),
    "random": ("#999999", "^"),
}


def write_effort(points: Sequence[Effort], output: str | Path) -> None:
    """Draw mean Dice by the share of frames corrected, a line an order, with the target.

    Args:
        points: of one or several curves, each by growing effort.
        output: the picture to write; its ending chooses the format.

    Raises:
        RASNetError: it cannot be written, or matplotlib is not installed.
    """
    from rasnet.simulation import EFFORT, TARGET

    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        raise RASNetError("the curve needs matplotlib; install it with `pip install matplotlib`") from error
    figure = Figure(figsize=(7.2, 4.4), dpi=_DPI, layout="constrained")
    FigureCanvasAgg(figure)
    axis = figure.add_subplot()
    for how in dict.fromkeys(point.order for point in points):
        curve = [point for point in points if point.order == how]
        color, marker = _STYLES[how]
        x, y = [100 * point.share for point in curve], [point.dice for point in curve]
        axis.plot(x, y, color=color, marker=marker, markersize=5, label=how)
        if learnt := [point for point in curve if point.adapted][:1]:
            axis.annotate(
                "the model has learnt",
                (100 * learnt[0].share, learnt[0].dice),
                xytext=(-8, 10),
                ha="right",
                textcoords="offset points",
                fontsize=8.5,
                color=color,
            )
    axis.axhline(TARGET, color="0.55", linewidth=1, linestyle="--")
    axis.axvline(100 * EFFORT, color="0.55", linewidth=1, linestyle="--")
    axis.text(
        0.01, TARGET, f"target {TARGET}", transform=axis.get_yaxis_transform(), va="bottom", color="0.4", fontsize=8.5
    )
    axis.set_xlabel("frames corrected, %")
    axis.set_ylabel("mean Dice of all frames")
    axis.set_title("Annotation effort", loc="left", fontsize=11, weight="bold")
    axis.legend(frameon=False, loc="lower right", fontsize=9)
    for side in ("top", "right"):
        axis.spines[side].set_visible(False)
    with clear_errors(Path(output)), whole_file(Path(output)) as path:
        figure.savefig(path)
