"""Reading CVAT XML 1.1: masks and polygons on images, and on tracks."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree as ET

import numpy as np
import numpy.typing as npt

from rasnet.case import CaseInfo
from rasnet.errors import RASNetError
from rasnet.exchange.content import LABELS_FILE, MaskLabel
from rasnet.exchange.cvat import ANNOTATIONS_FILE
from rasnet.exchange.incoming import Incoming, IncomingFrame, frame_number, read_label, read_status, read_table
from rasnet.exchange.polygons import check_polygon, fill
from rasnet.masks import Mask

Size = tuple[int, int]


class _Shape(NamedTuple):
    label: str
    element: ET.Element


class _Image(NamedTuple):
    where: str
    frame: int | None
    size: Size
    shapes: list[_Shape]


def read_cvat(path: Path, info: CaseInfo) -> Incoming:
    """Read what CVAT exports as "CVAT for images 1.1" or "CVAT for video 1.1", or a folder that `write_cvat` wrote.

    Shapes lie upon each other by ``z_order``, then in the file's order. Without ``labels.json`` beside it, a file
    says nothing of frames that no shape is in, and its labels must be layers or types that the case knows.

    Args:
        path: the XML file, or a folder with ``annotations.xml``.
        info: of the case that the masks are for; shapes on tracks are of its size.

    Raises:
        RASNetError: the file is not CVAT's, or ``labels.json`` is damaged.
    """
    file = path / ANNOTATIONS_FILE if path.is_dir() else path
    try:
        root = ET.parse(file).getroot()
        if root.tag != "annotations":
            raise ValueError(f"its root is <{root.tag}>")
        images = [*_images(root), *_tracked(root, (info.height, info.width))]
    except (OSError, ET.ParseError, ValueError, KeyError) as error:
        raise RASNetError(
            f"{file} is not a CVAT XML 1.1 file ({error}); export the task as 'CVAT for images 1.1' or 'CVAT for "
            "video 1.1'"
        ) from error
    if (file.parent / LABELS_FILE).is_file():
        tracks = root.findtext("meta/task/mode") == "interpolation"
        return _ours(images, file.parent, (info.height, info.width), tracks=tracks)
    names = dict.fromkeys(shape.label for image in images for shape in image.shapes)
    if len(names) > 255:
        raise RASNetError(f"{file} has {len(names)} labels, and a mask holds 255; leave some out")
    labels = tuple(MaskLabel(number, name) for number, name in enumerate(names, start=1))
    ids = {label.name: label.id for label in labels}
    return Incoming(labels, tuple(IncomingFrame(image.where, _reader(image, ids), image.frame) for image in images))


def _ours(images: list[_Image], folder: Path, size: Size, *, tracks: bool) -> Incoming:
    """What the XML file says together with the ``labels.json`` beside it; a frame that no track is in is empty."""
    table = read_table(folder)
    labels = tuple(read_label(entry) for entry in table["labels"] if entry["id"])
    ids = {label.name: label.id for label in labels}
    strange = dict.fromkeys(shape.label for image in images for shape in image.shapes if shape.label not in ids)
    problems = [f"the label '{name}' is not in {LABELS_FILE}" for name in strange]
    by_index: dict[int | None, list[_Image]] = defaultdict(list)
    for image in images:
        by_index[image.frame].append(image)
    frames, named = [], {image.where for image in images}
    if not tracks:
        missing = [entry["file"] for entry in table["frames"] if entry["file"] not in named]
        problems += [f"{ANNOTATIONS_FILE} lacks the image {name}" for name in missing]
    for entry in table["frames"]:
        index = int(entry["index"])
        for image in by_index.pop(index, [_Image(entry["file"], index, size, [])]):
            status = read_status(entry.get("status"))
            frames.append(IncomingFrame(image.where, _reader(image, ids), index, float(entry["time"]), status))
    for others in by_index.values():
        frames += [IncomingFrame(image.where, _reader(image, ids), image.frame) for image in others]
    return Incoming(labels, tuple(frames), tuple(problems), defines_layers=True)


def _images(root: ET.Element) -> Iterator[_Image]:
    for element in root.iter("image"):
        name = element.attrib["name"]
        size = int(element.attrib["height"]), int(element.attrib["width"])
        shapes = [_Shape(child.attrib["label"], child) for child in element if "label" in child.attrib]
        yield _Image(name, frame_number(name), size, sorted(shapes, key=_z_order))


def _tracked(root: ET.Element, size: Size) -> list[_Image]:
    by_frame: dict[int, list[_Shape]] = defaultdict(list)
    for track in root.iter("track"):
        for child in track:
            if "frame" in child.attrib and child.attrib.get("outside") != "1":
                by_frame[int(child.attrib["frame"])].append(_Shape(track.attrib["label"], child))
    return [
        _Image(f"frame {frame} of the tracks", frame, size, sorted(shapes, key=_z_order))
        for frame, shapes in sorted(by_frame.items())
    ]


def _z_order(shape: _Shape) -> int:
    return int(shape.element.attrib.get("z_order", "0"))


def _reader(image: _Image, ids: dict[str, int]) -> Callable[[], Mask]:
    def read() -> Mask:
        mask = np.zeros(image.size, np.uint8)
        for shape in image.shapes:
            try:
                mask[_pixels(shape.element, image)] = ids[shape.label]
            except (KeyError, ValueError) as error:
                raise RASNetError(f"{image.where} has a damaged <{shape.element.tag}> ({error})") from error
        return mask

    return read


def _pixels(element: ET.Element, image: _Image) -> npt.NDArray[np.bool_]:
    height, width = image.size
    if element.tag == "mask":
        return _decode(element, image)
    if element.tag != "polygon":
        raise RASNetError(f"{image.where} has a <{element.tag}>, which is no mask; draw a mask or a polygon")
    points = [pair.split(",") for pair in element.attrib["points"].split(";")]
    polygon = np.array(points, np.float64).reshape(-1, 2)
    check_polygon(polygon, height, width, image.where)
    return fill(polygon, height, width)


def _decode(element: ET.Element, image: _Image) -> npt.NDArray[np.bool_]:
    left, top, width, height = (int(element.attrib[name]) for name in ("left", "top", "width", "height"))
    runs = np.array(element.attrib["rle"].split(","), np.int64)
    if min(left, top) < 0 or top + height > image.size[0] or left + width > image.size[1]:
        raise RASNetError(f"{image.where} has a mask outside the image; draw it inside")
    if (runs < 0).any() or runs.sum() != width * height:
        raise RASNetError(f"{image.where} has run lengths that do not fill their box of {width}x{height}")
    pixels = np.zeros(image.size, np.bool_)
    values = np.repeat(np.arange(len(runs)) % 2 == 1, runs)
    pixels[top : top + height, left : left + width] = values.reshape(height, width)
    return pixels
