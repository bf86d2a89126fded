"""Tables I to IV and Figure 3 in one call, which goes on where it was stopped."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from rasnet import __version__
from rasnet.datasets.endovis2017_cache import default_cache, prepare
from rasnet.datasets.endovis2017_check import table_one
from rasnet.datasets.endovis2017_layouts import EndoVis2017
from rasnet.datasets.split_frames import SplitFrames
from rasnet.metrics import Results, write_csv
from rasnet.networks import RASNet, TernausNet
from rasnet.progress import Progress, SilentProgress
from rasnet.report.metric_plots import write_class_bars, write_confusion
from rasnet.reproduction.evaluation import evaluate
from rasnet.reproduction.figure3 import write_figure3
from rasnet.reproduction.page import write_page
from rasnet.reproduction.plan import FOLDS, Plan
from rasnet.reproduction.runs import UNIMPORTANT, Predictions, load_test_frames, run
from rasnet.reproduction.synthetic_data import write_synthetic
from rasnet.reproduction.tables import Table, table_four, table_of_folds, table_one_of, table_three, table_two

# The frames of the paper's Figure 3 come beside these networks, in this order.
_FIGURE = ("rasnet", "ternausnet", "unet")

_EXPLANATION = (
    "All figures are per cent. Dice and IoU: from the pixel counts of each type pooled over all test frames, then the "
    "mean over the types, background left out. fg.: the same without pixels that truth or prediction call background, "
    "as the authors' later code computes; errors between instrument and background cost nothing there, and the paper's "
    "numbers are likely of that kind. Masks are compared at the training's size. The weights are those of the best "
    "validation epoch; validation frames are the last of each sequence's training frames, and the test is never looked "
    "at before the end."
)
_LEAK = (
    "The paper's split has neighbouring frames on both sides, so that its figures say little of a new operation; the "
    "four folds do."
)
_SYNTHETIC = (
    "These figures come from a short training on synthetic pictures. They show that everything works, and cannot be "
    "compared with the paper's."
)


@dataclass(frozen=True)
class Reproduction:
    """What was found.

    Attributes:
        results: of each experiment on the paper's split, by its name.
        folds: of each experiment that ran on the folds.
        tables: for people.
        page: the HTML page.
        csv: every figure.
    """

    results: Mapping[str, Results]
    folds: Mapping[str, Results]
    tables: tuple[Table, ...]
    page: Path
    csv: Path


def reproduce(plan: Plan, progress: Progress | None = None) -> Reproduction:
    """Train and evaluate what the plan says, and write ``report.html``, ``figures.csv`` and the pictures.

    Every run that is done is kept under ``runs``; a run that was stopped goes on.

    Args:
        plan: what is to be run.
        progress: told of epochs and frames.

    Raises:
        RASNetError: the data is wrong, weights cannot be had, or runs with other settings are in the folder.
    """
    progress = progress or SilentProgress()
    if plan.synthetic:
        write_synthetic(plan.data, progress)
    tested = {split: load_test_frames(plan, split, progress) for split in _splits(plan)}
    _try_weights(plan)
    predictions: dict[tuple[str, str], Predictions] = {}
    for experiment in plan.experiments:
        for split in plan.splits(experiment):
            predictions[experiment.name, split] = run(plan, experiment, split, progress)
    results: dict[str, Results] = {}
    folds: dict[str, Results] = {}
    for experiment in plan.experiments:
        for group, splits in ((results, (plan.split,)), (folds, FOLDS)):
            if set(splits) <= set(plan.splits(experiment)):
                kept = plan.out / "runs" / ("folds" if group is folds else plan.split) / f"{experiment.name}.json"
                newest = max((plan.folder(experiment, split) / "predictions.npz").stat().st_mtime for split in splits)
                parts = [(tested[split], predictions[experiment.name, split]) for split in splits]
                group[experiment.name] = evaluate(parts, kept, newest, f"evaluate {experiment.title}", progress)
    return _report(plan, results, folds, tested[plan.split], predictions)


def _splits(plan: Plan) -> list[str]:
    return list(dict.fromkeys(split for experiment in plan.experiments for split in plan.splits(experiment)))


def _try_weights(plan: Plan) -> None:
    """Get the ImageNet weights before anything is trained, not hours later."""
    if plan.weights["resnet50"] is not None:
        RASNet(2, pretrained=plan.weights["resnet50"])
    if plan.weights["vgg11"] is not None:
        TernausNet(2, pretrained=plan.weights["vgg11"])


def _report(
    plan: Plan,
    results: dict[str, Results],
    folds: dict[str, Results],
    tested: SplitFrames,
    predictions: Mapping[tuple[str, str], Predictions],
) -> Reproduction:
    titles = {experiment.name: experiment.title for experiment in plan.experiments}
    tables = [
        _table_one(plan, tested),
        table_two(plan, results),
        table_three(plan, results),
        table_four(plan, results),
        *([table_of_folds(plan, folds)] if folds else []),
    ]
    main = plan.main.name
    shown = {titles[name]: predictions[name, plan.split] for name in (main, *_FIGURE[1:])}
    pictures = {group.source.name: group.images.numpy() for group in tested.groups}
    truth = {group.source.name: group.masks.numpy() for group in tested.groups}
    figure3, bars, confusion = (plan.out / f"{name}.png" for name in ("figure3", "class_bars", "confusion"))
    write_figure3(pictures, truth, shown, figure3)
    write_class_bars({titles[name]: result for name, result in results.items()}, bars)
    write_confusion(results[main], confusion)
    page, csv = plan.out / "report.html", plan.out / "figures.csv"
    write_csv(
        csv,
        {f"{name} on {plan.split}": r for name, r in results.items()}
        | {f"{name} on folds": r for name, r in folds.items()},
    )
    write_page(
        page,
        facts=_facts(plan, tested),
        warnings=[_SYNTHETIC] if plan.synthetic else [_LEAK],
        tables=tables,
        pictures=[
            ("Figure 3: pictures, truth and predictions", figure3),
            ("Dice of each type", bars),
            (f"Confusion matrix of {titles[main]}", confusion),
        ],
        explanation=_EXPLANATION,
    )
    return Reproduction(results, folds, tuple(tables), page, csv)


def _table_one(plan: Plan, tested: SplitFrames) -> Table:
    data = EndoVis2017.find(plan.data)
    height, width = plan.settings.get("size", (256, 320))
    cache = plan.settings.get("cache_dir")
    sequences = [sequence for sequence in data.sequences if sequence.part == "train" and sequence.masks]
    cached = prepare(sequences, (height, width), default_cache() if cache is None else Path(cache))
    assert tested.split is not None
    return table_one_of(table_one({c.sequence.name: np.asarray(c.instances) for c in cached}, tested.split, data))


def _facts(plan: Plan, tested: SplitFrames) -> list[tuple[str, str]]:
    split = tested.split
    assert split is not None
    counts = {side: sum(map(len, getattr(split, side).values())) for side in ("train", "validation", "test")}
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else "CPU"
    settings = ", ".join(f"{name} {value}" for name, value in plan.settings.items() if name not in UNIMPORTANT)
    return [
        (
            "data",
            "synthetic, in the layout of EndoVis 2017" if plan.synthetic else f"EndoVis 2017, {plan.data.resolve()}",
        ),
        ("split", f"{split.name}: {', '.join(f'{count} {side}' for side, count in counts.items())} frames"),
        ("recipe", f"configs/train.yaml{' with ' + settings if settings else ''}"),
        ("encoders", ", ".join(f"{name}: {source or 'random'}" for name, source in plan.weights.items())),
        ("software", f"RASNet {__version__}, PyTorch {torch.__version__}, {device}"),
        ("written", time.strftime("%Y-%m-%d %H:%M")),
    ]
