"""Max pooling without the places of the maxima, which PyTorch writes on a GPU even where nobody wants them."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn


class LeanMaxPool(nn.Module):
    """Max pooling of 3x3 at stride 2 with padding 1, on a GPU in half precision; needs Triton."""

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
