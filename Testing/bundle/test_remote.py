"""Objects in a process of their own, and the same calls near by."""

import multiprocessing
import os
from concurrent.futures import BrokenExecutor
from contextlib import suppress
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from rasnet.errors import RASNetError
from rasnet.remote import Near, Remote


class Counter:
    """Counts, in the process that it is in."""

    def __init__(self, start: int = 0) -> None:
        if start < 0:
            raise RASNetError("begin at 0")
        self.count = start

    def add(self, number: int, *, times: int = 1) -> int:
        self.count += number * times
        return self.count

    def process(self) -> int:
        return os.getpid()

    def fail(self, error: Exception) -> None:
        raise error

    def die(self) -> None:
        os._exit(3)


class Keeper:
    """Keeps a text until it is closed, and writes it then."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.text = ""

    def keep(self, text: str) -> None:
        self.text = text

    def close(self) -> None:
        if self.path.is_dir():
            raise RASNetError("it is a folder")
        self.path.write_text(self.text)


@pytest.mark.parametrize("kind", [Near, Remote])
def test_an_object_is_asked_again_and_again(kind: type[Near[Counter]] | type[Remote[Counter]]) -> None:
    with kind(partial(Counter, 5)) as counter:
        assert counter.call(Counter.add, 2) == 7
        assert counter.call(Counter.add, 2, times=3) == 13
        wait = counter.begin(Counter.add, 100)
        assert wait() == 113
        assert (counter.call(Counter.process) == os.getpid()) == (kind is Near)


def test_arrays_of_any_size_go_there_and_back() -> None:
    with Remote(dict) as far:
        for size in (0, 1, 5_000_000):
            sent = np.arange(size, dtype=np.uint8)
            far.call(dict.update, {"sent": sent})
            np.testing.assert_array_equal(far.call(dict.get, "sent"), sent)


def test_what_a_call_raises_is_raised_here_and_the_object_goes_on() -> None:
    with Remote(Counter) as far:
        with pytest.raises(RASNetError, match="the disk is full"):
            far.call(Counter.fail, RASNetError("the disk is full"))
        with pytest.raises(RuntimeError, match="KeyError: 'a'"):
            far.call(Counter.fail, KeyError("a"))
        assert far.call(Counter.add, 1) == 1


def test_an_object_that_cannot_be_made_leaves_no_process() -> None:
    with pytest.raises(RASNetError, match="begin at 0"), Remote(partial(Counter, -1)) as far:
        far.call(Counter.process)
    assert multiprocessing.active_children() == []


def test_a_process_that_is_gone_is_an_error_at_once() -> None:
    far = Remote(Counter).__enter__()
    for _ in range(2):
        with pytest.raises(BrokenExecutor, match="the process is gone"):
            far.call(Counter.die)
    with pytest.raises(BrokenExecutor, match="the process is gone"):  # also where nothing more was asked
        far.__exit__(None, None, None)
    assert multiprocessing.active_children() == []


@pytest.mark.parametrize("kind", [Near, Remote])
def test_it_is_closed_at_the_end_of_the_block(kind: type[Near[Keeper]] | type[Remote[Keeper]], tmp_path: Path) -> None:
    with kind(partial(Keeper, tmp_path / "kept")) as keeper:
        keeper.call(Keeper.keep, "all")
    assert (tmp_path / "kept").read_text() == "all"
    assert multiprocessing.active_children() == []
    with suppress(KeyboardInterrupt), kind(partial(Keeper, tmp_path / "some")) as keeper:
        keeper.begin(Keeper.keep, "some")
        raise KeyboardInterrupt
    assert (tmp_path / "some").read_text() == "some"
    with pytest.raises(RASNetError, match="it is a folder"), kind(partial(Keeper, tmp_path)) as keeper:
        keeper.call(Keeper.keep, "nothing")
    assert multiprocessing.active_children() == []
