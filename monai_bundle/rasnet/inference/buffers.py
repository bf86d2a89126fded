"""Memory for pictures that is used again: clearing new pages takes the system longer than filling them takes us."""

from __future__ import annotations

import weakref
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

Pixels = npt.NDArray[np.uint8]

Empty = Callable[[tuple[int, ...]], Pixels]
"""Gives new memory for pictures of a shape, with anything in it."""


def empty(shape: tuple[int, ...]) -> Pixels:
    """Give ordinary memory; `Empty`."""
    return np.empty(shape, np.uint8)


class Buffers:
    """Arrays of one shape whose memory is used again as soon as nobody holds it, nor any part of it.

    There is memory for as many arrays as were held at once. What nobody holds goes with this object, the rest when
    it is let go of. Several threads may let go at once.

    Args:
        shape: of each array.
        empty: gives the memory.
    """

    def __init__(self, shape: tuple[int, ...], empty: Empty = empty) -> None:
        self._shape, self._empty = shape, empty
        self._unused: list[Pixels] = []

    def take(self) -> Pixels:
        """Give an array that nobody else holds, with anything in it."""
        try:
            memory = self._unused.pop()
        except IndexError:
            memory = self._empty(self._shape)
        return np.asarray(_Loan(memory, weakref.ref(self)))

    def give_back(self, memory: Pixels) -> None:
        """Take memory in again, which nobody holds any more."""
        self._unused.append(memory)


class _Loan:
    """Memory that is out; it ends with the last array that shows any of it.

    The array could not tell by itself: NumPy's slices hold whatever owns the memory, and not the array that they were
    cut from. So to NumPy the owner is this.
    """

    def __init__(self, memory: Pixels, lender: weakref.ref[Buffers]) -> None:
        self.__array_interface__ = memory.__array_interface__
        self._memory, self._lender = memory, lender

    def __del__(self) -> None:
        lender = self._lender()
        if lender is not None:
            lender.give_back(self._memory)
