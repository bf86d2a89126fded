"""Small things around the optimizer."""

from __future__ import annotations

from typing import Any

import torch
from ignite.engine import Engine
from monai.engines import IterationEvents
from torch import nn


def parameter_groups(*modules: nn.Module, weight_decay: float) -> list[dict[str, Any]]:
    """Group what is trained: weights decay; biases and batch norm's factors, which need no pull to zero, do not."""
    parameters = [parameter for module in modules for parameter in module.parameters() if parameter.requires_grad]
    return [
        {"params": [parameter for parameter in parameters if parameter.ndim > 1], "weight_decay": weight_decay},
        {"params": [parameter for parameter in parameters if parameter.ndim <= 1], "weight_decay": 0.0},
    ]


class GradientClipping:
    """Limits the norm of a network's gradient before every step of a MONAI trainer, with mixed precision or without.

    Args:
        network: whose gradient.
        largest: norm that it may have.
    """

    def __init__(self, network: nn.Module, largest: float) -> None:
        self.network = network
        self.largest = largest

    def attach(self, engine: Engine) -> None:
        """Follow a trainer."""
        engine.add_event_handler(IterationEvents.BACKWARD_COMPLETED, self)

    def __call__(self, engine: Any) -> None:
        """Clip, after taking out the factor that mixed precision puts into gradients."""
        if engine.scaler is not None:
            engine.scaler.unscale_(engine.optimizer)
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), self.largest)
