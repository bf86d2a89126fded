"""The pipeline's parts as MONAI's engines take them, for the bundle's configurations."""

from __future__ import annotations

from contextlib import AbstractContextManager, ExitStack
from typing import Any

import torch
from ignite.engine import Engine, Events
from torch import Tensor

from rasnet.inference.frames import FrameBatch, FrameBatches
from rasnet.inference.pipeline import report_end
from rasnet.inference.sink import CaseSink
from rasnet.inference.transfer import download, upload


def prepare_frames(
    batch: FrameBatch, device: str | torch.device | None = None, non_blocking: bool = False, **_: Any
) -> tuple[Tensor, None]:
    """Give an engine its input: frames as a tensor, uint8 (B, H, W, 3), on the device, and no label.

    They are uploaded in the same way whatever ``non_blocking`` says, which MONAI's engines pass.
    """
    return upload(batch.rgb, torch.device(device or "cpu")), None


class CaseHandler:
    """Writes an evaluator's predictions into a case, batch by batch.

    Args:
        sink: that takes the predictions.
        frames: what the evaluator iterates over.
    """

    def __init__(self, sink: CaseSink, frames: FrameBatches) -> None:
        self.sink = sink
        self.frames = frames
        self._open, self._writing = ExitStack(), ExitStack()
        self._open.callback(frames.close)

    def attach(self, engine: Engine) -> None:
        """Follow an engine whose network is a `rasnet.inference.Segmenter`."""
        engine.add_event_handler(Events.STARTED, self._start)
        engine.add_event_handler(Events.ITERATION_COMPLETED, self._write)
        engine.add_event_handler(Events.COMPLETED, self._complete)
        engine.add_event_handler(Events.EXCEPTION_RAISED, self._abort)

    def _start(self, engine: Engine) -> None:
        if isinstance(self.sink.progress, AbstractContextManager):
            self._open.enter_context(self.sink.progress)
        self.sink.progress.start("segment", self.frames.total)
        self._open.enter_context(self._writing)
        self._writing.enter_context(self.sink)

    def _write(self, engine: Engine) -> None:
        classes, uncertainty = engine.state.output["pred"]
        self.sink.write(engine.state.batch, download(classes), download(uncertainty))

    def _complete(self, engine: Engine) -> None:
        self._writing.close()
        report_end(self.frames, self.sink.progress)
        self._open.close()

    def _abort(self, engine: Engine, error: BaseException) -> None:
        # An engine tells of one error twice, and perhaps before the start; the stack closes what is open, once.
        self._open.__exit__(type(error), error, error.__traceback__)
        raise error
