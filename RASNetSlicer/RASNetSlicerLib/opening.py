"""From what a person chose to open, to a case."""

from __future__ import annotations

import os
from pathlib import Path

from rasnet.bundle import weights_path
from rasnet.case import Case, CaseInfo
from rasnet.errors import RASNetError
from rasnet.inference.pipeline import RELEASED_SCHEMA
from rasnet.inference.pipeline import open_case as open_model_case
from rasnet.labels import LabelSchema
from rasnet.video import RegionOfInterest, open_source
from RASNetSlicerLib.installation import state

CASE_SUFFIX = ".case"


def is_case(folder: Path) -> bool:
    """Whether a folder is a case."""
    return (folder / "case.json").is_file()


def default_case_folder(source: Path) -> Path:
    """Where to keep what is found in a video: beside it, or in the home folder where that may not be written."""
    name = source.stem if source.is_file() else source.name
    parent = source.parent if os.access(source.parent, os.W_OK) else Path.home()
    return parent / f"{name}{CASE_SUFFIX}"


def look_at(folder: Path, source: Path | None) -> CaseInfo:
    """What a case is about, or would be about if it were made now; nothing is written.

    Args:
        folder: of the case.
        source: the video; None where the case knows it.

    Raises:
        RASNetError: there is neither a case nor a video, or they cannot be read.
    """
    if is_case(folder):
        return CaseInfo.read(folder)
    if source is None:
        raise RASNetError(f"{folder} is not a case (it has no case.json); choose a video, or the folder of a case")
    with open_source(source) as video:
        return CaseInfo.describe(
            folder,
            source=video,
            schema=LabelSchema.load(RELEASED_SCHEMA),
            roi=RegionOfInterest.whole(video.height, video.width),
            model=None,
            start=0,
            stop=None,
            step=1,
        )


def describe(info: CaseInfo) -> str:
    """What a person wants to know of a video before it is loaded."""
    source = info.source
    seconds = round(source.frame_count / source.fps)
    return (
        f"{source.name}: {source.frame_count} frames of {source.width}x{source.height}, "
        f"{seconds // 60}:{seconds % 60:02d} min at {source.fps:.4g} frames/s"
    )


def lost_video(folder: Path) -> str:
    """Why the video of a case cannot be opened where the case expects it; "" where it can, or there is no case yet.

    Raises:
        RASNetError: the case cannot be opened.
    """
    if not is_case(folder):
        return ""
    with Case.open(folder) as case:
        try:
            case.open_source().close()
        except RASNetError as error:
            return str(error)
    return ""


def open_case(folder: Path, source: Path | None) -> Case:
    """Open a case, or make one of a video.

    Args:
        folder: of the case.
        source: the video, where there is no case yet or its video has moved; None for the one it knows.

    Raises:
        RASNetError: the case cannot be opened or made, or is about another video.
    """
    if source is None and is_case(folder):
        return Case.open(folder)
    if source is None:
        raise RASNetError(f"{folder} is not a case (it has no case.json); choose a video, or the folder of a case")
    if not is_case(folder):
        return open_model_case(source, folder, weights_path(), backend=state().backend or "none")
    known = CaseInfo.read(folder)
    if Path(known.source.path) == source.resolve():
        return Case.open(folder)
    with open_source(source) as video:
        return Case.create_or_resume(
            folder,
            source=video,
            schema=known.schema,
            roi=known.roi,
            model=known.model,
            start=known.start,
            stop=known.stop,
            step=known.step,
        )
