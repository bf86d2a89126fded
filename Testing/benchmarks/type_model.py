"""From ten annotated videos to a model that tells instrument types apart, on synthetic video.

    python Testing/benchmarks/type_model.py --json types.json --picture types.png
    python Testing/benchmarks/type_model.py --videos 3 --unseen 1 --frames 8 --size 128x96 --epochs 20 --batch-size 7

The types of the videos are withheld, and a script in the place of an annotator gives them back by `rasnet layers`: it
mends a tracker's mistakes, and says of each layer once what it is. `rasnet train` learns from these cases, and what
`rasnet segment` then says of operations that nobody annotated is compared with the truth. Both take a GPU if there is
one; the second command is a rehearsal for a CPU.
"""

from __future__ import annotations

import multiprocessing
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from itertools import cycle
from pathlib import Path
from typing import Annotated, Any, Literal

import torch
import typer
from machine import describe_machine, show, write_json
from material import RASNET, parse_input_size
from startup import run
from type_model_figures import Judged, figures_json, judge_instruments, type_rows, write_frame_wise
from type_model_operations import MISTAKES, Operation, annotate, draw_operation, plan_operations
from type_model_picture import draw_picture
from wording import number

from rasnet.case import Case
from rasnet.cores import available_cores
from rasnet.errors import RASNetError
from rasnet.evaluation import evaluate_masks
from rasnet.inference import load_backend
from rasnet.metrics import Results

KNOWN_SEED, UNSEEN_SEED = 2000, 7000
"""Of the first scenes; another seed draws tissue, light, instruments and motion anew."""

Recipe = Mapping[str, Any]
"""Settings of ``train.yaml``."""

VALIDATIONS = 10
"""During a training; the weights of the best one are kept."""


