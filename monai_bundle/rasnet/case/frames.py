"""The frames of a case as readers see them: rows, masks and parts."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from rasnet.case import layers
from rasnet.case.database import Database
from rasnet.case.info import CaseInfo
from rasnet.errors import RASNetError
from rasnet.masks import Mask, read_mask

FrameStatus = Literal["predicted", "corrected", "accepted", "skipped"]


@dataclass(frozen=True)
class FrameRow:
    """What a case knows about one frame.

    Attributes:
        index: of the frame in its source.
        pts: seconds from the first frame.
        status: ``predicted`` belongs to programs; ``corrected``, ``accepted`` and ``skipped`` (leave it out)
            are a person's word, and no program overwrites them.
        uncertainty: of the most uncertain class; None where the model gave none.
        class_uncertainty: one figure a class of the model's schema, background first; NaN for none.
        model: what made the mask that the person saw; None where no model did.
        mask_sha256: of the mask's pixels; None for a frame that was skipped before it had a mask.
        parts_sha256: of the part mask's pixels; None where there is none.
    """

    index: int
    pts: float
    status: FrameStatus
    uncertainty: float | None
    class_uncertainty: tuple[float, ...]
    model: str | None
    mask_sha256: str | None = None
    parts_sha256: str | None = None


class FrameReader:
    """The tables and folders that hold the frames of one case.

    Args:
        folder: the case.
        database: its case.db.
        info: its case.json.
    """

    def __init__(self, folder: Path, database: Database, info: CaseInfo) -> None:
        self.folder = folder
        self._database = database
        self._info = info

    def mask_path(self, index: int) -> Path:
        """File of a frame's layer ids."""
        return self.folder / "masks" / f"{index:08d}.png"

    def parts_path(self, index: int) -> Path:
        """File of a frame's part ids."""
        return self.folder / "parts" / f"{index:08d}.png"

    def rows(self) -> list[FrameRow]:
        """Every frame that has a row, by index."""
        return [frame_row(row) for row in self._database.rows("SELECT * FROM frames ORDER BY frame")]

    def row(self, index: int) -> FrameRow | None:
        """The row of one frame; None where nothing is known."""
        found = self._database.rows("SELECT * FROM frames WHERE frame = ?", (index,))
        return frame_row(found[0]) if found else None

    def mask(self, index: int) -> Mask:
        """Layer ids of a frame, layer edits that are still on their way included."""
        found = self._database.rows("SELECT mask_sha256, edit FROM frames WHERE frame = ?", (index,))
        if not found or found[0]["mask_sha256"] is None:
            raise RASNetError(f"frame {index} of {self.folder} has no mask yet; segment or correct it first")
        mask = read_mask(self.mask_path(index))
        edits = self._database.rows("SELECT * FROM edits WHERE id > ? ORDER BY id", (found[0]["edit"],))
        return layers.edit_table(edits).take(mask) if edits else mask

    def parts(self, index: int) -> Mask | None:
        """Part ids of a frame; None where it has none."""
        row = self.row(index)
        if row is None or row.parts_sha256 is None:
            return None
        parts = read_mask(self.parts_path(index))
        return clip_parts(parts, self.mask(index)) if self.unfinished_edits() else parts

    def latest_edit(self) -> int:
        """Number of the last layer edit; 0 before the first."""
        return int(self._database.rows("SELECT coalesce(max(id), 0) FROM edits")[0][0])

    def unfinished_edits(self) -> bool:
        """Whether masks exist that have not followed every layer edit yet."""
        question = "SELECT EXISTS (SELECT 1 FROM frames WHERE edit < (SELECT coalesce(max(id), 0) FROM edits))"
        return bool(self._database.rows(question)[0][0])

    def palette(self) -> Mask:
        """Colours of the case's layers by mask value, uint8 (256, 3)."""
        return layers.palette(layers.from_row(row) for row in self._database.rows("SELECT * FROM layers"))


def check_status(status: str) -> None:
    """Refuse a status that does not exist.

    Raises:
        RASNetError: the message lists those that do.
    """
    if status not in get_args(FrameStatus):
        raise RASNetError(f"'{status}' is no status of a frame; use {', '.join(get_args(FrameStatus))}")


def clip_parts(parts: Mask, mask: Mask) -> Mask:
    """Part ids where the mask has an instrument, 0 elsewhere; all uint8 (H, W)."""
    return parts * (mask > 0)


def frame_row(row: sqlite3.Row) -> FrameRow:
    """Read a row of the table."""
    return FrameRow(
        index=row["frame"],
        pts=row["pts"],
        status=row["status"],
        uncertainty=row["uncertainty"],
        class_uncertainty=tuple(json.loads(row["class_uncertainty"])),
        model=row["model"],
        mask_sha256=row["mask_sha256"],
        parts_sha256=row["parts_sha256"],
    )
