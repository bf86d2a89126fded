"""Convolutions of few channels with channels of zeros added: a GPU's matrix units read eight of them at a time."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from rasnet.networks.fusing import RectifiedConvolution

_EIGHT = 8
"""Channels that fill the 16 bytes which are read at once, in half precision."""


class WidenedConvolution(nn.Module):
    """A rectified convolution of pictures, whose three channels are made eight first.

    Args:
        rectified: of fewer than eight channels; stays as it is.
    """

    def __init__(self, rectified: RectifiedConvolution) -> None:
        super().__init__()
        own = rectified.convolution
        self.added = _EIGHT - own.in_channels
        how: Any = own.kernel_size, own.stride, own.padding, own.dilation
        wide = nn.Conv2d(_EIGHT, own.out_channels, *how)
        weight = F.pad(own.weight.detach(), (0, 0, 0, 0, 0, self.added))
        wide.weight = nn.Parameter(weight.contiguous(memory_format=torch.channels_last))
        wide.bias = own.bias
        self.rectified = RectifiedConvolution(wide)

    def forward(self, pictures: Tensor) -> Tensor:
        """Map (B, in_channels, H, W) to (B, out_channels, H', W')."""
        rows = pictures.permute(0, 2, 3, 1)  # channels are last in memory
        wide: Tensor = self.rectified(F.pad(rows, (0, self.added)).permute(0, 3, 1, 2))
        return wide


def widened_for(module: nn.Module, inputs: tuple[Any, ...]) -> WidenedConvolution | None:
    """Make a widened convolution of a rectified one that has fewer than eight channels; None of any other module."""
    if not isinstance(module, RectifiedConvolution) or module.convolution.groups != 1 or len(inputs) != 1:
        return None
    return WidenedConvolution(module) if module.convolution.in_channels < _EIGHT else None
