"""The commands that say who changed what, and that bring two people's cases together."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rasnet.cli.commands import CaseFolder, ProgressOption
from rasnet.progress import make_progress

if TYPE_CHECKING:
    from rasnet.record import Change

_LEAST_WIDTH = 130  # of the table: rows that a file or a narrow terminal holds whole are easier to search

SecondCase = Annotated[
    Path, typer.Argument(metavar="CASE_B", help="Another case of the same video.", show_default=False)
]
FirstCase = Annotated[Path, typer.Argument(metavar="CASE_A", help="Folder of a case.", show_default=False)]


def log(
    case: CaseFolder,
    frame: Annotated[
        int | None, typer.Option(min=0, metavar="FRAME", help="Only changes of this frame.", show_default=False)
    ] = None,
    who: Annotated[str | None, typer.Option(help="Only changes of this person or model.", show_default=False)] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table, hashes in full.")] = False,
) -> None:
    """Show who changed what, when and with which tool.

    Every change of a mask has its hash before and after (SHA-256 of its pixels), and its parent: the change that it
    builds upon.
    """
    from rasnet.case import Case
    from rasnet.record import read_changes

    with Case.open(case) as opened:
        changes = list(read_changes(opened, frame=frame, who=who))
    if as_json:
        typer.echo(json.dumps([change.to_json() for change in changes], indent=2))
    else:
        _print_changes(changes)


def compare(
    first: FirstCase,
    second: SecondCase,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER", help="Write layers.csv, frames.csv and worst_frames.png here.", show_default=False
        ),
    ] = None,
    tolerance: Annotated[
        float, typer.Option(min=0.0, max=1.0, help="Of NSD, as a share of the picture's diagonal.")
    ] = 0.02,
    progress: ProgressOption = "auto",
) -> None:
    """Compare two people's cases of one video: Dice, NSD and type, layer by layer.

    Layers belong together by how they overlap, whatever their ids and names.
    """
    from rich.console import Console

    from rasnet.case import Case
    from rasnet.comparison import compare_cases
    from rasnet.comparison_report import comparison_table, write_comparison

    with Case.open(first) as ours, Case.open(second) as theirs, make_progress(progress) as display:
        found = compare_cases(ours, theirs, tolerance=tolerance, progress=display)
        written = write_comparison(found, ours, theirs, out, display) if out is not None else []
    console = Console(stderr=progress == "json")
    console.print(comparison_table(found))
    alone = f"{len(found.only_first)} frames only in {first}, {len(found.only_second)} only in {second}"
    console.print(f"{len(found.frames)} frames in common, {alone}", markup=False, highlight=False)
    if written and progress not in ("json", "none"):
        typer.echo(f"{', '.join(path.name for path in written)} are in {out}", err=True)


def merge(
    first: FirstCase,
    second: SecondCase,
    output: Annotated[Path, typer.Argument(metavar="OUT", help="Folder of the new case.", show_default=False)],
    progress: ProgressOption = "auto",
) -> None:
    """Make one case of two people's cases of one video.

    Frames on which two people disagree are left out, and listed here and in OUT/conflicts.csv: nothing is decided for
    them. `rasnet segment` predicts them anew.
    """
    from rich.console import Console

    from rasnet.case import Case
    from rasnet.merging import CONFLICTS_FILE, merge_cases

    with Case.open(first) as ours, Case.open(second) as theirs, make_progress(progress) as display:
        result = merge_cases(ours, theirs, output, progress=display)
    if progress == "json":
        counts = {"frames": len(result.frames), "predictions": len(result.predictions)}
        typer.echo(json.dumps({"event": "merge", "folder": str(output), **counts}))
        return
    console = Console()
    for conflict in result.conflicts:
        what = f"frame {conflict.frame}" if conflict.frame is not None else f"layer {conflict.layer}"
        words = f"conflict: {what}, {conflict.kind}: {conflict.first} / {conflict.second}: {conflict.outcome}"
        console.print(words, markup=False, highlight=False)
    if progress != "none":
        kept = f", {len(result.predictions)} predictions differ and are those of {first}" if result.predictions else ""
        typer.echo(
            f"{output} has {len(result.frames)} frames, {len(result.conflicts)} conflicts are in "
            f"{output / CONFLICTS_FILE}{kept}",
            err=True,
        )


def _print_changes(changes: list[Change]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from rasnet.record import short

    table = Table(box=None)
    for title in ("id", "parent", "when (UTC)", "who", "what", "frame", "layer", "before", "after", "tool"):
        table.add_column(title, no_wrap=title not in ("who", "tool"), overflow="fold")
    for change in changes:
        entry = change.entry
        table.add_row(
            str(entry.id),
            _text(change.parent),
            entry.when[:19].replace("T", " "),
            Text(entry.who),
            entry.what,
            _text(entry.frame),
            _text(entry.layer),
            Text(short(entry.before)),
            Text(short(entry.after)),
            Text(entry.tool),
        )
    Console(width=max(Console().width, _LEAST_WIDTH)).print(table)


def _text(value: int | None) -> str:
    return "" if value is None else str(value)


COMMANDS: dict[Callable[..., None], tuple[str, ...]] = {
    log: (
        "rasnet log operation.case",
        "rasnet log operation.case --frame 1200",
        "rasnet log operation.case --who anna --json",
    ),
    compare: ("rasnet compare anna.case ben.case --out agreement",),
    merge: ("rasnet merge anna.case ben.case both.case",),
}
"""Every command, with the examples of its help page."""
