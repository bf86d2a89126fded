"""The released network, loaded once for all tests of a process."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from rasnet.inference import TorchBackend
    from rasnet.inference.torch_backend import Device


@pytest.fixture(scope="session")
def backend() -> TorchBackend:
    """The released weights on the CPU."""
    from rasnet.bundle import weights_path
    from rasnet.inference import TorchBackend

    return TorchBackend(weights_path(), "cpu")


@pytest.fixture
def loaded_once(backend: TorchBackend, monkeypatch: pytest.MonkeyPatch) -> None:
    """Spare `segment_video` reading the released weights again; any other weights it reads as ever."""
    from rasnet.bundle import weights_path
    from rasnet.inference import torch_backend

    load = torch_backend.TorchBackend

    @cache
    def load_once(weights: Path, device: Device) -> TorchBackend:
        return backend if weights == weights_path() and device != "cuda" else load(weights, device)

    monkeypatch.setattr(torch_backend, "TorchBackend", load_once)
