"""Fusing leaves what a network gives as it is, whatever its convolutions can and cannot do in one pass."""

from __future__ import annotations

import copy
from collections.abc import Callable

import pytest
import torch
from test_folding import LooksAtItsData, trained
from torch import Tensor, nn

from rasnet.networks import RASNet, TernausNet, UNet
from rasnet.networks.folding import fold_batch_norms
from rasnet.networks.fusing import DoublingConvolution, RectifiedConvolution, fuse_convolutions


def count(network: nn.Module, kind: type[nn.Module]) -> int:
    return sum(isinstance(module, kind) for module in network.modules())


def random(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(len(shape)))


def check_same(network: nn.Module, fused: nn.Module, images: Tensor) -> None:
    with torch.inference_mode():
        wanted, given = network(images), fused(images)
    assert given.shape == wanted.shape
    assert torch.allclose(wanted, given, atol=1e-4 * float(wanted.abs().max()))


@pytest.mark.parametrize(
    ("make", "doubling", "left"),
    [
        (lambda: RASNet(3, attention="sigmoid"), 5, 0),
        (lambda: RASNet(8), 5, 0),
        (lambda: RASNet(2, attention="none"), 5, 0),
        (lambda: TernausNet(2), 5, 0),
        (lambda: UNet(2), 0, 18),  # torch.fx takes a wrong branch in MONAI's UpCat
    ],
    ids=["sigmoid", "softmax", "no attention", "TernausNet", "U-Net"],
)
def test_the_same_scores_in_fewer_passes(make: Callable[[], nn.Module], doubling: int, left: int) -> None:
    network = trained(make())
    fused = fuse_convolutions(fold_batch_norms(network))
    check_same(network, fused, random(1, 3, 96, 131))
    assert count(fused, DoublingConvolution) == doubling
    assert count(fused, nn.ReLU) == left
    assert count(network, DoublingConvolution) == count(network, RectifiedConvolution) == 0


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize(("height", "width"), [(1, 1), (2, 3), (7, 4)])
def test_doubling_is_the_transposed_convolution(bias: bool, height: int, width: int) -> None:
    transposed = nn.ConvTranspose2d(6, 8, 4, stride=2, padding=1, bias=bias)
    features = random(2, 6, height, width)
    with torch.inference_mode():
        wanted, given = transposed(features).relu(), DoublingConvolution(transposed)(features)
    assert given.shape == (2, 8, 2 * height, 2 * width)  # (B, out, 2H, 2W)
    assert given.stride(1) == 1  # channels last
    torch.testing.assert_close(given, wanted)


class Block(nn.Module):
    """A residual block of a convolution, with a convolution around it that may be used twice."""

    def __init__(self, twice: bool) -> None:
        super().__init__()
        self.inner, self.around, self.relu = nn.Conv2d(3, 4, 3, padding=1), nn.Conv2d(3, 4, 1), nn.ReLU()
        self.twice = twice

    def forward(self, images: Tensor) -> Tensor:
        around = self.around(images)
        rectified: Tensor = self.relu(around + self.inner(images))
        return rectified * around if self.twice else rectified


@pytest.mark.parametrize("twice", [False, True])
def test_a_bias_moves_only_where_it_is_not_needed_any_more(twice: bool) -> None:
    network = Block(twice).eval()
    fused = fuse_convolutions(network)
    check_same(network, fused, random(2, 3, 8, 9))
    assert count(fused, RectifiedConvolution) == 1
    biases = [module.bias is not None for module in fused.modules() if isinstance(module, nn.Conv2d)]
    assert all(biases) is twice


@pytest.mark.parametrize(
    "network",
    [
        nn.Sequential(nn.Conv2d(3, 4, 3, padding="same"), nn.ReLU()),
        nn.Sequential(nn.Conv2d(3, 4, 3, padding=1, padding_mode="reflect"), nn.ReLU()),
        nn.Sequential(nn.ConvTranspose2d(3, 4, 2, stride=2), nn.ReLU()),
        nn.Sequential(nn.ConvTranspose2d(3, 3, 4, stride=2, padding=1), nn.ReLU()),  # 3 channels: 6 bytes of float16
        nn.Sequential(nn.ReLU(), nn.Conv2d(3, 4, 1)),
        LooksAtItsData(),
    ],
    ids=["same", "reflect", "2x2", "three channels", "nothing before", "a branch"],
)
def test_what_cannot_be_fused_stays(network: nn.Module) -> None:
    fused = fuse_convolutions(trained(network))
    check_same(network, fused, random(1, 3, 8, 8))
    assert count(fused, RectifiedConvolution) == count(fused, DoublingConvolution) == 0


def test_a_network_in_training_is_refused() -> None:
    with pytest.raises(ValueError, match="eval"):
        fuse_convolutions(RASNet(2))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU")
@pytest.mark.parametrize("attention", ["softmax", "sigmoid", "none"])
def test_half_precision_on_a_gpu_is_as_near(attention: str) -> None:
    network = RASNet(3, attention=attention).eval()  # type: ignore[arg-type]
    images = random(2, 3, 256, 320)
    folded = fold_batch_norms(network)
    with torch.inference_mode():
        wanted = network(images)
        errors = [
            (in_half(images.cuda().half()).float().cpu() - wanted).norm() / wanted.norm()
            for in_half in (on_gpu(folded), on_gpu(fuse_convolutions(folded)))
        ]
    assert errors[1] < 1.5 * errors[0]


def on_gpu(network: nn.Module) -> nn.Module:
    placed: nn.Module = copy.deepcopy(network).cuda().half().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return placed
