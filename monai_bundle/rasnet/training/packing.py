"""The end of a training: weights in the form that they are released in."""

from __future__ import annotations

import tempfile
from pathlib import Path

import torch
from ignite.engine import Engine, Events
from torch import nn

from rasnet.errors import RASNetError
from rasnet.files import whole_file
from rasnet.networks import pack


class PackedWeights:
    """Writes a network's packed weights when a training has come to its end; a file appears whole or not at all.

    Args:
        network: whose weights.
        path: the file; one that exists is replaced.

    Raises:
        RASNetError: the folder cannot be written to. It is said at once, not after the training.
    """

    def __init__(self, network: nn.Module, path: str | Path) -> None:
        self.network = network
        self.path = Path(path)
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=self.path.parent):
                pass
        except OSError as error:
            raise RASNetError(
                f"weights cannot be written to {self.path} ({error.strerror}); choose another place with --output"
            ) from error

    def attach(self, engine: Engine) -> None:
        """Follow a trainer."""
        engine.add_event_handler(Events.COMPLETED, self)

    def __call__(self, _: Engine | None = None) -> None:
        """Write the file."""
        with whole_file(self.path) as making:
            torch.save(pack(self.network), making)