class Stopwatch:
    """Tells how long each stage takes, as it ends.

    Attributes:
        seconds: by stage.
    """

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Time a block."""
        began = time.perf_counter()
        yield
        self.seconds[name] = time.perf_counter() - began
        typer.echo(f"{name}: {number(self.seconds[name])} s")


def prepare(known: Sequence[Operation], unseen: Sequence[Operation], watch: Stopwatch) -> list[list[str]]:
    """Draw all operations and annotate the known ones, an operation a core.

    Returns:
        The annotator's words, for each known operation.

    Raises:
        RASNetError: something cannot be drawn or annotated.
    """
    with ProcessPoolExecutor(available_cores(), multiprocessing.get_context("spawn")) as pool:
        with watch.stage("draw"):
            list(pool.map(draw_operation, [*known, *unseen]))
        with watch.stage("annotate"):
            return list(pool.map(annotate, known, cycle(MISTAKES)))


def train(known: Sequence[Operation], recipe: Recipe, folder: Path) -> Path:
    """Learn from annotated cases by one command.

    Args:
        known: the annotated operations.
        recipe: settings of ``train.yaml``.
        folder: for the weights.

    Returns:
        The weights of the best validation.
    """
    cases = [word for operation in known for word in ("--case", str(operation.annotated))]
    settings = [word for name, value in recipe.items() for word in ("--set", f"{name}={value}")]
    run((*RASNET, "train", *cases, "--out", str(folder), *settings))
    return folder / "best.pt"


def segment(unseen: Sequence[Operation], weights: Path) -> None:
    """Segment operations by one command, which loads the model once."""
    videos, cases = unseen[0].folder / "videos.txt", unseen[0].found.parent
    videos.write_text("".join(f"{operation.video}\n" for operation in unseen), encoding="utf-8")
    run((*RASNET, "segment", "--many", str(videos), str(cases), "--weights", str(weights), "--progress", "none"))


def compare(unseen: Sequence[Operation], weights: Path) -> tuple[dict[str, Results], list[Judged], int]:
    """Compare the cases, and what the model says frame by frame, with the truth.

    Returns:
        Figures of pixels, what became of each instrument, and how many layers the cases have.

    Raises:
        RASNetError: masks are missing.
    """
    backend, _ = load_backend(weights)
    judged, layers = list[Judged](), 0
    for operation in unseen:
        with Case.open(operation.found) as case:
            write_frame_wise(case, backend, operation.frame_wise)
            judged += judge_instruments(operation, case)
            layers += len(case.layers())
    found, truth, frame_wise = (folder.parent for folder in (unseen[0].found, unseen[0].truth, unseen[0].frame_wise))
    return evaluate_masks(found, truth, "types", frame_wise=frame_wise), judged, layers


def measure(folder: Path, known: Sequence[Operation], unseen: Sequence[Operation], recipe: Recipe) -> dict[str, Any]:
    """Go from videos to figures, and show them.

    Args:
        folder: for the weights.
        known: the operations to annotate.
        unseen: those to test on.
        recipe: settings of ``train.yaml``.

    Returns:
        All figures, as an object that JSON can hold.

    Raises:
        RASNetError: something cannot be drawn, learnt or compared.
    """
    watch = Stopwatch()
    words = prepare(known, unseen, watch)
    with watch.stage("train"):
        weights = train(known, recipe, folder)
    with watch.stage("segment"):
        segment(unseen, weights)
    with watch.stage("compare"):
        results, judged, layers = compare(unseen, weights)
    a_video = sum(map(len, words)) / len(known)
    machine = describe_machine("cuda" if torch.cuda.is_available() else "cpu")
    show(
        f"{len(unseen)} unseen operations, {len(known)} annotated ones with {a_video:.1f} words each; "
        f"{layers} layers for {len(judged)} instruments",
        ("type", "videos with it", "Dice, each frame", "Dice, after vote", "right", "taken for"),
        type_rows(results, judged, Counter(name for operation in known for name in set(operation.types))),
        machine,
    )
    return {
        "machine": machine,
        "recipe": dict(recipe),
        "operations": {operation.name: operation.types for operation in [*known, *unseen]},
        "frames": known[0].frames,
        "words": {operation.name: said for operation, said in zip(known, words, strict=True)},
        "words_a_video": a_video,
        "seconds": watch.seconds,
        "layers": layers,
        **figures_json(results, judged),
    }


def main(
    videos: Annotated[int, typer.Option(min=1, metavar="N", help="Annotated operations.")] = 10,
    unseen: Annotated[int, typer.Option(min=1, metavar="N", help="Operations that test.")] = 3,
    frames: Annotated[int, typer.Option(min=8, metavar="N", help="Of each operation, two a second.")] = 40,
    size: Annotated[
        str, typer.Option(metavar="WIDTHxHEIGHT", help="Of the videos and of the network's input.")
    ] = "320x256",
    epochs: Annotated[int, typer.Option(min=1, metavar="N", help="Of the training.")] = 100,
    batch_size: Annotated[int, typer.Option(min=2, metavar="N", help="Frames in a batch.")] = 32,
    learning_rate: Annotated[float, typer.Option(metavar="RATE", help="Of Adam, at the beginning.")] = 5e-4,
    start: Annotated[
        Literal["released", "random"],
        typer.Option(help="Weights to begin at; the released ones, which know no types, are the command's own choice."),
    ] = "released",
    picture: Annotated[Path | None, typer.Option(metavar="FILE", help="Draw frames beside the truth here.")] = None,
    json: Annotated[Path | None, typer.Option(metavar="FILE", help="Write the figures here too.")] = None,
) -> None:
    """Measure what is learnt from videos whose layers were given a type once."""
    for file in (picture, json):
        if file is not None and not file.absolute().parent.is_dir():  # said now rather than after the training
            raise SystemExit(f"there is no folder {file.parent} for {file.name}; make it first")
    shape = parse_input_size(size)
    recipe = {
        "size": list(shape),
        "epochs": epochs,
        "batch_size": batch_size,
        "learning_rate": learning_rate,
        "augmentation": "light",
        "val_interval": -(-epochs // VALIDATIONS),
        "patience": None,
        "save_every_s": 1e9,  # nobody goes on with this training
        # Where this is said, `rasnet train` does not begin at the released weights.
        **({"pretrained": None} if start == "random" else {}),
    }
    with tempfile.TemporaryDirectory(prefix="types") as name:
        folder = Path(name)
        known = plan_operations(videos, folder / "known", seed=KNOWN_SEED, frames=frames, size=shape)
        new = plan_operations(unseen, folder / "unseen", seed=UNSEEN_SEED, frames=frames, size=shape)
        try:
            result = measure(folder / "model", known, new, recipe)
            write_json(json, {"start": start} | result)
            if picture is not None:
                draw_picture(new, picture)
        except RASNetError as error:
            raise SystemExit(str(error)) from error


if __name__ == "__main__":
    typer.run(main)
