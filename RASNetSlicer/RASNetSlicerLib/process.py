"""Other processes that segment and learn, so that neither the work nor a crash is Slicer's own."""

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess
import sys
import threading
import weakref
from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

Event = dict[str, Any]

_SERVE = "from rasnet.cli import main; main()"

# A verb reads no requests; it, too, is to end when its owner closes its stdin, or dies.
_VERB = """
import _thread, os, threading
threading.Thread(target=lambda: (os.read(0, 1), _thread.interrupt_main()), daemon=True).start()
from rasnet.cli import main; main()
"""

# How long the process has to end by itself, and then after each stronger means: below 2 s in all.
_PATIENCE_S = 0.5

_LOG_LINES = 500

# Exit codes of `rasnet`: all went well; its reason was told by an error event.
_WELL = 0
_EXPLAINED = (1, 2)


class Process:
    """A process of `rasnet` that belongs to this object; no method waits for it.

    It ends with this object, with the interpreter, and with Slicer however that ends (its stdin closes then).

    Events are those that it writes, one JSON object a line. Every ``error`` has one sentence for the user under
    ``message``, also when the process could not be started or has crashed. The last event of all is
    ``{"event": "end"}``.

    Args:
        python: interpreter that has `rasnet`; Slicer's own is PythonSlicer.
        code: what it runs.
        arguments: of `rasnet`.
        environment: of the process; this one's by default.
        ends: whether it ends by itself when its work is done.
    """

    def __init__(
        self,
        python: str | Path,
        code: str,
        arguments: Sequence[str],
        environment: Mapping[str, str] | None = None,
        *,
        ends: bool,
    ) -> None:
        self._events: queue.SimpleQueue[Event] = queue.SimpleQueue()
        self._log: deque[str] = deque(maxlen=_LOG_LINES)
        self._finalizer: weakref.finalize[..., Process] | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._watcher: threading.Thread | None = None
        self._asked_to_end = threading.Event()
        try:
            # --debug brings a bug's traceback into the log.
            self._process = _start([str(python), "-c", code, "--debug", *arguments], environment)
        except OSError as error:
            message = f"the worker cannot be started ({python}: {error.strerror or error}); check the installation"
            self._events.put({"event": "error", "message": message})
            self._events.put({"event": "end"})
            return
        # The threads hold what they need and not this object, so that forgetting it ends the process.
        watch = (self._process, self._events, self._log, self._asked_to_end, ends)
        self._watcher = threading.Thread(target=_watch, args=watch, name="rasnet-worker", daemon=True)
        self._watcher.start()
        self._finalizer = weakref.finalize(self, _end, self._process, self._asked_to_end)

    @property
    def running(self) -> bool:
        """Whether the process is there."""
        return self._process is not None and self._process.poll() is None

    @property
    def log(self) -> str:
        """What the process wrote besides events, its last lines."""
        return "\n".join(self._log)

    def poll(self) -> list[Event]:
        """The events since the last call, at once."""
        events: list[Event] = []
        with suppress(queue.Empty):
            while True:
                events.append(self._events.get_nowait())
        return events

    def cancel(self) -> None:
        """End the process and all that it started, within 2 s; what it has written is kept.

        The end event tells when it is done.
        """
        if self._finalizer is not None:
            self._asked_to_end.set()
            threading.Thread(target=self._finalizer, name="rasnet-worker-end").start()


