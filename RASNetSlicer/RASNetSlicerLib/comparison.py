"""What ``rasnet compare`` found between the case on show and another person's: a table, and the frames to look at."""

from __future__ import annotations

import csv
import shutil
from dataclasses import dataclass
from pathlib import Path

from rasnet.errors import RASNetError
from rasnet.files import clear_errors
from RASNetSlicerLib.companions import companion
from RASNetSlicerLib.scene import CaseScene
from RASNetSlicerLib.tables import set_columns

_WORST = 12


@dataclass(frozen=True)
class FrameDice:
    """How well two people agree on a frame.

    Attributes:
        index: of the frame.
        dice: 0 to 1.
    """

    index: int
    dice: float


class Comparison:
    """Two people's masks of one video against each other.

    Args:
        shown: the first person's case in its scene.
        other: folder of the second person's case.
        folder: that ``rasnet compare --out`` wrote.

    Attributes:
        other: folder of the second person's case.
        frames: how many both have masks of.
        dice: mean over these frames, 0 to 1.
        worst: the frames on which they agree least, the worst first; none on which they agree wholly.
        table: a row for each instrument: its names in both cases, Dice, NSD, type.
        picture: both people's masks of the worst frames, side by side; None where they agree on all.

    Raises:
        RASNetError: the folder is not what ``rasnet compare`` writes.
    """

    def __init__(self, shown: CaseScene, other: Path, folder: Path) -> None:
        self.other = other
        self._folder = folder
        frames = [FrameDice(int(row["frame"]), float(row["dice"])) for row in _read(folder / "frames.csv")]
        self.frames = len(frames)
        self.dice = sum(frame.dice for frame in frames) / max(len(frames), 1)
        apart = (frame for frame in frames if frame.dice < 1)
        self.worst = sorted(apart, key=lambda frame: (frame.dice, frame.index))[:_WORST]
        picture = folder / "worst_frames.png"
        self.picture = picture if picture.is_file() else None
        layers = _read(folder / "layers.csv")
        self.table = companion(shown.sequences, "vtkMRMLTableNode", "comparison")
        set_columns(
            self.table,
            {
                "here": [row["first"] or "-" for row in layers],
                "there": [row["second"] or "-" for row in layers],
                "Dice": [_figure(row["dice"]) for row in layers],
                "NSD": [_figure(row["nsd"]) for row in layers],
                "type": [_types(row) for row in layers],
            },
        )

    def save(self, folder: Path) -> Path:
        """Copy figures and pictures into a folder of their own.

        Args:
            folder: in which it is made; files of the same comparison are replaced.

        Returns:
            The folder.

        Raises:
            RASNetError: it cannot be written.
        """
        target = folder / f"comparison with {self.other.stem}"
        with clear_errors(target):
            shutil.copytree(self._folder, target, dirs_exist_ok=True)
        return target


def _read(path: Path) -> list[dict[str, str]]:
    try:
        with path.open(newline="", encoding="utf-8") as file:
            return list(csv.DictReader(file))
    except OSError as error:
        raise RASNetError(f"{path} cannot be read ({error.strerror}); compare again") from error


def _figure(text: str) -> str:
    return f"{float(text):.3f}" if text else "-"


def _types(row: dict[str, str]) -> str:
    ours, theirs = row["first_type"], row["second_type"]
    return {"yes": ours, "no": f"{ours} / {theirs}"}.get(row["same_type"], "-")
