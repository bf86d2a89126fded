"""RASNet with and without attention, U-Net and TernausNet on real video, one sequence left out.

    python Testing/benchmarks/leave_one_out.py --data DATA --out OUT --device cuda --at-once 3 --minutes 9

DATA is the robotic part of EndoVis 2015, which the project may not ship: folders Dataset1, Dataset2, ... with Video.avi
and *Segmentation.avi. A network is trained on all sequences but one and tested on that one, for each sequence and seed.

The same command goes on where it was stopped: a run that is done is not done again, one that was killed begins anew.
All seeds of one number come first, so that whatever is done compares all networks. OUT then holds results.json, and
results.md with its plot; from results.json alone the page is written by

    python Testing/benchmarks/leave_one_out.py --out OUT --only-table --page results.md
"""

from __future__ import annotations

import json
import multiprocessing
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, Literal

import torch
import typer
from leave_one_out_page import TITLES, write_page
from material import parse_input_size
from robotic_sequences import decode_sequence, find_sequences
from short_training import NETWORKS, Recipe, Run, execute, measure_speed

from rasnet.errors import RASNetError
from rasnet.metrics import write_json

Result = dict[str, Any]


def plan(networks: Sequence[str], sequences: Sequence[str], seeds: int) -> list[Run]:
    """List the runs: all networks and sequences of one seed before the next seed."""
    return [Run(network, left_out, seed) for seed in range(seeds) for left_out in sequences for network in networks]


def read_results(folder: Path, recipe: Recipe | None = None) -> dict[str, Result]:
    """Read results by the name of their file.

    Args:
        folder: of the results; it may be missing.
        recipe: that they must be of; None for any.

    Raises:
        RASNetError: one is damaged, or of another recipe.
    """
    found = {}
    for file in sorted(folder.glob("[!.]*.json")):
        try:
            result = json.loads(file.read_text(encoding="utf-8"))
            there = result["recipe"]
        except (ValueError, KeyError, TypeError) as error:
            raise RASNetError(f"{file} is damaged; remove it, and it is measured again") from error
        if recipe is not None:
            _check(there, recipe, file)
        found[file.stem] = result
    return found


def main(
    data: Annotated[
        Path | None, typer.Option(metavar="DATA", help="Folder of the sequences.", show_default=False)
    ] = None,
    out: Annotated[Path, typer.Option(metavar="OUT", help="Folder of the results.")] = Path("leave_one_out"),
    seeds: Annotated[int, typer.Option(min=1, metavar="N", help="Trainings of each network and sequence.")] = 3,
    iterations: Annotated[int, typer.Option(min=2, metavar="N", help="Of each training.")] = Recipe.iterations,
    batch_size: Annotated[int, typer.Option(min=2, metavar="N", help="Frames in a batch.")] = Recipe.batch_size,
    size: Annotated[
        str, typer.Option(metavar="WIDTHxHEIGHT", help="Of the networks' input; small for a rehearsal.")
    ] = f"{Recipe.size[1]}x{Recipe.size[0]}",
    every: Annotated[int, typer.Option(min=1, metavar="N", help="Take every N-th frame; more for a rehearsal.")] = 1,
    networks: Annotated[
        list[str] | None,
        typer.Option("--networks", metavar="NAME", help=f"Of {', '.join(NETWORKS)}.", show_default="all"),
    ] = None,
    device: Annotated[Literal["cpu", "cuda"], typer.Option(help="Where networks are trained.")] = "cpu",
    at_once: Annotated[int, typer.Option(min=1, metavar="N", help="Trainings side by side on that device.")] = 1,
    minutes: Annotated[
        float | None,
        typer.Option(metavar="M", help="Start no run that would not end before.", show_default="no limit"),
    ] = None,
    only_table: Annotated[bool, typer.Option("--only-table", help="Measure nothing, write the page.")] = False,
    page: Annotated[Path | None, typer.Option(metavar="FILE", help="The page.", show_default="OUT/results.md")] = None,
) -> None:
    """Compare networks on sequences that they have not seen."""
    began = time.monotonic()
    page = page or out / "results.md"
    failed: list[str] = []
    try:
        if not only_table:
            if data is None:
                raise RASNetError("give --data, the folder of EndoVis 2015's robotic sequences, or --only-table")
            recipe = Recipe(iterations, batch_size, parse_input_size(size), every=every)
            deadline = None if minutes is None else began + 60 * minutes
            failed = _measure(data, out, recipe, _known(networks), seeds, device, at_once, deadline)
        for sentence in failed:
            typer.echo(sentence, err=True)
        runs, speeds = _all_results(out)
        write_page(runs, speeds, page)
    except RASNetError as error:
        raise SystemExit(str(error)) from error
    typer.echo(f"{len(runs)} runs; the page is {page}")
    if failed:
        raise SystemExit(f"{len(failed)} runs failed, and are not in it")


