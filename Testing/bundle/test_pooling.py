"""Means over all pixels as products; for max pooling see the kernels."""

from __future__ import annotations

import pytest
import torch
from test_fusing import random
from torch import nn

from rasnet.networks.pooling import MeanByProduct, mean_by_product_for


@pytest.mark.parametrize("shape", [(1, 4, 1, 1), (2, 16, 5, 7), (3, 8, 64, 80)])  # (B, C, H, W)
@torch.inference_mode()
def test_means_are_the_same(shape: tuple[int, ...]) -> None:
    features = random(*shape).to(memory_format=torch.channels_last)
    given = MeanByProduct()(features)
    torch.testing.assert_close(given, features.mean(dim=(2, 3), keepdim=True))


@torch.inference_mode()
def test_large_sums_fit_half_precision() -> None:
    features = torch.full((1, 8, 64, 80), 100.0, dtype=torch.half)  # their sum, 512,000, would be infinite
    assert torch.equal(MeanByProduct()(features), torch.full((1, 8, 1, 1), 100.0, dtype=torch.half))


@pytest.mark.parametrize(
    ("module", "taken"), [(nn.AdaptiveAvgPool2d(1), True), (nn.AdaptiveAvgPool2d(2), False), (nn.AvgPool2d(2), False)]
)
def test_only_means_over_all_pixels(module: nn.Module, taken: bool) -> None:
    assert isinstance(mean_by_product_for(module, ()), MeanByProduct) == taken
