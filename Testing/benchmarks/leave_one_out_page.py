"""What leave_one_out.py has measured, as a page of Markdown and a plot; nothing on them is from elsewhere."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from intervals import REPLICATES, Estimate, differences, estimate
from wording import number, table

from rasnet.files import clear_errors, whole_file
from rasnet.labels import LabelSchema
from rasnet.metrics import INSTRUMENT
from rasnet.metrics.figures import compute_figures
from rasnet.metrics.tallies import Tallies
from rasnet.reproduction.paper import TABLE_III

Run = Mapping[str, Any]
"""As `short_training.execute` writes it."""

TITLES = {
    "rasnet_softmax": "RASNet, softmax",
    "rasnet_sigmoid": "RASNet, sigmoid",
    "rasnet_none": "RASNet, no attention",
    "unet": "U-Net",
    "ternausnet": "TernausNet",
}
REFERENCE = "rasnet_softmax"
"""What the others are compared with: the paper's network."""

FIGURES = (INSTRUMENT, "shaft", "manipulator")
PLOT = "leave_one_out.png"

_SCHEMA = LabelSchema.load("instrument_parts")
_COLORS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00")  # Okabe and Ito

Scores = dict[str, dict[str, dict[str, dict[int, float]]]]
"""Dice by figure, network, sequence and seed."""


def dice(confusion: Sequence[Sequence[int]]) -> dict[str, float]:
    """Pooled Dice of a run, by figure: nan where neither truth nor prediction holds any.

    Args:
        confusion: pixels by true (row) and predicted class, background first.
    """
    matrix = np.array(confusion, np.float64)
    tallies = Tallies.zero(len(_SCHEMA))
    tallies.matrix[:] = matrix
    tallies.binary[:] = matrix[1:, 1:].sum(), matrix[:, 1:].sum(), matrix[1:].sum()
    found = compute_figures(tallies, [label.name for label in _SCHEMA.instruments])
    return {name: float(found["pooled_dice", name]) for name in FIGURES}


def gather(runs: Sequence[Run]) -> Scores:
    """Sort the Dice of all runs, networks in the order of `TITLES`."""
    scores: Scores = {figure: {} for figure in FIGURES}
    for run in sorted(runs, key=lambda run: (list(TITLES).index(run["network"]), run["left_out"], run["seed"])):
        for figure, value in dice(run["confusion"]).items():
            of_network = scores[figure].setdefault(run["network"], defaultdict(dict))
            of_network[run["left_out"]][run["seed"]] = value
    return scores


def write_page(runs: Sequence[Run], speeds: Sequence[Run], page: Path) -> None:
    """Write the page, and its plot into a folder ``pictures`` beside it.

    Args:
        runs: at least one, all of one recipe.
        speeds: of networks that trained alone.
        page: the file.

    Raises:
        RASNetError: they cannot be written.
    """
    scores = gather(runs)
    draw(scores, page.parent / "pictures" / PLOT)
    parts = [_begin(runs), _networks(scores, runs, speeds), f"![Dice of every run](pictures/{PLOT})\n"]
    if REFERENCE in scores[INSTRUMENT] and len(scores[INSTRUMENT]) > 1:
        parts += [_against(scores), _attention(scores)]
    parts += [_by_sequence(scores), _how(runs, speeds)]
    with clear_errors(page), whole_file(page) as making:
        making.write_text("\n".join(part for part in parts if part), encoding="utf-8")


