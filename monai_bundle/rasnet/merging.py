"""One case out of two of the same video: what people agree on goes in, what they do not is listed and left out."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from rasnet.case import Case, FrameRow, FrameStatus, Layer
from rasnet.case.creation import make_case
from rasnet.case.journal import TOOL
from rasnet.comparison import check_same_video, count_pairs, match_layers
from rasnet.errors import RASNetError
from rasnet.files import clear_errors, whole_folder
from rasnet.masks import Mask, mask_sha256
from rasnet.progress import Progress, SilentProgress

CONFLICTS_FILE = "conflicts.csv"
_WORDS = ("first", "second", "outcome")

_SAME_INSTRUMENT = 0.5  # IoU: from here on a layer overlaps more with this one than with all others
_TOOL = f"{TOOL} merge"


@dataclass(frozen=True)
class Conflict:
    """Something that two cases say differently, for a person to decide.

    Attributes:
        kind: ``"mask"``, ``"status"``, ``"type"`` or ``"name"``.
        frame: index; None where a layer is meant.
        layer: id in the merged case; None where a frame is meant.
        first: what the first case says.
        second: what the second case says.
        outcome: what the merged case has for now.
    """

    kind: str
    frame: int | None
    layer: int | None
    first: str
    second: str
    outcome: str


@dataclass(frozen=True)
class MergeResult:
    """What a merge did.

    Attributes:
        frames: that the merged case has.
        conflicts: for a person to decide.
        predictions: frames that no person has touched, of which the two cases have different predictions; those of
            the first are kept.
    """

    frames: tuple[int, ...]
    conflicts: tuple[Conflict, ...]
    predictions: tuple[int, ...]


def merge_cases(first: Case, second: Case, folder: str | Path, *, progress: Progress | None = None) -> MergeResult:
    """Make a third case of two.

    A frame that one person owns (corrected, accepted or skipped) is taken from that person's case, with the person's
    name. A frame that is owned in both, with the same mask, is taken. Where masks differ, or one is skipped, the frame
    is a conflict and left out: the merged case has no mask of it, so that `rasnet segment` predicts it anew and
    nobody takes it for reviewed. Frames that only programs have touched come from the first case that has them.

    Layers that overlap by an IoU of 0.5 or more over all frames in common are one, then those of one name; other layers
    of the second case are added. Of different types none is taken; of different names the first case's stays; both
    are listed.

    Args:
        first: a case; its model becomes that of the merged case.
        second: another of the same video, range and labels.
        folder: for the merged case, empty or new; it appears only when it is whole. ``conflicts.csv`` in it lists
            what is left to decide.
        progress: told of each frame.

    Raises:
        RASNetError: the cases do not fit together, the folder is not empty, or the disk is full.
    """
    progress = progress or SilentProgress()
    check_same_video(first, second)
    if difference := first.info.disagreement(replace(second.info, model=first.info.model)):
        raise RASNetError(f"{first.folder} is a case of {difference} as {second.folder} is; merge cases that agree")
    target = Path(folder)
    merging = _Merging(first, second, progress)
    with clear_errors(target), whole_folder(target) as making:
        place = os.path.relpath(first.info.source.path, target.resolve().parent / target.name)
        info = first.info.with_source(replace(first.info.source, relative_path=Path(place).as_posix()))
        make_case(making, info, first.times).close()
        with Case.open(making) as merged:
            merging.write(merged)
        _write_conflicts(making / CONFLICTS_FILE, merging.conflicts)
    progress.finish(folder=str(target), frames=len(merging.frames), conflicts=len(merging.conflicts))
    return MergeResult(tuple(merging.frames), tuple(merging.conflicts), tuple(merging.predictions))


class _Merging:
    """One merge under way."""

    def __init__(self, first: Case, second: Case, progress: Progress) -> None:
        self.frames: list[int] = []
        self.conflicts: list[Conflict] = []
        self.predictions: list[int] = []
        self._cases = first, second
        self._progress = progress
        self._rows = [{row.index: row for row in case.frames()} for case in (first, second)]
        self._layers, self._table = self._merge_layers()

    def write(self, merged: Case) -> None:
        """Fill an empty case."""
        if self._layers:
            merged.set_layers(self._layers, tool=_TOOL)
        indices = sorted(self._rows[0].keys() | self._rows[1].keys())
        self._progress.start("merge", len(indices))
        for index in indices:
            chosen = self._choose(index)
            if chosen is not None:
                self._copy(merged, index, *chosen)
                self.frames.append(index)
            self._progress.advance(index)

    def _merge_layers(self) -> tuple[list[Layer], Mask]:
        """The layers of the merged case, and the id in it of each layer of the second case, uint8 (256,)."""
        ours, theirs = (case.layers() for case in self._cases)
        matches = {b: a for a, b in match_layers(self._count(), _SAME_INSTRUMENT).items()}
        names = {layer.name.casefold(): layer.id for layer in ours if layer.id not in matches.values()}
        merged = {layer.id: layer for layer in ours}
        table = np.zeros(256, np.uint8)
        new: list[Layer] = []
        for layer in theirs:
            match = matches.get(layer.id, names.get(layer.name.casefold()))
            if match is None:
                new.append(layer)
            else:
                table[layer.id] = match
                merged[match] = self._settle(merged[match], layer)
        for layer in new:
            free = [number for number in (layer.id, *range(1, 256)) if number not in merged]
            if not free:
                raise RASNetError("the merged case would have more than 255 layers; merge some layers first")
            table[layer.id] = free[0]
            merged[free[0]] = replace(layer, id=free[0])
        return [merged[key] for key in sorted(merged)], table

    def _settle(self, ours: Layer, theirs: Layer) -> Layer:
        if ours.name != theirs.name:
            outcome = f"the name '{ours.name}'"
            self.conflicts.append(Conflict("name", None, ours.id, ours.name, theirs.name, outcome))
        if ours.type is not None and theirs.type is not None and ours.type != theirs.type:
            self.conflicts.append(Conflict("type", None, ours.id, ours.type, theirs.type, "no type"))
            return replace(ours, type=None)
        return replace(ours, type=ours.type or theirs.type)

    def _count(self) -> np.ndarray[tuple[int, ...], np.dtype[np.int64]]:
        counts = np.zeros((256, 256), np.int64)
        for index in self._rows[0].keys() & self._rows[1].keys():
            if all(rows[index].mask_sha256 is not None for rows in self._rows):
                counts += count_pairs(*(case.mask(index) for case in self._cases))
        return counts

    def _choose(self, index: int) -> tuple[int, FrameStatus] | None:
        """Which of the cases a frame is taken from, and what it becomes; None for a conflict."""
        rows = [rows.get(index) for rows in self._rows]
        owned = [row is not None and row.status != "predicted" for row in rows]
        first, second = rows
        if first is None or second is None or owned[0] != owned[1]:
            which = 0 if (owned[0] if owned[0] != owned[1] else first is not None) else 1
            row = rows[which]
            assert row is not None
            return which, row.status
        skipped = [row.status == "skipped" for row in (first, second)]
        if all(skipped):
            return 0, "skipped"
        if any(skipped):
            self._leave_out("status", index, first, second)
            return None
        same = self._sha256(0, index) == self._sha256(1, index)
        if not any(owned):
            if not same:
                self.predictions.append(index)
            return 0, "predicted"
        if not same:
            self._leave_out("mask", index, first, second)
            return None
        return 0, first.status if first.status == second.status else "accepted"

    def _leave_out(self, kind: str, index: int, first: FrameRow, second: FrameRow) -> None:
        words = [
            f"{row.status} by {_owner(case, index)}" for row, case in zip((first, second), self._cases, strict=True)
        ]
        self.conflicts.append(Conflict(kind, index, None, words[0], words[1], "left out"))

    def _mask(self, which: int, index: int) -> Mask:
        mask = self._cases[which].mask(index)
        return self._table.take(mask) if which else mask

    def _sha256(self, which: int, index: int) -> str:
        return mask_sha256(self._mask(which, index))

    def _copy(self, merged: Case, index: int, which: int, status: FrameStatus) -> None:
        case, row = self._cases[which], self._rows[which][index]
        who = _owner(case, index)
        if row.mask_sha256 is not None:
            mask, parts = self._mask(which, index), case.parts(index)
            if status in ("predicted", "skipped"):
                merged.write_prediction(index, row.pts, mask, parts, uncertainty=row.class_uncertainty, model=row.model)
            else:
                merged.correct(index, mask, parts, who=who, tool=_TOOL, status=status)
        if status == "skipped":
            merged.set_status(index, "skipped", who=who, tool=_TOOL)


def _owner(case: Case, index: int) -> str:
    """Who spoke last about a frame."""
    who = [entry.who for entry in case.journal(index)]
    return who[-1] if who else "unknown"


def read_conflicts(folder: str | Path) -> list[Conflict]:
    """What a merge left for a person to decide.

    Args:
        folder: of the case that it made.

    Returns:
        The conflicts; none in a case that no merge has made.

    Raises:
        RASNetError: the list cannot be read.
    """
    path = Path(folder) / CONFLICTS_FILE
    if not path.exists():
        return []
    try:
        with path.open(newline="", encoding="utf-8") as file:
            return [
                Conflict(row["kind"], _number(row["frame"]), _number(row["layer"]), *(row[key] for key in _WORDS))
                for row in csv.DictReader(file)
            ]
    except (OSError, ValueError, KeyError, csv.Error) as error:
        raise RASNetError(
            f"{path} is no list of conflicts as `rasnet merge` writes it ({error!r}); merge again"
        ) from error


def _number(text: str) -> int | None:
    return int(text) if text else None


def _write_conflicts(path: Path, conflicts: list[Conflict]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(("kind", "frame", "layer", *_WORDS))
        writer.writerows(_rows(conflicts))


def _rows(conflicts: list[Conflict]) -> Iterator[tuple[object, ...]]:
    for found in conflicts:
        frame, layer = ("" if value is None else value for value in (found.frame, found.layer))
        yield found.kind, frame, layer, found.first, found.second, found.outcome
