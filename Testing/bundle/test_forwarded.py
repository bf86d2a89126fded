"""Values on their way through a process that has no use for them."""

from __future__ import annotations

import pickle

from rasnet.forwarded import Forwarded


class Counted:
    """Counts how often it is pickled and unpickled."""

    pickled = unpickled = 0

    def __getstate__(self) -> dict[str, int]:
        Counted.pickled += 1
        return {"state": 1}

    def __setstate__(self, state: dict[str, int]) -> None:
        Counted.unpickled += 1


def test_a_value_is_pickled_once_and_unpickled_where_it_is_asked_for() -> None:
    here = Forwarded(Counted())
    between = [pickle.loads(pickle.dumps(here)) for _ in range(2)]
    there = [pickle.loads(pickle.dumps(each)) for each in between]
    assert (Counted.pickled, Counted.unpickled) == (1, 0)
    assert there[0].value is there[0].value
    assert (Counted.pickled, Counted.unpickled) == (1, 1)


def test_threads_get_the_value_itself() -> None:
    value = object()
    assert Forwarded(value).value is value
