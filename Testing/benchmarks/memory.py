"""Whether memory grows with the length of a video.

    python Testing/benchmarks/memory.py --frames 100 300
    python Testing/benchmarks/memory.py --device cuda --frames 500 5000
    python Testing/benchmarks/memory.py --frames 500 90000    # an operation of an hour; takes as long as its segmenting

Every length is a file of its own and a fresh process that runs `rasnet segment` on it; the figure is the most memory
that the process had at any time (its maximum resident set size, without the memory of a GPU).
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

from machine import describe_machine, show, write_json
from material import FULL_SIZE, RASNET, chosen_weights, make_video

from rasnet.progress import RichProgress

MOST_GROWTH = 1.05

# Linux counts in KiB, macOS in bytes.
RSS_UNIT = 1 if sys.platform == "darwin" else 1024


# A process begins with the peak of the one that started it (Linux, exec), so a small one stands between: this one makes
# the videos. What the command says comes first, then its peak.
_LAUNCH = """
import json, os, subprocess, sys
process = subprocess.Popen(sys.argv[1:])
_, status, usage = os.wait4(process.pid, 0)
print(json.dumps({"event": "peak", "rss": usage.ru_maxrss}), flush=True)
sys.exit(status != 0)
"""
LAUNCHER = (sys.executable, "-c", _LAUNCH)


class Run(NamedTuple):
    """What a run of `rasnet segment` took.

    Attributes:
        peak_mb: most resident memory, in units of 10^6 bytes.
        seconds: from start to end, loading included.
    """

    peak_mb: float
    seconds: float


def segment(video: Path, case: Path, weights: Path, device: str) -> Run:
    """Run `rasnet segment` in a process of its own, show how far it is, and read its peak memory.

    Raises:
        SystemExit: the run failed; its message says why.
    """
    command = [*RASNET, "segment", str(video), str(case), "--device", device, "--progress", "json"]
    command += ["--weights", str(weights)]
    began = time.perf_counter()
    peak, done = 0, 0
    process = subprocess.Popen([*LAUNCHER, *command], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    with process, RichProgress() as progress:
        for line in process.stdout:
            event = json.loads(line)
            if event["event"] == "start":
                progress.start(video.stem, event["total"])
            elif event["event"] == "progress":
                progress.advance(event["frame"], event["done"] - done)
                done = event["done"]
            elif event["event"] == "peak":
                peak = event["rss"]
    if process.returncode:
        raise SystemExit("rasnet segment failed, and told above why")
    return Run(peak * RSS_UNIT / 1e6, time.perf_counter() - began)


def main() -> None:
    """Measure peak memory at several lengths; exit code 1 if it grows by more than 5 %."""
    options = _parse()
    # The last: an OpenVINO model, which `rasnet segment` takes by itself where there is one.
    weights = chosen_weights(options.weights and [options.weights], options.device)[-1]
    with tempfile.TemporaryDirectory() as folder:
        runs = {
            frames: segment(
                make_video(Path(folder), options.size, frames),
                Path(folder) / f"case_{frames}",
                weights,
                options.device,
            )
            for frames in sorted(options.frames)
        }
    shortest, *_, longest = runs.values()
    ratio = longest.peak_mb / shortest.peak_mb
    machine = describe_machine(options.device)
    show(
        f"peak memory of rasnet segment, {options.size}, {weights.name}, on {options.device}: "
        f"longest over shortest video {ratio:.3f}, at most {MOST_GROWTH}",
        ("frames", "peak MB", "seconds"),
        [(str(frames), f"{run.peak_mb:.0f}", f"{run.seconds:.0f}") for frames, run in runs.items()],
        machine,
    )
    write_json(
        options.json,
        {
            "machine": machine,
            "device": options.device,
            "size": options.size,
            "weights": weights.name,
            "seconds": {frames: run.seconds for frames, run in runs.items()},
            "peak_mb": {frames: run.peak_mb for frames, run in runs.items()},
            "ratio": ratio,
        },
    )
    raise SystemExit(ratio > MOST_GROWTH)


def _parse() -> argparse.Namespace:
    # argparse, because typer has no option that takes any number of values.
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--frames", type=int, nargs="+", default=[100, 300], help="lengths of video, two or more")
    parser.add_argument("--size", default=FULL_SIZE, metavar="WIDTHxHEIGHT", help="of the video")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu", help="where the network runs")
    parser.add_argument("--weights", type=Path, metavar="FILE", help="a checkpoint (.pt) or an OpenVINO model (.xml)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures here too")
    options = parser.parse_args()
    if len(options.frames) < 2:
        parser.error("--frames needs two lengths to compare")
    return options


if __name__ == "__main__":
    main()
