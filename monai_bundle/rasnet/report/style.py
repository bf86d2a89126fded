"""What every picture of a report shares: colours of a frame's status, the clock, the typeface."""

from __future__ import annotations

import importlib.util
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import ImageFont

if TYPE_CHECKING:
    from rasnet.case import FrameStatus

Color = tuple[int, int, int]

NOT_SEGMENTED = "not segmented"

# Greys for what nobody has looked at, colours (of Okabe and Ito's colour-blind-safe set) for a person's word.
STATUS_COLORS: dict[FrameStatus | str, Color] = {
    "predicted": (170, 170, 170),
    "corrected": (0, 114, 178),
    "accepted": (0, 158, 115),
    "skipped": (213, 94, 0),
    NOT_SEGMENTED: (60, 60, 60),
}


def clock(time_s: float, *, decimals: int = 2) -> str:
    """Write seconds as ``m:ss.cc``, or ``h:mm:ss.cc`` from one hour on.

    Examples:
        >>> clock(62.5)
        '1:02.50'
        >>> clock(3725.0, decimals=0)
        '1:02:05'
    """
    ticks = round(time_s * 10**decimals)  # round once, so that 59.999 becomes 1:00.00 and never 0:60.00
    whole, fraction = divmod(ticks, 10**decimals)
    minutes, seconds = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    text = f"{hours}:{minutes:02d}:{seconds:02d}" if hours else f"{minutes}:{seconds:02d}"
    return f"{text}.{fraction:0{decimals}d}" if decimals else text


@cache
def font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """Load the typeface of labels at ``size`` pixels.

    DejaVu Sans, which Linux systems and matplotlib carry, knows the accents, Greek and Cyrillic that people
    name instruments with; Arial stands in for it on Windows and macOS, and Pillow's own typeface elsewhere.
    """
    for name in _font_files():
        try:
            return ImageFont.truetype(name, size)
        except OSError:
            continue
    return ImageFont.load_default(size)


def _font_files() -> list[str]:
    names = ["DejaVuSans-Bold.ttf", "arialbd.ttf", "Arial Bold.ttf"]
    matplotlib = importlib.util.find_spec("matplotlib")  # found, not imported: importing it takes long
    if matplotlib is not None and matplotlib.origin is not None:
        names.insert(0, str(Path(matplotlib.origin).parent / "mpl-data/fonts/ttf/DejaVuSans-Bold.ttf"))
    return names
