"""A small case with everything that formats stumble over, and what a round trip through one must keep."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from cases import HEIGHT, WIDTH, make_case

from rasnet.case import Case, Layer
from rasnet.exchange.formats import export_case, import_case
from rasnet.masks import Mask

FRAMES = 8
LAYERS = (
    Layer(1, "Left hand", (255, 0, 51), "Prograsp Forceps"),
    Layer(3, "Präzisionszange: links | 2", (17, 34, 68), "Large Needle Driver"),
    Layer(7, "鉗子", (1, 254, 3), None),
)
STATUSES = {0: "predicted", 1: "corrected", 2: "accepted", 3: "predicted", 5: "accepted", 7: "corrected"}
"""Frames 4 and 6 have no mask."""


def rich_mask(index: int) -> Mask:
    """Ids without order, a hole in a hole, single pixels, lines, touching layers; frame 3 is empty. (48, 64)."""
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    if index == 3:
        return mask
    mask[5:30, 4 + index : 40] = 1
    mask[10:25, 15:35] = 0  # a hole
    mask[14:20, 20:30] = 1  # an island in it
    mask[16, 24] = 0  # and a hole of one pixel in that
    mask[5:30, 40:50] = 3  # touches layer 1
    mask[HEIGHT - 1, :] = 3  # a line along the border
    mask[40, 60] = 7  # one pixel
    mask[0, 0] = 7
    for step in range(6):
        mask[33 + step, 2 + step] = 7  # a diagonal: connected by corners alone
    mask[34:38, 55:57] = 7
    return mask


def fill_case(case: Case) -> Case:
    """Put layers and masks into a case."""
    case.set_layers(LAYERS, who="A. Surgeon")
    for index, status in STATUSES.items():
        if status == "predicted":
            case.write_prediction(index, case.times[index], rich_mask(index))
        else:
            case.correct(index, rich_mask(index), who="A. Surgeon", tool="test", status=status)
    return case


def rich_case(folder: Path) -> Case:
    """The case, in ``folder/case``."""
    return fill_case(make_case(folder, FRAMES, model=None))


def empty_case(folder: Path) -> Case:
    """A case of the same video without masks, in ``folder/case``."""
    return make_case(folder, FRAMES, model=None)


def round_trip(tmp_path: Path, format: str, **wishes: object) -> tuple[Case, Case, Path]:
    """Export the rich case, import it into an empty one; give both and the export."""
    name = "out.seg.nrrd" if format == "seg_nrrd" else "out"
    before, after = rich_case(tmp_path / "before"), empty_case(tmp_path / "after")
    out = tmp_path / name
    export_case(before, out, format, include_flagged=True, **wishes)
    import_case(after, out)
    return before, after, out


def iou(first: Mask, second: Mask) -> float:
    """IoU of all instruments with their ids, 0 to 1; 1 where both are empty."""
    both, either = (first == second) & (first > 0), (first > 0) | (second > 0)
    return float(both.sum() / either.sum()) if either.any() else 1.0
