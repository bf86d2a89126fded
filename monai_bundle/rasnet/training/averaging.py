"""A running average of the weights, which segments better than the weights of any one iteration."""

from __future__ import annotations

from typing import Any

import torch
from ignite.engine import Engine, Events
from torch import nn
from torch.optim.swa_utils import AveragedModel

# After n updates an average over about the last 1 / _WINDOW of them is wanted, so that it forgets its beginning.
_WINDOW = 19


class WeightAverage:
    """Keeps an exponential moving average of a network's weights and batch statistics.

    The decay after n updates is (1 + n) / (1 + n + 19), but never more than `decay`: the average reaches back over
    about the last twentieth of the updates so far.

    Args:
        network: what is trained.
        decay: highest decay an iteration, 0 to 1.

    Attributes:
        network: the average, in evaluation mode; it has the same class and the same names of weights.
    """

    def __init__(self, network: nn.Module, decay: float) -> None:
        self.decay = decay
        self._trained = network
        self._average = AveragedModel(network, multi_avg_fn=self._update, use_buffers=True).eval()
        self.network: nn.Module = self._average.module

    def attach(self, engine: Engine) -> None:
        """Follow a trainer."""
        engine.add_event_handler(Events.ITERATION_COMPLETED, self.update)

    @torch.no_grad()
    def update(self, _: Engine | None = None) -> None:
        """Take the network's present weights into the average."""
        self._average.update_parameters(self._trained)

    def _update(self, average: Any, current: Any, _: torch.Tensor | int) -> None:
        if not average[0].is_floating_point():
            torch._foreach_copy_(average, current)  # batch norm's counters
            return
        step = int(self._average.n_averaged)  # on the CPU, unlike the number that is handed over
        decay = min(self.decay, (1 + step) / (1 + step + _WINDOW))
        torch._foreach_lerp_(average, current, 1 - decay)
