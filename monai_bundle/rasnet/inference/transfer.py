"""Bytes to a device and back, through memory that the device can read by itself."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor


def upload(array: npt.NDArray[Any], device: torch.device) -> Tensor:
    """Copy an array to a device; shares its memory if that is the CPU.

    To a GPU it goes through pinned memory, which PyTorch keeps for the next call: the copy runs beside the caller.
    """
    tensor = torch.from_numpy(array)
    return tensor.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else tensor.to(device)


def download(tensor: Tensor) -> npt.NDArray[Any]:
    """Copy a tensor to an array; shares its memory if that is the CPU's."""
    if tensor.device.type != "cuda":
        return np.asarray(tensor.cpu())
    pinned = torch.empty(tensor.shape, dtype=tensor.dtype, pin_memory=True)
    pinned.copy_(tensor, non_blocking=True)
    torch.cuda.current_stream(tensor.device).synchronize()
    return np.asarray(pinned)
