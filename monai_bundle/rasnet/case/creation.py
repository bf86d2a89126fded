"""Making a case's folder, so that a kill leaves either a whole case or nothing in the way of one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from rasnet.case import journal
from rasnet.case.database import Database, clear_errors
from rasnet.case.info import CaseInfo
from rasnet.errors import RASNetError

_UNFINISHED = {"case.db", "case.db-wal", "case.db-shm", "case.db-journal", ".case.json.tmp", "masks", "parts"}


def make_case(folder: Path, info: CaseInfo, times: npt.NDArray[np.float64]) -> Database:
    """Make folders, database and, last, ``case.json``: a folder that has one is a whole case.

    Args:
        folder: empty, absent, or what a killed call of this function left.
        info: what the case is about.
        times: presentation time of every frame of the source, seconds, (N,).

    Raises:
        RASNetError: the folder holds something else, or the disk is full.
    """
    prepare_folder(folder)
    with clear_errors(folder):
        database = Database.create(folder / "case.db")
        with database.transaction() as connection:
            connection.execute("INSERT INTO meta VALUES ('times', ?)", (times.tobytes(),))
            journal.append(
                connection,
                who=journal.current_user(),
                what="create",
                tool=journal.TOOL,
                after=info.source.path,
            )
        info.write(folder)
    return database


def prepare_folder(folder: Path) -> None:
    """Make a folder with room for masks; what a killed call of `make_case` left there goes.

    Raises:
        RASNetError: it holds something that no one may lose, or the disk is full.
    """
    _make_empty(folder)
    with clear_errors(folder):
        (folder / "masks").mkdir(exist_ok=True)
        (folder / "parts").mkdir(exist_ok=True)


def _make_empty(folder: Path) -> None:
    """Make sure that a case can begin in the folder; what a killed `Case.create` left there goes.

    Raises:
        RASNetError: it holds something that no one may lose.
    """
    if (folder / "case.json").exists():
        raise RASNetError(f"{folder} is a case already; open it to go on, or choose another folder")
    with clear_errors(folder):
        if folder.exists() and not folder.is_dir():
            raise RASNetError(f"{folder} is a file; choose a folder for the case")
        folder.mkdir(parents=True, exist_ok=True)
        found = list(folder.iterdir())
        images = [image for name in ("masks", "parts") for image in folder.glob(f"{name}/*")]
        if images or not {path.name for path in found} <= _UNFINISHED:
            raise RASNetError(f"{folder} is not empty and not a case; choose an empty or a new folder")
        for path in found:
            if path.is_file():
                path.unlink()
