"""Masks of another program, brought into the case on show."""

from __future__ import annotations

from pathlib import Path

from rasnet.exchange.formats import import_case
from rasnet.exchange.importing import ImportResult
from rasnet.progress import Progress
from RASNetSlicerLib.scene import CaseScene


def import_masks(shown: CaseScene, path: str | Path, *, progress: Progress | None = None) -> ImportResult:
    """Bring the masks of a file or folder into the case, and show them; its format is told by what is there.

    Args:
        shown: the case in its scene; its edits are written into the case first.
        path: the file or folder.
        progress: told of each frame; where it stops the import, frames that are imported stay.

    Raises:
        RASNetError: as for `rasnet.exchange.importing.import_masks`; the case has not changed then.
    """
    shown.save()
    try:
        return import_case(shown.case, path, who=shown.who, progress=progress)
    finally:
        shown.refresh()
