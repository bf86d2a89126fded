"""The pipeline's parts as MONAI's engines take them, for the bundle's configurations."""

from __future__ import annotations

from typing import Any

import torch
from ignite.engine import Engine, Events
from torch import Tensor

from rasnet.inference.frames import FrameBatch, FrameBatches
from rasnet.inference.pipeline import report_end
from rasnet.inference.sink import CaseSink


def prepare_frames(
    batch: FrameBatch, device: str | torch.device | None = None, non_blocking: bool = False, **_: Any
) -> tuple[Tensor, None]:
    """Give an engine its input: frames as a tensor, uint8 (B, H, W, 3), on the device, and no label."""
    return torch.from_numpy(batch.rgb).to(device, non_blocking=non_blocking), None


class CaseHandler:
    """Writes an evaluator's predictions into a case, batch by batch.

    Args:
        sink: that takes the predictions.
        frames: what the evaluator iterates over.
    """

    def __init__(self, sink: CaseSink, frames: FrameBatches) -> None:
        self.sink = sink
        self.frames = frames

    def attach(self, engine: Engine) -> None:
        """Follow an engine whose network is a `rasnet.inference.Segmenter`."""
        engine.add_event_handler(Events.STARTED, self._start)
        engine.add_event_handler(Events.ITERATION_COMPLETED, self._write)
        engine.add_event_handler(Events.COMPLETED, self._complete)
        engine.add_event_handler(Events.EXCEPTION_RAISED, self._abort)

    def _start(self, engine: Engine) -> None:
        self.sink.progress.start("segment", self.frames.total)
        self.sink.__enter__()

    def _write(self, engine: Engine) -> None:
        classes, uncertainty = engine.state.output["pred"]
        self.sink.write(engine.state.batch, classes.cpu().numpy(), uncertainty.float().cpu().numpy())

    def _complete(self, engine: Engine) -> None:
        self.sink.__exit__(None, None, None)
        report_end(self.frames, self.sink.progress)
        self.frames.close()

    def _abort(self, engine: Engine, error: BaseException) -> None:
        self.sink.__exit__(type(error), error, error.__traceback__)
        self.frames.close()
        raise error
