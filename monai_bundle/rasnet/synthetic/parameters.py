"""Random parameters by seed, and parameters of many pictures as tensors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, TypeVar

import torch
from torch import Tensor

Value = TypeVar("Value")
Color = tuple[float, float, float]
"""Red, green, blue, each 0 to 1."""


class Dice:
    """Random numbers that depend on the seed alone, never on a device.

    Args:
        seed: any whole number from 0 up.
    """

    def __init__(self, seed: int) -> None:
        self._generator = torch.Generator().manual_seed(seed)
        self._numbers: list[float] = []

    def random(self) -> float:
        """A number from 0 up to 1."""
        if not self._numbers:  # drawn in bulk: one call for each number would cost more than a frame's kernels
            self._numbers = torch.rand(256, generator=self._generator).tolist()
        return self._numbers.pop()

    def between(self, low: float, high: float) -> float:
        """A number from `low` to `high`, all equally likely."""
        return low + (high - low) * self.random()

    def chance(self, probability: float) -> bool:
        """True with the given probability."""
        return self.random() < probability

    def sometimes(self, probability: float, low: float, high: float) -> float:
        """A number from `low` to `high` with the given probability, else 0."""
        return self.between(low, high) if self.chance(probability) else 0.0

    def choice(self, values: Sequence[Value]) -> Value:
        """One of the values."""
        return values[int(self.random() * len(values))]

    def whole(self) -> int:
        """A whole number that can seed something else."""
        return int(self.random() * (1 << 24))

    def near(self, color: Color, spread: float) -> Color:
        """A colour like `color`: each channel is scaled by a common and by an own random factor."""
        common = self.between(1 - spread, 1 + spread)
        red, green, blue = (
            min(1.0, max(0.0, value * common * self.between(1 - spread / 2, 1 + spread / 2))) for value in color
        )
        return red, green, blue


def stack(records: Sequence[NamedTuple], device: torch.device) -> dict[str, Tensor]:
    """Put the fields of equal records side by side.

    Args:
        records: at least one; every field is a number or a tuple of numbers.
        device: where the tensors go, in one transfer.

    Returns:
        By field name: float (B, 1, 1) for a number, (C, B, 1, 1) for a tuple of C numbers.
    """
    rows = [[number for value in record for number in _numbers(value)] for record in records]
    table = torch.tensor(rows, dtype=torch.float32).to(device)
    columns: dict[str, Tensor] = {}
    start = 0
    for name, value in zip(records[0]._fields, records[0], strict=True):
        size = len(_numbers(value))
        block = table[:, start : start + size].T[:, :, None, None]
        columns[name] = block if isinstance(value, tuple) else block[0]
        start += size
    return columns


def _numbers(value: float | tuple[float, ...]) -> tuple[float, ...]:
    return value if isinstance(value, tuple) else (value,)
