"""A 1x1 convolution as a product gives the same, and others are left alone."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from test_fusing import random
from torch import nn

from rasnet.networks.fusing import RectifiedConvolution
from rasnet.networks.products import PointwiseProduct, product_for


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("rectified", [True, False])
@pytest.mark.parametrize("shape", [(1, 6, 1, 1), (2, 6, 5, 3), (3, 6, 1, 8)])  # (B, C, H, W)
@torch.inference_mode()
def test_a_product_is_the_convolution(bias: bool, rectified: bool, shape: tuple[int, ...]) -> None:
    convolution = nn.Conv2d(6, 4, 1, bias=bias)
    module = RectifiedConvolution(convolution) if rectified else convolution
    for features in (random(*shape), random(*shape).to(memory_format=torch.channels_last)):
        product = product_for(module, (features,))
        assert product is not None
        given = product(features)
        torch.testing.assert_close(given, module(features))
        assert given.is_contiguous(memory_format=torch.channels_last)


@torch.inference_mode()
def test_features_may_be_cut() -> None:
    convolution = nn.Conv2d(6, 4, 1)
    features = random(2, 6, 8, 9).to(memory_format=torch.channels_last)[..., :7, :5]
    torch.testing.assert_close(PointwiseProduct(convolution, rectified=False)(features), convolution(features))


@pytest.mark.parametrize(
    ("module", "inputs"),
    [
        (nn.Conv2d(4, 4, 3, padding=1), 1),
        (nn.Conv2d(4, 4, 1, stride=2), 1),
        (nn.Conv2d(4, 4, 1, padding=1), 1),
        (nn.Conv2d(4, 4, 1, groups=2), 1),
        (nn.ConvTranspose2d(4, 4, 1), 1),
        (RectifiedConvolution(nn.Conv2d(4, 4, 3)), 1),
        (RectifiedConvolution(nn.Conv2d(4, 4, 1)), 2),
        (nn.ReLU(), 1),
    ],
    ids=["3x3", "stride", "padding", "groups", "transposed", "3x3 rectified", "residual", "no convolution"],
)
def test_what_is_no_product(module: nn.Module, inputs: int) -> None:
    given: tuple[Any, ...] = (random(1, 4, 8, 8),) * inputs
    assert product_for(module, given) is None
