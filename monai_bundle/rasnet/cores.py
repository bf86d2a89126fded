"""How many threads a stage may keep busy."""

from __future__ import annotations

import os

# More gain nothing: a video's other stages, which run side by side with this one, need cores too.
_MOST = 16


def usable_cores() -> int:
    """Threads that a stage may have, 1 to 16: the cores of this process, or what the user limits it to."""
    wished = thread_limit()
    return min(available_cores() if wished is None else max(wished, 1), _MOST)


def available_cores() -> int:
    """Cores that this process may use, which in a container are fewer than the machine has."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def thread_limit() -> int | None:
    """`OMP_NUM_THREADS`, which limits PyTorch, too, and which Ray sets for its workers; None where it is not set."""
    threads = os.environ.get("OMP_NUM_THREADS", "")
    return int(threads) if threads.isdigit() else None
