"""Too little memory on the GPU: say which batch would fit."""

from __future__ import annotations

import gc
from typing import Any

import torch
from torch import Tensor

from rasnet.errors import RASNetError

# Batch normalisation needs two values a channel, and the attention's are one a picture.
_SMALLEST = 2


def run_in_memory(trainer: Any, batch_size: int) -> None:
    """Run a MONAI trainer.

    Args:
        trainer: a `SupervisedTrainer`.
        batch_size: of its batches, for the advice.

    Raises:
        RASNetError: the device has too little memory for a batch; the sentence names one that was tried and fits.
    """
    try:
        trainer.run()
        return
    except torch.OutOfMemoryError:
        pass  # the exception holds tensors of the failed iteration until it is gone
    fits = fitting_batch(trainer)
    advice = f"batches of {fits} fit: give --batch_size {fits}" if fits else "not even 2 fit: give a smaller --size"
    raise RASNetError(f"the GPU has too little memory for batches of {batch_size}; {advice}")


def fitting_batch(trainer: Any) -> int | None:
    """Halve the batch that a trainer failed on until an iteration's forward and backward pass succeed.

    Returns:
        The number of frames; None where not even two fit.
    """
    batch, size = trainer.state.batch, len(trainer.state.batch["image"]) // 2
    trainer.state.output = None
    while size >= _SMALLEST:
        trainer.optimizer.zero_grad(set_to_none=True)
        gc.collect()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        if _fits(trainer, {name: value[:size] for name, value in batch.items()}):
            return size
        size //= 2
    return None


def _fits(trainer: Any, batch: dict[str, Tensor]) -> bool:
    try:
        images, labels = trainer.prepare_batch(batch, trainer.state.device, False)
        with torch.autocast(images.device.type, enabled=trainer.amp, **trainer.amp_kwargs):
            loss = trainer.loss_function(trainer.network(images), labels)
        loss.backward()
    except torch.OutOfMemoryError:
        return False
    return True
