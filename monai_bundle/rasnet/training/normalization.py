"""Pictures as a network wants them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor


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
        mean, std = (images.new_tensor(values).view(1, 3, 1, 1) for values in (self.mean, self.std))
        return (images - mean) / std, batch["label"].to(device, non_blocking=non_blocking)
