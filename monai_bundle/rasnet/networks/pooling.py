"""Pooling in other ways than PyTorch's, whose kernels do more, or less at a time, than is needed here."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn


class LeanMaxPool(nn.Module):
    """Max pooling of 3x3 at stride 2 with padding 1, on a GPU in half precision; needs Triton.

    It does without the places of the maxima, which PyTorch writes on a GPU even where nobody wants them.
    """

    def forward(self, features: Tensor) -> Tensor:
        """Map (B, channels, H, W) to (B, channels, ceil(H / 2), ceil(W / 2)); see `rasnet.networks.kernels`."""
        from rasnet.networks.kernels import max_pool  # here, as Triton is not everywhere

        return max_pool(features)


def lean_pooling_for(module: nn.Module, inputs: tuple[Any, ...]) -> LeanMaxPool | None:
    """Make a pooling without places of one that `LeanMaxPool` can do; None of any other module."""
    del inputs  # what it cannot take it refuses
    same = (
        isinstance(module, nn.MaxPool2d)
        and (module.kernel_size, module.stride, module.padding, module.dilation) == (3, 2, 1, 1)
        and not module.ceil_mode
        and not module.return_indices
    )
    return LeanMaxPool() if same else None


class MeanByProduct(nn.Module):
    """The mean over all pixels as a matrix product, which a GPU spreads over more of its cores than a sum."""

    def forward(self, features: Tensor) -> Tensor:
        """Map (B, channels, H, W) to (B, channels, 1, 1)."""
        batch, channels, height, width = features.shape
        pixels = height * width
        rows = features.permute(0, 2, 3, 1).reshape(batch, pixels, channels)  # no copy, as channels are last in memory
        # A part of the way before the sum, which half precision would not hold, and by a power of two, which is exact.
        part = 2.0 ** -(pixels.bit_length() // 2)
        sums = (
            torch.full((1, 1, pixels), part, dtype=features.dtype, device=features.device).expand(batch, -1, -1) @ rows
        )
        return (sums / (part * pixels)).permute(0, 2, 1)[..., None]


def mean_by_product_for(module: nn.Module, inputs: tuple[Any, ...]) -> MeanByProduct | None:
    """Make a product of a mean over all pixels; None of any other module."""
    del inputs
    return MeanByProduct() if isinstance(module, nn.AdaptiveAvgPool2d) and module.output_size == 1 else None
