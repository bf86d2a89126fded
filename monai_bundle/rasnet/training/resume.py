"""A training that was killed goes on where it was."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from ignite.engine import Engine, Events

from rasnet.errors import RASNetError
from rasnet.files import clear_errors, whole_file


class TrainingState:
    """Keeps all that a training consists of in one file, written whole, and takes it up again.

    At the end of an epoch, and at most every `every_s` seconds. With `rasnet.datasets.ShuffledBatches`, whose order
    depends on the epoch alone, a training that goes on meets the same batches as one that was never interrupted; on
    the CPU its losses are the same to the last digit. Attach it first: what others do when a training starts is then
    done to the one that goes on.

    Args:
        path: the file.
        parts: what has a state: network, optimizer, scheduler, best model.
        settings: what must be the same when the training goes on, by the name of its option.
        writes: whether this process writes; the others of a group only read.
        every_s: seconds between two writes; the last epoch is always written.

    Raises:
        RASNetError: when the training starts: the file is damaged, or from a training with other settings.
    """

    def __init__(
        self,
        path: str | Path,
        parts: Mapping[str, Any],
        settings: Mapping[str, Any],
        *,
        writes: bool = True,
        every_s: float = 60.0,
    ) -> None:
        self.path = Path(path)
        self.parts, self.settings = dict(parts), dict(settings)
        self.writes, self.every_s = writes, every_s
        self._written = time.monotonic()

    def attach(self, engine: Engine) -> None:
        """Follow a trainer."""
        engine.add_event_handler(Events.STARTED, self._start)

    def save(self, engine: Any) -> None:
        """Write the file."""
        if not self.writes:
            return
        parts = self._stateful(engine)
        state = {
            "settings": self.settings,
            "epoch": engine.state.epoch,
            "parts": {name: part.state_dict() for name, part in parts.items()},
            "random": torch.get_rng_state(),
            "random_cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
        }
        with clear_errors(self.path), whole_file(self.path) as making:
            torch.save(state, making)
        self._written = time.monotonic()

    def load(self, engine: Any) -> None:
        """Take up the file, if there is one."""
        if not self.path.is_file():
            return
        try:
            state = torch.load(self.path, map_location="cpu", weights_only=True)
            settings, epoch, states = state["settings"], state["epoch"], state["parts"]
        except Exception as error:  # bytes that are no checkpoint can break the unpickler in any way
            raise RASNetError(f"{self.path} is damaged; remove it to train from the beginning") from error
        for name, value in self.settings.items():
            if settings.get(name) != value:
                raise RASNetError(
                    f"the training in {self.path.parent} was started with {name} {settings.get(name)}, not {value}; "
                    "give the same again, or another --output_dir"
                )
        for name, part in self._stateful(engine).items():
            if states.get(name):  # of mixed precision there is no state on another kind of device
                part.load_state_dict(states[name])
        torch.set_rng_state(state["random"])
        if len(state["random_cuda"]) == torch.cuda.device_count() > 0:
            torch.cuda.set_rng_state_all(state["random_cuda"])
        engine.state.epoch = epoch
        engine.state.iteration = epoch * engine.state.epoch_length

    def _start(self, engine: Any) -> None:
        self.load(engine)
        # Handlers are called in the order that they came in: what is kept is what the others have left.
        for event, handler in ((Events.EPOCH_COMPLETED, self._save_sometimes), (Events.COMPLETED, self.save)):
            if not engine.has_event_handler(handler, event):
                engine.add_event_handler(event, handler)

    def _save_sometimes(self, engine: Any) -> None:
        if time.monotonic() - self._written >= self.every_s:
            self.save(engine)

    def _stateful(self, engine: Any) -> dict[str, Any]:
        """Give what has a state, with the factor of mixed precision, which the trainer makes itself."""
        return self.parts | ({"scaler": engine.scaler} if engine.scaler is not None else {})
