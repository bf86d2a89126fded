"""How fast a video becomes a case, and where the time goes.

    python Testing/benchmarks/speed.py --frames 60
    python Testing/benchmarks/speed.py --device cuda --frames 500 --json speed.json

Each stage works alone on the same frames, held in memory (4 MB a frame of 1280x1024); the pipeline works on the file,
as `rasnet segment` does, with its stages side by side. Loading the weights and opening the video are not counted.
"""

from __future__ import annotations

import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import numpy.typing as npt
import torch
import typer
from machine import describe_machine, show, summarize, write_json
from material import FULL_SIZE, Stopwatch, make_video
from rich.progress import track

from rasnet.bundle import weights_path
from rasnet.inference import FrameBatch, FrameBatches, TorchBackend, open_case, segment_video
from rasnet.inference.segmenter import decide, expected_dice_loss
from rasnet.tracking import Tracker
from rasnet.video import open_source

STAGES = {
    "decode": "H.264 to RGB, crop, stack",
    "prepare": "upload, resize, normalise",
    "network": "class scores at the network's size",
    "decide": "enlarge, best class, uncertainty, download",
    "track": "components to layers over time",
    "write": "encode PNG, files, database",
}


class StageClock:
    """Adds up the time that each stage takes.

    Attributes:
        seconds: so far, by stage.
    """

    def __init__(self) -> None:
        self.seconds: defaultdict[str, float] = defaultdict(float)

    @contextmanager
    def __call__(self, stage: str) -> Iterator[None]:
        """Count the block, and what a GPU still has to do when the block ends."""
        _synchronize()
        began = time.perf_counter()
        yield
        _synchronize()
        self.seconds[stage] += time.perf_counter() - began


def measure_stages(video: Path, frames: int, backend: TorchBackend, batch_size: int) -> dict[str, float]:
    """Run every stage alone over the same frames, once.

    Args:
        video: the file.
        frames: how many of it.
        backend: what runs the network.
        batch_size: frames that go through the network at once.

    Returns:
        Milliseconds a frame of each of `STAGES`.
    """
    clock, segmenter = StageClock(), backend.segmenter
    with tempfile.TemporaryDirectory() as folder, torch.inference_mode():
        case = open_case(video, Path(folder) / "case", weights_path(), backend=backend.name, stop=frames)
        roi, source = case.info.roi, FrameBatches(case, batch_size)
        with clock("decode"):
            batches: list[FrameBatch] = list(source)
        source.close()
        classes: list[npt.NDArray[np.uint8]] = []
        uncertainty: list[list[float]] = []
        for batch in batches:
            with clock("prepare"):
                images = segmenter.prepare(torch.from_numpy(batch.rgb).to(backend.device))
            with clock("network"):
                scores = segmenter.score(images)
            with clock("decide"):
                classes.extend(decide(scores, (roi.height, roi.width)).cpu().numpy())
                uncertainty.extend(expected_dice_loss(scores).cpu().tolist())
        times = [pts for batch in batches for pts in batch.pts]
        with clock("track"):
            masks = [roi.restore(mask) for mask in classes]
            tracker = Tracker(case.info.schema, roi=roi)
            layers = [tracker.update(pts, mask) for pts, mask in zip(times, masks, strict=True)]
        with clock("write"), case.writer() as writer:
            for index, (pts, layer, part, figures) in enumerate(zip(times, layers, masks, uncertainty, strict=True)):
                writer.write(index, pts, layer, part, uncertainty=figures)
    return {stage: 1e3 * clock.seconds[stage] / frames for stage in STAGES}


def measure_pipeline(video: Path, frames: int, device: Literal["cpu", "cuda"], batch_size: int) -> float:
    """Turn the file into a case as `rasnet segment` does, and give the milliseconds a frame."""
    watch = Stopwatch()
    with tempfile.TemporaryDirectory() as folder, open_source(video) as source:
        segment_video(
            source,
            Path(folder) / "case",
            device=device,
            batch_size=batch_size,
            stop=frames,
            progress=watch,
        )
    return 1e3 * watch.seconds / frames


def main(
    frames: Annotated[int, typer.Option(min=1, help="Frames to measure with.")] = 60,
    device: Annotated[Literal["cpu", "cuda"], typer.Option(help="Where the network runs.")] = "cpu",
    batch_size: Annotated[
        int | None,
        typer.Option(min=1, metavar="N", help="Frames through the network at once.", show_default="by device"),
    ] = None,
    repeat: Annotated[int, typer.Option(min=1, help="Passes; the table shows median, lowest and highest.")] = 3,
    size: Annotated[str, typer.Option(metavar="WIDTHxHEIGHT", help="Of the test video.")] = FULL_SIZE,
    video: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Measure with this file.", show_default="the sample clip, enlarged"),
    ] = None,
    json: Annotated[Path | None, typer.Option(metavar="FILE", help="Write the figures here too.")] = None,
) -> None:
    """Measure frames per second from a video file to a case, and each stage's share."""
    backend = TorchBackend(weights_path(), device)
    batch = batch_size or backend.batch_size
    with tempfile.TemporaryDirectory() as folder:
        path = video or make_video(Path(folder), size, frames)
        with open_source(path) as source:
            frames, shape = min(frames, len(source)), f"{source.width}x{source.height}"
        measure_stages(path, min(frames, 2 * batch), backend, batch)  # to warm up
        passes = []
        for _ in track(range(repeat), "measuring"):
            stages = measure_stages(path, frames, backend, batch)
            passes.append({**stages, "pipeline": measure_pipeline(path, frames, device, batch)})
    figures = {name: summarize([each[name] for each in passes]) for name in passes[0]}
    machine = describe_machine(device)
    show(
        f"{frames} frames of {shape}, batches of {batch}, {repeat} passes, on {device}",
        ("stage", "ms a frame", "lowest", "highest", "frames/s"),
        [
            (
                f"{name}: {STAGES.get(name, 'all at once')}",
                *(f"{value:.1f}" for value in row.values()),
                f"{1e3 / row['median']:.1f}",
            )
            for name, row in figures.items()
        ],
        machine,
    )
    write_json(
        json,
        {
            "machine": machine,
            "device": device,
            "frames": frames,
            "size": shape,
            "batch_size": batch,
            "repeat": repeat,
            "milliseconds_per_frame": figures,
            "frames_per_second": 1e3 / figures["pipeline"]["median"],
        },
    )


def _synchronize() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()


if __name__ == "__main__":
    typer.run(main)
