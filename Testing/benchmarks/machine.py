"""What a benchmark ran on, and how its figures are shown."""

from __future__ import annotations

import json
import os
import platform
import statistics
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import av
import torch
from rich.console import Console
from rich.table import Table

from rasnet import __version__


def describe_machine(device: str) -> dict[str, str]:
    """Name the hardware and the versions that a figure depends on.

    Args:
        device: ``"cpu"`` or ``"cuda"``; for the latter the GPU is named as well.
    """
    machine = {
        "cpu": f"{_cpu_model()}, {usable_cores()} cores",
        "system": platform.platform(terse=True),
        "rasnet": __version__,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "av": av.__version__,
    }
    if device == "cuda":
        machine["gpu"] = torch.cuda.get_device_name()
    return machine


def usable_cores() -> int:
    """Cores that this process may use, which in a container are fewer than the machine has."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def summarize(values: Sequence[float]) -> dict[str, float]:
    """Median, lowest and highest of repeated measurements."""
    return {"median": statistics.median(values), "lowest": min(values), "highest": max(values)}


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


def _cpu_model() -> str:
    information = Path("/proc/cpuinfo")
    if information.exists():
        for line in information.read_text(encoding="utf-8").splitlines():
            name, _, value = line.partition(":")
            if name.strip() == "model name":
                return value.strip()
    return platform.processor() or platform.machine()
