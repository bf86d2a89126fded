"""Frame-wise predictions to instrument layers over time."""

from rasnet.tracking.components import Foreground
from rasnet.tracking.outline import Drawing, Outline
from rasnet.tracking.preparation import Preparation
from rasnet.tracking.runs import ClassRuns
from rasnet.tracking.track import TrackedLayer
from rasnet.tracking.tracker import Tracker

__all__ = ["ClassRuns", "Drawing", "Foreground", "Outline", "Preparation", "TrackedLayer", "Tracker"]
