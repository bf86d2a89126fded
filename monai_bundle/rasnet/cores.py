"""How many threads a stage may keep busy."""

from __future__ import annotations

import os

# More gain nothing: a video's other stages, which run side by side with this one, need cores too.
_MOST = 16


def usable_cores() -> int:
    """Cores that this process may use, 1 to 16; `OMP_NUM_THREADS` limits them, as it limits the network's engines."""
    if (threads := os.environ.get("OMP_NUM_THREADS", "")).isdigit():  # Ray sets it for its workers
        return min(max(int(threads), 1), _MOST)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(cores, _MOST)
