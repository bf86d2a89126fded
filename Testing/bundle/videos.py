"""Small videos whose frames carry their number as blocks of light and dark."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt

HEIGHT, WIDTH = 64, 96
_BITS = 8
_PITCH = 11


@dataclass(frozen=True)
class Recipe:
    """How to make a video: container and codec by FFmpeg's names."""

    suffix: str
    format: str
    codec: str
    pixels: str = "yuv420p"
    options: dict[str, str] = field(default_factory=dict)
    muxer: dict[str, str] = field(default_factory=dict)


GOP = {"g": "12"}
INTERLACED = {**GOP, "flags": "+ildct+ilme"}

RECIPES = {
    "mp4": Recipe(".mp4", "mp4", "libx264", options=GOP),
    "mp4 open gop": Recipe(".mp4", "mp4", "libx264", options={**GOP, "x264-params": "open-gop=1"}),
    "mp4 intra refresh": Recipe(".mp4", "mp4", "libx264", options={"g": "20", "intra-refresh": "1", "bf": "0"}),
    "mp4 one gop": Recipe(".mp4", "mp4", "libx264", options={"g": "1000"}),
    "mov": Recipe(".mov", "mov", "mpeg4", options=GOP),
    "avi mpeg4": Recipe(".avi", "avi", "mpeg4", options={**GOP, "bf": "2"}),
    "avi h264": Recipe(".avi", "avi", "libx264", options=GOP),
    "avi h264 open gop": Recipe(".avi", "avi", "libx264", options={**GOP, "x264-params": "open-gop=1"}),
    "avi mjpeg": Recipe(".avi", "avi", "mjpeg", "yuvj420p"),
    "mkv": Recipe(".mkv", "matroska", "libx264", options=GOP),
    "mkv 10 bit": Recipe(".mkv", "matroska", "ffv1", "yuv422p10le"),
    "mkv grey": Recipe(".mkv", "matroska", "ffv1", "gray"),
    "ts h264": Recipe(".ts", "mpegts", "libx264", options=GOP),
    "ts mpeg2": Recipe(".ts", "mpegts", "mpeg2video", options={**GOP, "bf": "2"}),
    "ps mpeg2": Recipe(".mpg", "mpeg", "mpeg2video", options={**GOP, "bf": "2"}),
    "raw h264": Recipe(".h264", "h264", "libx264", options=GOP),
    "interlaced ts h264": Recipe(".ts", "mpegts", "libx264", options=INTERLACED),
    "interlaced ps mpeg2": Recipe(".mpg", "mpeg", "mpeg2video", options={**INTERLACED, "bf": "2"}),
}


def numbered(number: int, height: int = HEIGHT, width: int = WIDTH) -> npt.NDArray[np.uint8]:
    """Draw a number, 0 to 255: uint8 (H, W, 3) with one block a bit."""
    picture = np.full((height, width, 3), 60, np.uint8)
    for bit in range(_BITS):
        if number >> bit & 1:
            picture[8:56, 4 + bit * _PITCH : 13 + bit * _PITCH] = 230
    return picture


def number_of(rgb: npt.NDArray[np.uint8]) -> int:
    """Read the number that `numbered` drew."""
    return sum(1 << bit for bit in range(_BITS) if rgb[32, 8 + bit * _PITCH].mean() > 145)


def write(
    path: Path,
    recipe: Recipe,
    pictures: Sequence[npt.NDArray[np.uint8]],
    *,
    ticks: Sequence[int] | None = None,
    tick: Fraction = Fraction(1, 25),
) -> Path:
    """Encode uint8 (H, W, 3) pictures, shown at `ticks` (0, 1, 2 ... where none are given)."""
    with av.open(str(path), "w", format=recipe.format, options=recipe.muxer) as container:
        stream = container.add_stream(recipe.codec, rate=25, options=recipe.options)
        stream.height, stream.width = pictures[0].shape[:2]
        stream.pix_fmt = recipe.pixels
        stream.codec_context.time_base = tick
        for index, picture in enumerate(pictures):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts = index if ticks is None else ticks[index]
            frame.time_base = tick
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def write_sound(path: Path) -> Path:
    """Encode a tenth of a second of silence, without any picture."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=44100, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 4410), np.float32), format="fltp", layout="mono")
        frame.sample_rate = 44100
        container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def turn(path: Path, matrix: tuple[int, int, int, int]) -> None:
    """Write (a, b, c, d) of the display matrix into the track header of an MP4 file."""
    data = bytearray(path.read_bytes())
    # Version and flags, times, track id, duration (version 0), reserved words, layer, group and volume.
    place = data.index(b"tkhd") + 4 + 4 + 20 + 8 + 8
    a, b, c, d = (value << 16 for value in matrix)
    data[place : place + 36] = struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 1 << 30)
    path.write_bytes(data)
