"""Which frames of a case are loaded, and what coarse pixels do to masks; needs no Slicer."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from RASNetSlicerLib.scaling import carry_edit, shrink_image, shrink_mask
from RASNetSlicerLib.window import plan_window

from rasnet.errors import RASNetError


def info(frames: int, height: int = 1024, width: int = 1280, step: int = 1) -> SimpleNamespace:
    return SimpleNamespace(wanted=range(0, frames, step), height=height, width=width)


# 1280 x 1024 pixels of 4 bytes are 5.24 MB a frame: 381 frames fit into 2 GB, and 1525 of half the resolution.
@pytest.mark.parametrize(
    ("frames", "loaded", "scale"),
    [
        (225, range(0, 225), 1),
        (381, range(0, 381), 1),
        (382, range(0, 382, 2), 1),
        (1524, range(0, 1524, 4), 1),
        (1525, range(0, 1525), 2),  # a stride of 5 would be too much, and half the resolution needs none
        (15000, range(0, 15000, 10), 2),
    ],
)
def test_a_video_is_thinned_out_before_it_is_halved(frames: int, loaded: range, scale: int) -> None:
    window = plan_window(info(frames))

    assert (window.frames, window.scale) == (loaded, scale)
    assert window.bytes <= 2e9


def test_small_frames_are_never_halved() -> None:
    # 512 x 640 pixels of 4 bytes: 1525 frames fit.
    window = plan_window(info(15250, 512, 640))

    assert (window.frames.step, window.scale) == (10, 1)


@pytest.mark.parametrize(
    ("start", "stop", "step", "loaded"),
    [
        (None, None, None, range(0, 300, 3)),
        (10, 20, None, range(12, 21, 3)),
        (12, 18, None, range(12, 18, 3)),
        (None, None, 7, range(0, 300, 9)),
    ],
)
def test_a_window_keeps_to_the_frames_of_the_case(
    start: int | None, stop: int | None, step: int | None, loaded: range
) -> None:
    assert plan_window(info(300, step=3), start=start, stop=stop, step=step).frames == loaded


def test_the_choice_is_said_in_words() -> None:
    assert str(plan_window(info(900))) == "frames 0 to 897, one in 3, at full resolution: 300 frames, 1.6 GB"


@pytest.mark.parametrize(
    ("wish", "message"),
    [
        ({"step": 1, "scale": 1}, "do not fit into the 2 GB"),
        ({"start": 3000}, "frames 3000 to None are not in the case"),
        ({"step": 0}, "cannot have step 0"),
        ({"budget": 1000}, "do not fit into the 1e-06 GB"),
    ],
)
def test_what_cannot_be_loaded_is_refused_in_one_sentence(wish: dict[str, int], message: str) -> None:
    with pytest.raises(RASNetError, match=message):
        plan_window(info(2000), **wish)


masks = st.tuples(st.integers(1, 9), st.integers(1, 9), st.integers(1, 4), st.integers(0, 2**32 - 1))


@given(masks)
def test_an_edit_of_coarse_pixels_changes_their_blocks_and_nothing_else(case: tuple[int, int, int, int]) -> None:
    height, width, scale, seed = case
    random = np.random.default_rng(seed)
    full = random.integers(0, 4, (height, width), np.uint8)
    coarse = shrink_mask(full, scale)
    edited = np.where(random.random(coarse.shape) < 0.3, 3, coarse).astype(np.uint8)

    result = carry_edit(full, edited, scale)

    np.testing.assert_array_equal(shrink_mask(result, scale), edited)
    untouched = (edited == coarse).repeat(scale, 0).repeat(scale, 1)[:height, :width]
    np.testing.assert_array_equal(result[untouched], full[untouched])


def test_a_coarse_pixel_has_the_mean_colour_of_its_block() -> None:
    rgb = np.zeros((3, 4, 3), np.uint8)  # (3, 4): the last row of blocks repeats row 2
    rgb[0, 0] = 200
    rgb[2, 2:] = 100

    small = shrink_image(rgb, 2)[..., 0]

    np.testing.assert_array_equal(small, [[50, 0], [0, 100]])
