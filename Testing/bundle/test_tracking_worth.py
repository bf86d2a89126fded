"""What a place is worth to a look: the sum over its samples, for every shift and turn."""

import numpy as np
import pytest

from rasnet.tracking.boxes import Box
from rasnet.tracking.worth import Worths

SHIFTS = 9
HEIGHT, WIDTH = 20, 30


def worth(on_component: int, taken: int, shown: int, kind: int) -> int:
    """Of a cell, in fortieths; a quarter where another class is expected, but a cell off the component is as bad."""
    if not on_component:
        return -40
    whole = 4 if taken else 40
    return whole if shown == kind else whole // 4


@pytest.mark.parametrize("box", [Box(2, 3, 18, 27), Box(-9, -9, 29, 39), Box(15, -4, 28, 14)])
@pytest.mark.parametrize("with_classes", [True, False])
def test_a_sum_is_that_of_the_shifted_samples_and_nothing_is_worth_nothing_beyond_the_grid(
    box: Box, with_classes: bool
) -> None:
    rng = np.random.default_rng(0)
    component, taken = (rng.integers(0, 2, (HEIGHT, WIDTH)).astype(np.uint8) for _ in range(2))
    classes = rng.integers(0, 4, (HEIGHT, WIDTH)).astype(np.uint8) if with_classes else None
    kinds = [1, 3] if with_classes else [0]
    samples, turns = 700, 2
    planes = rng.integers(0, len(kinds), samples)
    rows = rng.integers(box.top, box.bottom - SHIFTS + 1, (samples, turns))
    columns = rng.integers(box.left, box.right - SHIFTS + 1, (samples, turns))
    around = np.zeros((len(kinds), HEIGHT + 40, WIDTH + 40), np.int64)
    for plane, kind in zip(around, kinds, strict=True):
        shown = np.zeros_like(component) if classes is None else classes
        cells = zip(component.flat, taken.flat, shown.flat, strict=True)
        plane[20:-20, 20:-20] = np.reshape([worth(*cell, kind) for cell in cells], component.shape)
    expected = [
        [
            [around[planes, rows[:, turn] + down, columns[:, turn] + right].sum() for right in range(20, 20 + SHIFTS)]
            for down in range(20, 20 + SHIFTS)
        ]
        for turn in range(turns)
    ]
    sums = Worths(box, component, taken, classes, kinds).sums(planes, columns, rows, SHIFTS)
    np.testing.assert_array_equal(sums, expected)
