"""The faster way is taken where there is one that runs and gives the same; otherwise everything stays as it is."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from typing import Any

import pytest
import torch
from test_classifier import fused
from test_fusing import check_same, count, random
from torch import Tensor, nn

from rasnet.bundle import weights_path
from rasnet.inference import TorchBackend
from rasnet.inference.one_pass_decision import OnePassDecision
from rasnet.inference.recorded import _ALTERNATIVES
from rasnet.inference.segmenter import Decision, Segmenter
from rasnet.networks import RASNet
from rasnet.networks.choosing import choose_faster
from rasnet.networks.classifier import split_classifier
from rasnet.networks.pooling import LeanMaxPool, lean_pooling_for
from rasnet.networks.products import PointwiseProduct, product_for

KINDS = PointwiseProduct, LeanMaxPool, OnePassDecision

# RASNet's 16 blocks begin with a 1x1 convolution, and the first has one around it; each decoder block has two, each
# attention one; and there is the classifier. Those that add and rectify at the end of the blocks have one in them,
# which they call where there is no cuDNN.
PRODUCTS, RESIDUAL = 16 + 1 + 8 + 3 + 1, 16


def favouring(*kinds: type[nn.Module]) -> Callable[[Any], float]:
    """A stopwatch that finds some kinds of modules faster than any other."""
    return lambda run: 0.0 if isinstance(run.func, kinds) else 1.0


class Doubled(nn.Module):
    def forward(self, features: Tensor) -> Tensor:
        return 2 * features


class Failing(nn.Module):
    def forward(self, features: Tensor) -> Tensor:
        raise RuntimeError("Failed to find C compiler")


def refuse(module: nn.Module, inputs: tuple[Any, ...]) -> nn.Module:
    raise ModuleNotFoundError("No module named 'triton'")


def test_faster_modules_are_taken_and_share_their_weights() -> None:
    network = fused(RASNet(3))
    images = random(1, 3, 64, 96)
    with torch.inference_mode():
        chosen = choose_faster(network, images, [product_for], favouring(PointwiseProduct))
    check_same(network, chosen, images)
    assert count(chosen, PointwiseProduct) == PRODUCTS + RESIDUAL
    assert count(network, PointwiseProduct) == 0
    own = {each.data_ptr() for each in network.parameters()}
    assert {each.data_ptr() for each in chosen.parameters()} == own
    assert not any(module._forward_hooks for module in (*network.modules(), *chosen.modules()))


def test_slower_modules_are_not() -> None:
    network = fused(RASNet(3))
    with torch.inference_mode():
        chosen = choose_faster(network, random(1, 3, 64, 96), [product_for], favouring())
    assert count(chosen, PointwiseProduct) == 0


@pytest.mark.parametrize("alternative", [refuse, lambda module, inputs: Failing()], ids=["making", "running"])
def test_what_fails_is_noted_and_not_taken(alternative: Any, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "rasnet")
    network = nn.Sequential(nn.Conv2d(3, 4, 1), nn.ReLU())
    chosen = choose_faster(network, random(1, 3, 8, 8), [alternative, product_for], favouring(PointwiseProduct))
    assert [type(module) for module in chosen] == [PointwiseProduct, nn.ReLU]
    assert "0 stays as it is: " in caplog.text
    assert max(record.levelno for record in caplog.records) == logging.INFO


class Rounded(nn.Module):
    """Multiplies by 1000 and rounds as half precision does."""

    def __init__(self, sums: int) -> None:
        super().__init__()
        self.sums = sums

    def forward(self, features: Tensor) -> Tensor:
        offset = self.sums * 1000
        return (1000 * features + offset).half().float() - offset


def test_rounding_is_not_something_else() -> None:
    chosen = choose_faster(
        nn.Sequential(Rounded(0)),
        random(1, 3, 8, 8),
        [lambda module, inputs: Rounded(4)],
        lambda run: float(run.func.sums == 0),  # type: ignore[attr-defined]
    )
    assert chosen[0].sums == 4


def test_what_gives_something_else_is_not_taken(caplog: pytest.LogCaptureFixture) -> None:
    network = nn.Sequential(nn.ReLU())
    chosen = choose_faster(network, random(1, 3, 8, 8), [lambda module, inputs: Doubled()], favouring(Doubled))
    assert isinstance(chosen[0], nn.ReLU)
    assert "0 gives something else as Doubled" in caplog.text


def test_a_network_that_fails_keeps_no_hooks() -> None:
    network = nn.Sequential(Failing())
    with pytest.raises(RuntimeError, match="C compiler"):
        choose_faster(network, random(1, 3, 8, 8), [], favouring())
    assert not network[0]._forward_hooks


def test_without_triton_the_rest_is_still_chosen(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setitem(sys.modules, "triton", None)
    monkeypatch.delitem(sys.modules, "rasnet.networks.kernels", raising=False)
    caplog.set_level(logging.DEBUG, "rasnet")
    segmenter = Segmenter(fused(RASNet(3)), 64 * 96)
    segmenter.network, classifier = split_classifier(segmenter.network)
    segmenter.decision = Decision(1.0, classifier)
    frames = torch.randint(256, (1, 64, 96, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        chosen = choose_faster(segmenter, frames, _ALTERNATIVES, favouring(*KINDS))
        assert (chosen(frames).classes == segmenter(frames).classes).float().mean() > 0.999
    assert [count(chosen, kind) for kind in KINDS] == [PRODUCTS + RESIDUAL, 0, 0]
    assert "network.encoder.maxpool stays as it is: ModuleNotFoundError" in caplog.text
    assert "decision stays as it is: ModuleNotFoundError" in caplog.text
    assert max(record.levelno for record in caplog.records) == logging.INFO


def test_a_cpu_chooses_nothing() -> None:
    backend = TorchBackend(weights_path(), "cpu")
    backend(torch.zeros(1, 64, 96, 3, dtype=torch.uint8).numpy())
    assert backend._recorded is None
    assert [count(backend.segmenter, kind) for kind in KINDS] == [0, 0, 0]


@pytest.mark.parametrize(
    ("module", "lean"),
    [
        (nn.MaxPool2d(3, 2, 1), True),
        (nn.MaxPool2d(2), False),
        (nn.MaxPool2d(3, 2, 1, ceil_mode=True), False),
        (nn.MaxPool2d(3, 2, 1, return_indices=True), False),
        (nn.AvgPool2d(3, 2, 1), False),
    ],
)
def test_one_kind_of_pooling_can_be_lean(module: nn.Module, lean: bool) -> None:
    assert (lean_pooling_for(module, (random(1, 4, 8, 8),)) is not None) is lean
