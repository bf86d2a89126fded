"""Values that pass through a process that has no use for them."""

from __future__ import annotations

import pickle
from functools import cached_property
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class Forwarded(Generic[T]):
    """A value that is pickled once, by the process that made it, and unpickled by those that ask for it.

    To the processes between them, which may send it several times, it is some bytes. Threads get the value itself.

    Args:
        value: what is to be sent.

    Examples:
        >>> there = pickle.loads(pickle.dumps(Forwarded([1, 2])))
        >>> there.value
        [1, 2]
    """

    def __init__(self, value: T) -> None:
        self.value = value

    @cached_property
    def value(self) -> T:
        """The value."""
        value: T = pickle.loads(self._pickled)
        return value

    @cached_property
    def _pickled(self) -> bytes:
        return pickle.dumps(self.value, pickle.HIGHEST_PROTOCOL)

    def __getstate__(self) -> dict[str, Any]:
        return {"_pickled": self._pickled}
