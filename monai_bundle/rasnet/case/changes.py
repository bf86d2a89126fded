"""Changing the frames of a case, so that neither a kill nor a second program does harm.

A change goes in two steps, each under the database's write lock. First the decision: is the frame a
program's to write, what becomes of its parts; the new files go into the table ``pending``. Then the deed:
file by file a temporary name, a rename, and the row. A process that is killed in between leaves a decision
that the next writer, whoever it is, carries out. Readers see a frame before or after, never between.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from dataclasses import replace

from rasnet.case import journal, layers
from rasnet.case.encoding import MaskChange
from rasnet.case.frames import FrameReader, FrameRow, FrameStatus, clip_parts, frame_row
from rasnet.errors import RASNetError
from rasnet.masks import Mask, decode_mask, encode_mask, mask_sha256, mask_values, read_mask, write_whole
from rasnet.progress import Progress, SilentProgress

_EDIT_BATCH = 16


class FrameStore(FrameReader):
    """The frames of one case, for those who change them."""

    def predict(self, changes: Sequence[MaskChange], edits_seen: int) -> list[bool]:
        """Write a program's masks where no person owns the frame.

        Args:
            changes: the new masks.
            edits_seen: the last layer edit that the program knew of; later ones are applied to its masks.

        Returns:
            For each change whether it was written.
        """
        written = []
        with self._database.transaction() as connection:
            self.settle(connection)
            latest = _latest_edit(connection)
            edits = connection.execute("SELECT * FROM edits WHERE id > ? ORDER BY id", (edits_seen,)).fetchall()
            for change in changes:
                written.append(_is_for_programs(connection, change.row.index))
                if written[-1]:
                    current = self._edited(change, layers.edit_table(edits)) if edits else change
                    _decide(connection, current, latest)
        self.carry_out()
        return written

    def correct(self, change: MaskChange) -> None:
        """Write a person's mask; the model's uncertainty and name stay with the frame.

        Without parts of its own the frame keeps those it has within the instruments of the new mask.
        """
        with self._database.transaction() as connection:
            self.settle(connection)
            old = _find(connection, change.row.index)
            if old is not None:
                row = replace(
                    change.row,
                    uncertainty=old.uncertainty,
                    class_uncertainty=old.class_uncertainty,
                    model=old.model,
                )
                change = replace(change, row=row)
                if change.parts is None and old.parts_sha256 is not None:
                    change = self._with_old_parts(change)
            _decide(connection, change, _latest_edit(connection))
        self.carry_out()

    def set_status(self, index: int, pts: float, status: FrameStatus, *, who: str, tool: str) -> None:
        """Set what a person says of a frame; ``predicted`` gives it back to the programs."""
        with self._database.transaction() as connection:
            self.settle(connection)
            old = _find(connection, index)
            if old is not None and old.status == status:
                return
            if (old is None or old.mask_sha256 is None) and status in ("corrected", "accepted"):
                raise RASNetError(f"frame {index} of {self.folder} has no mask yet; segment or correct it first")
            if old is None:
                if status == "predicted":
                    return
                _insert_skipped(connection, index, pts)
            elif old.mask_sha256 is None:
                connection.execute("DELETE FROM frames WHERE frame = ?", (index,))
            else:
                connection.execute("UPDATE frames SET status = ? WHERE frame = ?", (status, index))
            journal.append(
                connection,
                who=who,
                what="set status",
                tool=tool,
                frame=index,
                before=old.status if old else None,
                after=status,
            )

    def replacement(self, row: FrameRow, mask: Mask, *, who: str, what: str, tool: str) -> MaskChange:
        """Encode another mask of a frame, in which the same pixels are instrument: status and parts stay.

        Args:
            row: the frame as it is.
            mask: layer ids, uint8 (H, W).
            who: the person.
            what: the verb for the journal.
            tool: the program in use.
        """
        return MaskChange(
            row=replace(row, mask_sha256=mask_sha256(mask)),
            values=tuple(mask_values(mask)),
            mask=encode_mask(mask, self.palette()),
            parts=None,  # the file stays
            who=who,
            what=what,
            tool=tool,
        )

    def rewrite(self, connection: sqlite3.Connection, changes: Sequence[tuple[FrameRow, MaskChange]]) -> None:
        """Decide within a transaction on other masks of several frames, all or none.

        Args:
            connection: of the transaction.
            changes: each frame as it was when its replacement was encoded, and the replacement.

        Raises:
            RASNetError: a frame has changed since.
        """
        latest = _latest_edit(connection)
        for before, change in changes:
            now = _find(connection, before.index)
            if now is None or _version(now) != _version(before):
                raise RASNetError(f"frame {before.index} of {self.folder} has changed meanwhile; do it again")
            _decide(connection, change, latest)

    def follow_edits(self, progress: Progress | None = None) -> None:
        """Rewrite the masks that have not followed every layer edit yet, some at a time.

        Args:
            progress: told of each frame.
        """
        progress = SilentProgress() if progress is None else progress
        question = "SELECT count(*) FROM frames WHERE edit < (SELECT coalesce(max(id), 0) FROM edits)"
        progress.start("change layers", self._database.rows(question)[0][0])
        while self.unfinished_edits():
            with self._database.transaction() as connection:
                self.settle(connection)
                latest = _latest_edit(connection)
                behind = connection.execute(
                    "SELECT * FROM frames WHERE edit < ? LIMIT ?", (latest, _EDIT_BATCH)
                ).fetchall()
                for row in behind:
                    self._follow(connection, row, latest)
            self.carry_out()
            progress.advance(count=len(behind))
        progress.finish()

    def clear_temporary(self) -> None:
        """Remove what power cuts left; whoever holds the write lock is the only one with a temporary file."""
        with self._database.transaction() as connection:
            self.settle(connection)
            for path in [*self.folder.glob("masks/.*.tmp"), *self.folder.glob("parts/.*.tmp")]:
                path.unlink()

    def carry_out(self) -> None:
        """Do what was decided."""
        with self._database.transaction() as connection:
            self.settle(connection)

    def settle(self, connection: sqlite3.Connection) -> None:
        """Do what was decided, within a transaction: files first, then rows."""
        for row in connection.execute("SELECT * FROM pending ORDER BY id").fetchall():
            index = row["frame"]
            old = _find(connection, index)
            write_whole(self.mask_path(index), row["mask"])
            if row["parts"] is not None:
                write_whole(self.parts_path(index), row["parts"])
            elif row["parts_sha256"] is None and old is not None and old.parts_sha256 is not None:
                self.parts_path(index).unlink(missing_ok=True)
            connection.execute(
                "INSERT OR REPLACE INTO frames SELECT frame, pts, status, uncertainty, class_uncertainty, model,"
                " mask_sha256, parts_sha256, edit FROM pending WHERE id = ?",
                (row["id"],),
            )
            journal.append(
                connection,
                who=row["who"],
                what=row["what"],
                tool=row["tool"],
                frame=index,
                before=old.mask_sha256 if old else None,
                after=row["mask_sha256"],
            )
        connection.execute("DELETE FROM pending")

    def _follow(self, connection: sqlite3.Connection, row: sqlite3.Row, latest: int) -> None:
        edits = connection.execute("SELECT * FROM edits WHERE id > ? ORDER BY id", (row["edit"],)).fetchall()
        stored = self._stored(row, edits[-1])
        edited = self._edited(stored, layers.edit_table(edits)) if stored else None
        if edited is stored or edited is None:
            connection.execute("UPDATE frames SET edit = ? WHERE frame = ?", (latest, row["frame"]))
        else:
            _decide(connection, edited, latest)

    def _stored(self, row: sqlite3.Row, edit: sqlite3.Row) -> MaskChange | None:
        """The masks of a frame as a change that an edit asks for; None where there is no good file to change."""
        parts_path = self.parts_path(row["frame"])
        try:
            mask = self.mask_path(row["frame"]).read_bytes()
            values = tuple(mask_values(decode_mask(mask)))
        except (FileNotFoundError, RASNetError):
            return None  # whoever asks for this mask is told
        return MaskChange(
            row=frame_row(row),
            values=values,
            mask=mask,
            parts=parts_path.read_bytes() if parts_path.exists() else None,
            who=edit["who"],
            what=edit["what"],
            tool=edit["tool"],
        )

    def _edited(self, change: MaskChange, table: Mask) -> MaskChange:
        """The change with its mask taken through layer edits, and its parts kept inside what is left.

        A mask that has none of the edited layers comes back as the same object.
        """
        if all(table[value] == value for value in change.values):
            return change
        mask = table.take(decode_mask(change.mask))
        edited = replace(
            change,
            row=replace(change.row, mask_sha256=mask_sha256(mask)),
            values=tuple({int(table[value]) for value in change.values}),
            mask=encode_mask(mask, self.palette()),
        )
        removed = any(value and not table[value] for value in change.values)
        return self._clipped(edited, decode_mask(change.parts)) if removed and change.parts else edited

    def _with_old_parts(self, change: MaskChange) -> MaskChange:
        try:
            return self._clipped(change, read_mask(self.parts_path(change.row.index)))
        except RASNetError:
            return change  # a lost part mask is no reason to lose a person's correction too

    def _clipped(self, change: MaskChange, parts: Mask) -> MaskChange:
        """The change with `parts` inside its mask."""
        clipped = clip_parts(parts, decode_mask(change.mask))
        return replace(
            change,
            row=replace(change.row, parts_sha256=mask_sha256(clipped)),
            parts=encode_mask(clipped, self._info.parts.palette),
        )


def _decide(connection: sqlite3.Connection, change: MaskChange, edit: int) -> None:
    layers.insert_unknown(connection, change.values, who=change.who, tool=change.tool)
    row = change.row
    connection.execute(
        "INSERT INTO pending (frame, pts, status, uncertainty, class_uncertainty, model, mask_sha256,"
        " parts_sha256, edit, mask, parts, who, what, tool) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
        (
            row.index,
            row.pts,
            row.status,
            row.uncertainty,
            json.dumps(row.class_uncertainty),
            row.model,
            row.mask_sha256,
            row.parts_sha256,
            edit,
            change.mask,
            change.parts,
            change.who,
            change.what,
            change.tool,
        ),
    )


def _is_for_programs(connection: sqlite3.Connection, index: int) -> bool:
    row = connection.execute("SELECT status FROM frames WHERE frame = ?", (index,)).fetchone()
    return row is None or row["status"] == "predicted"


def _find(connection: sqlite3.Connection, index: int) -> FrameRow | None:
    row = connection.execute("SELECT * FROM frames WHERE frame = ?", (index,)).fetchone()
    return frame_row(row) if row else None


def _version(row: FrameRow) -> tuple[str | None, ...]:
    return row.status, row.mask_sha256, row.parts_sha256


def _latest_edit(connection: sqlite3.Connection) -> int:
    return int(connection.execute("SELECT coalesce(max(id), 0) FROM edits").fetchone()[0])


def _insert_skipped(connection: sqlite3.Connection, index: int, pts: float) -> None:
    connection.execute(
        "INSERT INTO frames (frame, pts, status, class_uncertainty, edit) VALUES (?, ?, 'skipped', '[]', ?)",
        (index, pts, _latest_edit(connection)),
    )