class Verb(Process):
    """A command of `rasnet` that takes long, for example ``rasnet adapt``.

    Args:
        python: as for `Process`.
        arguments: the verb and what belongs to it.
        environment: as for `Process`.

    Examples:
        >>> verb = Verb(python, ("adapt", "operation.case", "--progress", "json"))
        >>> for event in verb.poll():  # on every tick of a timer
        ...     show(event)
    """

    def __init__(
        self, python: str | Path, arguments: Sequence[str], *, environment: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(python, _VERB, arguments, environment, ends=True)


class Worker(Process):
    """A ``rasnet serve`` process, which loads the model once and segments on request.

    Args:
        python: interpreter that has `rasnet` and what runs its network; Slicer's own is PythonSlicer.
        case: folder of the case.
        source: its video, where there is no case yet or the video has moved.
        options: of ``rasnet serve``, for example ``("--device", "cpu")``.
        environment: as for `Process`.

    Examples:
        >>> worker = Worker(python, "operation.case", source="operation.mp4")
        >>> worker.segment_video()
        >>> for event in worker.poll():  # on every tick of a timer
        ...     show(event)
    """

    def __init__(
        self,
        python: str | Path,
        case: str | Path,
        *,
        source: str | Path | None = None,
        options: Sequence[str] = (),
        environment: Mapping[str, str] | None = None,
    ) -> None:
        video = () if source is None else ("--source", str(source))
        super().__init__(python, _SERVE, ("serve", str(case), *options, *video), environment, ends=False)

    def segment_frame(self, index: int) -> None:
        """Ask for one frame, again if it has been segmented already; a person's frame stays as it is."""
        self._ask(do="frame", index=index)

    def segment_video(self, start: int | None = None, stop: int | None = None) -> None:
        """Ask for the frames that the case lacks.

        Args:
            start: first frame; None for the case's.
            stop: one past the last frame; None for the case's.
        """
        self._ask(do="video", start=start, stop=stop)

    def stop(self) -> None:
        """Stop the video under way; the process stays, with its model."""
        self._ask(do="stop")

    def _ask(self, **request: Any) -> None:
        if self._process is None or self._process.stdin is None:
            return
        # Where the process has gone, the end event says so.
        with suppress(OSError, ValueError):
            self._process.stdin.write(json.dumps(request).encode() + b"\n")
            self._process.stdin.flush()


def _start(command: Sequence[str], environment: Mapping[str, str] | None) -> subprocess.Popen[bytes]:
    """Start a process in a group of its own, which can be ended as a whole, and without a window."""
    flags = 0
    if sys.platform == "win32":
        flags = subprocess.CREATE_NEW_PROCESS_GROUP | subprocess.CREATE_NO_WINDOW
    return subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=None if environment is None else dict(environment),
        start_new_session=sys.platform != "win32",
        creationflags=flags,
    )


def _watch(
    process: subprocess.Popen[bytes],
    events: queue.SimpleQueue[Event],
    log: deque[str],
    asked_to_end: threading.Event,
    ends: bool,
) -> None:
    """Pass on what a process says until it has ended, and say how it ended."""
    last: deque[Event] = deque(maxlen=1)
    readers = [
        threading.Thread(target=_read_events, args=(process.stdout, events, log, last), daemon=True),
        threading.Thread(target=_read_log, args=(process.stderr, log), daemon=True),
    ]
    for reader in readers:
        reader.start()
    code = process.wait()
    _kill_tree(process)  # a child that outlives the worker would keep its pipes open
    for reader in readers:
        reader.join(_PATIENCE_S)
    # An error with "do" is about one request, which the worker outlived.
    explained = code in _EXPLAINED and any(event["event"] == "error" and "do" not in event for event in last)
    if not (explained or asked_to_end.is_set() or (ends and code == _WELL)):
        events.put({"event": "error", "message": _obituary(code, log)})
    events.put({"event": "end"})


def _read_events(stream: IO[bytes], events: queue.SimpleQueue[Event], log: deque[str], last: deque[Event]) -> None:
    for line in stream:
        event = _parse(line)
        if event is None:
            log.append(line.decode(errors="replace").rstrip())
        else:
            last.append(event)
            events.put(event)


def _parse(line: bytes) -> Event | None:
    try:
        event = json.loads(line)
    except ValueError:
        return None
    return event if isinstance(event, dict) and "event" in event else None


def _read_log(stream: IO[bytes], log: deque[str]) -> None:
    for line in stream:
        log.append(line.decode(errors="replace").rstrip())


def _obituary(code: int, log: deque[str]) -> str:
    """Say in one sentence how a process ended that nobody asked to end."""
    if code < 0:
        how = f"was killed ({_signal_name(-code)}), as happens when memory runs out"
    else:
        words = next((line for line in reversed(log.copy()) if line.strip()), "it said nothing")
        how = f"ended with code {code} ({words})"
    return f"the worker {how}; what it had done is kept, so start again, and see the log if it happens again"


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _end(process: subprocess.Popen[bytes], asked_to_end: threading.Event) -> None:
    """End a process: let it finish the frame in hand, then ask the system to, then kill it with its children."""
    asked_to_end.set()
    for means in (_close_stdin, _terminate_tree, _kill_tree):
        means(process)
        with suppress(subprocess.TimeoutExpired):
            process.wait(_PATIENCE_S)
            break
    _kill_tree(process)


def _close_stdin(process: subprocess.Popen[bytes]) -> None:
    if process.stdin is not None:
        with suppress(OSError):
            process.stdin.close()


def _terminate_tree(process: subprocess.Popen[bytes]) -> None:
    if sys.platform == "win32":
        _kill_tree(process)  # Windows has no gentler way
    else:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGTERM)


def _kill_tree(process: subprocess.Popen[bytes]) -> None:
    if sys.platform == "win32":
        tree = ["taskkill", "/T", "/F", "/PID", str(process.pid)]
        subprocess.run(tree, capture_output=True, check=False, creationflags=subprocess.CREATE_NO_WINDOW)
    else:
        # macOS answers EPERM where only zombies are left.
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
