"""The journal: who changed what, when, with which tool. It only grows."""

from __future__ import annotations

import getpass
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timezone

from rasnet import __version__
from rasnet.case.database import Database

TOOL = f"rasnet {__version__}"
_PAGE = 1000


@dataclass(frozen=True)
class JournalEntry:
    """One change.

    Attributes:
        id: 1, 2, 3 ... in the order of the changes.
        when: ISO 8601 in UTC, to the microsecond.
        who: a person, or a model's name for a prediction.
        what: a verb: create, predict, correct, set status, add layer, rename layer, recolor layer,
            set type, merge layers, split layer, remove layer, move source, change model.
        tool: the program, with its version.
        frame: index of the frame; None where the change is about the whole case.
        layer: id of the layer; None where the change is not about one.
        before: mask changes: SHA-256 of the mask's pixels (see `rasnet.masks.mask_sha256`);
            other changes: the old value in words. None where nothing was there.
        after: likewise.
    """

    id: int
    when: str
    who: str
    what: str
    tool: str
    frame: int | None
    layer: int | None
    before: str | None
    after: str | None


def append(
    connection: sqlite3.Connection,
    *,
    who: str,
    what: str,
    tool: str,
    frame: int | None = None,
    layer: int | None = None,
    before: str | None = None,
    after: str | None = None,
) -> None:
    """Add an entry within the transaction that makes the change."""
    time = datetime.now(timezone.utc).isoformat(timespec="microseconds")
    connection.execute(
        "INSERT INTO journal (time, who, what, tool, frame, layer, before, after) VALUES (?,?,?,?,?,?,?,?)",
        (time, who, what, tool, frame, layer, before, after),
    )


def read(database: Database, frame: int | None = None) -> Iterator[JournalEntry]:
    """Give the entries, oldest first; only those of one frame where `frame` is given."""
    which, values = _of(frame)
    last = 0
    while True:
        page = database.rows(
            f"SELECT * FROM journal WHERE id > ? AND {which} ORDER BY id LIMIT ?", (last, *values, _PAGE)
        )
        for row in page:
            yield JournalEntry(*row)
        if len(page) < _PAGE:
            return
        last = page[-1]["id"]


def read_latest(database: Database, count: int, frame: int | None = None) -> list[JournalEntry]:
    """Give the last entries, newest first; only those of one frame where `frame` is given."""
    which, values = _of(frame)
    rows = database.rows(f"SELECT * FROM journal WHERE {which} ORDER BY id DESC LIMIT ?", (*values, count))
    return [JournalEntry(*row) for row in rows]


def _of(frame: int | None) -> tuple[str, tuple[int, ...]]:
    """A condition with its values, simple enough for SQLite to find a frame's entries by their index."""
    return ("TRUE", ()) if frame is None else ("frame = ?", (frame,))


def current_user() -> str:
    """Name of the person at this computer, as the operating system knows it."""
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):  # a container may run under a number without a name
        return "unknown"
