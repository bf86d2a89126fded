"""A network without its classifier gives what that scores, whatever is cut off."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from test_folding import trained
from test_fusing import random
from torch import fx, nn

from rasnet.inference.segmenter import Decision, Segmenter
from rasnet.networks import RASNet, TernausNet, UNet
from rasnet.networks.classifier import split_classifier
from rasnet.networks.folding import fold_batch_norms
from rasnet.networks.fusing import fuse_convolutions


def fused(network: nn.Module) -> nn.Module:
    return fuse_convolutions(fold_batch_norms(trained(network)))


@pytest.mark.parametrize("make", [lambda: RASNet(3), lambda: TernausNet(2)], ids=["RASNet", "TernausNet"])
@torch.inference_mode()
def test_features_and_classifier_are_the_network(make: Callable[[], nn.Module]) -> None:
    network = fused(make())
    features, classifier = split_classifier(network)
    assert isinstance(classifier, nn.Conv2d)
    for size in ((64, 96), (101, 75)):  # doubling an odd size gives one more, which is cut off
        images = random(1, 3, *size)
        given = features(images)
        assert given.shape == (1, 32, *size)
        torch.testing.assert_close(classifier(given), network(images))


@pytest.mark.parametrize(
    "network",
    [
        UNet(2).eval(),
        fx.symbolic_trace(nn.Sequential(nn.Conv2d(3, 4, 1), nn.ReLU())),
        fx.symbolic_trace(nn.Sequential(nn.Conv2d(3, 4, 3))),
    ],
    ids=["not traced", "rectified", "3x3"],
)
def test_a_network_that_ends_otherwise_stays_whole(network: nn.Module) -> None:
    features, classifier = split_classifier(network)
    assert features is network
    assert isinstance(classifier, nn.Identity)


class CutsChannels(nn.Module):
    """Takes two of a convolution's channels, which come before it no more."""

    def __init__(self) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(3, 3, 1)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        scores: torch.Tensor = self.convolution(images)
        return scores[:, 1:]


def test_only_pixels_are_cut_off_features() -> None:
    network = fx.symbolic_trace(CutsChannels().eval())
    assert split_classifier(network)[0] is network


@torch.inference_mode()
def test_a_decision_with_the_classifier_is_the_segmenters() -> None:
    segmenter = Segmenter(fused(RASNet(3)), 64 * 96, temperature=1.5)
    frames = torch.randint(256, (2, 100, 150, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    wanted = segmenter(frames)
    segmenter.network, classifier = split_classifier(segmenter.network)
    segmenter.decision = Decision(1.5, classifier)
    given = segmenter(frames)
    assert torch.equal(given.classes, wanted.classes)
    torch.testing.assert_close(given.uncertainty, wanted.uncertainty)
