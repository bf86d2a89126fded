"""Random parameters for a batch, one value a picture."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor


class Draw:
    """Draws parameters for a batch of pictures, each shaped (B, channels, 1, 1) to broadcast over (B, C, H, W).

    Args:
        count: B, the number of pictures.
        generator: source of randomness; its device is where the values come.
    """

    def __init__(self, count: int, generator: torch.Generator) -> None:
        self.count = count
        self.generator = generator
        self.device = generator.device

    def uniform(self, low: float, high: float, channels: int = 1) -> Tensor:
        """Values from `low` to `high`, all equally likely."""
        return torch.rand(self._shape(channels), generator=self.generator, device=self.device) * (high - low) + low

    def factor(self, low: float, high: float, channels: int = 1) -> Tensor:
        """Factors from `low` to `high` (above 0), whose logarithms are equally likely."""
        return self.uniform(math.log(low), math.log(high), channels).exp()

    def normal(self, deviation: float, channels: int = 1) -> Tensor:
        """Normally distributed values of mean 0."""
        return torch.randn(self._shape(channels), generator=self.generator, device=self.device) * deviation

    def chance(self, probability: float) -> Tensor:
        """1.0 with the given probability, else 0.0."""
        return (self.uniform(0, 1) < probability).float()

    def sign(self, negative: float = 0.5) -> Tensor:
        """-1.0 with the probability `negative`, else 1.0."""
        return 1 - 2 * self.chance(negative)

    def clouds(self, cells: int, size: tuple[int, int]) -> Tensor:
        """Smooth noise of three octaves, the coarsest with `cells` cells a side: (B, 1, *size), 0 to 1."""
        octaves = torch.zeros((), device=self.device)
        for octave in range(3):
            side = cells << octave
            grid = torch.rand((self.count, 1, side, side), generator=self.generator, device=self.device)
            octaves = octaves + F.interpolate(grid, size, mode="bicubic", align_corners=False) / 2**octave
        return (octaves / 1.75).clamp(0, 1)  # 1 + 1/2 + 1/4

    def grain(self, like: Tensor) -> Tensor:
        """Normally distributed noise of deviation 1, for every value of `like`."""
        return torch.randn(like.shape, generator=self.generator, device=self.device)

    def order(self) -> Tensor:
        """A random order of the pictures, int64 (B,)."""
        return torch.randperm(self.count, generator=self.generator, device=self.device)

    def _shape(self, channels: int) -> tuple[int, int, int, int]:
        return self.count, channels, 1, 1
