"""What benchmarks share to work with: weights, test videos and the pipeline."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from importlib.util import find_spec
from itertools import islice
from pathlib import Path
from typing import Annotated

import av
import cv2
import typer
from rich.progress import track

from rasnet.bundle import openvino_path, weights_path
from rasnet.inference import Backend, CaseSink, FrameBatches
from rasnet.inference.pipeline import open_case_for
from rasnet.inference.sink_process import SinkProcess, worthwhile_workers
from rasnet.video import VideoWriter, open_source

SAMPLE_CLIP = Path(__file__).resolve().parents[2] / "Resources" / "sample_clip.mp4"

FULL_SIZE = "1280x1024"
"""The picture of a da Vinci endoscope in EndoVis 2017."""

RASNET = (sys.executable, "-c", "from rasnet.cli import main; main()")
"""The command `rasnet` of the Python that this is."""

WeightsOption = Annotated[
    list[Path] | None,
    typer.Option(
        metavar="FILE",
        help="A checkpoint (.pt) or an OpenVINO model (.xml); may be given again.",
        show_default="the released ones that are there",
    ),
]


def chosen_weights(given: Sequence[Path] | None, device: str) -> list[Path]:
    """Name the weights to measure, each of which says which engine runs it.

    Args:
        given: by the user; the released ones that are there by default.
        device: ``"cpu"`` or ``"cuda"``, where OpenVINO models are left out.
    """
    found = list(given or (path for path in (weights_path(), openvino_path()) if path.is_file()))
    usable = [path for path in found if path.suffix != ".xml" or (device == "cpu" and find_spec("openvino"))]
    if not usable:
        raise SystemExit(f"no weights that can run on {device}; name some with --weights")
    return usable


def run_pipeline(
    video: Path,
    folder: Path,
    backend: Backend,
    frames: int | None = None,
    batch_size: int | None = None,
    *,
    gpu: bool = False,
) -> float:
    """Turn a video into a case as `rasnet segment` does, with a model that is loaded and processes that have begun.

    Args:
        video: the file.
        folder: of the case, which is made.
        backend: the model.
        frames: how many; all by default.
        batch_size: frames through the network at once; left to the backend by default.
        gpu: let a GPU decode.

    Returns:
        Seconds from the first frame's decoding until everything is in the case.
    """
    case = open_case_for(backend, video, folder, stop=frames)
    source = FrameBatches.of(backend, case, batch_size, gpu=gpu)
    try:
        workers = worthwhile_workers(backend, source.total)
        with SinkProcess(case, workers=workers) if workers else CaseSink(case) as sink:
            began = time.perf_counter()
            for batch in source:
                sink.write(batch, *backend(batch.pixels))
        return time.perf_counter() - began
    finally:
        source.close()


def parse_size(text: str) -> tuple[int, int]:
    """Read WIDTHxHEIGHT.

    Returns:
        Height and width.

    Raises:
        ValueError: not two whole numbers with an x between them.
    """
    width, height = (int(side) for side in text.split("x"))
    return height, width


def parse_input_size(text: str) -> tuple[int, int]:
    """Read WIDTHxHEIGHT of a network's input as height and width.

    Raises:
        SystemExit: something else, or not in multiples of 32.
    """
    try:
        height, width = parse_size(text)
    except ValueError:
        height = width = 0
    if min(height, width) < 32 or height % 32 or width % 32:
        raise SystemExit(f"--size {text} is not WIDTHxHEIGHT in multiples of 32, such as 320x256")
    return height, width


def make_video(folder: Path, size: str, frames: int) -> Path:
    """Write the sample clip, enlarged and repeated, as H.264.

    Args:
        folder: to write into.
        size: WIDTHxHEIGHT.
        frames: of the video; more than the clip has repeat it without decoding it again.

    Returns:
        The file.
    """
    height, width = parse_size(size)
    once = folder / f"clip_{size}.mp4"
    with open_source(SAMPLE_CLIP) as clip:
        count = min(frames, len(clip))
        with VideoWriter(once, height, width, clip.fps) as writer:
            for frame in track(clip.read(0, count), f"making {size} video", count):
                writer.write(cv2.resize(frame.rgb, (width, height), interpolation=cv2.INTER_CUBIC), frame.pts)
    if frames == count:
        return once
    return _repeat(once, folder / f"clip_{size}_{frames}.mp4", frames)


def _repeat(path: Path, output: Path, frames: int) -> Path:
    """Write a video's packets again and again, until there are `frames` of them."""
    with av.open(str(path)) as once:
        stream = once.streams.video[0]
        packets = [
            (packet.pts, packet.dts, packet.is_keyframe, bytes(packet)) for packet in once.demux(stream) if packet.size
        ]
        ticks = len(packets) * round(1 / (stream.average_rate * stream.time_base))
        with av.open(str(output), "w") as looped:
            copy = looped.add_stream_from_template(stream)
            repeats = ((number, packet) for number in range(-(-frames // len(packets))) for packet in packets)
            for number, (pts, dts, key, data) in islice(repeats, frames):
                packet = av.Packet(data)
                packet.stream, packet.time_base, packet.is_keyframe = copy, stream.time_base, key
                packet.pts, packet.dts = pts + number * ticks, dts + number * ticks
                looped.mux(packet)
    return output
