"""One labelled picture, as every reader gives it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt


class Example(NamedTuple):
    """A picture and what is known of it.

    Attributes:
        rgb: uint8 (H, W, 3).
        mask: uint8 (H, W): part ids of the schema ``instrument_parts``, `rasnet.labels.ANY_INSTRUMENT` where only
            "some instrument" is known, `rasnet.labels.IGNORE` where nothing is.
    """

    rgb: npt.NDArray[np.uint8]
    mask: npt.NDArray[np.uint8]
