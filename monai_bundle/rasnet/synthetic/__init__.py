"""A procedural endoscopic scene with exact masks: for the sample clip, for tests, for extra training data."""

from typing import TYPE_CHECKING

from rasnet.lazy import lazy_names
from rasnet.synthetic.scene import SyntheticFrame, SyntheticScene, random_frames

if TYPE_CHECKING:
    from rasnet.synthetic.writers import write_case, write_endovis2017

__all__ = ["SyntheticFrame", "SyntheticScene", "random_frames", "write_case", "write_endovis2017"]

# Rendering on a GPU node needs torch, and no video library.
__getattr__ = lazy_names(__name__, {"write_case": "writers", "write_endovis2017": "writers"})
