"""Which frames of a case are in the scene, and at what resolution, so that they fit into memory."""

from __future__ import annotations

import math
from dataclasses import dataclass

from rasnet.case import CaseInfo
from rasnet.errors import RASNetError

MEMORY_BUDGET = 2_000_000_000
"""Bytes of pixels that a window may take by default."""

_BYTES_PER_PIXEL = 4  # red, green, blue and the mask

# A stride keeps every mask exact and a scale does not, but at less than about 6 frames a second (of 25) people lose
# sight of what moves. Half of a frame that is smaller than this shows too little to correct.
_LARGEST_STRIDE_BEFORE_SCALING = 4
_SMALLEST_SIDE_TO_HALVE = 720


@dataclass(frozen=True)
class Window:
    """A part of a case: the frames that Slicer holds at one time.

    Attributes:
        frames: indices of the frames in the source.
        scale: source pixels along the side of one pixel in the scene; 1 is full resolution.
        height: of the source, pixels.
        width: of the source, pixels.
    """

    frames: range
    scale: int
    height: int
    width: int

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of the pictures in the scene."""
        return math.ceil(self.height / self.scale), math.ceil(self.width / self.scale)

    @property
    def bytes(self) -> int:
        """Size of the pixels in memory."""
        return len(self.frames) * math.prod(self.shape) * _BYTES_PER_PIXEL

    def __str__(self) -> str:
        stride = "" if self.frames.step == 1 else f", one in {self.frames.step}"
        resolution = "full resolution" if self.scale == 1 else f"1/{self.scale} of the resolution"
        return (
            f"frames {self.frames[0]} to {self.frames[-1]}{stride}, at {resolution}: "
            f"{len(self.frames)} frames, {self.bytes / 1e9:.2g} GB"
        )


def plan_window(
    info: CaseInfo,
    *,
    start: int | None = None,
    stop: int | None = None,
    step: int | None = None,
    scale: int | None = None,
    budget: int = MEMORY_BUDGET,
) -> Window:
    """Choose what is not given of a window so that it fits into memory; ``str(window)`` says what came of it.

    Every wanted frame at full resolution where that fits. Else a stride of up to 4 of the case's own frames; else
    half the resolution (frames of at least 720 rows and columns only) and the stride that this still takes.

    Args:
        info: of the case.
        start: first frame; None for the first of the case.
        stop: one past the last frame; None for the end of the case.
        step: distance of the frames in the source; rounded up to a multiple of the case's own step.
        scale: source pixels along the side of one pixel in the scene, 1 or more.
        budget: bytes of pixels.

    Raises:
        RASNetError: the case has no frame in the range, or what is given does not fit into the budget.

    Examples:
        >>> print(plan_window(Case.open("case").info, start=0, stop=900))  # doctest: +SKIP
        frames 0 to 897, one in 3, at full resolution: 300 frames, 1.6 GB
    """
    if (step is not None and step < 1) or (scale is not None and scale < 1):
        raise RASNetError(f"a window cannot have step {step} and scale {scale}; use whole numbers of 1 or more")
    wanted = _within(info.wanted, start, stop)
    if not wanted:
        raise RASNetError(
            f"frames {start} to {stop} are not in the case, which covers {info.wanted[0]} to {info.wanted[-1]}; "
            "choose a range in it"
        )
    whole = Window(wanted, scale or 1, info.height, info.width)
    if step is not None:
        window = _strided(whole, math.ceil(step / wanted.step))
        if scale is None and window.bytes > budget:
            window = _strided(_halved(whole), math.ceil(step / wanted.step))
    else:
        window = _strided(whole, _stride(whole, budget))
        if scale is None and _stride(whole, budget) > _LARGEST_STRIDE_BEFORE_SCALING:
            window = _strided(_halved(whole), _stride(_halved(whole), budget))
    if window.bytes > budget:
        raise RASNetError(
            f"{window} do not fit into the {budget / 1e9:.2g} GB that are allowed; choose fewer frames, a larger step "
            "or more memory"
        )
    return window


def _within(wanted: range, start: int | None, stop: int | None) -> range:
    first = 0 if start is None else max(0, math.ceil((start - wanted.start) / wanted.step))
    last = len(wanted) if stop is None else max(0, math.ceil((stop - wanted.start) / wanted.step))
    return wanted[first:last]


def _stride(window: Window, budget: int) -> int:
    """The smallest stride that fits; all of the frames where not even one does."""
    most = max(1, budget // (window.bytes // len(window.frames)))
    return math.ceil(len(window.frames) / most)


def _strided(window: Window, stride: int) -> Window:
    return Window(window.frames[::stride], window.scale, window.height, window.width)


def _halved(window: Window) -> Window:
    """Half the resolution, where there is enough of it."""
    if min(window.height, window.width) < _SMALLEST_SIDE_TO_HALVE:
        return window
    return Window(window.frames, 2, window.height, window.width)
