"""Results of several items that are one task: one that fails takes nothing from those before it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Generic, TypeVar

T = TypeVar("T")


class UntilFailure(Generic[T]):
    """What came of items, one after another, up to the first that failed; it may be sent to another process.

    Iterating over it gives the results, and raises behind them what stopped them.

    Args:
        results: computed now, as far as they can be.

    Examples:
        >>> import math
        >>> for root in UntilFailure(map(math.sqrt, [4, 1, -1, 9])):
        ...     print(root)
        Traceback (most recent call last):
        ValueError: math domain error
    """

    def __init__(self, results: Iterable[T]) -> None:
        self._results: list[T] = []
        self._error: Exception | None = None
        try:
            for result in results:
                self._results.append(result)
        except Exception as error:
            self._error = error

    def __iter__(self) -> Iterator[T]:
        yield from self._results
        if self._error is not None:
            raise self._error
