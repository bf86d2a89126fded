"""Pictures as a video holds them, brightness and colour apart: half the bytes of RGB, for a GPU that converts them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from rasnet.video.picture import UNSPECIFIED, is_high_definition
from rasnet.video.roi import RegionOfInterest

UInt8Array = npt.NDArray[np.uint8]

ONE = 1 << 13
"""Coefficients are whole numbers of this many parts, as in FFmpeg's scaler, whose colours are met exactly so."""

# Formats of 8 bits with a quarter as many colours as pixels, and whether both colours of a pixel lie side by side.
_FORMATS = {"yuv420p": False, "yuvj420p": False, "nv12": True}

# Weights of red and blue in the brightness (ITU-T H.273, table 4), by FFmpeg's number of the colour space.
_WEIGHTS = {1: (0.2126, 0.0722), 5: (0.299, 0.114), 6: (0.299, 0.114), 7: (0.212, 0.087), 9: (0.2627, 0.0593)}
_BT709, _BT601 = 1, 5
_FULL_RANGE = 2


@dataclass(frozen=True)
class YuvForm:
    """How pictures are to be read whose brightness and colours lie apart (4:2:0, 8 bits).

    A picture is one array, uint8 (3 height / 2, width): `height` rows of brightness, then `height / 2` rows of the two
    colour differences, each of which holds for two by two pixels. They lie side by side for each of those, or else that
    to blue fills the left half of the rows, and that to red the right half.

    Attributes:
        height: of a picture in pixels, even.
        width: of a picture in pixels, even.
        interleaved: whether both differences of a place are neighbours.
        coefficients: by which brightness and both differences add up to red, green and blue, in parts of `ONE`.
        black: brightness of black.
        roi: what of the picture is wanted.
    """

    height: int
    width: int
    interleaved: bool
    coefficients: tuple[tuple[int, int, int], ...]
    black: int
    roi: RegionOfInterest

    @property
    def shape(self) -> tuple[int, int]:
        """Of a picture's array."""
        return self.height * 3 // 2, self.width


@dataclass(frozen=True)
class YuvPixels:
    """Pictures of one form.

    Attributes:
        planes: uint8 (B, *form.shape).
        form: how to read them.
    """

    planes: UInt8Array
    form: YuvForm

    def __len__(self) -> int:
        return len(self.planes)


Pixels: TypeAlias = "UInt8Array | YuvPixels"
"""Pictures as RGB, uint8 (B, H, W, 3), or as planes."""


def only_rgb(pixels: Pixels) -> UInt8Array:
    """Give pictures for who reads no planes.

    Raises:
        TypeError: these are planes.
    """
    if isinstance(pixels, YuvPixels):
        raise TypeError("this reads RGB alone, and these are planes; see `Backend.reads_planes`")
    return pixels


def form_of(picture: Any) -> YuvForm | None:
    """Tell how a PyAV frame's planes are to be read, with the colours that `rasnet.video.picture.to_rgb` gives it.

    Returns:
        None where it is in another format, in a rare colour space, or of odd size.
    """
    interleaved = _FORMATS.get(picture.format.name)
    unstated = _BT709 if is_high_definition(picture) else _BT601
    weights = _WEIGHTS.get(unstated if picture.colorspace == UNSPECIFIED else int(picture.colorspace))
    if interleaved is None or weights is None or picture.height % 2 or picture.width % 2:
        return None
    full = picture.format.name == "yuvj420p" or picture.color_range == _FULL_RANGE
    return YuvForm(
        picture.height,
        picture.width,
        interleaved,
        _coefficients(*weights, full=full),
        black=0 if full else 16,
        roi=RegionOfInterest.whole(picture.height, picture.width),
    )


def copy_planes(picture: Any, form: YuvForm, place: UInt8Array) -> None:
    """Copy a PyAV frame of a form's size into an array of its shape."""
    if _FORMATS.get(picture.format.name) is not form.interleaved:  # it changed in the middle of the video
        picture = picture.reformat(format="nv12" if form.interleaved else "yuv420p")
    brightness, *differences = picture.planes
    place[: form.height] = _rows(brightness, form.width)
    across = form.width // len(differences)
    for number, plane in enumerate(differences):
        place[form.height :, number * across : (number + 1) * across] = _rows(plane, across)


def _rows(plane: Any, width: int) -> UInt8Array:
    """A plane's rows, each of which may be longer in memory."""
    return np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)[:, :width]


def _coefficients(red: float, blue: float, *, full: bool) -> tuple[tuple[int, int, int], ...]:
    """What turns brightness and differences into red, green and blue, where red and blue have these weights."""
    green = 1 - red - blue
    light, colour = (1.0, 1.0) if full else (255 / 219, 255 / 224)
    rows = (
        (light, 0.0, 2 * (1 - red) * colour),
        (light, -2 * (1 - blue) * blue / green * colour, -2 * (1 - red) * red / green * colour),
        (light, 2 * (1 - blue) * colour, 0.0),
    )
    return tuple((round(ONE * y), round(ONE * u), round(ONE * v)) for y, u, v in rows)
