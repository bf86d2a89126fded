"""What is done with each frame by itself before it is tracked, in any thread or process."""

from __future__ import annotations

from dataclasses import dataclass

from rasnet.tracking.components import Foreground
from rasnet.tracking.grid import Grid
from rasnet.tracking.runs import ClassRuns


@dataclass(frozen=True)
class Preparation:
    """Finds the components of a frame; for several frames at once, and in any order.

    Attributes:
        grid: of the video's frames.
        class_count: number of classes in the schema.
        min_area: the smallest instrument in pixels.
    """

    grid: Grid
    class_count: int
    min_area: float

    def __call__(self, classes: ClassRuns) -> Foreground:
        """Prepare the classes of a frame of the grid's size."""
        cells = classes.sampled(self.grid.stride).draw()
        return Foreground(cells, classes.foreground, self.grid, self.class_count, self.min_area)
