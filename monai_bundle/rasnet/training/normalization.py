"""Pictures as a network wants them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

import torch
from torch import Tensor


@cache
def by_channel(values: tuple[float, ...], device: torch.device) -> Tensor:
    """Give a value for each channel, float32 (1, C, 1, 1), on a device.

    They are copied there once: a copy makes the CPU wait until the GPU has done all that it was given before.
    """
    with torch.inference_mode(False):  # whoever asks first, a training may use them
        return torch.tensor(values, dtype=torch.float32, device=device).view(1, -1, 1, 1)


def standardize(images: Tensor, mean: tuple[float, ...], std: tuple[float, ...]) -> Tensor:
    """Subtract a mean from pictures, float (B, C, H, W), and divide by a deviation, each a value a channel."""
    return (images - by_channel(mean, images.device)) / by_channel(std, images.device)


class Normalization:
    """Gives an engine its input and target from a batch with ``image``, 0 to 1, and ``label``.

    Args:
        mean: of red, green and blue.
        std: of red, green and blue.
    """

    def __init__(self, mean: Sequence[float], std: Sequence[float]) -> None:
        self.mean, self.std = tuple(mean), tuple(std)

    def __call__(
        self,
        batch: dict[str, Tensor],
        device: str | torch.device | None = None,
        non_blocking: bool = False,
        **_: Any,
    ) -> tuple[Tensor, Tensor]:
        """Normalise float (B, 3, H, W); masks stay as they are."""
        images = batch["image"].to(device, non_blocking=non_blocking)
        return standardize(images, self.mean, self.std), batch["label"].to(device, non_blocking=non_blocking)
