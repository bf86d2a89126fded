"""An object in a process of its own, which has Python's lock to itself."""

from __future__ import annotations

import gc
import signal
from collections.abc import Callable
from concurrent.futures import BrokenExecutor
from multiprocessing.connection import Connection
from types import TracebackType
from typing import Any, Concatenate, Generic, ParamSpec, TypeVar

import cv2

from rasnet.errors import RASNetError
from rasnet.heap import keep_freed_memory
from rasnet.spawning import fresh_processes

T = TypeVar("T")
P = ParamSpec("P")
R = TypeVar("R")


class Remote(Generic[T]):
    """Makes an object in a new process and calls functions with it there, one after another.

    Functions, their arguments and what they return are pickled. The process ends with the block, or when the one that
    started it is killed; in any case it closes the object before, if that has a method ``close``. Ctrl-C is not its to
    answer. OpenCV has one thread in it.

    Args:
        make: makes the object.

    Raises:
        BrokenExecutor: the process was killed.
        Exception: what `make` raised, on the first call; what ``close`` raised, on leaving.

    Examples:
        >>> with Remote(list) as far:
        ...     far.call(list.append, 7)
        ...     far.call(list.copy)
        [7]
    """

    def __init__(self, make: Callable[[], T]) -> None:
        self._made = False
        fresh = fresh_processes()
        self._pipe, self._there = fresh.Pipe()
        self._process = fresh.Process(target=_serve, args=(make, self._there), name="remote")

    def wait(self) -> None:
        """Wait until the object is made, as the first call does."""
        if not self._made:
            self._answer()
            self._made = True

    def call(self, function: Callable[Concatenate[T, P], R], /, *args: P.args, **kwargs: P.kwargs) -> R:
        """Call a function with the object before its other arguments; raises what that raises."""
        return self.begin(function, *args, **kwargs)()

    def begin(self, function: Callable[Concatenate[T, P], R], /, *args: P.args, **kwargs: P.kwargs) -> Callable[[], R]:
        """Begin a call, and give what waits for its result.

        Results must be asked for in the order of the calls, and all of them.
        """
        self.wait()
        try:
            self._pipe.send((function, args, kwargs))
        except OSError:
            raise _gone() from None
        return self._answer

    def _answer(self) -> Any:
        try:
            value, error = self._pipe.recv()
        except (EOFError, OSError):
            raise _gone() from None
        if error is not None:
            raise error
        return value

    def __enter__(self) -> Remote[T]:
        self._process.start()
        self._there.close()  # so that its end is seen here
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if error is None:
                self.call(_close)
        finally:
            self._pipe.close()
            self._process.join()


class Near(Generic[T]):
    """As `Remote`, but in this process, where another one is not worth its start.

    Args:
        make: makes the object.

    Examples:
        >>> with Near(list) as here:
        ...     here.call(list.append, 7)
        ...     here.call(list.copy)
        [7]
    """

    def __init__(self, make: Callable[[], T]) -> None:
        self._value = make()

    def wait(self) -> None:
        """Go on: it is made."""

    def call(self, function: Callable[Concatenate[T, P], R], /, *args: P.args, **kwargs: P.kwargs) -> R:
        """Call a function with the object before its other arguments."""
        return function(self._value, *args, **kwargs)

    def begin(self, function: Callable[Concatenate[T, P], R], /, *args: P.args, **kwargs: P.kwargs) -> Callable[[], R]:
        """Call a function, and give what gives its result."""
        result = self.call(function, *args, **kwargs)
        return lambda: result

    def __enter__(self) -> Near[T]:
        return self

    def __exit__(self, *why: Any) -> None:
        _close(self._value)


def _serve(make: Callable[[], Any], pipe: Connection) -> None:
    begin_helping()
    value, error = _result(make)
    gc.freeze()  # going through all modules' objects would make one call in many slow
    try:
        pipe.send((None, error))
        while error is None:
            function, args, kwargs = pipe.recv()
            pipe.send(_result(function, value, *args, **kwargs))
    except (EOFError, OSError):  # nobody asks any more
        _close(value)


def _close(value: Any) -> None:
    close = getattr(value, "close", None)
    if close is not None:
        close()


def _result(function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> tuple[Any, Exception | None]:
    try:
        return function(*args, **kwargs), None
    except RASNetError as error:
        return None, error
    except Exception as error:  # which may hold what cannot be sent
        return None, RuntimeError(f"{type(error).__name__}: {error}")


def _gone() -> BrokenExecutor:
    return BrokenExecutor("the process is gone")


def begin_helping() -> None:
    """Be a process that works for another, which answers Ctrl-C, and not the only one that works on masks."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    keep_freed_memory()
    cv2.setNumThreads(1)
