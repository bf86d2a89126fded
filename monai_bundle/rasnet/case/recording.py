"""A case that is made while its video is still being recorded: it becomes a case when the recording ends.

Until then its folder has no ``case.json``; what the case will be is in ``recording/``. So a program that is killed
leaves the video and the masks that there are, and `finish_recording` makes the case of them.
"""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np

from rasnet.case import journal
from rasnet.case.case import Case
from rasnet.case.database import Database, clear_errors
from rasnet.case.info import CaseInfo, ModelInfo, SourceInfo, describe_source
from rasnet.labels import LabelSchema
from rasnet.video import RegionOfInterest, open_source

VIDEO = "video.mkv"
"""The recorded video, in the case's folder. Matroska stays readable where its writer was killed."""

_UNFINISHED = "recording"
_ENDLESS = 2**31


def begin_recording(
    folder: Path, *, roi: RegionOfInterest, schema: LabelSchema, model: ModelInfo, fps: float, name: str
) -> Case:
    """Make the case of a video that is being recorded as ``folder / VIDEO``.

    Args:
        folder: prepared by `prepare_folder`.
        roi: what of the frame the network sees.
        schema: the classes that the model tells apart.
        model: that makes the masks.
        fps: frames per second, as far as it is known.
        name: of what is recorded, for the journal.

    Returns:
        A case that takes masks of frames as they come, by `Case.writer`.

    Raises:
        RASNetError: the disk is full.
    """
    source = SourceInfo(
        path=str((folder / VIDEO).resolve()),
        relative_path=VIDEO,
        kind="video",
        name=VIDEO,
        frame_count=_ENDLESS,
        fps=fps,
        height=roi.frame_height,
        width=roi.frame_width,
        fingerprint="",
    )
    info = CaseInfo(
        source, 0, _ENDLESS, 1, height=source.height, width=source.width, roi=roi, schema=schema, model=model
    )
    with clear_errors(folder):
        (folder / _UNFINISHED).mkdir()
        database = Database.create(folder / "case.db")
        with database.transaction() as connection:
            who = journal.current_user()
            journal.append(connection, who=who, what="create", tool=journal.TOOL, after=name)
        info.write(folder / _UNFINISHED)
    return Case(folder, info, database)


def open_recording(folder: Path) -> Case:
    """Open what `begin_recording` has made, also in another process."""
    return Case(folder, CaseInfo.read(folder / _UNFINISHED), Database(folder / "case.db"))


def is_unfinished(folder: Path) -> bool:
    """Whether the folder holds a recording that no one has made a case of."""
    return (folder / _UNFINISHED / "case.json").is_file() and not (folder / "case.json").exists()


def finish_recording(folder: Path, stop: int | None = None) -> Case:
    """Make a recording that has ended, or was cut off, a case.

    Args:
        folder: of the case.
        stop: one past the last frame that belongs to it; None is the end of the video.

    Returns:
        The case; frames that nobody has segmented are missing in it.

    Raises:
        RASNetError: nothing of the video can be read, or the disk is full.
    """
    info = CaseInfo.read(folder / _UNFINISHED)
    with open_source(folder / VIDEO) as video:
        times = np.asarray(video.times, np.float64)
        source = describe_source(folder, video)
    count = min(stop or len(times), len(times))
    database = Database(folder / "case.db")
    with database.transaction() as connection:
        connection.execute("INSERT OR REPLACE INTO meta VALUES ('times', ?)", (times.tobytes(),))
        # Where the writer was killed, the last pictures of the video may be missing.
        lost = [row["frame"] for row in connection.execute("SELECT frame FROM frames WHERE frame >= ?", (count,))]
        connection.execute("DELETE FROM frames WHERE frame >= ?", (count,))
        connection.execute("DELETE FROM pending WHERE frame >= ?", (count,))
        for table in ("frames", "pending"):  # the file's clock is coarser than the stream's
            known = [row["frame"] for row in connection.execute(f"SELECT frame FROM {table}")]
            connection.executemany(
                f"UPDATE {table} SET pts = ? WHERE frame = ?", [(float(times[frame]), frame) for frame in known]
            )
    database.close()
    with clear_errors(folder):
        for frame in lost:
            for part in ("masks", "parts"):
                (folder / part / f"{frame:08d}.png").unlink(missing_ok=True)
        replace(info, source=source, stop=count).write(folder)
        shutil.rmtree(folder / _UNFINISHED)
    return Case.open(folder)
