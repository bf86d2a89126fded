"""`rasnet segment --many`: from options to a list of outcomes, and what is said of them."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rasnet.cli.command import Stopped
from rasnet.errors import RASNetError
from rasnet.progress import Progress

if TYPE_CHECKING:
    from rasnet.inference.archive import Wishes
    from rasnet.inference.many import Outcome, Run

ManyOption = Annotated[
    bool,
    typer.Option(
        "--many",
        help="SOURCE is a text file with one video a line, CASE a folder that gets a case for each. Finished ones are "
        "skipped.",
    ),
]
AtOnceOption = Annotated[
    int | None,
    typer.Option(min=1, metavar="N", help="Videos of --many that share the model.", show_default="by device"),
]
RayOption = Annotated[
    str | None,
    typer.Option(
        metavar="ADDRESS",
        help="Spread --many over a Ray cluster: its address, auto for the one that runs here, local for the cores of "
        "this machine.",
        show_default=False,
    ),
]

_MOST_NAMED = 5


def segment_list(
    videos: Path, folder: Path, wishes: Wishes, *, at_once: int | None, ray: str | None, progress: Progress
) -> str:
    """Segment a list of videos.

    Returns:
        How it went, in words.

    Raises:
        RASNetError: the list is not what it should be, or videos failed; the message says which.
        Stopped: by Ctrl-C.
    """
    from rasnet.inference.many import segment_many

    try:
        outcomes = segment_many(videos, folder, wishes, run=_run(at_once, ray), progress=progress)
    except KeyboardInterrupt as error:
        raise Stopped(f"stopped; every case in {folder} is whole; run the same command again to go on") from error
    said = _summary(outcomes, folder)
    failed = [Path(outcome.video).name for outcome in outcomes if outcome.state == "failed"]
    if failed:
        more = f" and {len(failed) - _MOST_NAMED} more" if len(failed) > _MOST_NAMED else ""
        raise RASNetError(
            f"{said} ({', '.join(failed[:_MOST_NAMED])}{more}); mend them or take them off the list, and run the same "
            "command again, which does only what is left"
        )
    return said


def _run(at_once: int | None, ray: str | None) -> Run:
    if ray is None:
        from rasnet.inference.many import InThisProcess

        return InThisProcess(at_once)
    from rasnet.inference.ray_cluster import OnRay

    return OnRay(ray)


def _summary(outcomes: list[Outcome], folder: Path) -> str:
    """Say how many videos ended how."""
    counts = Counter(outcome.state for outcome in outcomes)
    frames = sum(outcome.frames for outcome in outcomes)
    parts = [f"{counts['segmented']} segmented ({frames} frames)"]
    if counts["finished before"]:
        parts.append(f"{counts['finished before']} finished before")
    damaged = [Path(outcome.video).name for outcome in outcomes if outcome.damaged]
    if damaged:
        parts.append(f"{len(damaged)} with frames that could not be decoded")
    if counts["failed"]:
        parts.append(f"{counts['failed']} failed")
    return f"{len(outcomes)} videos in {folder}: {', '.join(parts)}"
