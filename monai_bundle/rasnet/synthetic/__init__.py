"""A procedural endoscopic scene with exact masks: for the sample clip, for tests, for extra training data."""

from typing import TYPE_CHECKING, Any

from rasnet.synthetic.scene import SyntheticFrame, SyntheticScene, random_frames

if TYPE_CHECKING:
    from rasnet.synthetic.writers import write_case, write_endovis2017

__all__ = ["SyntheticFrame", "SyntheticScene", "random_frames", "write_case", "write_endovis2017"]


def __getattr__(name: str) -> Any:
    """Import the writers on first use: rendering on a GPU node needs torch, and no video library."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from rasnet.synthetic import writers

    return getattr(writers, name)
