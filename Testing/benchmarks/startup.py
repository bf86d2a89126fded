"""How long a person waits before anything happens.

    python Testing/benchmarks/startup.py

Every figure is of a fresh process, from its start to its end: the help, and a job of one picture of 1280x1024, whose
mask is in the case when the process ends. Python by itself, doing nothing, says what no program of it can go below.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

import typer
from machine import describe_machine, show, summarize, write_json
from material import FULL_SIZE, RASNET, WeightsOption, chosen_weights, make_video
from PIL import Image
from rich.progress import track

from rasnet.inference.backend import choose_backend
from rasnet.video import open_source


def main(
    device: Annotated[Literal["cpu", "cuda"], typer.Option(help="Where the network runs.")] = "cpu",
    weights: WeightsOption = None,
    times: Annotated[int, typer.Option(min=1, metavar="N", help="Processes of each kind.")] = 5,
    json: Annotated[Path | None, typer.Option(metavar="FILE", help="Write the figures here too.")] = None,
) -> None:
    """Measure the start of `rasnet`."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        picture = write_picture(folder)
        jobs: dict[str, tuple[str, ...]] = {
            "Python, doing nothing": (sys.executable, "-c", "pass"),
            "rasnet --help": (*RASNET, "--help"),
        }
        for path in chosen_weights(weights, device):
            engine = choose_backend(path, device).engine
            jobs[f"first mask, {engine}, {path.name}"] = (
                *(*RASNET, "segment", str(picture), str(folder / "case"), "--progress", "none"),
                *("--weights", str(path), "--device", device),
            )
        seconds: dict[str, list[float]] = {name: [] for name in jobs}
        for turn in track(range(times + 1), "starting"):
            for name, command in jobs.items():
                shutil.rmtree(folder / "case", ignore_errors=True)
                took = run(command)
                if turn:  # the first finds nothing in the system's cache
                    seconds[name].append(took)
    figures = {name: summarize(values) for name, values in seconds.items()}
    machine = describe_machine(device)
    show(
        f"start, {times} processes each, on {device}",
        ("what", "seconds", "lowest", "highest"),
        [(name, *(f"{value:.2f}" for value in row.values())) for name, row in figures.items()],
        machine,
    )
    write_json(json, {"machine": machine, "device": device, "seconds": figures})


def write_picture(folder: Path) -> Path:
    """Write the first frame of the sample clip, enlarged, as a PNG file."""
    with open_source(make_video(folder, FULL_SIZE, 1)) as video:
        Image.fromarray(video[0].rgb).save(folder / "picture.png")
    return folder / "picture.png"


def run(command: Sequence[str]) -> float:
    """Run a command that must succeed, and give the seconds that it took."""
    began = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    took = time.perf_counter() - began
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} failed: {done.stderr}")
    return took


if __name__ == "__main__":
    typer.run(main)
