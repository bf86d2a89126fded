"""OpenCV's threads, out of the way where they cost more than they give."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import cv2

_lock = threading.Lock()
_blocks = 0
_before = 1


@contextmanager
def one_opencv_thread() -> Iterator[None]:
    """Let OpenCV work in the thread that calls it, as long as any such block lasts.

    After every call its threads, one a core, wait for the next by spinning. For pictures as small as the tracker's grid
    they gain nothing, and take the cores from whatever runs beside.
    """
    global _blocks, _before
    with _lock:
        if _blocks == 0:
            _before = cv2.getNumThreads()
            cv2.setNumThreads(1)
        _blocks += 1
    try:
        yield
    finally:
        with _lock:
            _blocks -= 1
            if _blocks == 0:
                cv2.setNumThreads(_before)
