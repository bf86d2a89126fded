"""How many corrections a real video needs, and how far a correction carries.

    python Testing/benchmarks/review.py DATA --json review.json
    python Testing/benchmarks/review.py DATA --every 4 --no-learn --weights twin.pt

DATA is laid out as for accuracy.py; what is measured is endovis2015_robotic/Dataset3. Its true masks take the place of
a person. The released weights have learnt from it: give others, that have not, for figures that mean something.

Effort: mean Dice of instrument against background over all frames, by the share of frames corrected, in the order of
the review queue, every n-th frame, and at random; corrections travel. In the queue's order the model also learns, once
5 % are corrected.

Distance: one correction alone, and Dice of the frames 1, 5, 10 and 25 before and after it: what the model said, a copy
of the correction, and what `rasnet propagate` makes of both. Trust is what it says of itself.
"""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import typer
from accuracy import LabelledSet, robotic
from machine import describe_machine, show, write_json
from rich.progress import track
from scipy.stats import spearmanr

from rasnet.case import Case
from rasnet.inference import segment_video
from rasnet.masks import Mask, write_mask
from rasnet.progress import make_progress
from rasnet.propagation import propagate
from rasnet.report.effort import write_effort
from rasnet.simulation import SHARES, Effort, simulate

SET = "endovis2015_robotic/Dataset3"
DISTANCES = (1, 5, 10, 25)


@dataclass(frozen=True)
class Carried:
    """Mean Dice at one distance from a correction.

    Attributes:
        distance: frames.
        count: of frames that were looked at.
        model: what the model said.
        copy: the correction as it is.
        propagated: what propagation made of both.
        trust: mean of what propagation says of itself; None where it did not come so far.
    """

    distance: int
    count: int
    model: float
    copy: float
    propagated: float
    trust: float | None


def measure_distance(case: Case, labelled: LabelledSet, spacing: int) -> tuple[list[Carried], float]:
    """Correct every n-th frame, each in a copy of its own.

    Returns:
        Dice by distance, and the rank correlation of trust with Dice over all frames that were reached.
    """
    wanted = list(case.info.wanted)
    found: dict[int, list[tuple[float, float, float]]] = {distance: [] for distance in DISTANCES}
    trusts: dict[int, list[float]] = {distance: [] for distance in DISTANCES}
    pairs: list[tuple[float, float]] = []
    for place in track(range(spacing // 8, len(wanted), spacing), "distance"):
        start = wanted[place]
        with tempfile.TemporaryDirectory() as folder:
            shutil.copytree(case.folder, Path(folder) / "case")
            with Case.open(Path(folder) / "case") as copy:
                person = labelled.masks(start)
                copy.correct(start, (person > 0).astype(np.uint8), person, who="truth", tool="benchmark")
                trust = {i: t for travel in propagate(copy, start) for i, t in travel.trust.items()}
                pairs += [(value, dice(copy.mask(i), labelled.masks(i))) for i, value in trust.items()]
                for distance in DISTANCES:
                    for other in (place - distance, place + distance):
                        if 0 <= other < len(wanted):
                            index = wanted[other]
                            true = labelled.masks(index)
                            said = dice(case.mask(index), true), dice(person, true), dice(copy.mask(index), true)
                            found[distance].append(said)
                            trusts[distance] += [trust[index]] if index in trust else []
    rows = [
        Carried(
            distance,
            len(found[distance]),
            *(float(value) for value in np.mean(found[distance], axis=0)),
            float(np.mean(trusts[distance])) if trusts[distance] else None,
        )
        for distance in DISTANCES
    ]
    return rows, float(spearmanr(*zip(*pairs, strict=True)).statistic)


def dice(found: Mask, true: Mask) -> float:
    """Of everything that is not 0; 1 where there is nothing in either."""
    sizes = np.count_nonzero(found) + np.count_nonzero(true)
    return float(2 * np.count_nonzero((found > 0) & (true > 0)) / sizes) if sizes else 1.0


def main(
    data: Annotated[Path, typer.Argument(metavar="DATA", help="Folder of the sets.", exists=True, file_okay=False)],
    every: Annotated[int, typer.Option(min=1, metavar="N", help="Take every N-th frame.")] = 1,
    spacing: Annotated[int, typer.Option(min=8, metavar="N", help="Frames between corrections of `distance`.")] = 40,
    learn: Annotated[bool, typer.Option(help="Let the model learn in the queue's order.")] = True,
    weights: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A checkpoint (.pt).", show_default="the released one")
    ] = None,
    device: Annotated[Literal["cpu", "cuda"], typer.Option(help="Where the network runs.")] = "cpu",
    case: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Keep the segmented case here, to go on with.", show_default="nowhere"),
    ] = None,
    plot: Annotated[Path | None, typer.Option(metavar="FILE", help="Draw the effort here.")] = None,
    json: Annotated[Path | None, typer.Option(metavar="FILE", help="Write the figures here too.")] = None,
) -> None:
    """Measure what corrections are worth."""
    with tempfile.TemporaryDirectory() as temporary, robotic(data / SET) as labelled, make_progress() as progress:
        segmented = segment_video(
            labelled.frames,
            case or Path(temporary) / "case",
            weights=weights,
            device=device,
            step=every,
            progress=progress,
        )
        truth = Path(temporary) / "truth"
        truth.mkdir()
        for index in segmented.info.wanted:
            write_mask(truth / f"{index:08d}.png", labelled.masks(index), segmented.info.parts.palette)
        carried, correlation = measure_distance(segmented, labelled, spacing)
        points: list[Effort] = []
        for how in ("queue", "every n-th", "random"):
            learns = learn and how == "queue"
            points += simulate(segmented, truth, how=how, learn=learns, weights=weights, progress=progress)
    machine = describe_machine(device)
    show(
        f"Dice around one correction, {SET}; rank correlation of trust with Dice {correlation:.3f}",
        ("distance", "frames", "model", "copy", "propagated", "trust"),
        [
            (str(row.distance), str(row.count), *map(_figure, (row.model, row.copy, row.propagated, row.trust)))
            for row in carried
        ],
        machine,
    )
    show(
        f"mean Dice by frames corrected, {SET}",
        ("order", *(f"{share:.0%}" for share in SHARES), "learnt at 5 %"),
        [_row([point for point in points if point.order == how]) for how in ("queue", "every n-th", "random")],
        machine,
    )
    if plot is not None:
        write_effort(points, plot)
    write_json(
        json,
        {
            "machine": machine,
            "every": every,
            "carried": [asdict(row) for row in carried],
            "trust_rank_correlation": correlation,
            "effort": [asdict(point) for point in points],
        },
    )


def _figure(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"


def _row(curve: list[Effort]) -> tuple[str, ...]:
    """Dice after each share, as the curve goes on, and whether the model has learnt on the way."""
    # Where the model has learnt, Dice was measured before and after; the table has room for one.
    after = [
        point
        for point, following in zip(curve, [*curve[1:], None], strict=True)
        if not (following and following.adapted and not point.adapted)
    ]
    return (curve[0].order, *(f"{point.dice:.3f}" for point in after), "yes" if curve[-1].adapted else "no")


if __name__ == "__main__":
    typer.run(main)
