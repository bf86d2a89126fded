"""A case in a scene, saved in files for Slicer, for other programs and for training."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

from PIL import Image

from rasnet.case import Case, FrameStatus
from rasnet.errors import RASNetError
from rasnet.exchange.content import ExportContent
from rasnet.exchange.formats import export_case
from rasnet.exchange.png import Content, export_png
from rasnet.exchange.seg_nrrd import export_seg_nrrd
from rasnet.files import clear_errors, whole_folder
from rasnet.privacy import flag_frames
from rasnet.progress import Progress, SilentProgress
from RASNetSlicerLib.scene import CaseScene

_REVIEWED: tuple[FrameStatus, ...] = ("corrected", "accepted")
_ALL: tuple[FrameStatus, ...] = ("predicted", *_REVIEWED)


def save_scene(shown: CaseScene, path: str | Path) -> None:
    """Save the scene with pictures and masks; `CaseScene.attach` goes on with it.

    Args:
        shown: the case in its scene; its edits are written into the case first.
        path: ends in ``.mrb``; a file that exists is replaced once the new one is whole.

    Raises:
        RASNetError: the name is wrong, or the disk is full.
    """
    shown.save()
    _renew_storage(shown)
    with _whole(path, ".mrb") as making:
        _check(shown.scene.WriteToMRB(str(making)), path)


def save_masks(shown: CaseScene, path: str | Path) -> None:
    """Save the masks of the loaded frames as a sequence of segmentations, with status, names and colours.

    Slicer knows no ``.seg.seq.nrrd``; sequences of segmentations are ``.seq.mrb``.

    Args:
        shown: the case in its scene; its edits are written into the case first.
        path: ends in ``.seq.mrb``; a file that exists is replaced once the new one is whole.

    Raises:
        RASNetError: the name is wrong, or the disk is full.
    """
    shown.save()
    _renew_storage(shown)
    # A storage node of its own: one that has failed once goes on to fail.
    storage = shown.scene.AddNewNodeByClass("vtkMRMLSequenceStorageNode")
    try:
        with _whole(path, ".seq.mrb") as making:
            storage.SetFileName(str(making))
            _check(storage.WriteData(shown.sequences.masks), path)
    finally:
        shown.scene.RemoveNode(storage)


def export_segmentation(shown: CaseScene, path: str | Path, *, progress: Progress | None = None) -> None:
    """Write the whole case as one segmentation; see `rasnet.exchange.seg_nrrd.export_seg_nrrd`.

    Args:
        shown: the case in its scene; its edits are written into the case first.
        path: ends in ``.seg.nrrd``.
        progress: told of each frame.

    Raises:
        RASNetError: slicerio is not installed, the name is wrong, the case is too long, or the disk is full.
    """
    shown.save()
    export_seg_nrrd(shown.case, path, progress=progress)


def export_training_data(
    shown: CaseScene,
    folder: str | Path,
    contents: Collection[Content] = ("layers",),
    *,
    images: bool = True,
    reviewed_only: bool = True,
    agree: Callable[[str], None] | None = None,
    progress: Progress | None = None,
) -> int:
    """Write masks and their pictures: ``layers/frame000042.png`` belongs to ``images/frame000042.png``.

    Args:
        shown: the case in its scene; its edits are written into the case first.
        folder: to make; it appears only when everything is written.
        contents: what to write; a folder of each, as `rasnet.exchange.png.export_png` writes it.
        images: write the pictures, which show the inside of a patient.
        reviewed_only: leave out frames whose masks no person has corrected or accepted.
        agree: told which pictures may be outside the body or show burned-in text, if any, before they are written;
            raises an exception to stop. None: they are refused.
        progress: told of each frame.

    Returns:
        How many frames have masks there.

    Raises:
        RASNetError: nothing to export, pictures that a person should look at first, a layer whose type is not known,
            a folder that is not empty, the video has moved, or the disk is full.
    """
    shown.save()
    target = Path(folder)
    frames: set[int] = set()
    with clear_errors(target), whole_folder(target) as making:
        for what in contents:
            export_png(
                shown.case, making / what, what=what, statuses=_REVIEWED if reviewed_only else _ALL, progress=progress
            )
            table = json.loads((making / what / "labels.json").read_text(encoding="utf-8"))
            frames.update(entry["index"] for entry in table["frames"])
        if images:
            _look_for_privacy(shown.case, sorted(frames), agree, progress)
            _write_images(shown.case, sorted(frames), making / "images", progress)
    return len(frames)


def export_format(
    shown: CaseScene,
    path: str | Path,
    format: str,
    what: Content = "layers",
    *,
    images: bool = False,
    reviewed_only: bool = False,
    agree: Callable[[str], None] | None = None,
    progress: Progress | None = None,
) -> int:
    """Write the whole case for another program; see `rasnet.exchange.formats.export_case`.

    Args:
        shown: the case in its scene; its edits are written into the case first.
        path: file or folder to make; it appears only when it is whole.
        format: a key of `rasnet.exchange.formats.FORMATS`.
        what: layers, parts or types.
        images: write the pictures of the frames as well.
        reviewed_only: leave out frames whose masks no person has corrected or accepted.
        agree: as for `export_training_data`.
        progress: told of each frame.

    Returns:
        How many frames have masks there.

    Raises:
        RASNetError: as for `export_training_data`; or the format cannot hold what is wanted, or a package is missing.
    """
    shown.save()
    statuses = _REVIEWED if reviewed_only else _ALL
    content = ExportContent.choose(shown.case, what, statuses=statuses)
    _look_for_privacy(shown.case, [row.index for row in content.rows], agree, progress)
    export_case(
        shown.case,
        path,
        format,
        what=what,
        statuses=statuses,
        images=images,
        include_flagged=True,  # a person has looked
        progress=progress,
    )
    return len(content.rows)


def _look_for_privacy(
    case: Case, frames: list[int], agree: Callable[[str], None] | None, progress: Progress | None
) -> None:
    with case.open_source() as source:
        flags = flag_frames(source, frames, progress)
    if flags and agree is None:
        raise RASNetError(f"{flags}; look at them, skip them, or export masks without pictures")
    if flags and agree is not None:
        agree(str(flags))


def _write_images(case: Case, frames: list[int], folder: Path, progress: Progress | None) -> None:
    progress = SilentProgress() if progress is None else progress
    folder.mkdir()
    progress.start("export images", len(frames))
    with case.open_source() as source:
        for index in frames:
            Image.fromarray(source[index].rgb).save(folder / f"frame{index:06d}.png")
            progress.advance(index)
    progress.finish(folder=str(folder), frames=len(frames))


def _renew_storage(shown: CaseScene) -> None:
    """Take storage nodes away that have failed before and would go on to fail, also when the user saves."""
    for sequence in (shown.sequences.images, shown.sequences.masks):
        storage = sequence.GetStorageNode()
        if storage is not None:
            shown.scene.RemoveNode(storage)


@contextmanager
def _whole(path: str | Path, ending: str) -> Iterator[Path]:
    """Give a place beside `path` under the same name, which files inside archives are named after."""
    target = Path(path)
    if not target.name.endswith(ending):
        raise RASNetError(f"Slicer knows such files by their ending; name the file {target.name.split('.')[0]}{ending}")
    with clear_errors(target), tempfile.TemporaryDirectory(dir=target.parent, prefix=".saving-") as folder:
        making = Path(folder) / target.name
        yield making
        making.replace(target)


def _check(written: bool, path: str | Path) -> None:
    if not written:
        raise RASNetError(f"{path} could not be written; free space or choose another place, and save again")
