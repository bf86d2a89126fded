"""The frames of a case that a report speaks of, and what is measured in one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from rasnet.measurements import LayerMeasurement, measure_layers

if TYPE_CHECKING:
    from rasnet.case import Case, FrameRow


def is_marked(row: FrameRow) -> bool:
    """Tell whether a frame has a mask that counts: a person who skips a frame says not to rely on it."""
    return row.mask_sha256 is not None and row.status != "skipped"


def marked_frames(case: Case) -> list[FrameRow]:
    """Give the frames of a case whose masks count, by index."""
    return [row for row in case.frames() if is_marked(row)]


def measure_frame(case: Case, index: int, mask: npt.NDArray[np.uint8]) -> list[LayerMeasurement]:
    """Measure the layers of one frame.

    Args:
        case: the case.
        index: of the frame.
        mask: the frame's layer ids, uint8 (H, W).
    """
    return measure_layers(mask, case.parts(index), case.info.parts, roi=case.info.roi)
