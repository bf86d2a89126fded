"""What comes after the network in one pass over its features, on a GPU."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from rasnet.inference.segmenter import NEGLIGIBLE, Decision, Prediction
from rasnet.networks.products import is_pointwise


class OnePassDecision(nn.Module):
    """A decision in half precision at the features' own size, without class scores in memory; needs Triton.

    Args:
        classifier: see `rasnet.networks.products.is_pointwise`; on the device that it will run on.
        temperature: see `rasnet.inference.segmenter.Segmenter`.
    """

    def __init__(self, classifier: nn.Conv2d, temperature: float) -> None:
        super().__init__()
        self.weight = classifier.weight.detach().flatten(1)
        bias = self.weight.new_zeros(len(self.weight)) if classifier.bias is None else classifier.bias
        self.bias = bias.detach()
        self.temperature = temperature

    def forward(self, features: Tensor, size: tuple[int, int]) -> Prediction:
        """Decide features, (B, channels, *size); see `rasnet.networks.kernels.classify`."""
        from rasnet.networks.kernels import classify, expected_dice_loss  # here, as Triton is not everywhere

        classes, sums = classify(features, self.weight, self.bias, self.temperature)
        pixels = size[0] * size[1]
        return Prediction(classes, expected_dice_loss(sums, len(self.weight), pixels, NEGLIGIBLE * pixels))


def one_pass_decision_for(module: nn.Module, inputs: tuple[Any, ...]) -> OnePassDecision | None:
    """Make a decision in one pass of one with a classifier; None where scores are enlarged, and of any other module."""
    if not isinstance(module, Decision) or not is_pointwise(module.classifier):
        return None
    features, size = inputs
    return OnePassDecision(module.classifier, module.temperature) if features.shape[2:] == size else None
