"""What a file of another program says, before anything of it enters a case."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from rasnet.case import FrameStatus
from rasnet.errors import RASNetError
from rasnet.exchange.content import LABELS_FILE, MaskLabel
from rasnet.masks import Mask


@dataclass(frozen=True)
class IncomingFrame:
    """The mask of one frame, as a file has it.

    Attributes:
        where: what the file calls it, for messages.
        read: gives the mask in the file's label ids, uint8 (H, W).
        index: of the frame in the video; None where only its time is known.
        time: seconds from the first frame; None where the file does not say.
        status: None where the file does not say.
    """

    where: str
    read: Callable[[], Mask]
    index: int | None
    time: float | None = None
    status: FrameStatus | None = None


@dataclass(frozen=True)
class Incoming:
    """Everything that a file says.

    Attributes:
        labels: what the values of its masks mean.
        frames: in the file's order.
        problems: what is wrong with the file, a clause each.
        defines_layers: the file says which layers there are, so that a name which the case does not know is new, not
            unknown.
    """

    labels: tuple[MaskLabel, ...]
    frames: tuple[IncomingFrame, ...]
    problems: tuple[str, ...] = ()
    defines_layers: bool = False


def frame_number(name: str) -> int | None:
    """Find the number of a frame in the name of its file: the last number there is.

    Examples:
        >>> frame_number("images/img_07_frame000042.jpg"), frame_number("left.png")
        (42, None)
    """
    numbers = re.findall(r"\d+", Path(name).stem)
    return int(numbers[-1]) if numbers else None


def read_label(entry: dict[str, Any]) -> MaskLabel:
    """Read what `MaskLabel.to_json` gives."""
    red, green, blue = (int(value) for value in entry["color"])
    return MaskLabel(int(entry["id"]), str(entry["name"]), (red, green, blue), entry.get("type"))


def read_status(text: Any) -> FrameStatus | None:
    """Read a frame's status; None for words that are none."""
    return next((status for status in get_args(FrameStatus) if status == text), None)


def read_table(folder: Path) -> dict[str, Any]:
    """Read ``labels.json`` of an export.

    Raises:
        RASNetError: it is absent, because the export was not finished, or damaged.
    """
    path = folder / LABELS_FILE
    if not path.is_file():
        raise RASNetError(f"{folder} has no {LABELS_FILE}, so the export was not finished or is not ours; export again")
    try:
        table: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        for entry in table["labels"]:
            read_label(entry)
        for frame in table["frames"]:
            frame["file"], int(frame["index"]), float(frame["time"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RASNetError(f"{path} is damaged ({error!r}); export again") from error
    return table


def read_folder(folder: Path, masks: Path, suffix: str, read: Callable[[Path], Mask]) -> Incoming:
    """Read an export that has one file a frame beside a ``labels.json``.

    Args:
        folder: of the ``labels.json``.
        masks: of the files.
        suffix: of their names.
        read: gives the mask of a file.

    Returns:
        What it says; files that are missing, and files that the table does not know, are its problems.
    """
    table = read_table(folder)
    labels = tuple(read_label(entry) for entry in table["labels"] if entry["id"])
    frames = tuple(
        IncomingFrame(
            where=entry["file"],
            read=_reader(read, masks / entry["file"]),
            index=int(entry["index"]),
            time=float(entry["time"]),
            status=read_status(entry.get("status")),
        )
        for entry in table["frames"]
    )
    there = {file.name for file in masks.glob(f"*{suffix}") if not file.name.startswith(".")}
    listed = {frame.where for frame in frames}
    problems = [f"{LABELS_FILE} names {name}, which is not there" for name in sorted(listed - there)]
    problems += [f"{name} is not in {LABELS_FILE}" for name in sorted(there - listed)]
    return Incoming(labels, tuple(f for f in frames if f.where in there), tuple(problems), defines_layers=True)


def _reader(read: Callable[[Path], Mask], path: Path) -> Callable[[], Mask]:
    return lambda: read(path)
