"""What the 3D Slicer module costs on real MRML (slicer-core, no desktop): loading, browsing, painting, saving.

    python Testing/benchmarks/slicer_scene.py
    python Testing/benchmarks/slicer_scene.py --frames 60 --no-worker

Scene and memory are measured in a process of its own, which has not made the video. Painting is the Segment Editor's
logic, as its brush uses it; what a screen needs to draw is not in the figures.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
FRAMES = 225
REPEATS = 30

# What is measured: its unit, and how much it may be.
GOALS: dict[str, tuple[str, float | None]] = {
    "change of frame": ("ms", 5),
    "brush stroke": ("ms", 15),
    "undo": ("ms", None),
    "timeline, after edits": ("ms", None),
    "saving one edited frame": ("ms", 50),
    "loading": ("s", 15),
    "memory after loading": ("GB", 1.7),
    "peak memory while loading": ("GB", None),
    "segment this frame": ("ms", 400),
}


def main() -> None:
    """Make a video and its case, measure in other processes, and show the figures beside the goals."""
    options = _parse()
    if options.measure is not None:
        _measure(options.measure)
        return
    from machine import describe_machine, show, write_json
    from material import FULL_SIZE, make_video

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        video = make_video(folder, FULL_SIZE, options.frames)
        _make_case(video, folder / "case")
        child = subprocess.run(
            [sys.executable, __file__, "--measure", str(folder / "case")], capture_output=True, text=True, check=False
        )
        if child.returncode:
            raise SystemExit(child.stderr)
        found: dict[str, list[float]] = json.loads(child.stdout.splitlines()[-1])
        if options.worker:
            found["segment this frame"] = _segment_frames(video, folder / "worker")
    machine = describe_machine("cpu")
    rows = []
    for what, values in found.items():
        unit, most = GOALS.get(what, ("ms a frame", None))
        low, middle, high = (f"{value:.3g}" for value in np.quantile(values, (0, 0.5, 1)))
        rows.append((what, unit, middle, f"{low} to {high}", "" if most is None else f"{most:g}"))
    title = f"3D Slicer module, {options.frames} frames of {FULL_SIZE}"
    show(title, ("", "unit", "median", "range", "goal"), rows, machine)
    write_json(options.json, {"machine": machine, "frames": options.frames, "values": found})


def _make_case(video: Path, folder: Path) -> None:
    """A case with three instruments in every frame, of the size that instruments have."""
    from rasnet.case import Case
    from rasnet.labels import LabelSchema
    from rasnet.video import RegionOfInterest, open_source

    with open_source(video) as source:
        height, width = source.height, source.width
        schema, roi = LabelSchema.load("endovis2017_types"), RegionOfInterest.whole(height, width)
        with Case.create(folder, source=source, schema=schema, roi=roi, model=None) as case, case.writer() as writer:
            rows, columns = np.mgrid[:height, :width].astype(np.int16)
            for index in range(len(source)):
                mask = np.zeros((height, width), np.uint8)
                mask[(abs(rows - columns // 2 - 200) < 60) & (columns < 500 + index)] = 1
                mask[(abs(rows - 900 + columns // 3) < 50) & (columns > 800 - index)] = 2
                mask[:200, 600 + index : 680 + index] = 3
                writer.write(index, float(source.times[index]), mask, uncertainty=[0.1, index % 7 / 10])


def _measure(folder: Path) -> None:
    """Everything that happens in the scene; the last line of stdout is JSON."""
    # This file is named like the package that it measures, and the package must be found.
    sys.path = [entry for entry in sys.path if Path(entry or ".").resolve() != Path(__file__).resolve().parent]
    sys.path += [str(ROOT / "Testing" / "slicer"), str(ROOT / "RASNetSlicer")]
    import resource

    from editor import Editor
    from mrml import Mrml
    from RASNetSlicerLib.layer_edits import LayerEdits
    from RASNetSlicerLib.scene import CaseScene
    from RASNetSlicerLib.timeline import Timeline
    from RASNetSlicerLib.window import plan_window

    from rasnet.case import Case

    found: dict[str, list[float]] = {}

    @contextmanager
    def timed(what: str, per: float = 0.001) -> Iterator[None]:
        began = time.perf_counter()
        yield
        found.setdefault(what, []).append((time.perf_counter() - began) / per)

    mrml = Mrml(str(folder / ".cache"))
    case = Case.open(folder)
    frames = len(case.info.wanted)
    with timed("loading", 1):
        shown = CaseScene.load(case, mrml.scene, plan_window(case.info, step=1, scale=1))
    found["memory after loading"] = [_resident_gb()]
    # Linux counts in KiB, macOS in bytes. The peak has the decoder's pictures in it, which are let go of at the end.
    unit = 1 if sys.platform == "darwin" else 1024
    found["peak memory while loading"] = [resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e9]

    random = np.random.default_rng(0)
    timeline = Timeline(shown)
    with timed("timeline, first time", 0.001 * frames):
        timeline.refresh()
    for index in random.permutation(frames)[:REPEATS]:
        with timed("change of frame"):
            shown.sequences.show(int(index))
    editor = Editor(mrml, shown)
    for index in random.permutation(frames)[:REPEATS]:
        shown.sequences.show(int(index))
        row, column = (int(value) for value in random.integers(0, (900, 1200)))
        brush = slice(row, row + 40), slice(column, column + 40)
        editor.paint("Layer_2", *brush)  # the first in a frame also copies what is there
        with timed("brush stroke"):
            editor.paint("Layer_1", *brush)
        with timed("undo"):
            editor.logic.Undo()
        with timed("saving one edited frame"):
            shown.save_frame(int(index))
    with timed("timeline, after edits"):
        timeline.refresh()
    edits = LayerEdits(shown)
    editor.logic.SetSegmentationNode(None)
    with timed("rename a layer", 0.001 * frames):
        edits.rename(1, "Left forceps")
    with timed("split a layer", 0.001 * frames):
        edits.split_at(1, 0)
    with timed("merge layers", 0.001 * frames):
        edits.merge(2, [3])
    print(json.dumps(found))


def _resident_gb() -> float:
    """Memory of this process, in units of 10^9 bytes; not known (NaN) where there is no /proc."""
    table = Path("/proc/self/statm")
    pages = int(table.read_text().split()[1]) if table.exists() else float("nan")
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e9


def _segment_frames(video: Path, folder: Path) -> list[float]:
    """Milliseconds from asking a worker for a frame to hearing that its mask is in the case, once it is warm."""
    sys.path.append(str(ROOT / "RASNetSlicer"))
    from RASNetSlicerLib.process import Worker

    worker = Worker(sys.executable, folder, source=video, options=("--device", "cpu"))
    try:
        values = [_until_written(worker, index) for index in range(3, 16)]
    finally:
        worker.cancel()
    return values[3:]


def _until_written(worker: Any, index: int) -> float:
    began = time.perf_counter()
    worker.segment_frame(index)
    while not any(event["event"] == "frame" and event["index"] == index for event in worker.poll()):
        if not worker.running:
            raise SystemExit(worker.log)
        time.sleep(0.002)
    return (time.perf_counter() - began) * 1000


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--frames", type=int, default=FRAMES, help=f"length of the video, {FRAMES} by default")
    parser.add_argument("--no-worker", dest="worker", action="store_false", help="leave out the network")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures here too")
    parser.add_argument("--measure", type=Path, help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    main()
