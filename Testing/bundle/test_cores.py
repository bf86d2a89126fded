import os

import pytest

from rasnet.cores import usable_cores


@pytest.mark.parametrize(("limit", "cores"), [("1", 1), ("3", 3), ("64", 4), ("0", 1)])
def test_the_environment_limits_the_cores(limit: str, cores: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", limit)
    assert usable_cores() == cores


@pytest.mark.parametrize("limit", [None, "", "many"])
@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="needs a system that binds processes to cores")
def test_otherwise_they_are_those_of_the_process(limit: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    if limit is not None:
        monkeypatch.setenv("OMP_NUM_THREADS", limit)
    for cores, expected in ((range(3), 3), (range(128), 4)):
        monkeypatch.setattr(os, "sched_getaffinity", lambda _, cores=cores: set(cores))
        assert usable_cores() == expected