def draw(scores: Scores, file: Path) -> None:
    """Draw every run as a point, and the means with their intervals, figure by figure.

    Raises:
        RASNetError: the picture cannot be written.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    networks = list(scores[INSTRUMENT])
    sequences = sorted({sequence for rows in scores[INSTRUMENT].values() for sequence in rows})
    figure = Figure(figsize=(10.5, 4.4), dpi=130, layout="constrained")
    FigureCanvasAgg(figure)
    for axis, name in zip(figure.subplots(1, len(FIGURES)), FIGURES, strict=True):
        for x, network in enumerate(networks):
            rows = scores[name][network]
            for place, sequence in enumerate(sequences):
                values = [rows[sequence][seed] for seed in sorted(rows.get(sequence, {}))]
                beside = x - 0.22 + 0.17 * place + 0.035 * np.arange(len(values))
                axis.scatter(beside, values, s=20, color=_COLORS[place % len(_COLORS)], alpha=0.85, linewidths=0)
            found = estimate(rows)
            axis.plot([x - 0.32, x + 0.4], [found.mean] * 2, color="0.2", linewidth=1.6)
            if found.low is not None:
                axis.vlines(x + 0.36, found.low, found.high, color="0.2", linewidth=1.2)
        axis.set_title(f"{name}, pooled Dice", loc="left", fontsize=10)
        axis.set_xticks(range(len(networks)), [TITLES[network].replace(", ", ",\n") for network in networks])
        axis.set_xlim(-0.6, len(networks) - 0.4)
        axis.tick_params(axis="x", length=0, labelsize=8, rotation=40)
        for label in axis.get_xticklabels():
            label.set(ha="right", rotation_mode="anchor")
        axis.tick_params(axis="y", labelsize=8.5)
        axis.grid(axis="y", color="0.9", linewidth=0.7)
        axis.set_axisbelow(True)
        axis.spines[["top", "right"]].set_visible(False)
    keys = [
        *(
            figure.axes[0].scatter([], [], s=20, color=_COLORS[place % len(_COLORS)], label=f"left out: {sequence}")
            for place, sequence in enumerate(sequences)
        ),
        *figure.axes[0].plot([], [], color="0.2", linewidth=1.6, label="mean, 95 % interval"),
    ]
    figure.legend(handles=keys, loc="outside lower center", ncols=len(keys), frameon=False, fontsize=8.5)
    with clear_errors(file), whole_file(file) as making:
        figure.savefig(making)


def _begin(runs: Sequence[Run]) -> str:
    first = runs[0]
    sequences = sorted({run["left_out"] for run in runs})
    seeds = len({run["seed"] for run in runs})
    networks = {run["network"] for run in runs}
    missing = len(networks) * len(sequences) * seeds - len({(r["network"], r["left_out"], r["seed"]) for r in runs})
    recipe = first["recipe"]
    text = (
        "# Networks compared on real video\n\n"
        "Written by `Testing/benchmarks/leave_one_out.py` from what it has measured.\n\n"
        f"EndoVis 2015, robotic: {len(first['sequences'])} da Vinci sequences with the masks of shaft and manipulator. "
        "Each network is trained on all sequences but one, and tested on the one that was left out, with "
        f"{seeds} seed{'s' if seeds > 1 else ''} of weights, order and augmentation. All have the same budget: "
        f"{recipe['iterations']} iterations of {recipe['batch_size']} frames, one optimiser, one loss, one "
        "augmentation, and no pretrained weights. The last weights are tested; nothing is chosen by a test.\n"
    )
    if missing:
        text += f"\n**{missing} of {missing + len(runs)} runs are missing**; means are over those that are there.\n"
    return text


def _networks(scores: Scores, runs: Sequence[Run], speeds: Sequence[Run]) -> str:
    parameters = {run["network"]: run["parameters"] for run in runs}
    alone = {speed["network"]: speed["images_per_second"] for speed in speeds}
    rows = [
        [
            TITLES[network],
            *(_interval(estimate(scores[figure][network]), _plain) for figure in FIGURES),
            number(parameters[network] / 1e6),
            number(alone.get(network)),
            str(sum(map(len, scores[INSTRUMENT][network].values()))),
        ]
        for network in scores[INSTRUMENT]
    ]
    columns = ["network", *FIGURES, "parameters, 10⁶", "training images/s", "runs"]
    return f"## Pooled Dice, mean and 95 % interval\n\n{table(columns, rows)}"


def _against(scores: Scores) -> str:
    rows = []
    for network in scores[INSTRUMENT]:
        if network == REFERENCE:
            continue
        found = [estimate(differences(scores[figure][network], scores[figure][REFERENCE])) for figure in FIGURES]
        rows.append(
            [
                TITLES[network],
                *(_interval(value, _signed) for value in found),
                f"{found[0].positive} of {found[0].runs}",
            ]
        )
    return (
        f"## Difference from {TITLES[REFERENCE]}\n\n"
        "Of runs with the same sequence left out and the same seed, which means the same frames in the same order and "
        "the same augmentation. The last column counts runs with a better Dice of instrument against background.\n\n"
        + table(["network", *FIGURES, "better in"], rows)
    )


def _attention(scores: Scores) -> str:
    """Say what softmax attention gains over none and loses to the sigmoid."""
    lines = ["## What this says of the attention\n"]
    rows = scores[INSTRUMENT]
    for network in ("rasnet_none", "rasnet_sigmoid"):
        if network not in rows:
            continue
        gain = estimate(differences(rows[REFERENCE], rows[network]))
        lines.append(
            f"- Softmax attention against {'none' if network == 'rasnet_none' else 'the sigmoid'}: "
            f"{_interval(gain, _signed)} Dice of instrument against background, better in {gain.positive} of "
            f"{gain.runs} runs. {_verdict(gain)}"
        )
    if "rasnet_none" in rows:
        paper = (TABLE_III["rasnet"].dice - TABLE_III["rasnet_no_afm"].dice) / 100
        gain = estimate(differences(rows[REFERENCE], rows["rasnet_none"]))
        lines.append(
            f"- The paper's Table III has a gain of {_signed(paper)} for attention over none, in the mean Dice of "
            "seven types on EndoVis 2017, from an encoder pretrained on ImageNet, and with neighbouring frames on both "
            f"sides of its split. {_beside(paper, gain)}"
        )
    return "\n".join(lines) + "\n"


def _by_sequence(scores: Scores) -> str:
    sequences = sorted({sequence for rows in scores[INSTRUMENT].values() for sequence in rows})
    rows = [
        [TITLES[network], figure, *(_seeds(scores[figure][network].get(sequence, {})) for sequence in sequences)]
        for figure in FIGURES
        for network in scores[figure]
    ]
    columns = ["network", "Dice of", *(f"{sequence} left out" for sequence in sequences)]
    return f"## By sequence\n\nMean over the seeds, with the lowest and the highest.\n\n{table(columns, rows)}"


def _how(runs: Sequence[Run], speeds: Sequence[Run]) -> str:
    recipe = runs[0]["recipe"]
    rows, columns = recipe["size"]
    height, width = runs[0]["test_size"]
    count = len({run["left_out"] for run in runs})
    every = "every frame" if recipe["every"] == 1 else f"one frame in {recipe['every']}"
    machines = sorted({_machine(run["machine"]) for run in [*runs, *speeds]})
    frames = sorted({f"{run['frames']['train']} and {run['frames']['test']}" for run in runs})
    return (
        "## How it was done\n\n"
        f"- **Data**: {every}. Trained with {columns}x{rows} pixels of the picture inside its black borders; "
        f"frames of training and test: {'; '.join(frames)}. Tested at the full {width}x{height} of the masks.\n"
        f"- **Recipe**: Adam, learning rate {recipe['learning_rate']:g} (the paper's) after a warm-up of "
        f"{recipe['warm_up']:.0%} of the iterations and then along a cosine to 0; gradients clipped at a norm of "
        f"{recipe['gradient_norm']:g}; cross entropy - {recipe['alpha']:g} log Jaccard (the paper's loss); "
        f"augmentation `{recipe['augmentation']}`; bfloat16 on a GPU.\n"
        "- **Dice** comes from the pixel counts of all frames of the left-out sequence together. `instrument` is "
        "instrument against background. A network's mean counts every sequence alike.\n"
        f"- **Intervals**: bootstrap in two steps, {REPLICATES:,} replicates: sequences drawn with replacement, then "
        f"the seeds of each. Percentiles 2.5 and 97.5. {count} sequences are few: such an interval is about as wide as "
        f"they differ, and the range of {count} holds the median of all that might have been filmed with a probability "
        f"of {100 * (1 - 2 ** (1 - count)):.0f} %, not 95 %. Frames of a sequence resemble each other and are not "
        "drawn.\n"
        "- **The truth** comes from the robot's kinematics and lies a few pixels off, which limits the Dice that any "
        "network can reach. The sequences show the same kind of scene, so another operation would be harder.\n"
        "- **Short trainings** compare how fast networks learn as much as how well they can do in the end.\n"
        "- **Training images/s**: each network alone on the machine, mixed precision and augmentation included.\n"
        f"- **Measured on** {'; '.join(machines)}.\n"
    )


def _verdict(gain: Estimate) -> str:
    if gain.low is None or gain.high is None:
        return "One run does not tell chance from cause."
    if gain.low <= 0 <= gain.high:
        return "The interval holds 0: these runs cannot tell the two apart."
    return f"The interval leaves out 0: in these runs softmax is {'better' if gain.mean > 0 else 'worse'}."


def _beside(paper: float, gain: Estimate) -> str:
    if gain.low is None or gain.high is None:
        return "One run has no interval to compare that with."
    if paper > gain.high:
        return "That is more than the interval found here."
    return "That is less than the interval found here." if paper < gain.low else "The interval found here holds that."


def _interval(found: Estimate, write: Callable[[float], str]) -> str:
    if found.low is None or found.high is None:
        return write(found.mean)
    return f"{write(found.mean)} ({write(found.low)} to {write(found.high)})"


def _seeds(values: Mapping[int, float]) -> str:
    if not values:
        return ""
    every = list(values.values())
    mean = _plain(sum(every) / len(every))
    return mean if len(every) == 1 else f"{mean} ({_plain(min(every))} to {_plain(max(every))})"


def _plain(value: float) -> str:
    return f"{value:.3f}"


def _signed(value: float) -> str:
    return f"{value:+.3f}".replace("-", "\N{MINUS SIGN}")


def _machine(machine: Mapping[str, str]) -> str:
    """Name what matters of a machine."""
    return ", ".join([machine.get("gpu", machine["cpu"]), f"torch {machine['torch']}", f"rasnet {machine['rasnet']}"])
