"""How fast a training is, and whether the GPU waits for data."""

from __future__ import annotations

import time
from typing import Any

import torch
from ignite.engine import Engine, Events
from monai.apps import get_logger

# Between two looks at the GPU; the driver averages over up to a second.
_LOOK_S = 0.5


class Throughput:
    """Logs, every epoch, images a second, the share of the time spent waiting for batches, and how busy the GPU is.

    How busy is NVML's figure, the share of the time in which any kernel ran; it needs the package nvidia-ml-py, and
    is left out without it.

    Args:
        batch_size: frames of a batch, of all processes together.
        device: that trains.

    Attributes:
        images_per_second: of the last epoch, without its validation.
        waiting: share of that time, 0 to 1.
        busy: of the GPU, 0 to 1; None where it is not known.
    """

    def __init__(self, batch_size: int, device: str | torch.device) -> None:
        self.batch_size, self.device = batch_size, torch.device(device)
        self.images_per_second = self.waiting = 0.0
        self._logger = get_logger("train")  # as MONAI's StatsHandler has it
        self.busy: float | None = None

    def attach(self, engine: Engine) -> None:
        """Follow a trainer, before whatever else happens at an epoch's end."""
        engine.add_event_handler(Events.EPOCH_STARTED, self._start)
        engine.add_event_handler(Events.GET_BATCH_STARTED, self._wait)
        engine.add_event_handler(Events.GET_BATCH_COMPLETED, self._go_on)
        engine.add_event_handler(Events.ITERATION_COMPLETED, self._look)
        engine.add_event_handler(Events.EPOCH_COMPLETED, self._tell)

    def _start(self, _: Engine) -> None:
        self._began = self._looked = time.perf_counter()
        self._waited, self._batches, self._looks = 0.0, 0, list[float]()

    def _wait(self, _: Engine) -> None:
        self._asked = time.perf_counter()

    def _go_on(self, _: Engine) -> None:
        self._waited += time.perf_counter() - self._asked

    def _look(self, _: Engine) -> None:
        self._batches += 1
        now = time.perf_counter()
        if self.device.type == "cuda" and now - self._looked >= _LOOK_S:
            self._looked = now
            try:
                self._looks.append(torch.cuda.utilization(self.device) / 100)
            except (ModuleNotFoundError, RuntimeError):
                self._looked = float("inf")

    def _tell(self, engine: Any) -> None:
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
        seconds = time.perf_counter() - self._began
        self.images_per_second = self._batches * self.batch_size / seconds
        self.waiting = self._waited / seconds
        self.busy = sum(self._looks) / len(self._looks) if self._looks else None
        busy = "" if self.busy is None else f", GPU busy {self.busy:.0%}"
        self._logger.info(
            f"Epoch[{engine.state.epoch}] {self.images_per_second:.1f} images/s, "
            f"waiting for data {self.waiting:.1%}{busy}"
        )
