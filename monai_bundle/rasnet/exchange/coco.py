"""COCO: one JSON file, masks as run lengths, which lose nothing (https://cocodataset.org/#format-data)."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from rasnet.case import CaseInfo
from rasnet.errors import RASNetError
from rasnet.exchange.content import ExportContent, MaskLabel, Segment, frame_name
from rasnet.exchange.incoming import Incoming, IncomingFrame, frame_number, read_label, read_status
from rasnet.exchange.polygons import check_polygon
from rasnet.files import clear_errors, whole_folder
from rasnet.masks import Mask
from rasnet.progress import Progress

ANNOTATIONS_FILE = "annotations.json"


def write_coco(content: ExportContent, folder: Path, *, images: bool, progress: Progress) -> None:
    """Write ``annotations.json`` and, with `images`, ``images/frame000042.png``.

    A category is a layer, or a type, under its own id and name; its type is the ``supercategory``. Beside what COCO
    asks for, a category has ``color`` and ``type``, an image ``frame``, ``time`` (seconds) and ``status``, and an
    annotation ``track_id``, the id of the layer.

    Args:
        content: what to write.
        folder: to make; it appears only when everything is written.
        images: write the pictures as well.
        progress: told of each frame.

    Raises:
        RASNetError: pycocotools is not installed, the folder is not empty, or the disk is full.
    """
    tools = _tools()
    rows, annotations = content.rows, list[dict[str, Any]]()
    with clear_errors(folder), whole_folder(folder) as making:
        progress.start("export coco", len(rows))
        for number, row in enumerate(rows, start=1):
            for segment in content.segments(row):
                annotations.append(_annotation(tools, segment, number, len(annotations) + 1))
            progress.advance(row.index)
        data = {
            "info": {"description": "Surgical instruments, by RASNet", "version": "1.0"},
            "licenses": [],
            "categories": [
                {**label.to_json(), "supercategory": label.type or "Surgical instrument"} for label in content.labels
            ],
            "images": [
                {
                    "id": number,
                    "file_name": f"{frame_name(row)}.png",
                    "width": content.case.info.width,
                    "height": content.case.info.height,
                    "frame": row.index,
                    "time": row.pts,
                    "status": row.status,
                }
                for number, row in enumerate(rows, start=1)
            ],
            "annotations": annotations,
        }
        (making / ANNOTATIONS_FILE).write_text(json.dumps(data), encoding="utf-8")
        if images:
            content.write_pictures(making / "images", progress)
    progress.finish(folder=str(folder), frames=len(rows))


def read_coco(path: Path, info: CaseInfo) -> Incoming:
    """Read a COCO file, or a folder that has one as ``annotations.json``.

    Run lengths (compressed or not) and polygons are read. A category is a layer. Where annotations overlap, the later
    one lies on top.

    Raises:
        RASNetError: pycocotools is not installed, or the file is not COCO.
    """
    tools = _tools()
    file = path / ANNOTATIONS_FILE if path.is_dir() else path
    try:
        data = json.loads(file.read_text(encoding="utf-8"))
        categories, images = data["categories"], data["images"]
        by_image: dict[Any, list[Any]] = defaultdict(list)
        for annotation in data["annotations"]:
            by_image[annotation["image_id"]].append(annotation)
        ours = bool(categories) and all("color" in category and "type" in category for category in categories)
        ids = {category["id"]: number for number, category in enumerate(categories, start=1)}
        if len(categories) > 255:
            raise RASNetError(f"{file} has {len(categories)} categories, and a mask holds 255; leave some out")
        if ours:
            labels = [read_label(category) for category in categories]
            ids = {label.id: label.id for label in labels}
        else:
            labels = [MaskLabel(ids[category["id"]], str(category["name"])) for category in categories]
        frames = tuple(_frame(tools, image, by_image.pop(image["id"], []), ids) for image in images)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise RASNetError(
            f"{file} is not a COCO file ({error!r}); give the JSON file with images, annotations and categories"
        ) from error
    lost = sorted(map(str, by_image))
    problems = [f"annotations belong to the image{'s' * (len(lost) > 1)} {', '.join(lost)}, not listed"] if lost else []
    return Incoming(tuple(labels), frames, tuple(problems), defines_layers=ours)


def _annotation(tools: Any, segment: Segment, image: int, number: int) -> dict[str, Any]:
    run_lengths = tools.encode(np.asfortranarray(segment.pixels.view(np.uint8)))
    box = [float(value) for value in tools.toBbox(run_lengths)]
    return {
        "id": number,
        "image_id": image,
        "category_id": segment.label.id,
        "track_id": segment.label.id,
        "iscrowd": 0,
        "area": int(tools.area(run_lengths)),
        "bbox": box,
        "segmentation": {"size": run_lengths["size"], "counts": run_lengths["counts"].decode("ascii")},
    }


def _frame(tools: Any, image: dict[str, Any], annotations: list[Any], ids: dict[Any, int]) -> IncomingFrame:
    name = str(image["file_name"])
    return IncomingFrame(
        where=name,
        read=_reader(tools, image, annotations, ids, name),
        index=int(image["frame"]) if "frame" in image else frame_number(name),
        time=float(image["time"]) if "time" in image else None,
        status=read_status(image.get("status")),
    )


def _reader(
    tools: Any, image: dict[str, Any], annotations: list[Any], ids: dict[Any, int], where: str
) -> Callable[[], Mask]:
    height, width = int(image["height"]), int(image["width"])

    def read() -> Mask:
        mask = np.zeros((height, width), np.uint8)
        for annotation in annotations:
            category = annotation.get("category_id")
            if category not in ids:
                raise RASNetError(f"{where} has an annotation of the unknown category {category}; add it to categories")
            try:
                mask[_pixels(tools, annotation["segmentation"], height, width, where)] = ids[category]
            except (KeyError, TypeError, ValueError, IndexError) as error:
                raise RASNetError(f"{where} has a damaged annotation ({error!r}); export it again") from error
        return mask

    return read


def _pixels(tools: Any, segmentation: Any, height: int, width: int, where: str) -> npt.NDArray[np.bool_]:
    if isinstance(segmentation, list):
        for numbers in segmentation:
            check_polygon(np.asarray(numbers, np.float64).reshape(-1, 2), height, width, where)
        segmentation = tools.merge(tools.frPyObjects(segmentation, height, width))
    elif not isinstance(segmentation, dict) or list(segmentation["size"]) != [height, width]:
        raise RASNetError(f"{where} has an annotation without a mask of {width}x{height}; export it with masks")
    elif isinstance(segmentation["counts"], list):
        segmentation = tools.frPyObjects(segmentation, height, width)
    pixels: npt.NDArray[np.bool_] = tools.decode(segmentation).astype(np.bool_)
    return pixels


def _tools() -> Any:
    try:
        from pycocotools import mask
    except ImportError as error:
        raise RASNetError(
            "COCO's run lengths need the package pycocotools; install it with `pip install 'rasnet[coco]'`"
        ) from error
    return mask
