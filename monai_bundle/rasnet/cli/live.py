"""`rasnet live`: a camera, capture device or stream, its instruments at once, and a case of it."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rasnet.cli.commands import DeviceOption, ProgressOption, WeightsOption, parse_roi
from rasnet.errors import RASNetError
from rasnet.progress import JsonProgress, ProgressMode

if TYPE_CHECKING:
    from rasnet.inference.live import Latency, LiveReport

_LOG_EVERY = 10  # of the states that a log file gets


def live(
    source: Annotated[
        str,
        typer.Argument(
            metavar="SOURCE", help="A device, a stream's URL, or a video file to play at its speed.", show_default=False
        ),
    ],
    case: Annotated[
        Path, typer.Argument(metavar="CASE", help="New folder; gets the whole video and the masks.", show_default=False)
    ],
    overlay: Annotated[
        str | None,
        typer.Option(
            metavar="FILE|URL",
            help="Where the marked picture goes: a video, or a stream such as udp://127.0.0.1:5000 for a player.",
            show_default=False,
        ),
    ] = None,
    seconds: Annotated[
        float | None, typer.Option(min=0.1, metavar="S", help="How long; else Ctrl-C ends it.", show_default=False)
    ] = None,
    weights: WeightsOption = None,
    device: DeviceOption = "auto",
    roi: Annotated[
        str,
        typer.Option(
            metavar="auto|full|LEFT,TOP,WIDTH,HEIGHT",
            help="What of the frame is picture: found in the first second, the whole frame, or a rectangle in pixels.",
        ),
    ] = "auto",
    format: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="FFmpeg's name of the input where it needs one: v4l2, dshow, avfoundation, decklink.",
            show_default="by source",
        ),
    ] = None,
    option: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=VALUE", help="FFmpeg's options of the input; may be given again.", show_default=False
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the figures as JSON.")] = False,
    progress: ProgressOption = "auto",
) -> None:
    """Watch a camera or stream: instruments as they come, and a case of it.

    The newest frame is segmented, late ones are dropped and counted. All are recorded, as CASE/video.mkv: `rasnet
    segment CASE/video.mkv CASE` segments those that were dropped. CASE/live.json tells the latency from frame to mask.
    """
    from rasnet.inference.live import watch

    with _Display(progress) as display:
        report = watch(
            source,
            case,
            weights=weights,
            device=device,
            region=partial(parse_roi, roi),
            format=format,
            options=_parse_options(option or []),
            overlay=overlay,
            seconds=seconds,
            note=display.note,
            status=display.status,
        )
        display.finish(report)
    if as_json and progress != "json":
        typer.echo(json.dumps(asdict(report), indent=2))
    if report.end not in ("ended", "stopped"):
        raise RASNetError(
            f"{source} stopped: {report.why}; {_kept(report)}; start `rasnet live` again with a new folder"
        )
    if progress not in ("json", "none"):
        typer.echo(f"{_kept(report)}; {_figures(report)}", err=True)


COMMANDS: dict[Callable[..., None], tuple[str, ...]] = {
    live: (
        "rasnet live rtsp://tower/video operation.case --overlay udp://127.0.0.1:5000",
        "rasnet live /dev/video0 operation.case --option video_size=1920x1080 --option framerate=60",
        "rasnet live operation.mp4 trial.case --overlay marked.mp4 --seconds 20 --json",
    ),
}
"""The command, with the examples of its help page."""


class _Display:
    """Says how a live session goes: a line that renews itself on a terminal, one now and then in a log."""

    def __init__(self, mode: ProgressMode) -> None:
        self._mode = mode
        self._line: Any = None
        self._events = _LiveEvents() if mode == "json" else None
        self._count = 0
        if mode == "bar" or (mode == "auto" and sys.stderr.isatty()):
            from rich.console import Console

            self._line = Console(stderr=True).status("live")

    def __enter__(self) -> _Display:
        if self._line is not None:
            self._line.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._line is not None:
            self._line.stop()

    def note(self, message: str) -> None:
        if self._events is not None:
            self._events.note(message)
        elif self._mode != "none":
            typer.echo(message, err=True)

    def status(self, segmented: int, dropped: int, latency: Latency) -> None:
        words = f"{segmented} frames, {dropped} dropped, {latency.median:.0f} ms (at most {latency.max:.0f} ms)"
        self._count += 1
        if self._events is not None:
            self._events.live(segmented, dropped, latency)
        elif self._line is not None:
            self._line.update(f"live: {words}; Ctrl-C ends it")
        elif self._mode != "none" and self._count % _LOG_EVERY == 1:
            typer.echo(f"live: {words}", err=True)

    def finish(self, report: LiveReport) -> None:
        if self._events is not None:
            self._events.end(report)


class _LiveEvents(JsonProgress):
    """The events of a live session: notes, how it goes, and the report."""

    def live(self, segmented: int, dropped: int, latency: Latency) -> None:
        self._write("live", segmented=segmented, dropped=dropped, latency_ms=asdict(latency))

    def end(self, report: LiveReport) -> None:
        self._write("finish", **asdict(report))


def _kept(report: LiveReport) -> str:
    return f"{report.frames} frames are recorded in {report.case}, {report.segmented} have masks"


def _figures(report: LiveReport) -> str:
    latency = report.latency_ms
    return (
        f"{report.dropped} were dropped; latency from frame to mask: median {latency.median:.1f} ms, "
        f"p95 {latency.p95:.1f} ms, p99 {latency.p99:.1f} ms, max {latency.max:.1f} ms"
    )


def _parse_options(texts: list[str]) -> dict[str, str]:
    options = {}
    for text in texts:
        name, separator, value = text.partition("=")
        if not separator or not name:
            raise RASNetError(f"--option '{text}' is not understood; give NAME=VALUE, for example framerate=60")
        options[name] = value
    return options
