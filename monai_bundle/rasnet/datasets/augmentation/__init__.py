"""Augmentation of whole batches on the device that holds them: pictures and their masks together."""

from rasnet.datasets.augmentation.augmentation import Augmentation
from rasnet.datasets.augmentation.draw import Draw

__all__ = ["Augmentation", "Draw"]
