"""Writing the predictions of a long run: encode in threads, commit in order, memory bounded."""

from __future__ import annotations

import queue
import sqlite3
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import Path
from types import TracebackType

from rasnet.case.changes import FrameStore
from rasnet.case.encoding import Encoder, MaskChange
from rasnet.errors import RASNetError
from rasnet.forwarded import Forwarded
from rasnet.masks import Mask
from rasnet.until_failure import UntilFailure

_QUEUE_TASKS = 16  # at least; two a thread
_BATCH_TASKS = 32
_BATCH_SECONDS = 0.5

Draw = Callable[[], Iterable[tuple[Mask, Mask | None]]]
_Task = Future[UntilFailure[MaskChange]]


@dataclass(frozen=True)
class PredictedFrame:
    """What a prediction says of a frame besides its masks.

    Attributes:
        index: of the frame.
        pts: seconds from the first frame.
        uncertainty: one figure a class of the model's schema, background first.
    """

    index: int
    pts: float
    uncertainty: Sequence[float] = ()


class WriterLock:
    """Only one program at a time predicts into a case; a person's corrections need no such lock.

    The lock is SQLite's own on an empty file beside the case, so the system lets go of it however the
    program ends, on every platform.

    Args:
        folder: the case.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._connection: sqlite3.Connection | None = None

    def acquire(self) -> None:
        """Take the lock.

        Raises:
            RASNetError: another program holds it.
        """
        connection = sqlite3.connect(
            self._folder / "writer.lock", timeout=0, isolation_level=None, check_same_thread=False
        )
        try:
            connection.execute("BEGIN EXCLUSIVE")
        except sqlite3.OperationalError as error:
            connection.close()
            raise RASNetError(
                f"another program is writing predictions into {self._folder} ({error}); "
                "wait until it is done or stop it"
            ) from error
        self._connection = connection

    def release(self) -> None:
        """Let the next program in."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None


class CaseWriter:
    """A queue of predictions into a case; use it as a context manager (see `Case.writer`).

    When the ``with`` block ends, everything that was written is in the case, also after an exception or
    Ctrl-C inside the block.

    Attributes:
        written: frames that are in the case by now.
        kept: indices of the frames that a person owns and that were left as they are.
    """

    def __init__(self, store: FrameStore, encoder: Encoder, threads: int, pool: Executor | None = None) -> None:
        self.written = 0
        self.kept: list[int] = []
        self._store = store
        self._encoder = Forwarded(encoder)  # to be pickled once
        self._lock = WriterLock(store.folder)
        self._queue: queue.Queue[_Task | None] = queue.Queue(max(_QUEUE_TASKS, 2 * threads))
        self._error: BaseException | None = None
        self._borrowed = pool is not None
        self._pool = pool or ThreadPoolExecutor(threads, thread_name_prefix="encode-mask")
        self._committer = threading.Thread(target=self._commit_all, name="commit-masks", daemon=True)

    def write(
        self,
        index: int,
        pts: float,
        mask: Mask,
        parts: Mask | None = None,
        *,
        uncertainty: Sequence[float] = (),
        model: str | None = None,
    ) -> None:
        """Queue one prediction; waits while the queue is full. The arrays are copied.

        Args:
            index: of the frame.
            pts: seconds from the first frame.
            mask: layer ids, uint8 (H, W), full frame.
            parts: part ids, uint8 (H, W).
            uncertainty: one figure a class of the model's schema, background first.
            model: name of the model where it is not the case's own.

        Raises:
            RASNetError: an earlier frame could not be written (the disk is full, the case was moved), or
                this mask does not fit the case.
        """
        copies = mask.copy(), None if parts is None else parts.copy()
        self.write_drawn([PredictedFrame(index, pts, uncertainty)], lambda: [copies], model=model)

    def write_drawn(self, frames: Sequence[PredictedFrame], draw: Draw, *, model: str | None = None) -> None:
        """Queue predictions whose masks are still to be drawn, by what encodes them, as one task; see `write`.

        Args:
            frames: in order.
            draw: gives the mask of each frame, and the parts or None. They are the writer's, which does not change
                them. Where processes encode, it goes to one of them.
            model: name of the model where it is not the case's own.

        Raises:
            RASNetError: as for `write`. What `draw` raises is raised by a later call or at the end of the block; frames
                whose masks it gave before are written.
        """
        self._raise_error()
        task = self._pool.submit(_draw_and_encode, frames, draw, self._encoder, model=model, colors=self._colors)
        self._queue.put(task)

    def __enter__(self) -> CaseWriter:
        self._lock.acquire()
        try:
            self._store.clear_temporary()
            self._colors = self._store.palette()
            self._edits_seen = self._store.latest_edit()
        except BaseException:
            self._lock.release()
            raise
        self._committer.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            self._queue.put(None)
            self._committer.join()
        finally:
            if not self._borrowed:
                self._pool.shutdown()
            self._lock.release()
        if error is None:
            self._raise_error()

    def _raise_error(self) -> None:
        if self._error is not None:
            raise self._error

    def _commit_all(self) -> None:
        more = True
        while more:
            batch, more = self._next_batch()
            if self._error is not None:
                continue  # keeps taking from the queue, so that the caller never waits for nothing
            changes: list[MaskChange] = []
            try:
                try:
                    changes.extend(chain.from_iterable(future.result() for future in batch))
                finally:  # those before the one that failed are whole
                    self._commit(changes)
            except BaseException as error:
                self._error = error

    def _commit(self, changes: list[MaskChange]) -> None:
        for change, written in zip(changes, self._store.predict(changes, self._edits_seen), strict=True):
            if written:
                self.written += 1
            else:
                self.kept.append(change.row.index)
        self._colors = self._store.palette()

    def _next_batch(self) -> tuple[list[_Task], bool]:
        """What came within half a second of the first frame, and whether more is to come."""
        batch: list[_Task] = []
        deadline = None
        while len(batch) < _BATCH_TASKS:
            try:
                wait = None if deadline is None else max(0.0, deadline - time.monotonic())
                future = self._queue.get(timeout=wait)
            except queue.Empty:
                break
            if future is None:
                return batch, False
            batch.append(future)
            deadline = deadline or time.monotonic() + _BATCH_SECONDS
        return batch, True


def _draw_and_encode(
    frames: Sequence[PredictedFrame], draw: Draw, encoder: Forwarded[Encoder], *, model: str | None, colors: Mask
) -> UntilFailure[MaskChange]:
    encode = partial(encoder.value.predicted, model=model, colors=colors)
    return UntilFailure(
        encode(frame.index, frame.pts, *masks, uncertainty=frame.uncertainty)
        for frame, masks in zip(frames, draw(), strict=True)
    )
