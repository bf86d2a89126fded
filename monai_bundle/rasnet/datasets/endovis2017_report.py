"""What is in a folder of EndoVis 2017, and Table I of the paper beside it, for people to read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from rich.console import Console
from rich.table import Table

from rasnet.datasets.endovis2017 import TYPES, Sequence
from rasnet.datasets.endovis2017_check import Check, TableRow, check, table_one
from rasnet.datasets.endovis2017_layouts import EndoVis2017
from rasnet.datasets.splits import SPLITS, Split, make_split
from rasnet.errors import RASNetError
from rasnet.progress import Progress

_LAYOUTS = {"raw": "as recorded", "cropped": "cropped", "flat": "flat"}
_SHOWN = ("paper", "table1")


def show_sequences(data: EndoVis2017, console: Console) -> None:
    """Print one line a sequence, and the folders that were not understood."""
    table = Table(box=None, pad_edge=False, title=f"EndoVis 2017 in {data.folder}", title_justify="left")
    for heading in ("sequence", "layout", "frames", "eyes", "instruments"):
        table.add_column(heading, justify="right" if heading == "frames" else "left", overflow="fold")
    for sequence in data.sequences:
        eyes = "both" if sequence.right else "left"
        table.add_row(sequence.name, _LAYOUTS[sequence.layout], str(len(sequence)), eyes, _instruments(sequence))
    console.print(table)
    for path in data.not_understood:
        console.print(f"not understood, and left out: {path}", markup=False, highlight=False)


def check_and_show(data: EndoVis2017, console: Console, splits: Path | None, progress: Progress) -> None:
    """Read every file, print Table I and what is wrong, and write the splits that the data allows.

    Args:
        data: the sequences.
        console: to print on.
        splits: folder for the splits' files; None for none.
        progress: told of every frame.

    Raises:
        RASNetError: something is wrong with the data; it is printed before.
    """
    result = check(data, progress)
    for words in result.incomplete:
        console.print(f"incomplete: {words}", markup=False, highlight=False)
    made = _splits(data, result)
    for name in _SHOWN:
        if name in made:
            _show_table_one(made[name], table_one(result.instances, made[name], data), console, data)
    for problem in result.problems:
        console.print(f"problem: {problem}", markup=False, highlight=False)
    if splits is not None and not result.problems:
        for split in made.values():
            split.write(splits / f"{split.name}.json")
        if missing := [name for name in SPLITS if name not in made]:
            console.print(f"these sequences allow no split {', '.join(missing)}", highlight=False)
        console.print(f"wrote {len(made)} splits to {splits}", markup=False, highlight=False)
    if count := len(result.problems):
        what = "a problem, named above; mend it" if count == 1 else f"{count} problems, named above; mend them"
        raise RASNetError(f"{data.folder} has {what}, or take the files out of the folder")


def _splits(data: EndoVis2017, result: Check) -> dict[str, Split]:
    """Make every split that the sequences allow."""
    made = {}
    for name in SPLITS:
        with suppress(RASNetError):
            made[name] = make_split(name, data, instances=result.instances)
    return made


def _show_table_one(split: Split, rows: list[TableRow], console: Console, data: EndoVis2017) -> None:
    table = Table(box=None, pad_edge=False, title_justify="left")
    frames = [sum(map(len, side.values())) for side in (split.train, split.validation, split.test)]
    table.title = (
        f"\nTable I, split {split.name}: {frames[0]} + {frames[1]} frames train and validate, {frames[2]} test"
    )
    for heading in ("instances", "train", "test", "paper: train", "test"):
        table.add_column(heading, justify="left" if heading == "instances" else "right")
    total = TableRow("Total", *(sum(column) for column in list(zip(*rows, strict=True))[1:]))
    for row in [*rows, total]:
        table.add_row(*map(str, row))
    console.print(table)
    if any(sequence.layout != "raw" for sequence in data.sequences):
        console.print("two instruments of a type in a frame count once here: this layout merges their masks")


def _instruments(sequence: Sequence) -> str:
    """Name the types of a sequence's folders of masks, or say how its masks lie."""
    if not sequence.masks:
        return "no ground truth"
    if sequence.masks[0].content != "instrument":
        return "masks of " + " and ".join(sorted({folder.content for folder in sequence.masks}, reverse=True))
    counts: Mapping[int, int] = Counter(folder.type_id for folder in sequence.masks)
    return ", ".join(f"{count} {TYPES[number].name}" for number, count in sorted(counts.items()))
