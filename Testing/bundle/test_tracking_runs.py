"""Runs of a mask against OpenCV's own connected components, and against the mask itself."""

import pickle

import cv2
import hypothesis.extra.numpy as hnp
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rasnet.tracking.runs import ClassRuns, Runs
from rasnet.video import RegionOfInterest

Mask = npt.NDArray[np.uint8]
masks = hnp.arrays(np.uint8, hnp.array_shapes(min_dims=2, max_dims=2, max_side=24), elements=st.integers(0, 2))


def mosaic(*lines: str) -> Mask:
    return np.array([[char != "." for char in line] for line in lines], np.uint8)


@pytest.mark.parametrize(
    ("mask", "areas"),
    [
        (mosaic("...", "..."), []),
        (mosaic("#"), [1]),
        (mosaic("#.", ".#"), [2]),  # by a corner
        (mosaic(".#", "#."), [2]),  # ... the other one
        (mosaic("#.#", "#.#", "###"), [7]),  # a U joins at its end
        (mosaic("..#", "#.."), [1, 1]),
        (mosaic("..##", "#..."), [2, 1]),  # the end of a row does not touch the start of the next
        (mosaic("#####", ".....", "##.##"), [5, 2, 2]),
    ],
)
def test_components_hang_together_by_edges_and_corners(mask: Mask, areas: list[int]) -> None:
    assert sorted(Runs.of(ClassRuns.of(mask)).areas(), reverse=True) == areas


@given(mask=masks)
def test_components_are_those_of_opencv(mask: Mask) -> None:
    runs = Runs.of(ClassRuns.of(mask))
    count, labels, stats, _ = cv2.connectedComponentsWithStats((mask > 0).view(np.uint8), connectivity=8)
    assert runs.count == count - 1
    areas = runs.areas()
    for label in range(runs.count):
        row, column = runs.place(label)
        other = labels[row, column]
        assert other > 0
        left, top, width, height, area = stats[other]
        assert runs.box(label) == (top, left, top + height, left + width)
        assert areas[label] == area
        only = (np.arange(runs.count) == label).astype(np.uint8)
        np.testing.assert_array_equal(runs.draw(only), labels == other)


@given(mask=masks)
def test_a_mask_is_drawn_as_it_was(mask: Mask) -> None:
    runs = ClassRuns.of(mask)
    np.testing.assert_array_equal(runs.draw(), mask)
    assert len(runs.classes) <= mask.size + mask.shape[0]


@given(mask=masks)
def test_a_mask_is_the_same_in_another_process(mask: Mask) -> None:
    runs = ClassRuns.of(mask)
    _ = runs.foreground  # which stays here
    there = pickle.loads(pickle.dumps(runs))
    np.testing.assert_array_equal(there.draw(), mask)
    assert vars(there).keys() == {"height", "width", "rows", "columns", "classes"}
    assert (there.rows.dtype, there.columns.dtype) == (np.int32, np.int32)


@pytest.mark.parametrize("size", [(1, 255), (1, 256), (256, 1), (1, 65536), (65536, 1)])
def test_large_masks_are_the_same_in_another_process(size: tuple[int, int]) -> None:
    mask = np.ones(size, np.uint8)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(ClassRuns.of(mask))).draw(), mask)


@given(mask=masks, stride=st.integers(1, 7))
def test_its_runs_on_a_grid_are_the_pixels_at_its_cells(mask: Mask, stride: int) -> None:
    first = stride // 2
    np.testing.assert_array_equal(ClassRuns.of(mask).sampled(stride).draw(), mask[first::stride, first::stride])


@given(mask=masks, top=st.integers(0, 3), left=st.integers(0, 3), below=st.integers(0, 3), beside=st.integers(0, 3))
def test_a_region_is_put_into_its_frame(mask: Mask, top: int, left: int, below: int, beside: int) -> None:
    height, width = mask.shape
    roi = RegionOfInterest(top, left, height, width, top + height + below, left + width + beside)
    np.testing.assert_array_equal(ClassRuns.of(mask).in_frame(roi).draw(), roi.restore(mask))


@given(mask=masks, stride=st.integers(1, 7))
def test_runs_on_a_grid_are_the_pixels_at_its_cells(mask: Mask, stride: int) -> None:
    runs = Runs.of(ClassRuns.of(mask))
    values = np.arange(1, runs.count + 1).astype(np.uint8)
    first = stride // 2
    np.testing.assert_array_equal(runs.sampled(stride).draw(values), runs.draw(values)[first::stride, first::stride])


def test_a_view_of_a_larger_frame_is_read_as_it_is() -> None:
    frame = np.zeros((20, 30), np.uint8)
    frame[:, 9] = frame[5:9, 10:15] = 1
    view = frame[2:18, 10:25][:, ::-1]
    np.testing.assert_array_equal(Runs.of(ClassRuns.of(view)).draw(np.ones(1, np.uint8)), view)
