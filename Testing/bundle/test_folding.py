"""Folding leaves what a network gives as it is, and leaves alone what it cannot follow."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from rasnet.networks import RASNet, TernausNet, UNet
from rasnet.networks.folding import fold_batch_norms


def trained(network: nn.Module) -> nn.Module:
    """Give a network normalisations that do something, as after training."""
    generator = torch.Generator().manual_seed(0)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            for values, low, high in (
                (module.running_mean, -1.0, 1.0),
                (module.running_var, 0.5, 2.0),
                (module.weight.data, 0.5, 2.0),
                (module.bias.data, -1.0, 1.0),
            ):
                assert values is not None
                values.uniform_(low, high, generator=generator)
    return network.eval()


def count_norms(network: nn.Module) -> int:
    return sum(isinstance(module, nn.BatchNorm2d) for module in network.modules())


@pytest.mark.parametrize(
    ("make", "left"),
    [
        (lambda: RASNet(3, attention="sigmoid"), 0),
        (lambda: RASNet(8), 0),
        (lambda: RASNet(2, attention="none"), 0),
        (lambda: TernausNet(2), 0),
        (lambda: UNet(2), 18),  # torch.fx takes a wrong branch in MONAI's UpCat: nothing is folded
    ],
    ids=["sigmoid", "softmax", "no attention", "TernausNet", "U-Net"],
)
def test_the_same_scores_with_fewer_norms(make: Callable[[], nn.Module], left: int) -> None:
    network = trained(make())
    before = {name: value.clone() for name, value in network.state_dict().items()}
    folded = fold_batch_norms(network)
    images = torch.randn(1, 3, 96, 131, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        wanted, given = network(images), folded(images)
    assert torch.allclose(wanted, given, atol=1e-4 * float(wanted.abs().max()))
    assert count_norms(folded) == left
    assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())


class Shared(nn.Module):
    """The features before the normalisation are used once more, so it may not change them."""

    def __init__(self) -> None:
        super().__init__()
        self.convolution, self.norm = nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4)

    def forward(self, images: Tensor) -> Tensor:
        features = self.convolution(images)
        normalised: Tensor = self.norm(features) + features
        return normalised


class LooksAtItsData(nn.Module):
    """A branch on values, which torch.fx cannot follow."""

    def __init__(self) -> None:
        super().__init__()
        self.block = nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4))

    def forward(self, images: Tensor) -> Tensor:
        if images.mean() > 0:
            images = -images
        features: Tensor = self.block(images)
        return features


@pytest.mark.parametrize("make", [Shared, LooksAtItsData])
def test_what_cannot_be_folded_stays(make: Callable[[], nn.Module]) -> None:
    network = trained(make())
    folded = fold_batch_norms(network)
    assert count_norms(folded) == 1
    images = torch.ones(1, 3, 4, 4)
    assert torch.equal(network(images), folded(images))


def test_a_network_in_training_is_refused() -> None:
    with pytest.raises(ValueError, match="eval"):
        fold_batch_norms(RASNet(2))
