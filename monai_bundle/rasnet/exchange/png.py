"""Index masks: one palette PNG a frame, with a file that says what each value is."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from rasnet.case import Case, CaseInfo, FrameStatus
from rasnet.errors import RASNetError
from rasnet.exchange.content import WITH_MASKS, Content, ExportContent, frame_name
from rasnet.exchange.incoming import Incoming, read_folder, read_table
from rasnet.files import clear_errors, whole_folder
from rasnet.masks import read_mask, write_mask
from rasnet.progress import Progress, SilentProgress

__all__ = ["Content", "export_png", "read_png", "write_png"]


def export_png(
    case: Case,
    folder: str | Path,
    *,
    what: Content = "layers",
    statuses: Collection[FrameStatus] = WITH_MASKS,
    progress: Progress | None = None,
) -> None:
    """Write ``frame000042.png`` for every frame that has a mask, and ``labels.json``.

    The PNG files are uint8 palette images of the full frame: pixel values are ids, 0 is background.
    ``labels.json`` holds ``what``, the ``labels`` (id, name, color, and for layers their type) and the
    ``frames`` (file, index, time in seconds, status).

    Args:
        case: the case.
        folder: to make; it may exist if it is empty. It appears only when everything is written.
        what: values are ``"layers"`` (layer ids), ``"parts"`` (ids of `CaseInfo.parts`) or ``"types"``
            (layers mapped to ids of `CaseInfo.types`: semantic masks).
        statuses: of the frames to write; by default those that a person skipped are left out.
        progress: told of each frame.

    Raises:
        RASNetError: nothing to export, a layer whose type is not known, a folder that is not empty, or a
            full disk.
    """
    write_png(
        ExportContent.choose(case, what, statuses=statuses),
        Path(folder),
        images=False,
        progress=progress or SilentProgress(),
    )


def write_png(content: ExportContent, folder: Path, *, images: bool, progress: Progress) -> None:
    """Write what `export_png` does, of content that is chosen already; with `images`, pictures into ``images``."""
    with clear_errors(folder), whole_folder(folder) as making:
        progress.start("export png", len(content.rows))
        for row in content.rows:
            write_mask(making / f"{frame_name(row)}.png", content.mask(row), content.palette)
            progress.advance(row.index)
        if images:
            content.write_pictures(making / "images", progress)
        content.write_table(making, ".png")
    progress.finish(folder=str(folder), frames=len(content.rows))


def read_png(folder: Path, info: CaseInfo) -> Incoming:
    """Read a folder that `export_png` wrote, with layers or types.

    Raises:
        RASNetError: the folder holds parts, or its ``labels.json`` is missing or damaged.
    """
    if (what := read_table(folder).get("what")) == "parts":
        raise RASNetError(f"{folder} holds {what}, which belong to no layer; give a folder of layers or types")
    return read_folder(folder, folder, ".png", read_mask)
