"""The commands that train and compare networks, and the data that they need."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from rasnet.cli.command import Stopped
from rasnet.cli.commands import ProgressOption
from rasnet.errors import RASNetError
from rasnet.progress import make_progress

SettingOption = Annotated[
    list[str] | None,
    typer.Option(
        "--set", metavar="NAME=VALUE", help="A setting of configs/train.yaml; may be given again.", show_default=False
    ),
]


def endovis2017(
    folder: Annotated[
        Path, typer.Argument(metavar="FOLDER", help="Where EndoVis 2017 was unpacked to.", show_default=False)
    ],
    check: Annotated[
        bool, typer.Option("--check", help="Read every file, say what is wrong, and count the paper's Table I.")
    ] = False,
    splits: Annotated[
        Path | None,
        typer.Option(metavar="OUT", help="Check, and write every split into this folder as JSON.", show_default=False),
    ] = None,
    progress: ProgressOption = "auto",
) -> None:
    """Look at a download of EndoVis 2017.

    Understood are the layout of the challenge, with all its irregular names, the cropped one in wide use, and the
    flat one with image and label beside each other. Nothing is copied; training keeps its own small copies.
    """
    from rich.console import Console

    from rasnet.datasets.endovis2017_layouts import EndoVis2017
    from rasnet.datasets.endovis2017_report import check_and_show, show_sequences

    data = EndoVis2017.find(folder)
    console = Console(stderr=progress == "json")
    show_sequences(data, console)
    if check or splits is not None:
        with make_progress(progress) as display:
            check_and_show(data, console, splits, display)
    else:
        for problem in data.problems:
            console.print(f"problem: {problem}", markup=False, highlight=False)


def evaluate(
    predicted: Annotated[
        Path,
        typer.Argument(
            metavar="PREDICTED", help="A case, a folder of mask PNG files, or a folder of these.", show_default=False
        ),
    ],
    truth: Annotated[Path, typer.Argument(metavar="TRUTH", help="The same, of the true masks.", show_default=False)],
    labels: Annotated[
        str,
        typer.Option(
            metavar="parts|types|binary|SCHEMA",
            help="What mask values mean; binary: every value but 0 is instrument; or a label schema's name or path.",
        ),
    ] = "parts",
    frame_wise: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            help="Type masks before the vote over layers; both are evaluated.",
            show_default=False,
        ),
    ] = None,
    tolerance: Annotated[
        float, typer.Option(min=0.0, max=1.0, help="Of NSD, as a share of the picture's diagonal.")
    ] = 0.02,
    out: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Write figures.csv, figures.json and pictures here.", show_default=False),
    ] = None,
    progress: ProgressOption = "auto",
) -> None:
    """Compare predicted masks with true ones: Dice, IoU, NSD and HD95, by class and sequence, with intervals.

    Frames belong together by the last number in their file's name. Every true mask needs a predicted one.
    """
    from rich.console import Console

    from rasnet.evaluation import evaluate_masks, write_evaluation
    from rasnet.metrics.tables import result_tables

    with make_progress(progress) as display:
        results = evaluate_masks(predicted, truth, labels, frame_wise=frame_wise, tolerance=tolerance, progress=display)
    if out is not None:
        write_evaluation(results, out)
    console = Console(stderr=progress == "json")
    for table in result_tables(results):
        console.print(table, end="\n\n")


def train(
    output: Annotated[
        Path,
        typer.Option("--out", metavar="FOLDER", help="For the weights; a stopped run goes on.", show_default=False),
    ],
    data: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="EndoVis 2017, in any layout.", show_default=False)
    ] = None,
    case: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="CASE", help="A case with accepted or corrected frames; may be given again.", show_default=False
        ),
    ] = None,
    setting: SettingOption = None,
) -> None:
    """Train a network on EndoVis 2017, on reviewed cases, or on both.

    Cases teach types: a layer's type, said once, labels it in all frames. On cases alone, the training begins at the
    released weights. FOLDER/best.pt has the weights of the best validation, for `rasnet segment --weights`.
    """
    from rasnet.training.start import released_start
    from rasnet.training.workflow import run_training

    settings = dict(parse_setting(text) for text in setting or ())
    if data is None and not {name.partition("::")[0] for name in settings} & {"network_def", "pretrained", "weights"}:
        settings = released_start() | settings
    given = {"dataset_dir": None if data is None else str(data), "cases": [str(folder) for folder in case or ()]}
    try:
        run_training(given | settings | {"output_dir": str(output)})
    except KeyboardInterrupt as error:
        raise Stopped("stopped; run the same command again to go on") from error
    typer.echo(f"the best weights are {output / 'best.pt'}, for `rasnet segment VIDEO CASE --weights`", err=True)


def reproduce(
    data: Annotated[
        Path | None, typer.Argument(metavar="DATA", help="EndoVis 2017, in any layout.", show_default=False)
    ] = None,
    *,
    output: Annotated[
        Path,
        typer.Option("--out", metavar="FOLDER", help="For runs and report; a stopped one goes on.", show_default=False),
    ],
    quick: Annotated[
        bool, typer.Option("--quick", help="Rehearse it all on synthetic data, with short trainings.")
    ] = False,
    split: Annotated[
        Literal["paper", "table1"], typer.Option(help="Of the tables: each sequence's end, or near Table I's counts.")
    ] = "paper",
    resnet50: Annotated[
        str, typer.Option(metavar="imagenet|none|FILE", help="Weights that RASNet's encoder starts from.")
    ] = "imagenet",
    vgg11: Annotated[
        str, typer.Option(metavar="imagenet|none|FILE", help="Weights that TernausNet's encoder starts from.")
    ] = "imagenet",
    setting: SettingOption = None,
    progress: ProgressOption = "auto",
) -> None:
    """Run the paper's experiments, and print Tables I to IV beside the paper's own.

    Five networks are trained on the paper's split and on the four folds by sequence. FOLDER/report.html holds the
    tables, Figure 3, bars by type and the confusion matrix; FOLDER/figures.csv every number.
    """
    from rasnet.reproduction import Plan, quick_plan
    from rasnet.reproduction import reproduce as run
    from rasnet.reproduction.show import show_tables

    if (data is None) != quick:
        raise RASNetError("give DATA, the folder of EndoVis 2017, or --quick for synthetic data, and not both")
    settings = dict(parse_setting(text) for text in setting or ())
    if data is None:  # a rehearsal downloads nothing
        plan = quick_plan(
            output, {"resnet50": _source(resnet50, "imagenet"), "vgg11": _source(vgg11, "imagenet")}, **settings
        )
    else:
        plan = Plan(
            data, output, {"resnet50": _source(resnet50), "vgg11": _source(vgg11)}, split=split, settings=settings
        )
    with make_progress(progress) as display:
        try:
            found = run(plan, display)
        except KeyboardInterrupt as error:
            raise Stopped("stopped; run the same command again to go on") from error
    if progress != "json":
        show_tables(found.tables)
    typer.echo(f"the report is {found.page}, every number is in {found.csv}", err=True)


def parse_setting(text: str) -> tuple[str, Any]:
    """Read ``NAME=VALUE``; the value is JSON, or a word as it stands.

    Raises:
        RASNetError: there is no name.
    """
    name, sign, value = text.partition("=")
    if not (name and sign):
        raise RASNetError(f"--set '{text}' is not understood; give NAME=VALUE, for example --set epochs=20")
    try:
        return name, json.loads(value)
    except ValueError:
        return name, None if value == "None" else value


def _source(text: str, *without: str) -> str | None:
    return None if text in ("none", *without) else text


COMMANDS: dict[Callable[..., None], tuple[str, ...]] = {
    endovis2017: (
        "rasnet endovis2017 endovis2017/ --check",
        "rasnet endovis2017 endovis2017/ --splits splits",
    ),
    train: (
        "rasnet train --data endovis2017/ --out run",
        "rasnet train --data endovis2017/ --out run --set split=fold0 --set batch_size=32",
        "rasnet train --case a.case --case b.case --out types",
    ),
    reproduce: (
        "rasnet reproduce endovis2017/ --out reproduction",
        "rasnet reproduce endovis2017/ --out reproduction --resnet50 resnet50-0676ba61.pth --vgg11 vgg11-8a719046.pth",
        "rasnet reproduce --quick --out rehearsal",
    ),
    evaluate: (
        "rasnet evaluate operation.case truth/ --out figures",
        "rasnet evaluate predicted/ truth/ --labels types",
        "rasnet evaluate cases/ truth/ --labels types --frame-wise masks/",
    ),
}
"""Every command, with the examples of its help page."""
