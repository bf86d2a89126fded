"""The coarse grid that tracking works on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from rasnet.geometry import Window


@dataclass(frozen=True)
class Grid:
    """Every `stride`-th pixel of a frame, and the picture's border in that grid.

    Attributes:
        height, width: size of the full frame in pixels.
        stride: distance of two cells in pixels.
        window: the picture's border, in cells.
    """

    height: int
    width: int
    stride: int
    window: Window

    def sample(self, image: npt.NDArray[np.generic]) -> npt.NDArray[np.generic]:
        """Take a full-size (H, W) image at the cells' centres."""
        first = self.stride // 2
        return image[first :: self.stride, first :: self.stride]

    def cells_of(self, area: float) -> float:
        """How many cells an area in pixels fills."""
        return area / self.stride**2
