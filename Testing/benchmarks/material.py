"""What benchmarks share to work with: test videos and a stopwatch."""

from __future__ import annotations

import time
from itertools import islice
from pathlib import Path

import av
import cv2
from rich.progress import track

from rasnet.progress import SilentProgress
from rasnet.video import VideoWriter, open_source

SAMPLE_CLIP = Path(__file__).resolve().parents[2] / "Resources" / "sample_clip.mp4"

FULL_SIZE = "1280x1024"
"""The picture of a da Vinci endoscope in EndoVis 2017."""


class Stopwatch(SilentProgress):
    """Takes the time from a task's start to its finish.

    Attributes:
        seconds: that the last task took.
    """

    seconds = 0.0

    def start(self, task: str, total: int) -> None:
        """Begin."""
        self._began = time.perf_counter()

    def finish(self, **result: object) -> None:
        """Stop."""
        self.seconds = time.perf_counter() - self._began


def parse_size(text: str) -> tuple[int, int]:
    """Read WIDTHxHEIGHT.

    Returns:
        Height and width.

    Raises:
        ValueError: not two whole numbers with an x between them.
    """
    width, height = (int(side) for side in text.split("x"))
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
