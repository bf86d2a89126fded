"""The picture inside labelled frames: a network learns from, and is measured on, what the pipeline shows it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice

from rasnet.datasets.example import Example
from rasnet.video.roi import RegionOfInterest, find_roi_in

# Frames that are looked at, and how far they lie apart: neighbours look alike.
_SAMPLES, _APART = 12, 15


def read_pictures(read: Callable[[int], Iterator[Example]], step: int) -> Iterator[Example]:
    """Read the frames of one video or set without the black borders that `rasnet.video.find_roi` leaves out.

    Args:
        read: gives every n-th frame.
        step: take every step-th frame.

    Yields:
        Pictures and masks of the region of interest. Frames of another size than the first are given whole, and so
        are those whose mask has another size than the picture.
    """
    roi = _region(list(islice(read(step * _APART), _SAMPLES)))
    for example in read(step):
        if all(image.shape[:2] == (roi.frame_height, roi.frame_width) for image in example):
            yield Example(roi.crop(example.rgb), roi.crop(example.mask))
        else:
            yield example


def _region(examples: list[Example]) -> RegionOfInterest:
    height, width = examples[0].rgb.shape[:2]
    return find_roi_in((rgb for rgb, _ in examples if rgb.shape[:2] == (height, width)), height, width)
