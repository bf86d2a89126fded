"""Processes that find a frame's components, draw its masks and encode them, where one process does not keep up.

Beside a GPU and many cores, the threads of one process wait for Python's lock more than they work. What goes to another
process and back is small, as masks travel as runs.
"""

from __future__ import annotations

import multiprocessing
import signal
from concurrent.futures import BrokenExecutor, ProcessPoolExecutor
from contextlib import AbstractContextManager, nullcontext

import cv2

from rasnet.cores import available_cores, thread_limit
from rasnet.errors import RASNetError
from rasnet.inference.backend import Backend

# With fewer cores, decoding and the threads of this process have work for all of them.
_FEWEST_CORES = 8

# One thread tracks, in order; more processes than this would wait for it.
_MOST = 8


def mask_processes(backend: Backend) -> AbstractContextManager[ProcessPoolExecutor | None]:
    """Give processes where they are worthwhile, for the block of a ``with``; otherwise None.

    They import the program's main module, which must bear that, and begin to do so at once. Ctrl-C is the program's to
    answer.
    """
    count = worthwhile_processes(backend)
    return start_processes(count) if count else nullcontext()


def start_processes(count: int) -> ProcessPoolExecutor:
    """Start so many processes."""
    pool = ProcessPoolExecutor(count, multiprocessing.get_context("spawn"), initializer=_begin)
    for _ in range(count):
        pool.submit(_nothing)
    return pool


def worthwhile_processes(backend: Backend) -> int:
    """How many processes keep up with a backend; 0 where threads do, or where the user wants few (`thread_limit`)."""
    cores = available_cores()
    if backend.name != "torch-cuda" or thread_limit() is not None or cores < _FEWEST_CORES:
        return 0
    return min(cores // 2, _MOST)


def told_of_a_kill(error: BaseException) -> BaseException:
    """Give an error as it is, but one that says that a process is gone as a sentence."""
    if isinstance(error, BrokenExecutor):
        return RASNetError(
            "a process that draws masks was killed, perhaps for memory; the same command goes on where it stopped"
        )
    return error


def _begin() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    cv2.setNumThreads(1)


def _nothing() -> None:
    pass
