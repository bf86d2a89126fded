"""The weights of the best validation so far, and an end when nothing gets better."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from ignite.engine import Engine, Events
from torch import nn

from rasnet.files import clear_errors, whole_file
from rasnet.networks.checkpoints import Description, checkpoint_content


class BestModel:
    """Writes a network's weights whenever an evaluator's key metric is the best so far, and may end the training.

    Args:
        network: whose weights.
        path: the file, written whole: what `rasnet segment` can run as it is, or without description a state dict.
        evaluator: measures the key metric, on validation data.
        patience: epochs without a better one after which the training ends; None for never.
        writes: whether this process writes.
        description: of the network, which goes into the file; None where the network is not one of RASNet's.

    Attributes:
        epoch: of the best validation, from 1; 0 before the first.
        metric: the best so far, -1 before the first.
    """

    def __init__(
        self,
        network: nn.Module,
        path: str | Path,
        evaluator: Any,
        patience: int | None = None,
        *,
        writes: bool = True,
        description: Description | None = None,
    ) -> None:
        self.network, self.path, self.evaluator = network, Path(path), evaluator
        self.patience, self.writes, self.description = patience, writes, description
        self.epoch, self.metric = 0, -1.0

    def attach(self, engine: Engine) -> None:
        """Follow a trainer, after whatever runs the evaluator."""
        engine.add_event_handler(Events.STARTED, self._stop_if_done)
        engine.add_event_handler(Events.EPOCH_COMPLETED, self._look)

    def state_dict(self) -> dict[str, Any]:
        """Give what a training that goes on must know."""
        return {"epoch": self.epoch, "metric": self.metric}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take up what `state_dict` gave."""
        self.epoch, self.metric = state["epoch"], state["metric"]
        self.evaluator.state.best_metric, self.evaluator.state.best_metric_epoch = self.metric, self.epoch

    def _look(self, engine: Any) -> None:
        measured = self.evaluator.state
        if measured.best_metric_epoch == engine.state.epoch:
            self.epoch, self.metric = engine.state.epoch, float(measured.best_metric)
            if self.writes:
                with clear_errors(self.path), whole_file(self.path) as making:
                    state = self.network.state_dict()
                    torch.save(checkpoint_content(state, self.description) if self.description else state, making)
        self._stop_if_done(engine)

    def _stop_if_done(self, engine: Any) -> None:
        if self.patience is not None and self.epoch and engine.state.epoch - self.epoch >= self.patience:
            engine.terminate()
