"""A training whose loss is no longer a number ends at once."""

from __future__ import annotations

from typing import Any

import torch
from ignite.engine import Engine, Events
from torch import Tensor

from rasnet.errors import RASNetError


class FiniteLoss:
    """Watches a MONAI trainer's loss. Attach it before anything that keeps weights.

    Args:
        learning_rate: for the advice.
        every: iterations between two looks, as each makes the CPU wait for the GPU; the end of an epoch is always
            looked at, so that no broken weights are kept.

    Raises:
        RASNetError: in the training, when a loss was infinite or not a number since the last look.
    """

    def __init__(self, learning_rate: float, every: int = 50) -> None:
        self.learning_rate, self.every = learning_rate, every
        self._broken: Tensor | None = None

    def attach(self, engine: Engine) -> None:
        """Follow a trainer."""
        engine.add_event_handler(Events.ITERATION_COMPLETED, self._watch)
        engine.add_event_handler(Events.EPOCH_COMPLETED, self._look)

    def _watch(self, engine: Any) -> None:
        broken = ~torch.isfinite(engine.state.output["loss"].detach())
        self._broken = broken if self._broken is None else self._broken | broken
        if engine.state.iteration % self.every == 0:
            self._look(engine)

    def _look(self, engine: Any) -> None:
        if self._broken is not None and bool(self._broken):
            raise RASNetError(
                f"the loss is not a number in iteration {engine.state.iteration} or shortly before; lower "
                f"--learning_rate (now {self.learning_rate}) or take --amp False, with a new --output_dir"
            )
