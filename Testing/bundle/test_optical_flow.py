"""Motion that is known by construction."""

import numpy as np
import pytest
from moving import picture

from rasnet.optical_flow import carry, closure, enlarge_offset, follow_on, measure_motion, refine, small_grey

INNER = (slice(16, -16), slice(16, -16))


def shifted(x: int, y: int) -> np.ndarray:
    """The picture moved by x to the right and y down, uint8 (h, w)."""
    grey = small_grey(picture(0))
    return np.roll(grey, (y, x), axis=(0, 1))


def even(x: float, y: float, size: tuple[int, int] = (128, 160)) -> np.ndarray:
    """The same offset everywhere, float32 (h, w, 2)."""
    return np.full((*size, 2), (x, y), np.float32)


@pytest.mark.parametrize(("x", "y"), [(0, 0), (3, 0), (0, -4), (-5, 2)])
def test_a_shift_is_measured(x: int, y: int) -> None:
    motion = measure_motion(shifted(0, 0), shifted(x, y))
    assert np.median(motion.offset[INNER], axis=(0, 1)) == pytest.approx((-x, -y), abs=0.2)
    assert not motion.is_cut


def test_carrying_undoes_the_shift() -> None:
    moved = carry(shifted(0, 0), even(-3, 2))
    assert np.array_equal(moved[INNER], shifted(3, -2)[INNER])


def test_what_comes_from_outside_is_zero_in_a_mask() -> None:
    mask = np.ones((10, 20), np.uint8)
    moved = carry(mask, even(-5, 0, (10, 20)), nearest=True)
    assert moved.sum(axis=0).tolist() == [0] * 5 + [10] * 15


def test_another_scene_is_a_cut() -> None:
    assert measure_motion(small_grey(picture(0)), small_grey(picture(0, scene=1))).is_cut


def test_steps_join() -> None:
    assert np.allclose(follow_on(even(-2, 1), even(-1, 3)), even(-3, 4))


def test_a_motion_fits_a_larger_picture() -> None:
    assert np.allclose(enlarge_offset(even(1, -2, (10, 20)), (30, 40)), even(2, -6, (30, 40)))


def test_drift_is_taken_out() -> None:
    refined = refine(even(-1.5, 1), shifted(0, 0), shifted(3, 0))
    assert np.median(refined[INNER], axis=(0, 1)) == pytest.approx((-3, 0), abs=0.2)


def test_a_way_that_does_not_lead_back_is_not_believed() -> None:
    assert closure(even(-4, 0), even(4, 0))[INNER] == pytest.approx(1.0)
    assert closure(even(-4, 0), even(2, 0))[INNER] == pytest.approx(0.5)  # off by 2 pixels
    assert closure(even(-4, 0), even(4, 0))[:, :3].max() == 0.0  # from outside


@pytest.mark.parametrize(
    ("size", "expected"), [((1024, 1280), (256, 320)), ((576, 720), (256, 320)), ((90, 120), (90, 120))]
)
def test_pictures_are_at_most_320_pixels_long(size: tuple[int, int], expected: tuple[int, int]) -> None:
    assert small_grey(np.zeros((*size, 3), np.uint8)).shape == expected
