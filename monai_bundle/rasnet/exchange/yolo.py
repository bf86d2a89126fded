"""YOLO segmentation: a text file of polygons a frame (https://docs.ultralytics.com/datasets/segment/)."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from rasnet.case import CaseInfo
from rasnet.errors import RASNetError
from rasnet.exchange.content import LABELS_FILE, ExportContent, MaskLabel, Segment, frame_name
from rasnet.exchange.incoming import Incoming, IncomingFrame, frame_number, read_folder, read_table
from rasnet.exchange.polygons import check_polygon, fill, trace
from rasnet.files import clear_errors, whole_folder
from rasnet.masks import Mask
from rasnet.progress import Progress

DATA_FILE = "data.yaml"
_DECIMALS = 6  # a thousandth of a pixel in 1920


def write_yolo(content: ExportContent, folder: Path, *, images: bool, progress: Progress) -> None:
    """Write ``data.yaml``, ``labels/train/frame000042.txt`` and, with `images`, ``images/train/frame000042.png``.

    A line is a connected component: its class, from 0 in the order of ids, and the points of its outline as shares of
    width and height. ``labels.json`` keeps what the format has no place for: ids, colours, types, times and statuses.

    Args:
        content: what to write.
        folder: to make; it appears only when everything is written.
        images: write the pictures as well.
        progress: told of each frame.

    Raises:
        RASNetError: the folder is not empty, or the disk is full.
    """
    classes = {label.id: number for number, label in enumerate(content.labels)}
    with clear_errors(folder), whole_folder(folder) as making:
        texts = making / "labels" / "train"
        texts.mkdir(parents=True)
        progress.start("export yolo", len(content.rows))
        for row in content.rows:
            lines = [line for segment in content.segments(row) for line in _lines(segment, classes)]
            (texts / f"{frame_name(row)}.txt").write_text("".join(lines), encoding="ascii")
            progress.advance(row.index)
        if images:
            content.write_pictures(making / "images" / "train", progress)
        (making / DATA_FILE).write_text(_data(content), encoding="utf-8")
        content.write_table(making, ".txt")
    progress.finish(folder=str(folder), frames=len(content.rows))


def read_yolo(folder: Path, info: CaseInfo) -> Incoming:
    """Read a YOLO segmentation data set: our own export, or one with ``data.yaml`` and a folder ``labels``.

    Where polygons overlap, the later one lies on top.

    Args:
        folder: of ``data.yaml``.
        info: of the case that the masks are for; polygons are shares of its size.

    Raises:
        RASNetError: the folder is not a YOLO data set, or the export was not finished.
    """
    if not (folder / DATA_FILE).is_file():
        raise RASNetError(
            f"{folder} has no {DATA_FILE}, so it is no YOLO data set, or not a whole one; give its folder"
        )
    size = (info.height, info.width)
    if (folder / LABELS_FILE).is_file():
        ids = [int(entry["id"]) for entry in read_table(folder)["labels"] if entry["id"]]
        return read_folder(folder, folder / "labels" / "train", ".txt", lambda path: _read(path, ids, size))
    names = _names(folder / DATA_FILE)
    labels = tuple(MaskLabel(number, name) for number, name in enumerate(names, start=1))
    ids = [label.id for label in labels]
    files = sorted((folder / "labels").rglob("*.txt"))
    frames = (IncomingFrame(file.name, _reader(file, ids, size), frame_number(file.name)) for file in files)
    return Incoming(labels, tuple(frames))


def _lines(segment: Segment, classes: dict[int, int]) -> list[str]:
    height, width = segment.pixels.shape
    lines = []
    for polygon in trace(segment.pixels):
        # Readers drop lines of fewer than three points: a component of one or two pixels repeats them.
        points = np.resize(polygon, (max(len(polygon), 3), 2)) / (width, height)
        numbers = " ".join(f"{value:.{_DECIMALS}f}" for value in points.ravel())
        lines.append(f"{classes[segment.label.id]} {numbers}\n")
    return lines


def _data(content: ExportContent) -> str:
    """``data.yaml``; a name in JSON's quotes is YAML too."""
    names = "".join(f"  {number}: {json.dumps(label.name)}\n" for number, label in enumerate(content.labels))
    return f"path: .\ntrain: images/train\nval: images/train\nnames:\n{names}"


def _names(path: Path) -> list[str]:
    try:
        import yaml
    except ImportError as error:
        raise RASNetError(
            f"reading {path} needs the package PyYAML; install it with `pip install 'rasnet[yolo]'`"
        ) from error
    try:
        names: Any = yaml.safe_load(path.read_text(encoding="utf-8"))["names"]
        ordered = [names[number] for number in range(len(names))]
    except (OSError, yaml.YAMLError, ValueError, KeyError, TypeError) as error:
        raise RASNetError(
            f"{path} does not name its classes from 0 on ({error!r}); write them under 'names'"
        ) from error
    if len(ordered) > 255:
        raise RASNetError(f"{path} has {len(ordered)} classes, and a mask holds 255; leave some out")
    return [str(name) for name in ordered]


def _reader(file: Path, ids: Sequence[int], size: tuple[int, int]) -> Any:
    return lambda: _read(file, ids, size)


def _read(file: Path, ids: Sequence[int], size: tuple[int, int]) -> Mask:
    height, width = size
    mask = np.zeros(size, np.uint8)
    for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), start=1):
        where = f"{file.name}, line {number},"
        try:
            kind, *values = line.split()
            label = int(kind)
            points = np.array(values, np.float64).reshape(-1, 2)
        except ValueError as error:
            raise RASNetError(f"{where} is not a class and pairs of numbers; export it again") from error
        if not 0 <= label < len(ids):
            raise RASNetError(f"{where} has the unknown class {label}; name it in {DATA_FILE}")
        if len(points) < 3:
            raise RASNetError(f"{where} is a box, not a polygon; export segments instead of boxes")
        polygon = points * (width, height)
        check_polygon(polygon, height, width, where)
        mask[fill(polygon, height, width)] = ids[label]
    return mask
