"""Text on pictures: a tag is a small picture of some words, made once and pasted into many frames."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from rasnet.report.style import Color, font

_PANEL = (16, 18, 22)
_PANEL_OPACITY = 205
_INK = (255, 255, 255)
_SHARPER = 4  # draw the rounded panel this much larger, then shrink: smooth edges


@dataclass(frozen=True)
class Tag:
    """Words on a dark rounded panel, with a spot of colour before them.

    Attributes:
        rgb: uint8 (h, w, 3), already multiplied by its opacity.
        clear: how much of the picture below stays visible, uint16 (h, w, 1), 0 to 255.
    """

    rgb: npt.NDArray[np.uint8]
    clear: npt.NDArray[np.uint16]

    @property
    def height(self) -> int:
        """Height in pixels."""
        return int(self.rgb.shape[0])

    @property
    def width(self) -> int:
        """Width in pixels."""
        return int(self.rgb.shape[1])

    def paste(self, picture: npt.NDArray[np.uint8], left: int, top: int) -> None:
        """Lay the tag over ``picture`` (H, W, 3), in place; what sticks out of the picture is cut off."""
        bottom, right = min(top + self.height, picture.shape[0]), min(left + self.width, picture.shape[1])
        below = picture[max(top, 0) : bottom, max(left, 0) : right]
        rows = slice(max(-top, 0), max(-top, 0) + below.shape[0])
        columns = slice(max(-left, 0), max(-left, 0) + below.shape[1])
        below[:] = self.rgb[rows, columns] + (below * self.clear[rows, columns] // 255).astype(np.uint8)


@lru_cache(maxsize=512)
def tag(words: str, size: int, color: Color) -> Tag:
    """Draw a tag.

    Args:
        words: one line of text.
        size: font size in pixels.
        color: of the spot before the words.
    """
    face = font(size)
    left, _, right, _ = face.getbbox(words)
    pad, spot = round(size * 0.45), round(size * 0.62)
    height = round(size * 1.6)
    width = round(right - left) + spot + 3 * pad
    picture = _panel(width, height, radius=height * 0.3)
    draw = ImageDraw.Draw(picture)
    middle = height / 2
    draw.rounded_rectangle(
        (pad, round(middle - spot / 2), pad + spot, round(middle + spot / 2)),
        radius=spot * 0.25,
        fill=(*color, 255),
    )
    # Anchored to the baseline, so that "Forceps" and "oo" sit on one line.
    draw.text((2 * pad + spot - left, round(middle + size * 0.36)), words, (*_INK, 255), face, anchor="ls")
    rgba = np.asarray(picture).astype(np.uint16)
    alpha = rgba[..., 3:]
    return Tag(rgb=(rgba[..., :3] * alpha // 255).astype(np.uint8), clear=255 - alpha)


def _panel(width: int, height: int, radius: float) -> Image.Image:
    shape = Image.new("L", (width * _SHARPER, height * _SHARPER), 0)
    ImageDraw.Draw(shape).rounded_rectangle(
        (0, 0, shape.width - 1, shape.height - 1), radius=radius * _SHARPER, fill=_PANEL_OPACITY
    )
    panel = Image.new("RGBA", (width, height), (*_PANEL, 0))
    panel.putalpha(shape.resize((width, height), Image.Resampling.BOX))
    return panel
