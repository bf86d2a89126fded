"""Normalised surface Dice and the 95 % Hausdorff distance against drawings and against MONAI."""

from __future__ import annotations

import math
import time

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from monai.metrics import compute_hausdorff_distance, compute_surface_dice

from rasnet.labels import LabelSchema
from rasnet.metrics import SegmentationMetrics, compare_boundaries


def square(top: int, left: int, side: int, size: tuple[int, int] = (60, 80)) -> np.ndarray:
    """A square in a picture of 60x80, whose diagonal is 100. (H, W)."""
    mask = np.zeros(size, bool)
    mask[top : top + side, left : left + side] = True
    return mask


def blobs(seed: int, size: tuple[int, int] = (45, 61)) -> np.ndarray:
    """A few discs, some of them cut by the border. (H, W)."""
    random = np.random.default_rng(seed)
    rows, columns = np.ogrid[: size[0], : size[1]]
    mask = np.zeros(size, bool)
    for _ in range(3):
        row, column, radius = random.integers(0, size[0]), random.integers(0, size[1]), random.integers(1, 14)
        mask |= (rows - row) ** 2 + (columns - column) ** 2 <= radius**2
    return mask


def monai_scores(predicted: np.ndarray, truth: np.ndarray, near: float, spacing: tuple[float, float]) -> list[float]:
    """NSD and HD95 by MONAI, `near` in units of the spacing."""
    masks = [torch.from_numpy(mask)[None, None].float() for mask in (predicted, truth)]
    nsd = compute_surface_dice(*masks, class_thresholds=[near], include_background=True, spacing=spacing)
    hd95 = compute_hausdorff_distance(*masks, include_background=True, percentile=95, spacing=spacing)
    return [nsd.item(), hd95.item()]


# An outline has 76 pixels. Three pixels off, of either outline the near side (20 pixels) is farther than 2 from the
# other, and the far side too, but for the three pixels at each of its ends.
@pytest.mark.parametrize(("shift", "nsd"), [(0, 1.0), (2, 1.0), (3, 1 - (20 + 14) / 76)])
def test_a_shift_within_two_per_cent_of_the_diagonal_costs_nothing(shift: int, nsd: float) -> None:
    scores = compare_boundaries(square(10, 10, 20), square(10, 10 + shift, 20))
    assert scores == pytest.approx((nsd, shift))


def test_half_of_the_outline_is_near() -> None:
    """A single line against two: the whole of the one and half of the other are near."""
    one, two = np.zeros((2, 100, 100), bool)
    one[20, 10:30] = two[20, 10:30] = two[70, 10:30] = True
    scores = compare_boundaries(two, one)
    assert scores.nsd == pytest.approx((20 + 20) / (20 + 40))
    assert scores.hd95 == 50


@pytest.mark.parametrize(
    ("predicted", "truth", "expected"),
    [
        (square(0, 0, 0), square(0, 0, 0), None),
        (square(0, 0, 0), square(5, 5, 5), (0, 100)),
        (square(5, 5, 5), square(0, 0, 0), (0, 100)),
    ],
    ids=["both empty", "nothing found", "nothing to find"],
)
def test_empty(predicted: np.ndarray, truth: np.ndarray, expected: tuple[float, float] | None) -> None:
    assert compare_boundaries(predicted, truth) == expected


@settings(max_examples=40, deadline=None)
@given(
    seeds=st.tuples(st.integers(0, 99), st.integers(0, 99)),
    tolerance=st.sampled_from([0.005, 0.02, 0.05]),
    spacing=st.sampled_from([(1.0, 1.0), (1.0, 1.4), (2.0, 0.5)]),
)
def test_it_is_monais(seeds: tuple[int, int], tolerance: float, spacing: tuple[float, float]) -> None:
    predicted, truth = map(blobs, seeds)
    diagonal = math.hypot(45 * spacing[0], 61 * spacing[1])
    expected = monai_scores(predicted, truth, tolerance * diagonal, spacing)
    assert list(compare_boundaries(predicted, truth, tolerance, spacing)) == pytest.approx(expected, abs=1e-4)


def test_a_distance_of_just_the_tolerance_is_near() -> None:
    first, second = np.zeros((2, 300, 400), bool)  # a diagonal of 500, and 1 % of it is the 3-4-5 triangle
    first[100, 100] = second[103, 104] = True
    assert compare_boundaries(first, second, 0.01).nsd == 1
    assert compare_boundaries(first, second, 0.0099).nsd == 0


def test_frames_that_are_empty_in_both_masks_are_left_out_of_the_mean() -> None:
    metrics = SegmentationMetrics(LabelSchema.load("instrument_parts"))
    empty, some = (square(0, 0, side).astype(np.uint8) for side in (0, 9))
    for predicted, truth in ((empty, empty), (some, some), (empty, some)):
        metrics.add("a", predicted, truth)
    results = metrics.results()
    assert results.value("nsd", "shaft") == results.value("nsd", "instrument") == 1 / 2
    assert results.value("hd95", "shaft") == 100 / 2
    assert math.isnan(results.value("nsd", "manipulator"))


def test_a_frame_of_720x576_takes_less_than_30_ms() -> None:
    rows, columns = np.mgrid[:576, :720]
    truth = ((rows - columns / 2 - 50) ** 2 < 60**2) | ((rows + 0.6 * columns - 600) ** 2 < 50**2)
    predicted = np.roll(truth, 7, axis=1)
    best = math.inf
    for _ in range(7):
        start = time.perf_counter()
        compare_boundaries(predicted, truth)
        best = min(best, time.perf_counter() - start)
    assert best < 0.03