def _measure(
    data: Path,
    out: Path,
    recipe: Recipe,
    networks: Sequence[str],
    seeds: int,
    device: str,
    at_once: int,
    deadline: float | None,
) -> list[str]:
    """Do what is not done yet.

    Returns:
        A sentence for each run that failed.

    Raises:
        RASNetError: the data is not there, results are of another recipe, or a process was killed.
    """
    names = find_sequences(data)
    done = read_results(out / "runs", recipe)
    timed = read_results(out / "speed", recipe)
    todo = [run for run in plan(networks, names, seeds) if run.name not in done]
    slow = [network for network in networks if network not in timed]
    if not todo and not slow:
        return []
    with (
        tempfile.TemporaryDirectory(prefix="frames") as folder,
        ProcessPoolExecutor(at_once, multiprocessing.get_context("spawn")) as pool,
    ):
        kept = Path(folder)
        typer.echo(f"decode {', '.join(names)}")
        for decoded in [pool.submit(decode_sequence, data / name, recipe.size, recipe.every, kept) for name in names]:
            decoded.result()
        for network in slow:  # one after the other, with nothing beside it
            file = out / "speed" / f"{network}.json"
            speed = pool.submit(measure_speed, network, recipe, kept, names, device, file).result()
            timed[network] = speed
            typer.echo(f"{TITLES[network]} alone: {speed['images_per_second']:.1f} training images/s")
        images = recipe.iterations * recipe.batch_size
        alone = {network: images / float(timed[network]["images_per_second"]) for network in networks}
        typer.echo(f"{len(todo)} runs, about {sum(alone[run.network] for run in todo) / 60:.1f} minutes of training")

        def start(run: Run) -> Future[Result]:
            return pool.submit(execute, run, recipe, kept, names, device, out / "runs" / f"{run.name}.json")

        try:
            expected = {network: at_once * seconds for network, seconds in alone.items()}
            return list(_side_by_side(todo, start, at_once, deadline, expected))
        except BrokenProcessPool as error:
            raise RASNetError(
                "a training's process was killed, perhaps for memory; the same command goes on, with fewer --at-once"
            ) from error


def _side_by_side(
    todo: list[Run],
    start: Callable[[Run], Future[Result]],
    at_once: int,
    deadline: float | None,
    expected: Mapping[str, float],
) -> Iterator[str]:
    """Run what is to do, some at a time, and tell of each; give a sentence for each that failed.

    Args:
        todo: runs, in their order.
        start: a run.
        at_once: how many.
        deadline: of `time.monotonic`; a run that would end later, as far as one knows, is not started.
        expected: seconds that a run takes, by its network; what runs then take replaces it.
    """
    began, total, ended = time.monotonic(), len(todo), 0
    seconds = dict(expected)
    waiting, running = list(todo), dict[Future[Result], Run]()
    while waiting or running:
        while waiting and len(running) < at_once:
            if deadline is not None and time.monotonic() + seconds[waiting[0].network] > deadline:
                typer.echo(f"{len(waiting)} runs are left for another time")
                waiting.clear()
                break
            run = waiting.pop(0)
            running[start(run)] = run
        for future in wait(running, return_when=FIRST_COMPLETED).done if running else ():
            run, ended = running.pop(future), ended + 1
            try:
                result = future.result()
            except (RASNetError, torch.OutOfMemoryError) as error:
                yield f"{run.name}: {error}"
                continue
            seconds[run.network] = result["seconds"]
            left = (time.monotonic() - began) / ended * (len(waiting) + len(running))
            typer.echo(
                f"{ended}/{total} {TITLES[run.network]}, {run.left_out} left out, seed {run.seed}: "
                f"loss {result['last_loss']:.3f}, {result['seconds']:.0f} s; about {left / 60:.1f} minutes left"
            )


def _all_results(out: Path) -> tuple[list[Result], list[Result]]:
    """Gather what single files hold into results.json, or read that where it travelled alone.

    Raises:
        RASNetError: there is nothing, or it is damaged or of several recipes.
    """
    whole = out / "results.json"
    runs, speeds = read_results(out / "runs"), read_results(out / "speed")
    if runs:
        write_json(whole, {"runs": list(runs.values()), "speeds": list(speeds.values())})
    try:
        results = json.loads(whole.read_text(encoding="utf-8"))
        found: tuple[list[Result], list[Result]] = (results["runs"], results["speeds"])
        recipe = found[0][0]["recipe"]
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise RASNetError(f"{out} holds no results; give --data to measure some") from error
    for result in found[0]:
        if result["recipe"] != recipe:
            raise RASNetError(f"{out} holds runs of several recipes, {recipe} and {result['recipe']}; part them")
    return found


def _check(there: dict[str, Any], recipe: Recipe, file: Path) -> None:
    """See that a result is of a recipe."""
    wanted = json.loads(json.dumps(asdict(recipe)))  # as JSON has it: tuples are lists there
    for name in wanted:
        if there.get(name) != wanted[name]:
            raise RASNetError(
                f"{file} is of a run with {name} {there.get(name)}, not {wanted[name]}; give the same, or another --out"
            )


def _known(networks: list[str] | None) -> list[str]:
    for network in networks or ():
        if network not in NETWORKS:
            raise RASNetError(f"there is no network '{network}'; choose of {', '.join(NETWORKS)}")
    return [network for network in NETWORKS if not networks or network in networks]


if __name__ == "__main__":
    typer.run(main)
