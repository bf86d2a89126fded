"""Triton's kernels give what PyTorch gives: on a GPU, or else, where Triton is installed, in its interpreter."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from rasnet.inference.one_pass_decision import OnePassDecision, one_pass_decision_for
from rasnet.inference.segmenter import NEGLIGIBLE, Decision, decide, expected_dice_loss

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
SMALL: list[Any] = [(1, 16, 1, 1), (1, 64, 6, 70), (3, 32, 13, 11), (2, 32, 16, 24)]  # (B, C, H, W)
LARGE = pytest.mark.skipif(DEVICE == "cpu", reason="takes minutes without a CUDA GPU")
SHAPES = [*SMALL, *(pytest.param((batch, 32, 256, 320), marks=LARGE) for batch in (1, 5, 64))]


@pytest.fixture(scope="module")
def kernels() -> Iterator[ModuleType]:
    if importlib.util.find_spec("triton") is None:
        pytest.skip("needs Triton")
    with pytest.MonkeyPatch.context() as patch:
        if DEVICE == "cpu":
            if "triton" in sys.modules:
                pytest.skip("Triton has been loaded already, without its interpreter")
            patch.setenv("TRITON_INTERPRET", "1")
        yield importlib.import_module("rasnet.networks.kernels")


def half(*shape: int, seed: int = 0) -> Tensor:
    """Noise in half precision, channels last."""
    values = torch.randn(*shape, generator=torch.Generator().manual_seed(seed)).to(DEVICE)
    return values.half().to(memory_format=torch.channels_last) if len(shape) == 4 else values.half()


@pytest.mark.parametrize("shape", SHAPES)
def test_max_pooling(kernels: ModuleType, shape: tuple[int, ...]) -> None:
    features = half(*shape)
    given = kernels.max_pool(features)
    assert torch.equal(given, F.max_pool2d(features, 3, 2, 1))
    assert given.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(("classes", "temperature"), [(2, 1.0), (3, 1.7), (8, 0.6), (20, 1.0)])
def test_classes_and_uncertainty(kernels: ModuleType, shape: tuple[int, ...], classes: int, temperature: float) -> None:
    features, weight, bias = half(*shape), half(classes, shape[1], seed=1), half(classes, seed=2)
    chosen, sums = kernels.classify(features, weight, bias, temperature)
    pixels = shape[2] * shape[3]
    loss = kernels.expected_dice_loss(sums, classes, pixels, NEGLIGIBLE * pixels)
    with torch.backends.cudnn.flags(enabled=False):  # whose float32 may be TF32
        scores = F.conv2d(features.float(), weight.float()[..., None, None], bias.float()) / temperature
    wanted = decide(scores.contiguous(), (shape[2], shape[3]))
    assert (chosen.dtype, chosen.shape) == (torch.uint8, wanted.shape)
    assert (chosen == wanted).float().mean() > 0.9999  # two scores may be equal up to rounding
    torch.testing.assert_close(loss, expected_dice_loss(scores), atol=1e-3, rtol=0)


def test_of_equal_scores_and_of_none_the_first_class_is_chosen(kernels: ModuleType) -> None:
    features = half(1, 16, 2, 3)
    features[0, :, 1] = torch.nan
    chosen, _ = kernels.classify(features, features.new_zeros(4, 16), features.new_zeros(4), 1.0)
    assert not chosen.any()


@pytest.mark.parametrize(
    "features",
    [
        half(1, 16, 4, 4).float(),
        half(1, 16, 4, 4).contiguous(),
        half(1, 16, 4, 8)[..., :4],
        half(1, 24, 4, 4),
        half(1, 8, 4, 4),
    ],
    ids=["float32", "channels first", "cut", "24 channels", "8 channels"],
)
def test_other_features_are_refused(kernels: ModuleType, features: Tensor) -> None:
    with pytest.raises(ValueError, match="features must be float16, channels last"):
        kernels.max_pool(features)
    weight = features.new_zeros(3, features.shape[1])
    with pytest.raises(ValueError, match="features must be float16, channels last"):
        kernels.classify(features, weight, weight[:, 0], 1.0)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.usefixtures("kernels")
@torch.inference_mode()
def test_a_decision_in_one_pass(bias: bool) -> None:
    classifier = nn.Conv2d(32, 3, 1, bias=bias).to(DEVICE).half().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    features = half(2, 32, 12, 20)
    decision = Decision(1.3, classifier)
    in_one_pass = one_pass_decision_for(decision, (features, (12, 20)))
    assert isinstance(in_one_pass, OnePassDecision)
    wanted, given = decision(features, (12, 20)), in_one_pass(features, (12, 20))
    assert (wanted.classes == given.classes).float().mean() > 0.99  # scores of half precision
    torch.testing.assert_close(given.uncertainty, wanted.uncertainty, atol=0.01, rtol=0)


def test_a_decision_that_enlarges_or_has_no_classifier_takes_more_passes() -> None:
    features = half(1, 32, 12, 20)
    assert one_pass_decision_for(Decision(1.0, nn.Conv2d(32, 3, 1)), (features, (24, 40))) is None
    assert one_pass_decision_for(Decision(1.0), (features, (12, 20))) is None
    assert one_pass_decision_for(nn.Conv2d(32, 3, 1), (features,)) is None
