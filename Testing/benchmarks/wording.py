"""How figures are written in a page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

_ENGINES = {
    "torch-cpu": "PyTorch float32",
    "torch-cuda": "PyTorch float16 on the GPU",
    "openvino-int8": "OpenVINO int8",
    "openvino-fp16": "OpenVINO float32, weights float16",
    "openvino-fp32": "OpenVINO float32",
}


def engine_name(engine: str) -> str:
    """Write a backend's name for people."""
    return _ENGINES.get(engine, engine)


def number(value: float | None) -> str:
    """Write a figure with about three digits; nothing for None.

    Examples:
        >>> [number(value) for value in (7493.2, 118.06, 46.12, 4.888, 0.0361)]
        ['7,493', '118', '46.1', '4.89', '0.036']
    """
    if value is None:
        return ""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}" if value >= 1 else f"{value:.2g}"


def spread(figures: Mapping[str, float]) -> str:
    """Write a median with the lowest and the highest behind it, or one figure where there is only one."""
    if figures["lowest"] == figures["highest"]:
        return number(figures["median"])
    low, high = number(figures["lowest"]), number(figures["highest"])
    return f"{number(figures['median'])} ({low} to {high})"


def times(value: float, limit: float | None) -> str:
    """Write how many times the limit a figure is; nothing without a limit."""
    return "" if not limit else f"{number(value / limit)} x"


def table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Write a table of Markdown, figures to the right, with an empty line after it."""
    lines = [columns, ["---", *["---:"] * (len(columns) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"
