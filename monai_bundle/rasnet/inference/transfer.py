"""Bytes to a device and back, through memory that the device can read by itself."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from rasnet.inference.buffers import Empty, empty


def upload(array: npt.NDArray[Any], device: torch.device) -> Tensor:
    """Copy an array to a device; shares its memory if that is the CPU.

    To a GPU it goes through pinned memory, which PyTorch keeps for the next call: the copy runs beside the caller. From
    an array that lies in such memory (see `memory_for`) it goes straight; that must stay as it is until it is there.
    """
    tensor = torch.from_numpy(array)
    return tensor.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else tensor.to(device)


def memory_for(device: torch.device | str) -> Empty:
    """Choose where pictures on their way to a device lie: for a GPU in memory that it can read by itself."""
    return _pinned if torch.device(device).type == "cuda" else empty


def download(tensor: Tensor) -> npt.NDArray[Any]:
    """Copy a tensor to an array; shares its memory if that is the CPU's."""
    if tensor.device.type != "cuda":
        return np.asarray(tensor.cpu())
    pinned = torch.empty(tensor.shape, dtype=tensor.dtype, pin_memory=True)
    pinned.copy_(tensor, non_blocking=True)
    torch.cuda.current_stream(tensor.device).synchronize()
    return np.asarray(pinned)


def _pinned(shape: tuple[int, ...]) -> npt.NDArray[np.uint8]:
    try:
        return np.asarray(torch.empty(shape, dtype=torch.uint8, pin_memory=True))
    except RuntimeError:  # a system pins only so much; `upload` makes do with a part of it
        return empty(shape)
