"""Several items as one task."""

from __future__ import annotations

import pickle

import pytest

from rasnet.errors import RASNetError
from rasnet.until_failure import UntilFailure


def halved(number: int) -> int:
    if number % 2:
        raise RASNetError(f"{number} is odd")
    return number // 2


def test_all_results_come_in_order() -> None:
    assert list(UntilFailure(map(halved, [2, 8, 4]))) == [1, 4, 2]


def test_results_before_a_failure_come_also_from_another_process() -> None:
    results, got = pickle.loads(pickle.dumps(UntilFailure(map(halved, [2, 8, 3, 4])))), []
    with pytest.raises(RASNetError, match="3 is odd"):
        got.extend(results)
    assert got == [1, 4]
