"""Every format that masks leave and enter a case in: one registry for the command line, 3D Slicer and the tests."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Literal

from rasnet.case import Case, FrameStatus
from rasnet.errors import RASNetError
from rasnet.exchange.content import LABELS_FILE, WITH_MASKS, Content, ExportContent
from rasnet.exchange.importing import ImportResult, import_masks
from rasnet.files import whole_folder
from rasnet.labels import LabelSchema
from rasnet.progress import Progress, SilentProgress
from rasnet.video import find_roi, open_source

FormatName = Literal[
    "png", "endovis2017", "coco", "yolo", "cvat", "cvat_tracks", "seg_nrrd", "seg_nrrd_frames", "dicom_seg"
]

Pictures = Literal["never", "optional", "always"]


@dataclass(frozen=True)
class Format:
    """One format.

    Attributes:
        name: as commands call it.
        summary: what it is, for people who choose one.
        writer: module and function that write it.
        reader: module and function that read it.
        contents: what masks it can hold; the first is the default.
        pictures: whether it holds the video's pictures.
        suffix: of the file that it is; "" for a folder.
    """

    name: FormatName
    summary: str
    writer: tuple[str, str]
    reader: tuple[str, str]
    contents: tuple[Content, ...]
    pictures: Pictures
    suffix: str = ""


_LAYERS_OR_TYPES: tuple[Content, ...] = ("layers", "types")

FORMATS: dict[str, Format] = {
    entry.name: entry
    for entry in (
        Format(
            "png",
            "a PNG with a palette for each frame, and a list of labels",
            ("png", "write_png"),
            ("png", "read_png"),
            ("layers", "parts", "types"),
            "optional",
        ),
        Format(
            "endovis2017",
            "the folders of the EndoVis 2017 challenge, for training code",
            ("endovis2017", "write_endovis2017"),
            ("endovis2017", "read_endovis2017"),
            ("types",),
            "always",
        ),
        Format(
            "coco",
            "COCO's annotations.json, for Detectron2, MMDetection, FiftyOne",
            ("coco", "write_coco"),
            ("coco", "read_coco"),
            _LAYERS_OR_TYPES,
            "optional",
        ),
        Format(
            "yolo",
            "polygons in text files, for YOLO segmentation trainers",
            ("yolo", "write_yolo"),
            ("yolo", "read_yolo"),
            _LAYERS_OR_TYPES,
            "optional",
        ),
        Format(
            "cvat",
            "CVAT for images 1.1: masks, for CVAT tasks of images",
            ("cvat", "write_cvat"),
            ("cvat_reading", "read_cvat"),
            _LAYERS_OR_TYPES,
            "optional",
        ),
        Format(
            "cvat_tracks",
            "CVAT for video 1.1: polygons, for CVAT tasks of the video itself",
            ("cvat", "write_cvat_tracks"),
            ("cvat_reading", "read_cvat"),
            _LAYERS_OR_TYPES,
            "optional",
        ),
        Format(
            "seg_nrrd",
            "one segmentation for 3D Slicer, the frames stacked",
            ("seg_nrrd", "write_seg_nrrd"),
            ("seg_nrrd_reading", "read_seg_nrrd"),
            ("layers",),
            "never",
            suffix=".seg.nrrd",
        ),
        Format(
            "seg_nrrd_frames",
            "a segmentation for 3D Slicer for each frame",
            ("seg_nrrd", "write_seg_nrrd_frames"),
            ("seg_nrrd_reading", "read_seg_nrrd_frames"),
            _LAYERS_OR_TYPES,
            "optional",
        ),
        Format(
            "dicom_seg",
            "a DICOM image and a DICOM segmentation for each frame",
            ("dicom_seg", "write_dicom_seg"),
            ("dicom_seg", "read_dicom_seg"),
            ("layers",),
            "always",
        ),
    )
}
"""Formats by name."""


def export_case(
    case: Case,
    path: str | Path,
    format: str,
    *,
    what: Content | None = None,
    statuses: Collection[FrameStatus] = WITH_MASKS,
    start: int | None = None,
    stop: int | None = None,
    images: bool = False,
    include_flagged: bool = False,
    progress: Progress | None = None,
) -> ExportContent:
    """Write the masks of a case for another program, after a look for what must not leave the house.

    Args:
        case: the case.
        path: file or folder to make; it appears only when it is whole.
        format: a key of `FORMATS`.
        what: layers, parts or types; None for what the format holds by itself.
        statuses: of the frames to write.
        start: first frame; None for the first there is.
        stop: one past the last frame; None for the end.
        images: write the pictures of the frames as well.
        include_flagged: do not look for frames outside the body and for burned-in text.
        progress: told of each frame.

    Returns:
        What was written.

    Raises:
        RASNetError: frames are flagged, the format cannot hold what is wanted, there is nothing to export, a package
            is missing, or the place cannot be written.
    """
    progress = progress or SilentProgress()
    wanted = find_format(format)
    what = wanted.contents[0] if what is None else what
    if what not in wanted.contents:
        raise RASNetError(f"{format} holds {' or '.join(wanted.contents)}, not {what}; export those, or png")
    if images and wanted.pictures == "never":
        raise RASNetError(f"{format} has no place for pictures; leave --images away, or choose another format")
    content = ExportContent.choose(case, what, statuses=statuses, start=start, stop=stop)
    if not include_flagged:
        from rasnet.privacy import refuse_flagged

        refuse_flagged(case, [row.index for row in content.rows], progress)
    _load(wanted.writer)(content, Path(path), images=images, progress=progress)
    return content


def import_case(
    case: Case,
    path: str | Path,
    format: str | None = None,
    *,
    who: str | None = None,
    status: FrameStatus | None = None,
    progress: Progress | None = None,
) -> ImportResult:
    """Bring the masks of a file or folder into a case; see `rasnet.exchange.importing.import_masks`.

    Args:
        case: to bring them into.
        path: the file or folder.
        format: a key of `FORMATS`; None to tell by what is there.
        who: the person whose masks these are; by default the one at this computer.
        status: that every frame gets, whatever the file says.
        progress: told of each frame.

    Raises:
        RASNetError: nothing is there, it cannot be read, or anything in it is wrong; the case has not changed then.
    """
    source = Path(path)
    if not source.exists():
        raise RASNetError(f"there is no file or folder {source}; check the path")
    wanted = guess_format(source) if format is None else find_format(format)
    incoming = _load(wanted.reader)(source, case.info)
    return import_masks(case, incoming, source, who=who, status=status, progress=progress)


def new_case(
    folder: str | Path,
    source: str | Path,
    path: str | Path,
    format: str | None = None,
    *,
    who: str | None = None,
    status: FrameStatus | None = None,
    progress: Progress | None = None,
) -> ImportResult:
    """Make a case of a video and of masks that another program has; there is none if they cannot be imported.

    Args:
        folder: of the case: empty or new.
        source: the video.
        path: the file or folder with the masks.
        format: a key of `FORMATS`; None to tell by what is there.
        who: the person whose masks these are; by default the one at this computer.
        status: that every frame gets, whatever the file says.
        progress: told of each frame.

    Raises:
        RASNetError: as `import_case`; or the folder is not empty, or the video cannot be read.
    """
    target = Path(folder)
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise RASNetError(f"{target} is not empty and not a case; choose an empty or a new folder")
    schema = LabelSchema.load("endovis2017_types")
    with open_source(source) as video, whole_folder(target) as making:
        try:
            with Case.create(making, source=video, schema=schema, roi=find_roi(video), model=None) as case:
                return import_case(case, path, format, who=who, status=status, progress=progress)
        except RASNetError as error:
            raise RASNetError(str(error).replace(str(making), str(target))) from error


def find_format(name: str) -> Format:
    """Find a format by name.

    Raises:
        RASNetError: there is none; the message lists those there are.
    """
    if name not in FORMATS:
        raise RASNetError(f"there is no format '{name}'; use one of {', '.join(FORMATS)}")
    return FORMATS[name]


def guess_format(path: Path) -> Format:
    """Tell the format of a file or folder by its name and what lies in it.

    Raises:
        RASNetError: nothing tells.
    """
    if path.is_file():
        endings = {".seg.nrrd": "seg_nrrd", ".xml": "cvat", ".json": "coco"}
        found = next((name for ending, name in endings.items() if path.name.endswith(ending)), None)
    else:
        signs = {
            "annotations.json": "coco",
            "annotations.xml": "cvat",
            "data.yaml": "yolo",
            "*.seg.nrrd": "seg_nrrd_frames",
            "*_seg.dcm": "dicom_seg",
            "instrument_dataset_*": "endovis2017",
            "instruments_masks": "endovis2017",
            "ground_truth": "endovis2017",
            LABELS_FILE: "png",
        }
        found = next((name for sign, name in signs.items() if any(path.glob(sign))), None)
    if found is None:
        raise RASNetError(
            f"nothing tells the format of {path}; choose what was written as one of {', '.join(FORMATS)}, or name the "
            "format"
        )
    return FORMATS[found]


def _load(place: tuple[str, str]) -> Any:
    module, function = place
    return getattr(import_module(f"rasnet.exchange.{module}"), function)
