import os
from types import SimpleNamespace

import pytest

from rasnet.errors import RASNetError
from rasnet.inference.mask_processes import told_of_a_kill, worthwhile_processes


@pytest.mark.parametrize(
    ("backend", "cores", "limit", "processes"),
    [
        ("torch-cuda", 16, None, 8),
        ("torch-cuda", 8, None, 4),
        ("torch-cuda", 128, None, 8),  # one thread tracks
        ("torch-cuda", 4, None, 0),  # decoding takes them all
        ("torch-cuda", 16, "2", 0),  # the user wants few threads
        ("torch-cpu", 16, None, 0),  # the network takes them all
        ("openvino-int8", 16, None, 0),
    ],
)
@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="needs a system that binds processes to cores")
def test_processes_draw_masks_beside_a_gpu_where_there_are_many_cores(
    backend: str, cores: int, limit: str | None, processes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(cores)))
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    if limit is not None:
        monkeypatch.setenv("OMP_NUM_THREADS", limit)
    assert worthwhile_processes(SimpleNamespace(name=backend)) == processes  # type: ignore[arg-type]


def test_other_errors_are_told_as_they_are() -> None:
    error = RASNetError("the disk is full")
    assert told_of_a_kill(error) is error
