"""case.db: the SQLite file of a case, for many readers and one writer at a time."""

from __future__ import annotations

import errno
import os
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rasnet.errors import RASNetError

# A person's correction waits this long for a program's batch, which takes some milliseconds.
_BUSY_SECONDS = 60.0
_DISK_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}

# A row of `pending` is a decision that is made and not yet carried out: the PNG files themselves, and what
# the frame's row is to become. Whoever next holds the write lock carries it out, so a kill loses nothing.
# `frames.edit` is the last layer edit (merge or removal) that the frame's mask has seen.
_TABLES = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value BLOB NOT NULL);
CREATE TABLE frames (
    frame INTEGER PRIMARY KEY,
    pts REAL NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('predicted', 'corrected', 'accepted', 'skipped')),
    uncertainty REAL,
    class_uncertainty TEXT NOT NULL,
    model TEXT,
    mask_sha256 TEXT,
    parts_sha256 TEXT,
    edit INTEGER NOT NULL
);
CREATE INDEX frames_by_edit ON frames (edit);
CREATE TABLE pending (
    id INTEGER PRIMARY KEY,
    frame INTEGER NOT NULL,
    pts REAL NOT NULL,
    status TEXT NOT NULL,
    uncertainty REAL,
    class_uncertainty TEXT NOT NULL,
    model TEXT,
    mask_sha256 TEXT NOT NULL,
    parts_sha256 TEXT,
    edit INTEGER NOT NULL,
    mask BLOB NOT NULL,
    parts BLOB,
    who TEXT NOT NULL,
    what TEXT NOT NULL,
    tool TEXT NOT NULL
);
CREATE TABLE layers (
    id INTEGER PRIMARY KEY CHECK (id BETWEEN 1 AND 255),
    name TEXT NOT NULL,
    red INTEGER NOT NULL,
    green INTEGER NOT NULL,
    blue INTEGER NOT NULL,
    type TEXT,
    typed_by_person INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE edits (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    layers TEXT NOT NULL,
    target INTEGER NOT NULL,
    who TEXT NOT NULL,
    what TEXT NOT NULL,
    tool TEXT NOT NULL
);
CREATE TABLE journal (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    time TEXT NOT NULL,
    who TEXT NOT NULL,
    what TEXT NOT NULL,
    tool TEXT NOT NULL,
    frame INTEGER,
    layer INTEGER,
    before TEXT,
    after TEXT
);
CREATE INDEX journal_by_frame ON journal (frame);
CREATE TRIGGER journal_keeps BEFORE UPDATE ON journal
    BEGIN SELECT RAISE(ABORT, 'the journal only grows'); END;
CREATE TRIGGER journal_stays BEFORE DELETE ON journal
    BEGIN SELECT RAISE(ABORT, 'the journal only grows'); END;
"""


class Database:
    """One SQLite file, usable from every thread; a forked process gets a connection of its own.

    Args:
        path: the file, made by `Database.create`.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.RLock()
        self._connection: sqlite3.Connection | None = None
        self._process = os.getpid()
        self._inherited: list[sqlite3.Connection] = []

    @classmethod
    def create(cls, path: Path) -> Database:
        """Make the file with its tables, write-ahead logging on."""
        database = cls(path)
        connection = database._connect("rwc")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.executescript(_TABLES)
        return database

    def rows(self, sql: str, values: Sequence[Any] = ()) -> list[sqlite3.Row]:
        """Rows of one query; inside a `transaction` of the same thread it sees what that has done."""
        with self._lock, clear_errors(self.path.parent):
            return self._connect().execute(sql, values).fetchall()

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Hold the write lock; commit at the end, or leave everything as it was after an exception.

        Raises:
            RASNetError: the disk is full, the case cannot be written, or the lock did not come.
        """
        with self._lock, clear_errors(self.path.parent):
            connection = self._connect()
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise

    def close(self) -> None:
        """Close the connection; the next use opens it again."""
        with self._lock:
            if self._connection is not None and self._process == os.getpid():
                self._connection.close()
                self._connection = None

    def _connect(self, mode: str = "rw") -> sqlite3.Connection:
        if self._connection is not None and self._process != os.getpid():
            # SQLite forbids a connection to cross a fork, even to be closed: keep it, untouched.
            self._inherited.append(self._connection)
            self._connection = None
        if self._connection is None:
            self._connection = sqlite3.connect(
                f"{self.path.resolve().as_uri()}?mode={mode}",
                uri=True,
                timeout=_BUSY_SECONDS,
                isolation_level=None,
                check_same_thread=False,
            )
            self._connection.row_factory = sqlite3.Row
            self._connection.execute("PRAGMA synchronous = NORMAL")
            self._process = os.getpid()
        return self._connection


@contextmanager
def clear_errors(folder: Path) -> Iterator[None]:
    """Turn what the disk and SQLite say into one sentence for the user.

    Args:
        folder: the case, named in the sentence.

    Raises:
        RASNetError: the disk is full, the case cannot be written, is busy, or its database is damaged.
    """
    try:
        yield
    except OSError as error:
        if error.errno in _DISK_FULL:
            raise _disk_full(folder) from error
        raise RASNetError(f"{folder} cannot be written ({error}); check the disk and the rights") from error
    except sqlite3.OperationalError as error:
        words = str(error)
        if "full" in words:
            raise _disk_full(folder) from error
        if "locked" in words:
            raise RASNetError(
                f"{folder} is held by another program for more than {_BUSY_SECONDS:.0f} s; close it and try again"
            ) from error
        raise RASNetError(f"{folder} cannot be used ({words}); check the disk and the rights") from error
    except sqlite3.DatabaseError as error:
        raise RASNetError(f"{folder / 'case.db'} is damaged ({error}); put a copy of it back") from error


def _disk_full(folder: Path) -> RASNetError:
    return RASNetError(
        f"the disk that holds {folder} is full; free space and run the same command again, it goes on where it stopped"
    )
