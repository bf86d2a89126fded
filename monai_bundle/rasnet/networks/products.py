"""1x1 convolutions as matrix products, which for many shapes a GPU computes faster."""

from __future__ import annotations

from typing import Any, TypeGuard

import torch
from torch import Tensor, nn

from rasnet.networks.fusing import RectifiedConvolution


class PointwiseProduct(nn.Module):
    """A 1x1 convolution as the product of its weights with the features of all pixels, rectified if wished.

    Args:
        convolution: of 1x1, stride 1 and no padding, with a bias if rectified; its weights become this module's own.
        rectified: whether to rectify, in the same pass on a GPU.
    """

    def __init__(self, convolution: nn.Conv2d, rectified: bool) -> None:
        super().__init__()
        self.convolution = convolution
        self.rectified = rectified

    def forward(self, features: Tensor) -> Tensor:
        """Map (B, in_channels, H, W) to (B, out_channels, H, W), channels last."""
        batch, channels, height, width = features.shape
        pixels = features.permute(0, 2, 3, 1).reshape(-1, channels)  # no copy, as channels are last in memory
        weight, bias = self.convolution.weight.flatten(1).t(), self.convolution.bias
        if bias is None:
            result = pixels @ weight
        elif self.rectified:
            result = torch._addmm_activation(bias, pixels, weight)  # rectifies unless told otherwise
        else:
            result = torch.addmm(bias, pixels, weight)
        return result.view(batch, height, width, -1).permute(0, 3, 1, 2)


def product_for(module: nn.Module, inputs: tuple[Any, ...]) -> PointwiseProduct | None:
    """Make a product of a 1x1 convolution, rectified or plain.

    None for one that adds its second input, as the last of a block does: cuDNN's was faster for every one of RASNet's.
    """
    rectified = isinstance(module, RectifiedConvolution)
    convolution: Any = module.convolution if rectified else module
    return PointwiseProduct(convolution, rectified) if len(inputs) == 1 and is_pointwise(convolution) else None


def is_pointwise(module: object) -> TypeGuard[nn.Conv2d]:
    """Whether a module is a convolution that `PointwiseProduct` can do."""
    return (
        isinstance(module, nn.Conv2d)
        and (module.kernel_size, module.stride, module.padding) == ((1, 1), (1, 1), (0, 0))
        and module.groups == 1
    )
