"""Region of interest: the part of a frame that is picture."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from rasnet.errors import RASNetError
from rasnet.video.source import VideoSource

Scalar = TypeVar("Scalar", bound=np.generic)

# Recorders that mix up full and limited range show black as 16; noise comes on top.
_BRIGHTEST_BLACK = 20
_MARGIN = 10

# Text and lines are thinner than this share of the frame's shorter side.
_STROKE = 1 / 60

# A second bright part belongs to the picture (stereo halves) if it is this large beside the first;
# a picture in the picture or a logo is smaller.
_SHARE_OF_LARGEST = 0.25

# Less of the frame than this is a lamp on black, not a picture.
_SMALLEST_SHARE = 0.05


@dataclass(frozen=True)
class RegionOfInterest:
    """A rectangle of a frame, in whole pixels of the upright full frame.

    Attributes:
        top: first row.
        left: first column.
        height: rows, at least 1.
        width: columns, at least 1.
        frame_height: rows of the full frame.
        frame_width: columns of the full frame.

    Raises:
        RASNetError: the rectangle does not lie inside the frame.

    Examples:
        >>> roi = RegionOfInterest(top=28, left=320, height=1024, width=1280, frame_height=1080, frame_width=1920)
        >>> roi.crop(np.zeros((1080, 1920, 3), np.uint8)).shape
        (1024, 1280, 3)
        >>> roi.restore(np.ones((1024, 1280), np.uint8)).shape
        (1080, 1920)
    """

    top: int
    left: int
    height: int
    width: int
    frame_height: int
    frame_width: int

    def __post_init__(self) -> None:
        inside = (
            self.top >= 0
            and self.left >= 0
            and self.height >= 1
            and self.width >= 1
            and self.top + self.height <= self.frame_height
            and self.left + self.width <= self.frame_width
        )
        if not inside:
            raise RASNetError(
                f"region of interest {self.width}x{self.height} at ({self.left}, {self.top}) does not lie inside "
                f"the frame of {self.frame_width}x{self.frame_height} pixels; choose a smaller one"
            )

    @classmethod
    def whole(cls, height: int, width: int) -> RegionOfInterest:
        """The whole frame."""
        return cls(0, 0, height, width, height, width)

    def crop(self, image: npt.NDArray[Scalar]) -> npt.NDArray[Scalar]:
        """Give the region of (H, W) or (H, W, C) as a view."""
        self._check(image.shape[:2], (self.frame_height, self.frame_width))
        return image[self._rows, self._columns]

    def crop_batch(self, images: npt.NDArray[Scalar]) -> npt.NDArray[Scalar]:
        """Give the region of (N, H, W) or (N, H, W, C) as a view."""
        self._check(images.shape[1:3], (self.frame_height, self.frame_width))
        return images[:, self._rows, self._columns]

    def restore(self, mask: npt.NDArray[Scalar]) -> npt.NDArray[Scalar]:
        """Put a mask of the region, (h, w) or (N, h, w), back into the full frame.

        Returns:
            (H, W) or (N, H, W) of the same dtype; zero outside of the region. The mask itself where that is all.
        """
        self._check(mask.shape[-2:], (self.height, self.width))
        if (self.height, self.width) == (self.frame_height, self.frame_width):
            return mask
        full = np.zeros((*mask.shape[:-2], self.frame_height, self.frame_width), mask.dtype)
        full[..., self._rows, self._columns] = mask
        return full

    def to_json(self) -> dict[str, int]:
        """Give the region as an object that JSON can hold."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> RegionOfInterest:
        """Build a region from the object that `to_json` gives."""
        return cls(**data)

    @property
    def _rows(self) -> slice:
        return slice(self.top, self.top + self.height)

    @property
    def _columns(self) -> slice:
        return slice(self.left, self.left + self.width)

    @staticmethod
    def _check(shape: tuple[int, ...], expected: tuple[int, int]) -> None:
        if shape != expected:
            raise ValueError(f"image of {shape} rows and columns, but the region of interest needs {expected}")


def find_roi(source: VideoSource, samples: int = 12) -> RegionOfInterest:
    """Find the picture inside black borders, pillarboxes, letterboxes and round lens stops.

    A pixel belongs to the picture if it is brighter than black in any of several frames spread over the
    source. The region is the bounding box of what is left without noise, specks and text, so a round
    picture lies inside of it as a whole.

    Args:
        source: where frames come from; damaged ones are passed over.
        samples: number of frames to look at.

    Returns:
        The region; the whole frame where all is dark or nothing large enough is bright.
    """
    return find_roi_in(_readable(source, source.spread(samples)), source.height, source.width)


def find_roi_in(pictures: Iterable[npt.NDArray[np.uint8]], height: int, width: int) -> RegionOfInterest:
    """Find the picture in some frames of one video, as `find_roi` does.

    Args:
        pictures: uint8 (height, width, 3).
        height: of the frames.
        width: of the frames.
    """
    brightest = np.zeros((height, width), np.uint8)
    for rgb in pictures:
        np.maximum(brightest, _without_noise(rgb), out=brightest)
    box = _picture_box(brightest)
    return RegionOfInterest.whole(height, width) if box is None else RegionOfInterest(*box, height, width)


def _readable(source: VideoSource, indices: Iterable[int]) -> Iterator[npt.NDArray[np.uint8]]:
    for index in indices:
        try:
            rgb = source[index].rgb
        except RASNetError:
            continue
        yield rgb


def _without_noise(rgb: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Brightest channel of (H, W, 3), smoothed by a median, which keeps straight edges where they are."""
    import cv2

    filtered: npt.NDArray[np.uint8] = cv2.medianBlur(rgb.max(axis=2), 5)
    return filtered


def _picture_box(brightest: npt.NDArray[np.uint8]) -> tuple[int, int, int, int] | None:
    """Top, left, height and width of the picture in a brightness map (H, W); None where there is none."""
    import cv2

    black = min(float(np.percentile(brightest, 1)), _BRIGHTEST_BLACK)
    # Odd, because OpenCV moves the picture by a pixel with an even one.
    stroke = max(round(min(brightest.shape) * _STROKE), 3) | 1
    # Black all around, so that closing does not swallow borders of one or two pixels.
    bright = np.pad((brightest > black + _MARGIN).astype(np.uint8), stroke)
    for operation, size in ((cv2.MORPH_CLOSE, 5), (cv2.MORPH_OPEN, stroke)):
        bright = cv2.morphologyEx(bright, operation, np.ones((size, size), np.uint8))
    bright = np.ascontiguousarray(bright[stroke:-stroke, stroke:-stroke])
    count, _, stats, _ = cv2.connectedComponentsWithStats(bright, connectivity=4)
    areas = stats[1:count, cv2.CC_STAT_AREA]
    if not len(areas) or areas.max() < _SMALLEST_SHARE * bright.size:
        return None
    parts = stats[1:count][areas >= _SHARE_OF_LARGEST * areas.max()]
    left, top = parts[:, cv2.CC_STAT_LEFT].min(), parts[:, cv2.CC_STAT_TOP].min()
    right = (parts[:, cv2.CC_STAT_LEFT] + parts[:, cv2.CC_STAT_WIDTH]).max()
    bottom = (parts[:, cv2.CC_STAT_TOP] + parts[:, cv2.CC_STAT_HEIGHT]).max()
    return int(top), int(left), int(bottom - top), int(right - left)
