"""What a benchmark ran on, and how its figures are shown."""

from __future__ import annotations

import json
import os
import platform
import statistics
import time
from collections.abc import Callable, Iterable, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.table import Table

from rasnet import __version__
from rasnet.cores import available_cores

# Whose versions a figure depends on, as far as they are installed.
_PACKAGES = ("openvino", "monai", "numpy", "av", "pillow", "opencv-python-headless")


def describe_machine(device: str) -> dict[str, str]:
    """Name the hardware and the versions that a figure depends on.

    Args:
        device: ``"cpu"`` or ``"cuda"``; for the latter the GPU is named as well.
    """
    machine = {
        "cpu": f"{_cpu_model()}, {available_cores()} cores",
        "system": platform.platform(terse=True),
        "rasnet": __version__,
        "python": platform.python_version(),
        "torch": torch.__version__,
        **{name: number for name in _PACKAGES if (number := _version(name)) is not None},
    }
    if device == "cuda":
        machine["gpu"] = torch.cuda.get_device_name()
    return machine


def summarize(values: Sequence[float]) -> dict[str, float]:
    """Median, lowest and highest of repeated measurements."""
    return {"median": statistics.median(values), "lowest": min(values), "highest": max(values)}


def repeat(function: Callable[[], object], seconds: float, least: int = 5) -> dict[str, float]:
    """Call a function again and again, after one call that is not counted; what it leaves to a GPU counts.

    Args:
        function: to measure.
        seconds: about how long to go on.
        least: calls at least.

    Returns:
        Milliseconds a call: median, lowest and highest.
    """
    function()
    synchronize()
    times: list[float] = []
    until = time.perf_counter() + seconds
    while len(times) < least or time.perf_counter() < until:
        began = time.perf_counter()
        function()
        synchronize()
        times.append(1e3 * (time.perf_counter() - began))
    return summarize(times)


def synchronize() -> None:
    """Wait for what a GPU, if there is one, still has to do."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def show(title: str, columns: Sequence[str], rows: Iterable[Sequence[str]], machine: dict[str, str]) -> None:
    """Print a table, and below it what it was measured on."""
    table = Table(title=title, title_justify="left")
    for place, column in enumerate(columns):
        table.add_column(column, justify="right" if place else "left")
    for row in rows:
        table.add_row(*row)
    # Where output is no terminal, rich assumes 80 columns and would cut figures off.
    console = Console() if os.isatty(1) else Console(width=120)
    console.print(table)
    console.print(", ".join(f"{name} {value}" for name, value in machine.items()), highlight=False)


def write_json(path: Path | None, result: dict[str, Any]) -> None:
    """Keep a result for programs, if a file is wished for."""
    if path is not None:
        path.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _cpu_model() -> str:
    information = Path("/proc/cpuinfo")
    if information.exists():
        for line in information.read_text(encoding="utf-8").splitlines():
            name, _, value = line.partition(":")
            if name.strip() == "model name":
                return value.strip()
    return platform.processor() or platform.machine()
