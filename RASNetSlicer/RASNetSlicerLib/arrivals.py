"""Masks that programs have written into the case on show: brought into the scene a few at a time."""

from __future__ import annotations

import time
from collections.abc import Iterable

from RASNetSlicerLib.scene import CaseScene

# How long one look may keep Slicer from drawing, how many masks it takes before it looks at the clock, and for how many
# it asks the case.
_LOOK_S = 0.05
_CHUNK = 4
_LOOK_AHEAD = 64


class Arrivals:
    """Frames whose masks wait to be shown, that on show first; the frame on show and unsaved edits stay.

    Args:
        shown: the case in its scene.
    """

    def __init__(self, shown: CaseScene) -> None:
        self._shown = shown
        self._waiting: set[int] = set()

    def __bool__(self) -> bool:
        """Whether any wait."""
        return bool(self._waiting)

    def expect(self, frames: Iterable[int]) -> None:
        """Frames that a program has written or is about to write; those that are not loaded do not count."""
        self._waiting.update(set(self._shown.sequences.indices).intersection(frames))

    def clear(self) -> None:
        """Expect none any longer."""
        self._waiting.clear()

    def show(self, *, written_only: bool = False) -> bool:
        """Show masks for as long as a tick of a timer may take.

        Args:
            written_only: let frames wait of which the case has nothing yet: a program writes many at once, up to a
                second after it says so.

        Returns:
            Whether there were any to show.

        Raises:
            RASNetError: a mask in the case cannot be read, or an edit cannot be saved.
        """
        if not self._waiting:
            return False
        began = time.monotonic()
        ready = sorted(self._waiting, key=lambda index: (index != self._shown.shown, index))[:_LOOK_AHEAD]
        if written_only:
            ready = [index for index in ready if self._shown.case.frame(index) is not None]
        while ready and time.monotonic() - began < _LOOK_S:
            chosen, ready = ready[:_CHUNK], ready[_CHUNK:]
            self._waiting.difference_update(chosen)
            self._shown.refresh(chosen)
        return True
