"""CVAT XML 1.1: masks as run lengths on images, or polygons on tracks (CVAT, "CVAT for image" and "for video")."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from xml.etree import ElementTree as ET

import numpy as np
import numpy.typing as npt

from rasnet.exchange.content import ExportContent, Segment, frame_name
from rasnet.exchange.polygons import Polygon, trace
from rasnet.files import clear_errors, whole_folder
from rasnet.progress import Progress

ANNOTATIONS_FILE = "annotations.xml"
_DECIMALS = 2


def write_cvat(content: ExportContent, folder: Path, *, images: bool, progress: Progress) -> None:
    """Write ``annotations.xml`` in the form "CVAT for images": a mask for each label of a frame, nothing lost.

    Labels are CVAT's labels, by name. ``labels.json`` keeps what CVAT has no place for: ids, types, times and
    statuses.

    Args:
        content: what to write.
        folder: to make; it appears only when everything is written.
        images: write the pictures as well, into ``images``, under the names that the XML file gives them.
        progress: told of each frame.

    Raises:
        RASNetError: the folder is not empty, or the disk is full.
    """

    def add(root: ET.Element) -> None:
        for number, row in enumerate(content.rows):
            size = _texts(width=content.case.info.width, height=content.case.info.height)
            image = ET.SubElement(root, "image", {"id": str(number), "name": f"{frame_name(row)}.png", **size})
            for segment in content.segments(row):
                ET.SubElement(image, "mask", {"label": segment.label.name, "source": "manual", **_run_lengths(segment)})
            progress.advance(row.index)

    _write(content, folder, "annotation", add, images, progress)


def write_cvat_tracks(content: ExportContent, folder: Path, *, images: bool, progress: Progress) -> None:
    """Write ``annotations.xml`` in the form "CVAT for video": polygons on tracks, for tasks made of the video itself.

    CVAT has no masks on tracks, and a track has one polygon a frame: a label has as many tracks as it has connected
    components in a frame, the largest on the first. Frame numbers are those of the video.
    Otherwise as `write_cvat`.
    """

    def add(root: ET.Element) -> None:
        tracks: dict[tuple[str, int], dict[int, Polygon]] = defaultdict(dict)
        for row in content.rows:
            for segment in content.segments(row):
                for place, polygon in enumerate(trace(segment.pixels)):
                    tracks[segment.label.name, place][row.index] = polygon
            progress.advance(row.index)
        frames = [row.index for row in content.rows]
        for number, (name, place) in enumerate(sorted(tracks)):
            _add_track(root, number, name, frames, tracks[name, place])

    _write(content, folder, "interpolation", add, images, progress)


def _write(
    content: ExportContent,
    folder: Path,
    mode: str,
    add: Callable[[ET.Element], None],
    images: bool,
    progress: Progress,
) -> None:
    with clear_errors(folder), whole_folder(folder) as making:
        progress.start("export cvat", len(content.rows))
        root = ET.Element("annotations")
        ET.SubElement(root, "version").text = "1.1"
        _add_meta(root, content, mode)
        add(root)
        ET.indent(root)
        ET.ElementTree(root).write(making / ANNOTATIONS_FILE, encoding="utf-8", xml_declaration=True)
        if images:
            content.write_pictures(making / "images", progress)
        content.write_table(making, ".png")
    progress.finish(folder=str(folder), frames=len(content.rows))


def _add_meta(root: ET.Element, content: ExportContent, mode: str) -> None:
    task = ET.SubElement(ET.SubElement(root, "meta"), "task")
    ET.SubElement(task, "size").text = str(len(content.rows))
    ET.SubElement(task, "mode").text = mode
    labels = ET.SubElement(task, "labels")
    for label in content.labels:
        entry = ET.SubElement(labels, "label")
        ET.SubElement(entry, "name").text = label.name
        ET.SubElement(entry, "color").text = "#{:02x}{:02x}{:02x}".format(*(label.color or (0, 0, 0)))
    size = ET.SubElement(task, "original_size")
    ET.SubElement(size, "width").text = str(content.case.info.width)
    ET.SubElement(size, "height").text = str(content.case.info.height)


def _run_lengths(segment: Segment) -> dict[str, str]:
    """CVAT's run lengths: in row order inside the box, beginning with background."""
    rows, columns = np.flatnonzero(segment.pixels.any(axis=1)), np.flatnonzero(segment.pixels.any(axis=0))
    top, left = rows[0], columns[0]
    inside = segment.pixels[top : rows[-1] + 1, left : columns[-1] + 1]
    numbers = ", ".join(map(str, count_runs(inside.ravel())))
    box = _texts(left=left, top=top, width=inside.shape[1], height=inside.shape[0])
    return {"occluded": "0", "rle": numbers, **box, "z_order": "0"}


def count_runs(pixels: npt.NDArray[np.bool_]) -> list[int]:
    """Lengths of the runs of equal pixels, the first of background; bool (N,)."""
    changes = np.flatnonzero(np.diff(pixels)) + 1
    runs = np.diff(np.concatenate([[0], changes, [len(pixels)]])).tolist()
    return [0, *runs] if pixels[0] else runs


def _add_track(root: ET.Element, number: int, name: str, frames: Sequence[int], shapes: Mapping[int, Polygon]) -> None:
    """One track; where it goes out of sight, CVAT wants its last polygon once more, marked as outside."""
    track = ET.SubElement(root, "track", {"id": str(number), "label": name, "source": "manual"})
    last: Polygon | None = None
    for frame in frames:
        polygon = shapes.get(frame)
        shown = last if polygon is None else polygon
        if shown is not None:
            points = ";".join(f"{x:.{_DECIMALS}f},{y:.{_DECIMALS}f}" for x, y in shown)
            numbers = _texts(frame=frame, keyframe=1, outside=int(polygon is None), occluded=0, z_order=0)
            ET.SubElement(track, "polygon", {**numbers, "points": points})
        last = polygon


def _texts(**numbers: int) -> dict[str, str]:
    return {name: str(number) for name, number in numbers.items()}
