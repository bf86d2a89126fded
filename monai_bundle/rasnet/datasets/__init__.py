"""Training data: frames with full, partial or no labels, read once, mixed by weight and augmented in batches.

The names below load what they need when they are used, so that reading EndoVis 2017 needs no torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rasnet.lazy import lazy_names

if TYPE_CHECKING:
    from rasnet.datasets.augmentation import Augmentation
    from rasnet.datasets.frames import FrameDataset, FrameGroup
    from rasnet.datasets.light_augmentation import LightAugmentation
    from rasnet.datasets.mixing import MixedBatches, Ramp
    from rasnet.datasets.shuffled import ShuffledBatches
    from rasnet.datasets.sources import Source, read_sources
    from rasnet.datasets.split_frames import SplitFrames

_MODULES = {
    "Augmentation": "augmentation",
    "FrameDataset": "frames",
    "FrameGroup": "frames",
    "LightAugmentation": "light_augmentation",
    "MixedBatches": "mixing",
    "Ramp": "mixing",
    "ShuffledBatches": "shuffled",
    "Source": "sources",
    "SplitFrames": "split_frames",
    "read_sources": "sources",
}

__all__ = [
    "Augmentation",
    "FrameDataset",
    "FrameGroup",
    "LightAugmentation",
    "MixedBatches",
    "Ramp",
    "ShuffledBatches",
    "Source",
    "SplitFrames",
    "read_sources",
]

__getattr__ = lazy_names(__name__, _MODULES)
