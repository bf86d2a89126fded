"""What masks lose as polygons: IoU with the mask itself, for whoever reads them.

python Testing/benchmarks/polygons.py FOLDER_OF_MASKS ...
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
from pycocotools import mask as coco

from rasnet.exchange.polygons import Polygon, fill, trace
from rasnet.masks import mask_values, read_mask

Pixels = npt.NDArray[np.bool_]


def rounded(polygons: list[Polygon], height: int, width: int, decimals: int, per: tuple[int, int]) -> list[Polygon]:
    """Polygons after they were written as text: `decimals` of a share of `per`."""
    return [np.round(polygon / per, decimals) * per for polygon in polygons]


def read_ours(polygons: list[Polygon], height: int, width: int) -> Pixels:
    """As RASNet reads them."""
    return np.logical_or.reduce([fill(polygon, height, width) for polygon in polygons])


def read_trainers(polygons: list[Polygon], height: int, width: int) -> Pixels:
    """As YOLO trainers read them: cut to whole numbers, filled by OpenCV."""
    canvas = np.zeros((height, width), np.uint8)
    for polygon in polygons:
        cv2.fillPoly(canvas, [polygon.astype(np.int32)], 1)
    return canvas > 0


def read_coco(polygons: list[Polygon], height: int, width: int) -> Pixels:
    """As pycocotools reads polygons, whose outline is the pixels' edge."""
    runs = coco.frPyObjects([polygon.ravel().tolist() for polygon in polygons], height, width)
    return coco.decode(coco.merge(runs)) > 0


READERS: dict[str, Callable[[list[Polygon], int, int], Pixels]] = {
    "RASNet": read_ours,
    "YOLO trainers": read_trainers,
    "pycocotools": read_coco,
}


def main(folders: list[Path]) -> None:
    """Measure and print."""
    files = [file for folder in folders for file in sorted(folder.rglob("*.png"))]
    iou: dict[str, list[float]] = {name: [] for name in READERS}
    seconds, holes = 0.0, 0
    for file in files:
        mask = read_mask(file)
        size = mask.shape
        for value in mask_values(mask)[1:]:
            pixels = mask == value
            began = time.perf_counter()
            polygons = trace(pixels)
            seconds += time.perf_counter() - began
            holes += int(cv2.connectedComponents((~pixels).view(np.uint8), connectivity=4)[0] > 2)
            polygons = [np.resize(polygon, (max(len(polygon), 3), 2)) for polygon in polygons]
            written = rounded(polygons, *size, 6, (size[1], size[0]))
            for name, read in READERS.items():
                other = read(written, *size)
                iou[name].append(float((pixels & other).sum() / (pixels | other).sum()))
    count = len(iou["RASNet"])
    print(f"{count} masks in {len(files)} frames, {holes} with holes, traced in {1000 * seconds / count:.1f} ms each")
    for name, values in iou.items():
        exact = sum(value == 1 for value in values)
        print(f"{name}: IoU mean {np.mean(values):.5f}, least {min(values):.5f}, exact {exact} of {count}")


if __name__ == "__main__":
    main([Path(argument) for argument in sys.argv[1:]])
