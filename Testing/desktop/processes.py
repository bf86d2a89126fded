"""The worker's process, as the system sees it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

if not Path("/proc/self/stat").exists():
    pytest.skip("processes are looked at through /proc", allow_module_level=True)


def workers(verb: str = "serve") -> list[int]:
    """Processes of a verb of `rasnet` that this one has started, and that have not ended; ``serve`` segments."""
    found = []
    for folder in Path("/proc").iterdir():
        try:
            state, parent = (folder / "stat").read_text().rpartition(")")[2].split()[:2]
            mine = int(parent) == os.getpid() and state != "Z"
            if mine and verb.encode() in (folder / "cmdline").read_bytes().split(b"\0"):
                found.append(int(folder.name))
        except (OSError, ValueError):
            continue
    return found
