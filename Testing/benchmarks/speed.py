"""How fast a video becomes a case, and where the time goes.

    python Testing/benchmarks/speed.py --frames 60
    python Testing/benchmarks/speed.py --device cuda --frames 500 --json speed.json

Each stage works alone on the same frames, the first 250 at most, held in memory (4 MB a frame of 1280x1024); the
pipeline works on the file, as `rasnet segment` does, with its stages side by side. Loading the weights and opening the
video are not counted. The parts of the stage "segment" are measured by themselves, on the first batches. So is what is
done in order: "read", in which FFmpeg has threads of its own, and "follow", which nothing goes faster than, however
many cores there are.

Two floors go with the figures: FFmpeg decoding the same video and doing nothing else, and PNG encoding of the same
masks and nothing else. For both the time of all cores together is given, too.
"""

from __future__ import annotations

import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, Literal

import av
import numpy as np
import numpy.typing as npt
import torch
import typer
from machine import describe_machine, show, summarize, synchronize, write_json
from material import FULL_SIZE, WeightsOption, chosen_weights, make_video, run_pipeline
from parts import parts_of
from rich.progress import track

from rasnet.case import Case
from rasnet.inference import Backend, FrameBatch, FrameBatches, load_backend
from rasnet.inference.network_input import network_size
from rasnet.inference.pipeline import open_case_for
from rasnet.masks import encode_mask
from rasnet.tracking import ClassRuns, Tracker
from rasnet.video import open_source

STAGES = {
    "decode": "H.264 to RGB, crop, stack",
    "segment": "frames to classes and uncertainty",
    "track": "components to layers over time",
    "write": "encode PNG, files, database",
}

IN_ORDER = {
    "read": "of decode: packets to pictures",
    "follow": "of track: from the frame before to this one",
}
"""What is done frame after frame; the rest of these stages is shared by all cores."""

PARTS = {
    "prepare": "shrink, normalise",
    "network": "class scores at the network's size",
    "decide": "enlarge, best class, uncertainty",
}

# The sample clip has as many, and the stages hold them all in memory.
_FRAMES_FOR_STAGES = 250

# The parts of "segment" are measured on these many batches, as they do again what was done already.
_BATCHES_FOR_PARTS = 8


class StageClock:
    """Adds up the time that each stage takes.

    Attributes:
        milliseconds: a frame, by stage.
    """

    def __init__(self) -> None:
        self.milliseconds: defaultdict[str, float] = defaultdict(float)

    @contextmanager
    def __call__(self, stage: str, frames: int) -> Iterator[None]:
        """Count the block, and what a GPU still has to do when the block ends, as a share of ``frames``."""
        synchronize()
        began = time.perf_counter()
        yield
        synchronize()
        self.milliseconds[stage] += 1e3 * (time.perf_counter() - began) / frames


def measure_stages(video: Path, frames: int, backend: Backend, batch_size: int) -> dict[str, float]:
    """Run every stage alone over the same frames, once.

    Args:
        video: the file.
        frames: how many of it.
        backend: what runs the network.
        batch_size: frames that go through the network at once.

    Returns:
        Milliseconds a frame of each of `STAGES`, `IN_ORDER` and `PARTS`, and of PNG encoding alone, ``"PNG"``.
    """
    clock = StageClock()
    with tempfile.TemporaryDirectory() as folder, torch.inference_mode():
        case = open_case_for(backend, video, Path(folder) / "case", stop=frames)
        roi, source = case.info.roi, FrameBatches.of(backend, case, batch_size)
        with clock("decode", frames):
            batches: list[FrameBatch] = list(source)
        with clock("read", frames):
            for _ in source.source.take(0, frames):
                pass
        source.close()
        classes: list[npt.NDArray[np.uint8]] = []
        uncertainty: list[list[float]] = []
        for batch in batches:
            with clock("segment", frames):
                found, figures = backend(batch.pixels)
            classes.extend(found)
            uncertainty.extend(figures.tolist())
        _time_parts(clock, backend, batches[:_BATCHES_FOR_PARTS], roi.height, roi.width)
        times = [pts for batch in batches for pts in batch.pts]
        with clock("track", frames):
            masks = [roi.restore(mask) for mask in classes]
            tracker = Tracker(case.info.schema, roi=roi)
            layers = [tracker.update(pts, mask) for pts, mask in zip(times, masks, strict=True)]
        _time_following(clock, case, times, masks)
        with clock("write", frames), case.writer() as writer:
            for index, (pts, layer, part, figures) in enumerate(zip(times, layers, masks, uncertainty, strict=True)):
                writer.write(index, pts, layer, part, uncertainty=figures)
        _time_encoder(clock, case, layers, masks)
    return dict(clock.milliseconds)


def _time_parts(clock: StageClock, backend: Backend, batches: list[FrameBatch], height: int, width: int) -> None:
    count = sum(len(batch) for batch in batches)
    parts = parts_of(backend, (height, width), network_size(height, width))
    for batch in batches:
        with clock("prepare", count):
            pictures = parts.prepare(batch.pixels)
        with clock("network", count):
            scores = parts.network(pictures)
        with clock("decide", count):
            parts.decide(scores)


