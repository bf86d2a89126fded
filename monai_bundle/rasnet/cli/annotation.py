"""The commands of the annotation loop: what to look at next, what a correction reaches, what a model learns from it."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from rasnet.cli.command import Stopped
from rasnet.cli.commands import CaseFolder, ProgressOption
from rasnet.errors import RASNetError
from rasnet.progress import ProgressMode, make_progress

if TYPE_CHECKING:
    from rasnet.propagation import Travel
    from rasnet.review import QueueEntry
    from rasnet.simulation import Effort

Who = Annotated[
    str | None, typer.Option(metavar="NAME", help="In whose name.", show_default="the user of this computer")
]
ParentOption = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="Checkpoint to go on from.", show_default="the case's, else the released"),
]


def queue(
    case: CaseFolder,
    first: Annotated[int, typer.Option("-n", "--first", min=1, metavar="N", help="Show so many frames.")] = 20,
    as_csv: Annotated[
        bool, typer.Option("--csv", help="Print all of them as CSV: frame, seconds, score, why.")
    ] = False,
    progress: ProgressOption = "auto",
) -> None:
    """Say which frames to look at next, the most useful first.

    Useful is a frame whose mask is in doubt, because the model is unsure or because the masks before and after it,
    moved along with the picture, say something else; and the more so, the more frames look like it. Near-duplicates
    are left out.
    """
    from rasnet.case import Case
    from rasnet.review import order

    with make_progress(progress) as display, Case.open(case) as opened:
        entries, times = order(opened, progress=display), opened.times
    if as_csv and progress != "json":
        writer = csv.writer(sys.stdout)
        writer.writerow(("frame", "seconds", "score", "why"))
        writer.writerows((e.index, f"{times[e.index]:.3f}", f"{e.score:.3f}", e.why) for e in entries)
    elif progress == "json":
        typer.echo(json.dumps({"event": "queue", "frames": [asdict(entry) for entry in entries]}))
    else:
        _print_queue(entries, times, first)


def propagate(
    case: CaseFolder,
    frame: Annotated[
        list[int] | None,
        typer.Argument(metavar="FRAME...", help="Frames that a person corrected or accepted.", show_default=False),
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="Every frame that a person corrected or accepted.")] = False,
    progress: ProgressOption = "auto",
) -> None:
    """Carry corrections to the frames before and after them, along the motion of the picture.

    They stop at cuts, at frames that a person has dealt with, and where they are hardly believed any more. No
    person's frame is written.
    """
    from rasnet.case import Case
    from rasnet.propagation import human_frames
    from rasnet.propagation import propagate as run

    if every == bool(frame):
        raise RASNetError("give the frames to propagate, or --all for every frame that a person dealt with")
    with make_progress(progress) as display, Case.open(case) as opened:
        try:
            travels = run(opened, frame or human_frames(opened), progress=display)
        except KeyboardInterrupt as error:
            raise Stopped(f"stopped; what has travelled so far is kept in {case}") from error
    if progress == "json":
        typer.echo(json.dumps({"event": "travels", "travels": [asdict(travel) for travel in travels]}))
    else:
        for travel in travels:
            typer.echo(_travel_words(travel))


def adapt(
    case: CaseFolder,
    weights: ParentOption = None,
    device: Annotated[Literal["auto", "cpu", "cuda"], typer.Option(help="Where to compute.")] = "auto",
    who: Who = None,
    progress: ProgressOption = "auto",
) -> None:
    """Let the model learn from the frames that a person corrected or accepted.

    The new weights are kept only if they are better on frames of these that were held back, and not worse on other
    scenes; then all predicted frames are predicted anew. Otherwise nothing changes.
    """
    from rasnet.adaptation import adapt as run
    from rasnet.case import Case

    with make_progress(progress) as display, Case.open(case) as opened:
        try:
            done = run(opened, weights=weights, device=device, who=who, progress=display)
        except KeyboardInterrupt as error:
            raise Stopped(
                f"stopped; masks that a person made are as they were, and `rasnet segment` goes on with {case}"
            ) from error
    if progress == "json":
        typer.echo(json.dumps({"event": "adaptation", **asdict(done)}, default=str))
        return
    typer.echo(f"{done.why}; it learnt from {len(done.learnt)} frames and was judged by {len(done.held_back)} others")
    if done.predicted:
        typer.echo(
            f"{done.predicted} frames are predicted anew; `rasnet propagate {case} --all` carries corrections on"
        )


def simulate(
    case: CaseFolder,
    truth: Annotated[
        Path,
        typer.Option(metavar="FOLDER", help="True masks: PNG files of index masks, or a case.", show_default=False),
    ],
    out: Annotated[Path, typer.Option(metavar="FOLDER", help="For effort.csv and effort.png.", show_default=False)],
    labels: Annotated[
        Literal["parts", "binary"], typer.Option(help="What the true masks' values mean; binary: not 0 is instrument.")
    ] = "parts",
    learn: Annotated[bool, typer.Option(help="Let the model learn when 5 % of the frames are corrected.")] = True,
    weights: ParentOption = None,
    compare: Annotated[
        bool, typer.Option("--compare", help="Against every n-th frame and random frames, too, without learning.")
    ] = False,
    progress: ProgressOption = "auto",
) -> None:
    """Show how many corrections a video needs: known masks take the place of a person.

    Works on a copy: queue, correct, propagate, adapt. The case stays as it is; nobody must have reviewed it.
    """
    from rasnet.case import Case
    from rasnet.report.effort import write_effort
    from rasnet.simulation import simulate as run
    from rasnet.simulation import write_curve

    points: list[Effort] = []
    with make_progress(progress) as display, Case.open(case) as opened:
        points += run(opened, truth, labels=labels, learn=learn, weights=weights, progress=display)
        for how in ("every n-th", "random") if compare else ():
            points += run(opened, truth, labels=labels, how=how, learn=False, progress=display)
    write_curve(points, out / "effort.csv")
    write_effort(points, out / "effort.png")
    _say_effort(points, out, progress)


def _print_queue(entries: list[QueueEntry], times: object, first: int) -> None:
    from rich.console import Console
    from rich.table import Table

    from rasnet.report.style import clock

    if not entries:
        typer.echo("nothing is left to look at: every frame is reviewed, or looks like one that is")
        return
    table = Table(box=None, pad_edge=False)
    for name in ("frame", "time", "score"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("why", overflow="fold")
    for entry in entries[:first]:
        table.add_row(str(entry.index), clock(times[entry.index]), f"{entry.score:.2f}", entry.why)  # type: ignore[index]
    Console().print(table)
    if len(entries) > first:
        typer.echo(f"and {len(entries) - first} more; --first shows more of them", err=True)


def _travel_words(travel: Travel) -> str:
    if not travel.trust:
        return f"frame {travel.start}: stays where it is ({travel.stopped})"
    way = "forwards" if travel.last > travel.start else "backwards"
    most, least = max(travel.trust.values()), min(travel.trust.values())
    return (
        f"frame {travel.start}: {way} to {travel.last}, {len(travel.trust)} frames, "
        f"trust {most:.2f} to {least:.2f} ({travel.stopped})"
    )


def _say_effort(points: list[Effort], out: Path, progress: ProgressMode) -> None:
    from rasnet.simulation import TARGET, effort_for

    if progress in ("json", "none"):
        return
    for how in dict.fromkeys(point.order for point in points):
        curve = [point for point in points if point.order == how]
        share = effort_for(curve)
        reached = f"not reached; the best is {max(p.dice for p in curve):.3f}" if share is None else f"{share:.1%}"
        typer.echo(f"{how}: frames corrected for a mean Dice of {TARGET}: {reached}", err=True)
    typer.echo(f"the curve is {out / 'effort.png'}, its points are {out / 'effort.csv'}", err=True)


COMMANDS: dict[Callable[..., None], tuple[str, ...]] = {
    queue: ("rasnet queue operation.case", "rasnet queue operation.case --csv > queue.csv"),
    propagate: ("rasnet propagate operation.case 42", "rasnet propagate operation.case --all"),
    adapt: ("rasnet adapt operation.case", "rasnet adapt operation.case --device cpu --who 'A. Surgeon'"),
    simulate: (
        "rasnet simulate operation.case --truth masks/ --out effort",
        "rasnet simulate operation.case --truth masks/ --out effort --labels binary --compare",
    ),
}
"""Every command, with the examples of its help page."""
