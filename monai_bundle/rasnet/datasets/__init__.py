"""Training data: frames with full, partial or no labels, read once, mixed by weight and augmented in batches."""

from rasnet.datasets.augmentation import Augmentation
from rasnet.datasets.frames import FrameDataset, FrameGroup
from rasnet.datasets.mixing import MixedBatches, Ramp
from rasnet.datasets.sources import Source, read_sources

__all__ = ["Augmentation", "FrameDataset", "FrameGroup", "MixedBatches", "Ramp", "Source", "read_sources"]