def _time_following(clock: StageClock, case: Case, times: list[float], masks: list[npt.NDArray[np.uint8]]) -> None:
    tracker = Tracker(case.info.schema, roi=case.info.roi)
    prepare = tracker.preparation(case.info.height, case.info.width)
    for pts, mask in zip(times, masks, strict=True):
        foreground = prepare(ClassRuns.of(mask)).measure()
        with clock("follow", len(masks)):
            tracker.follow(pts, foreground)


def _time_encoder(clock: StageClock, case: Case, *masks: list[npt.NDArray[np.uint8]]) -> None:
    palette = np.zeros((256, 3), np.uint8)
    with clock("PNG", len(masks[0])):
        for each in masks:
            for mask in each:
                encode_mask(mask, palette)


def measure_pipeline(video: Path, frames: int, backend: Backend, batch_size: int, *, gpu: bool = False) -> float:
    """Turn the file into a case, decoded by the GPU if wished, and give the milliseconds a frame."""
    with tempfile.TemporaryDirectory() as folder:
        return 1e3 * run_pipeline(video, Path(folder) / "case", backend, frames, batch_size, gpu=gpu) / frames


def decode_only(video: Path, frames: int) -> tuple[float, float]:
    """Let FFmpeg decode a video with all its threads, without turning its pictures into RGB.

    Returns:
        Milliseconds a frame, and the milliseconds of all cores together.
    """
    with av.open(str(video)) as container:
        stream = container.streams.video[0]
        stream.thread_type = "AUTO"
        began, began_cores = time.perf_counter(), time.process_time()
        for _ in zip(range(frames), container.decode(stream), strict=False):
            pass
        return 1e3 * (time.perf_counter() - began) / frames, 1e3 * (time.process_time() - began_cores) / frames


def measure_engine(
    video: Path, frames: int, weights: Path, device: Literal["cpu", "cuda"], batch_size: int | None, repeat: int
) -> dict[str, Any]:
    """Measure the stages and the pipeline with one model.

    Returns:
        ``engine``, ``weights``, ``batch_size``, and ``milliseconds_per_frame`` by stage.
    """
    backend, _ = load_backend(weights, device)
    batch = batch_size or backend.batch_size
    measure_stages(video, min(frames, 2 * batch), backend, batch)  # to warm up
    passes = []
    for _ in track(range(repeat), f"measuring {backend.name}"):
        figures = measure_stages(video, min(frames, _FRAMES_FOR_STAGES), backend, batch)
        figures["pipeline"] = measure_pipeline(video, frames, backend, batch)
        if backend.reads_planes:
            figures["pipeline, GPU decodes"] = measure_pipeline(video, frames, backend, batch, gpu=True)
        passes.append(figures)
    return {
        "engine": backend.name,
        "weights": weights.name,
        "batch_size": batch,
        "milliseconds_per_frame": {name: summarize([each[name] for each in passes]) for name in passes[0]},
    }


def main(
    frames: Annotated[int, typer.Option(min=1, help="Frames to measure with.")] = 60,
    device: Annotated[Literal["cpu", "cuda"], typer.Option(help="Where the network runs.")] = "cpu",
    weights: WeightsOption = None,
    batch_size: Annotated[
        int | None,
        typer.Option(min=1, metavar="N", help="Frames through the network at once.", show_default="by engine"),
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
    machine = describe_machine(device)
    with tempfile.TemporaryDirectory() as folder:
        path = video or make_video(Path(folder), size, frames)
        with open_source(path) as source:
            frames, shape = min(frames, len(source)), (source.height, source.width)
        decoding = [decode_only(path, frames) for _ in range(repeat)]
        engines = [
            measure_engine(path, frames, model, device, batch_size, repeat) for model in chosen_weights(weights, device)
        ]
    for each in engines:
        show(
            f"{frames} frames of {shape[1]}x{shape[0]}, batches of {each['batch_size']}, {repeat} passes, "
            f"{each['engine']}",
            ("stage", "ms a frame", "lowest", "highest", "frames/s"),
            [
                (name, *(f"{value:.1f}" for value in row.values()), f"{1e3 / row['median']:.1f}")
                for name, row in each["milliseconds_per_frame"].items()
            ],
            machine,
        )
    write_json(
        json,
        {
            "machine": machine,
            "device": device,
            "frames": frames,
            "size": f"{shape[1]}x{shape[0]}",
            "network_pixels": int(np.prod(network_size(*shape))),
            "repeat": repeat,
            "decoder": {
                "milliseconds_per_frame": summarize([wall for wall, _ in decoding]),
                "core_milliseconds_per_frame": summarize([cores for _, cores in decoding]),
            },
            "engines": engines,
        },
    )


if __name__ == "__main__":
    typer.run(main)
