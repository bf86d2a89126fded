"""A convolution of pictures with channels of zeros added gives the same."""

from __future__ import annotations

import pytest
import torch
from test_fusing import random
from torch import nn

from rasnet.networks.fusing import RectifiedConvolution
from rasnet.networks.widening import WidenedConvolution, widened_for


@pytest.mark.parametrize("shape", [(1, 3, 32, 40), (2, 3, 31, 17)])  # (B, C, H, W)
@pytest.mark.parametrize("bias", [True, False])
@torch.inference_mode()
def test_gives_the_same(shape: tuple[int, ...], bias: bool) -> None:
    rectified = RectifiedConvolution(nn.Conv2d(3, 16, 7, stride=2, padding=3, bias=bias))
    pictures = random(*shape)
    widened = widened_for(rectified, (pictures,))
    assert isinstance(widened, WidenedConvolution)
    torch.testing.assert_close(widened(pictures), rectified(pictures))
    assert rectified.convolution.in_channels == 3


@pytest.mark.parametrize(
    ("module", "inputs"),
    [
        pytest.param(nn.Conv2d(3, 4, 1), 1, id="not rectified"),
        pytest.param(RectifiedConvolution(nn.Conv2d(8, 4, 1)), 1, id="wide already"),
        pytest.param(RectifiedConvolution(nn.Conv2d(4, 4, 1, groups=2)), 1, id="in groups"),
        pytest.param(RectifiedConvolution(nn.Conv2d(3, 4, 1)), 2, id="adds something"),
    ],
)
def test_others_stay_as_they_are(module: nn.Module, inputs: int) -> None:
    assert widened_for(module, (torch.zeros(1),) * inputs) is None
