"""A sink in processes of its own, where one process does not keep up.

Beside a GPU and many cores, a process that decodes, tracks and writes waits for Python's lock more than it works, above
all the tracker, which makes hundreds of short calls a frame. So one process tracks, one hands frames around and writes
what the workers have drawn. What goes from one to the other is small, as masks travel as runs.
"""

from __future__ import annotations

import multiprocessing
import os
import threading
from concurrent.futures import BrokenExecutor, ProcessPoolExecutor
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import numpy.typing as npt

from rasnet.case import Case
from rasnet.cores import available_cores, thread_limit
from rasnet.errors import RASNetError
from rasnet.inference.backend import Backend
from rasnet.inference.following import RemoteFollower
from rasnet.inference.frames import FrameBatch
from rasnet.inference.sink import CaseSink, Chunk, chunks
from rasnet.progress import Progress, SilentProgress
from rasnet.remote import begin_helping
from rasnet.spawning import fresh_processes

# With fewer cores, decoding and the threads of this process have work for all of them.
_FEWEST_CORES = 8

# One process tracks, in order; more workers than these would wait for it. Of the frames/s that came of recorded classes
# of 1920x1080 on 16 cores (8 with two threads each), 6 made 261, 8 made 270, 10 made 294; on quicker ones 6 made 329.
_MOST_WORKERS = 8

# Processes begin and end within three seconds, in which threads have done some hundred frames. From then on they are
# faster: frames/s of 1920x1080 in the second half of a video 240, and 87 by threads (H100, 16 cores, which decode).
_FEWEST_FRAMES = 1000


class SinkProcess:
    """A `CaseSink` in another process, which tracks in a third and draws and encodes in more; it is used like one.

    Ctrl-C is this process's to answer; should it be killed, the others still write what they were given.

    Args:
        case: that receives the masks.
        progress: told of every frame.
        workers: processes that draw and encode.

    Raises:
        RASNetError: on entering, when another program is writing into the case.
    """

    def __init__(self, case: Case, progress: Progress | None = None, *, workers: int) -> None:
        self.case = case
        self.progress = progress or SilentProgress()
        fresh = fresh_processes()
        self._there, self._frames = fresh.Pipe(duplex=False)
        self._events, self._from_there = fresh.Pipe(duplex=False)
        self._process = fresh.Process(
            target=_serve, args=(case.folder, workers, self._there, self._from_there), name="masks"
        )
        self._listener = threading.Thread(target=self._listen, name="mask-events", daemon=True)
        self._begun, self._ended = threading.Event(), False
        self._error: BaseException | None = None

    def write(self, batch: FrameBatch, classes: npt.NDArray[np.uint8], uncertainty: npt.NDArray[np.float32]) -> None:
        """Take a batch; see `CaseSink.write`."""
        frames = chunks(batch, classes, uncertainty, self.case.info.roi)
        try:
            self._frames.send(frames)
        except OSError:
            raise self._why_it_is_gone() from None

    def _listen(self) -> None:
        try:
            while True:
                what, *about = self._events.recv()
                if what == "failed":
                    self._error = about[0]
                elif what == "begun":
                    self._begun.set()
                else:
                    getattr(self.progress, what)(*about)
        except EOFError:  # it has ended
            self._ended = True
            self._begun.set()

    def _why_it_is_gone(self) -> BaseException:
        self._listener.join()
        self._process.join()
        return told_of_a_kill(self._error or BrokenExecutor())

    def __enter__(self) -> SinkProcess:
        self._process.start()
        for end in (self._there, self._from_there):  # so that an end is seen from the other side
            end.close()
        self._listener.start()
        self._begun.wait()
        if self._ended:
            raise self._why_it_is_gone()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._frames.close()
        self._listener.join()
        self._process.join()
        if error is None and (self._error is not None or self._process.exitcode):
            raise self._why_it_is_gone()


def worthwhile_workers(backend: Backend, frames: int, at_once: int = 1) -> int:
    """How many workers keep up with a backend; 0 where threads do, or where the user wants few (`thread_limit`).

    Args:
        backend: that segments.
        frames: to be segmented.
        at_once: videos that share the cores, and the workers among them.
    """
    if not has_cores_to_spare(backend) or frames < _FEWEST_FRAMES:
        return 0
    return -(-min(available_cores() // 2, _MOST_WORKERS) // at_once)


def has_cores_to_spare(backend: Backend) -> bool:
    """Whether a GPU does the work, and there are cores for processes beside this one that the user does not deny."""
    return backend.name == "torch-cuda" and thread_limit() is None and available_cores() >= _FEWEST_CORES


class _Teller(SilentProgress):
    """A `Progress` on the other side of a pipe, which says `start` and `finish` by itself."""

    def __init__(self, pipe: Connection) -> None:
        self._pipe = pipe

    def tell(self, what: str, *about: Any) -> None:
        """Send an event; nothing where nobody listens any more."""
        with suppress(OSError):
            self._pipe.send((what, *about))

    def advance(self, frame: int | None = None, count: int = 1) -> None:
        self.tell("advance", frame, count)

    def note(self, message: str) -> None:
        self.tell("note", message)


def _serve(folder: Path, workers: int, frames: Connection, events: Connection) -> None:
    """Be the process that tracks."""
    begin_helping()
    teller = _Teller(events)
    try:
        with (
            Case.open(folder) as case,
            start_workers(workers) as pool,
            RemoteFollower(folder, teller.note) as follower,
            CaseSink(case, teller, pool, follower) as sink,
        ):
            pool.submit(os.getpid).result()  # one worker is there, and the others are about to be
            teller.tell("begun")
            while (batch := _receive(frames)) is not None:
                sink.take(batch)
    except BaseException as error:
        told = told_of_a_kill(error)
        known = isinstance(told, RASNetError)
        teller.tell("failed", told if known else RuntimeError(f"{type(told).__name__}: {told}"))


def told_of_a_kill(error: BaseException) -> BaseException:
    """Give an error as it is, but one that says that a process is gone as a sentence."""
    if isinstance(error, BrokenExecutor):
        return RASNetError(
            "a process that draws masks was killed, perhaps for memory; the same command goes on where it stopped"
        )
    return error


def _receive(frames: Connection) -> list[Chunk] | None:
    """The next batch; None where none will come, also because the program was killed."""
    try:
        batch: list[Chunk] = frames.recv()
        return batch
    except (EOFError, OSError):
        return None


def start_workers(count: int) -> ProcessPoolExecutor:
    """Start processes that draw and encode."""
    pool = ProcessPoolExecutor(count, fresh_processes(), initializer=_begin_work)
    for _ in range(count):  # at once, not when they are needed
        pool.submit(os.getpid)
    return pool


def _begin_work() -> None:
    begin_helping()
    threading.Thread(target=_end_with_the_tracker, daemon=True).start()


def _end_with_the_tracker() -> None:
    """Leave no worker waiting for ever where the process that tracks was killed."""
    tracker = multiprocessing.parent_process()
    assert tracker is not None
    tracker.join()
    os._exit(1)
