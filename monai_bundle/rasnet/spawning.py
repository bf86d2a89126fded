"""Processes that begin with what they are to run, and not with the program that starts them.

`multiprocessing` imports the main module again in every new process, for what it may have defined. Ours run functions
of this package alone: they need no main module, which may take long to import, or ask for no
``__name__ == "__main__"`` and do everything once more.
"""

from __future__ import annotations

import sys
import threading
from multiprocessing.context import SpawnContext, SpawnProcess
from types import ModuleType
from typing import Any

_main_is_hidden = threading.Lock()


class _Process(SpawnProcess):
    @staticmethod
    def _Popen(process: Any) -> Any:  # noqa: N802, the name is multiprocessing's
        with _main_is_hidden:
            main = sys.modules["__main__"]
            sys.modules["__main__"] = ModuleType("__main__")  # of no file, so there is nothing to import
            try:
                return SpawnProcess._Popen(process)  # type: ignore[attr-defined]
            finally:
                sys.modules["__main__"] = main


class _Context(SpawnContext):
    Process = _Process  # type: ignore[assignment]


def fresh_processes() -> SpawnContext:
    """Give the context of such processes, whose functions and arguments must not be of the main module."""
    return _Context()
