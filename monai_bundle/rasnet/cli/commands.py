"""What each command takes, and the one function that it calls."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from rasnet.cli.command import EXIT_USER, Stopped
from rasnet.cli.many import AtOnceOption, ManyOption, RayOption, segment_list
from rasnet.errors import RASNetError
from rasnet.progress import ProgressMode, make_progress

if TYPE_CHECKING:
    from rasnet.doctor import Check
    from rasnet.video import RegionOfInterest

CaseFolder = Annotated[
    Path, typer.Argument(metavar="CASE", help="Folder of a case, as `segment` writes it.", show_default=False)
]
ProgressOption = Annotated[
    ProgressMode,
    typer.Option(
        "--progress",
        help="auto: a bar on a terminal, else lines now and then; json: one JSON object a line on stdout.",
    ),
]
WeightsOption = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE", help="A checkpoint (.pt) or an OpenVINO model (.xml).", show_default="the released one"
    ),
]
DeviceOption = Annotated[
    Literal["auto", "cpu", "cuda"],
    typer.Option(help="Where the network runs; auto takes a GPU if there is one. A CPU uses OpenVINO if it can."),
]
FirstFrame = Annotated[int | None, typer.Option(min=0, metavar="FRAME", help="First frame.", show_default="the case's")]
StopFrame = Annotated[
    int | None, typer.Option(min=1, metavar="FRAME", help="One past the last frame.", show_default="the case's")
]

SYNTH_FPS = 25.0


def segment(
    source: Annotated[
        Path, typer.Argument(metavar="SOURCE", help="A video, a folder of frames, or one image.", show_default=False)
    ],
    case: Annotated[
        Path, typer.Argument(metavar="CASE", help="Folder to write; a stopped run goes on.", show_default=False)
    ],
    many: ManyOption = False,
    at_once: AtOnceOption = None,
    ray: RayOption = None,
    weights: WeightsOption = None,
    device: DeviceOption = "auto",
    batch_size: Annotated[
        int | None,
        typer.Option(min=1, metavar="N", help="Frames that go through the network at once.", show_default="by device"),
    ] = None,
    start: Annotated[int, typer.Option(min=0, metavar="FRAME", help="First frame.")] = 0,
    stop: Annotated[
        int | None, typer.Option(min=1, metavar="FRAME", help="One past the last frame.", show_default="the end")
    ] = None,
    step: Annotated[int, typer.Option(min=1, metavar="N", help="Take every N-th frame.")] = 1,
    roi: Annotated[
        str,
        typer.Option(
            metavar="auto|full|LEFT,TOP,WIDTH,HEIGHT",
            help="What of the frame is picture: found by itself, the whole frame, or a rectangle in pixels.",
        ),
    ] = "auto",
    decoder: Annotated[
        Literal["cpu", "gpu"],
        typer.Option(
            help="What decodes the video. An NVIDIA GPU gives the same pictures for a ninth of the CPU's time, but no "
            "notice of those that are damaged."
        ),
    ] = "cpu",
    progress: ProgressOption = "auto",
) -> None:
    """Find the instruments in a video and write them into a case.

    Frames that a person has corrected or accepted stay as they are.
    """
    if many:
        from rasnet.inference.archive import Wishes

        region_of = partial(parse_roi, roi)
        wishes = Wishes(weights, device, batch_size, start, stop, step, region_of, gpu_decoder=decoder == "gpu")
        with make_progress(progress) as display:
            said = segment_list(source, case, wishes, at_once=at_once, ray=ray, progress=display)
        _say(said, progress)
        return
    if at_once is not None or ray is not None:
        raise RASNetError("--at-once and --ray are for lists of videos; add --many")
    from rasnet.video import open_source

    with open_source(source) as video, make_progress(progress) as display:
        region = parse_roi(roi, video.height, video.width)
        try:
            from rasnet.inference.pipeline import segment_video

            segment_video(
                video,
                case,
                weights=weights,
                device=device,
                batch_size=batch_size,
                start=start,
                stop=stop,
                step=step,
                roi=region,
                progress=display,
                gpu_decoder=decoder == "gpu",
            )
        except KeyboardInterrupt as error:
            raise Stopped(f"stopped; {_kept(case)}; run the same command again to go on") from error
    _say(f"{_kept(case)}; see them with `rasnet overlay {case} marked.mp4`", progress)


def serve(
    case: Annotated[
        Path, typer.Argument(metavar="CASE", help="Folder of a case; made if --source is given.", show_default=False)
    ],
    source: Annotated[
        Path | None,
        typer.Option(
            metavar="SOURCE", help="The video, where there is no case yet or it has moved.", show_default=False
        ),
    ] = None,
    weights: WeightsOption = None,
    device: DeviceOption = "auto",
    # No choice: it tells `Command` that errors, too, are answers in JSON.
    progress: Annotated[Literal["json"], typer.Option(hidden=True)] = "json",
) -> None:
    """Segment what other programs ask for, with a model that stays loaded.

    Requests are lines of JSON on stdin: {"do": "frame", "index": 42}, {"do": "video", "start": 0, "stop": 250},
    {"do": "stop"} and {"do": "quit"}. Answers are lines of JSON on stdout. The end of stdin ends the program.
    """
    from rasnet.inference.serving import serve_case

    serve_case(case, source=source, weights=weights, device=device)


def overlay(
    case: CaseFolder,
    output: Annotated[Path, typer.Argument(metavar="OUT.mp4", help="Video to write.", show_default=False)],
    start: FirstFrame = None,
    stop: StopFrame = None,
    progress: ProgressOption = "auto",
) -> None:
    """Write the video with its instruments marked and named."""
    from rasnet.case import Case
    from rasnet.report.overlay import write_overlay

    with make_progress(progress) as display:
        write_overlay(Case.open(case), output, start=start, stop=stop, progress=display)
    _say(f"the marked video is {output}", progress)


def report(
    case: CaseFolder,
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Folder to write into.", show_default=False)],
    progress: ProgressOption = "auto",
) -> None:
    """Write what a case shows: contact_sheet.png, timeline.png and tracks.csv."""
    from rasnet.case import Case
    from rasnet.report import write_contact_sheet, write_timeline, write_tracks

    opened = Case.open(case)
    folder.mkdir(parents=True, exist_ok=True)
    with make_progress(progress) as display:
        write_contact_sheet(opened, folder / "contact_sheet.png", progress=display)
        write_timeline(opened, folder / "timeline.png", progress=display)
        write_tracks(opened, folder / "tracks.csv", progress=display)
    _say(f"contact_sheet.png, timeline.png and tracks.csv are in {folder}", progress)


def tracks(
    case: CaseFolder,
    csv: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="Write every frame's measurements; - is stdout.", show_default=False),
    ] = None,
    progress: ProgressOption = "auto",
) -> None:
    """Show how long each instrument is on screen, and how often it comes in."""
    from rasnet.case import Case
    from rasnet.report.summary import summarize_layers, summary_table
    from rasnet.report.tracks import write_tracks

    if csv == "-" and progress == "json":
        raise RASNetError("--csv - and --progress json both write to stdout; give --csv a file")
    with make_progress(progress) as display:
        opened = Case.open(case)
        if csv is not None:
            write_tracks(opened, csv, progress=display)
            return
        summaries = summarize_layers(opened, progress=display)
    if progress != "json":
        from rich.console import Console

        Console().print(summary_table(summaries))


def synth(
    video: Annotated[Path, typer.Argument(metavar="VIDEO", help="MP4 file to write.", show_default=False)],
    case: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Also write the exact masks, as a case.", show_default=False)
    ] = None,
    endovis2017: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Also write an EndoVis 2017 data set.", show_default=False),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same scene.")] = 0,
    seconds: Annotated[float, typer.Option(min=0.04, help="Length.")] = 10.0,
    size: Annotated[str, typer.Option(metavar="WIDTHxHEIGHT", help="Pixels.")] = "640x512",
    progress: ProgressOption = "auto",
) -> None:
    """Make up an operation with exact masks: for trying things out, for tests, for more training data."""
    from rasnet.synthetic import SyntheticScene, write_case, write_endovis2017

    width, height = parse_size(size)
    scene = SyntheticScene(seed, size=(height, width), frames=max(round(seconds * SYNTH_FPS), 1), fps=SYNTH_FPS)
    with make_progress(progress) as display:
        write_case(scene, video, case, progress=display)
        if endovis2017 is not None:
            write_endovis2017([scene], endovis2017, progress=display)


def convert(
    output: Annotated[
        Path, typer.Argument(metavar="OUT", help="File to write: .xml for OpenVINO, or .onnx.", show_default=False)
    ],
    weights: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A checkpoint (.pt).", show_default="the released one")
    ] = None,
    precision: Annotated[
        Literal["int8", "fp16", "fp32"] | None,
        typer.Option(help="Of an OpenVINO model's weights.", show_default="int8"),
    ] = None,
    calibrate: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="SOURCE",
            help="Video, folder of frames or image that shows int8 what to expect; may be given again.",
            show_default="synthetic scenes",
        ),
    ] = None,
    shared: Annotated[
        bool,
        typer.Option("--shared", help="Leave out of an int8 model what the checkpoint in the same folder holds too."),
    ] = False,
    progress: ProgressOption = "auto",
) -> None:
    """Write the network for other engines: OpenVINO, or anything that reads ONNX.

    What goes in and comes out is told in the bundle's docs/interop.md.
    """
    from rasnet.inference.export import export_model

    with make_progress(progress) as display:
        export_model(
            output,
            weights=weights,
            precision=precision,
            calibration=calibrate or (),
            shared=shared,
            progress=display,
        )
    _say(f"the model is {output}", progress)


def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """Look at this installation and say what to do about what is missing."""
    from rasnet.doctor import examine

    checks = examine()
    if as_json:
        typer.echo(json.dumps({"checks": [asdict(check) for check in checks]}, indent=2))
    else:
        _print_checks(checks)
    if any(check.advice is not None and check.needed for check in checks):
        raise typer.Exit(EXIT_USER)


COMMANDS: dict[Callable[..., None], tuple[str, ...]] = {
    segment: (
        "rasnet segment operation.mp4 operation.case",
        "rasnet segment operation.mp4 minute.case --start 1500 --stop 3000 --step 5",
        "rasnet segment frames/ frames.case --roi 320,28,1280,1024 --progress json",
        "rasnet segment --many videos.txt cases/",
        "rasnet segment --many videos.txt cases/ --ray auto",
    ),
    serve: (
        "rasnet serve operation.case",
        "rasnet serve operation.case --source operation.mp4 --device cpu",
    ),
    overlay: (
        "rasnet overlay operation.case marked.mp4",
        "rasnet overlay operation.case marked.mp4 --start 1500 --stop 3000",
    ),
    report: ("rasnet report operation.case report",),
    tracks: (
        "rasnet tracks operation.case",
        "rasnet tracks operation.case --csv tracks.csv",
        "rasnet tracks operation.case --csv - | head",
    ),
    synth: (
        "rasnet synth clip.mp4",
        "rasnet synth clip.mp4 --case truth.case --seed 7 --seconds 4 --size 1280x1024",
    ),
    convert: (
        "rasnet convert model_int8.xml --calibrate operation.mp4 --calibrate frames/",
        "rasnet convert model.xml --precision fp32",
        "rasnet convert model.onnx",
    ),
    doctor: ("rasnet doctor", "rasnet doctor --json"),
}
"""Every command, with the examples of its help page."""


def parse_roi(text: str, height: int, width: int) -> RegionOfInterest | None:
    """Read ``--roi`` for frames of a size.

    Returns:
        The region; None for ``auto``, which leaves it to the pipeline.

    Raises:
        RASNetError: neither a word that is known nor four whole numbers, or a rectangle outside the frame.
    """
    from rasnet.video import RegionOfInterest

    if text == "auto":
        return None
    if text == "full":
        return RegionOfInterest.whole(height, width)
    try:
        left, top, roi_width, roi_height = (int(number) for number in text.split(","))
    except ValueError:
        raise RASNetError(f"--roi '{text}' is not understood; give auto, full or LEFT,TOP,WIDTH,HEIGHT") from None
    return RegionOfInterest(
        top=top, left=left, height=roi_height, width=roi_width, frame_height=height, frame_width=width
    )


def parse_size(text: str) -> tuple[int, int]:
    """Read ``WIDTHxHEIGHT``.

    Raises:
        RASNetError: it is something else.
    """
    width, _, height = text.lower().partition("x")
    if not (width.isdecimal() and height.isdecimal() and int(width) and int(height)):
        raise RASNetError(f"--size '{text}' is not understood; give WIDTHxHEIGHT, for example 640x512")
    return int(width), int(height)


def _kept(folder: Path) -> str:
    """Say how far a case is."""
    from rasnet.case import Case

    if not (folder / "case.json").is_file():
        return "no frame is kept yet"
    case = Case.open(folder)
    wanted = len(case.info.wanted)
    return f"{wanted - len(case.missing())} of {wanted} frames are kept in {folder}"


def _say(sentence: str, progress: ProgressMode) -> None:
    """Tell a person how it ended; a program has had its finish event."""
    if progress not in ("json", "none"):
        typer.echo(sentence, err=True)


def _print_checks(checks: list[Check]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for check in checks:
        problem = "[red]problem[/red]" if check.needed else "[yellow]without[/yellow]"
        mark = "[green]ok[/green]" if check.advice is None else problem
        words = check.found if check.advice is None else f"{check.found}; {check.advice}"
        table.add_row(mark, check.name, Text(words))
    Console().print(table)
