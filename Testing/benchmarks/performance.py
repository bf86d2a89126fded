"""Everything that RASNet promises about speed and memory, measured on this machine and written as one page.

    python Testing/benchmarks/performance.py
    python Testing/benchmarks/performance.py --device cuda --json gpu.json
    python Testing/benchmarks/performance.py --add gpu.json

The first measures the CPU and, if there is one, the GPU. What another machine has measured is added to the page.
"""

from __future__ import annotations

import json as json_files
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from machine import describe_machine
from material import WeightsOption, chosen_weights
from performance_page import write_page

from rasnet.bundle import bundle_root
from rasnet.inference.backend import checkpoint_sha256

HERE = Path(__file__).parent

# What runs on each device, in this order: a program, and its options. Ten to fifteen minutes on two quiet cores.
PLANS: dict[str, list[tuple[str, str]]] = {
    "cpu": [
        ("limits", ""),
        ("network", ""),
        ("startup", ""),
        ("speed", "--frames 40"),
        ("comparison", "--frames 16"),
        ("many", ""),
        ("live", "--size 1280x1024 --fps 15 --seconds 10"),
        ("memory", "--frames 1000 4000"),
        ("memory", "--frames 1000 4000 --size 320x256"),
    ],
    "cuda": [
        ("limits", ""),
        ("network", "--seconds 1"),
        ("speed", "--frames 3000 --size 1920x1080 --repeat 2"),
        ("live", ""),
        ("speed", "--frames 300"),
        ("startup", "--times 2"),
        ("comparison", "--frames 24"),
        ("memory", "--frames 1000 4000"),
        ("many", "--frames 300 --repeat 1"),
    ],
}

# The same in a minute or two, to see that everything works; its figures mean little.
TRIAL: list[tuple[str, str]] = [
    ("limits", "--seconds 0 --side 512 --megabytes 64"),
    ("network", "--seconds 0 --batch 1"),
    ("startup", "--times 1"),
    ("speed", "--frames 4 --repeat 1 --size 640x512"),
    ("comparison", "--frames 2 --repeat 1 --size 640x512"),
    ("many", "--videos 2 --frames 4 --repeat 1 --size 640x512"),
    ("live", "--size 320x256 --fps 5 --seconds 2"),
    ("memory", "--frames 4 8 --size 320x256"),
]


def measure(device: str, weights: list[Path], plan: list[tuple[str, str]]) -> Iterator[dict[str, Any]]:
    """Run programs, one after another.

    Args:
        device: ``"cpu"`` or ``"cuda"``.
        weights: to measure with.
        plan: names of programs, and their options.

    Yields:
        After every program the run so far, as `performance_page` reads it: its ``results`` are lists by program, and
        ``failed`` names the programs that have left none.
    """
    run: dict[str, Any] = {
        "made": datetime.now(timezone.utc).date().isoformat(),
        "device": device,
        "machine": describe_machine(device),
        "weights": checkpoint_sha256(weights[0])[:8],
        "load": os.getloadavg()[0],
        "results": {},
        "failed": [],
    }
    with tempfile.TemporaryDirectory() as folder:
        for place, (program, options) in enumerate(plan):
            result = Path(folder) / f"{place}.json"
            command = [sys.executable, str(HERE / f"{program}.py"), *options.split()]
            command += ["--device", device, "--json", str(result)]
            for path in {"limits": [], "memory": weights[-1:]}.get(program, weights):
                command += ["--weights", str(path)]
            # Threads that spin while they wait take the cores from other stages; `rasnet` sets this by itself.
            subprocess.run(command, check=False, env={"OMP_WAIT_POLICY": "PASSIVE", **os.environ})
            if result.is_file():
                run["results"].setdefault(program, []).append(json_files.loads(result.read_text(encoding="utf-8")))
            else:
                run["failed"].append(f"{program} {options}".strip())
            yield run


def read_runs(path: Path) -> list[dict[str, Any]]:
    """Read what ``--json`` has kept on another machine.

    Raises:
        SystemExit: there is no such file, or it holds something else.
    """
    try:
        runs: list[dict[str, Any]] = json_files.loads(path.read_text(encoding="utf-8"))
        if all("results" in run and "machine" in run for run in runs):
            return runs
    except (OSError, ValueError, TypeError):
        pass
    raise SystemExit(f"{path} cannot be added; give a file that performance.py --json has written")


def here() -> list[str]:
    """Devices of this machine."""
    import torch

    return ["cpu", "cuda"] if torch.cuda.is_available() else ["cpu"]


def main(
    device: Annotated[
        Literal["all", "cpu", "cuda", "none"],
        typer.Option(help="What to measure; all takes the CPU and a GPU if there is one, none only writes the page."),
    ] = "all",
    weights: WeightsOption = None,
    add: Annotated[
        list[Path] | None, typer.Option(metavar="FILE", help="Figures of another machine; may be given again.")
    ] = None,
    json: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Keep what was measured here, to be added elsewhere.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The page.", show_default="the bundle's docs/performance.md")
    ] = None,
    trial: Annotated[bool, typer.Option("--trial", help="Measure little, to see that everything works.")] = False,
) -> None:
    """Measure this machine, and write the page on performance."""
    added = [run for path in add or () for run in read_runs(path)]
    models = {each: chosen_weights(weights, each) for each in {"all": here(), "none": []}.get(device, [device])}
    runs: list[dict[str, Any]] = []
    for each, files in models.items():
        for run in measure(each, files, TRIAL if trial else PLANS[each]):
            if json is not None:  # at once: what was measured must not be lost where the rest is interrupted
                json.write_text(json_files.dumps([*runs, run], indent=2) + "\n", encoding="utf-8")
        runs.append(run)
    page = output or bundle_root() / "docs" / "performance.md"
    page.write_text(write_page([*runs, *added]), encoding="utf-8")
    print(f"the page is {page}")
    if failed := [f"{name} ({run['device']})" for run in runs for name in run["failed"]]:
        raise SystemExit(f"it lacks what these programs should have measured, and told above why not: {failed}")


if __name__ == "__main__":
    typer.run(main)
