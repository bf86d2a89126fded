"""How many threads a stage may keep busy."""

from __future__ import annotations

import os

# More lose time: threads wait for Python's lock more often than they work. Frames/s of 1920x1080 without a network, by
# threads a stage: from masks into the case on two cores 131 with 2, 111 with 4, 101 with 16; from file to case on
# sixteen cores, one run each, 72, 88 and 63.
_MOST = 4


def usable_cores() -> int:
    """Threads that a stage may have, 1 to 4: the cores of this process, or what the user limits it to."""
    wished = thread_limit()
    return min(available_cores() if wished is None else max(wished, 1), _MOST)


def available_cores() -> int:
    """Cores that this process may use, which in a container are fewer than the machine has."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def thread_limit() -> int | None:
    """`OMP_NUM_THREADS`, which limits PyTorch, too, and which Ray sets for its workers; None where it is not set."""
    threads = os.environ.get("OMP_NUM_THREADS", "")
    return int(threads) if threads.isdigit() else None
