"""Frame-wise predictions to instrument layers over time."""

from rasnet.tracking.components import Foreground
from rasnet.tracking.track import TrackedLayer
from rasnet.tracking.tracker import Drawing, Tracker

__all__ = ["Drawing", "Foreground", "TrackedLayer", "Tracker"]
