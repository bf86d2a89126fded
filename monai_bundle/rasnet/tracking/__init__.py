"""Frame-wise predictions to instrument layers over time."""

from rasnet.tracking.track import TrackedLayer
from rasnet.tracking.tracker import Tracker

__all__ = ["TrackedLayer", "Tracker"]
