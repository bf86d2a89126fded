"""How late the masks of `rasnet live` are.

    python Testing/benchmarks/live.py --size 640x512 --fps 25
    python Testing/benchmarks/live.py --device cuda --size 1920x1080 --fps 60

A process of its own sends the sample clip, enlarged, as H.264 without pictures that look ahead, over TCP and at the
speed of a camera. `rasnet live` receives it as it would a camera's stream, records it, and says how long after the
arrival of a frame's data its mask was there, and how many frames came while it was busy with an earlier one.

The stream is FLV, which encoders send by RTMP, and in which every picture says how long it is. In an MPEG transport
stream one of more than 64 kB ends where the next begins, so that key frames come late, together with their successors.
"""

from __future__ import annotations

import json as json_files
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Annotated, Any, Literal

import av
import cv2
import typer
from machine import describe_machine, show, write_json
from material import RASNET, SAMPLE_CLIP, WeightsOption, chosen_weights, parse_size
from rich.progress import track

from rasnet.video import open_source

# What a camera's encoder does: no picture waits for a later one, and a new start comes every second.
_ENCODER = {"preset": "veryfast", "tune": "zerolatency", "crf": "20"}

# Sends a file's packets when they are due, again and again, until whoever listens goes away.
SENDER = """
import contextlib, itertools, sys, time, av
with av.open(sys.argv[1]) as source:
    stream = source.streams.video[0]
    packets = [(packet, packet.pts, packet.dts) for packet in source.demux(stream) if packet.dts is not None]
    end, base = packets[-1][0].dts + packets[-1][0].duration, stream.time_base
    with contextlib.suppress(av.error.FFmpegError, OSError), av.open(
        sys.argv[2], "w", format="flv", options={"flush_packets": "1", "flvflags": "no_duration_filesize"}
    ) as target:
        copy, began = target.add_stream_from_template(stream), time.monotonic()
        for turn in itertools.count():
            for packet, pts, dts in packets:
                packet.time_base, packet.pts, packet.dts = base, pts + turn * end, dts + turn * end
                time.sleep(max(began + float(packet.dts * base) - time.monotonic(), 0))
                packet.stream = copy
                target.mux(packet)
"""


def main(
    device: Annotated[Literal["cpu", "cuda"], typer.Option(help="Where the network runs.")] = "cpu",
    weights: WeightsOption = None,
    size: Annotated[str, typer.Option(metavar="WIDTHxHEIGHT", help="Of the picture.")] = "1920x1080",
    fps: Annotated[int, typer.Option(min=1, metavar="N", help="Frames that come each second.")] = 60,
    seconds: Annotated[float, typer.Option(min=1, help="To watch for.")] = 20,
    json: Annotated[Path | None, typer.Option(metavar="FILE", help="Write the figures here too.")] = None,
) -> None:
    """Measure the latency of masks of a live picture."""
    reports = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        clip = make_stream(folder / "stream.mp4", size, fps)
        for place, path in enumerate(chosen_weights(weights, device)):
            with sending(clip) as url:
                reports.append(watch(url, folder / f"case{place}", path, device, seconds))
    machine = describe_machine(device)
    show(
        f"live, {size} at {fps}/s, on {device}; ms from frame to mask",
        ("engine", "median", "p95", "p99", "max", "masks", "dropped"),
        [
            (
                report["backend"],
                *(f"{value:.1f}" for value in report["latency_ms"].values()),
                str(report["segmented"]),
                str(report["dropped"]),
            )
            for report in reports
        ],
        machine,
    )
    kept = [{name: report[name] for name in ("backend", "latency_ms", "segmented", "dropped")} for report in reports]
    result = {"machine": machine, "device": device, "size": size, "fps": fps, "seconds": seconds, "engines": kept}
    write_json(json, result)


def make_stream(path: Path, size: str, fps: int) -> Path:
    """Write the sample clip, enlarged, as a camera would encode it.

    Args:
        path: an MP4 file.
        size: WIDTHxHEIGHT.
        fps: frames per second.

    Returns:
        The file.
    """
    height, width = parse_size(size)
    with open_source(SAMPLE_CLIP) as clip, av.open(str(path), "w") as container:
        stream: Any = container.add_stream("libx264", rate=fps, options={**_ENCODER, "g": str(fps)})
        stream.height, stream.width, stream.pix_fmt = height, width, "yuv420p"
        for index, frame in enumerate(track(clip, f"making {size} stream", len(clip))):
            enlarged = cv2.resize(frame.rgb, (width, height), interpolation=cv2.INTER_CUBIC)
            picture = av.VideoFrame.from_ndarray(enlarged, format="rgb24")
            picture.pts, picture.time_base = index, Fraction(1, fps)
            container.mux(stream.encode(picture))
        container.mux(stream.encode(None))
    return path


@contextmanager
def sending(clip: Path) -> Iterator[str]:
    """Send a file for as long as the block goes on; gives the URL to receive it by, once."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        url = f"tcp://127.0.0.1:{probe.getsockname()[1]}"
    sender = subprocess.Popen([sys.executable, "-c", SENDER, str(clip), f"{url}?listen=1"])
    try:
        yield url
    finally:
        sender.kill()
        sender.wait()


def watch(url: str, folder: Path, weights: Path, device: str, seconds: float) -> dict[str, Any]:
    """Watch a stream with `rasnet live`, and give its report.

    Raises:
        SystemExit: it failed.
    """
    command = (
        *(*RASNET, "live", url, str(folder), "--weights", str(weights), "--device", device),
        *("--roi", "full", "--seconds", str(seconds), "--json", "--progress", "none"),
    )
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} failed: {done.stderr}")
    report: dict[str, Any] = json_files.loads(done.stdout)
    return report


if __name__ == "__main__":
    typer.run(main)
