"""How good masks are: figures of the paper, of later work and of boundaries, on NumPy and SciPy alone."""

from rasnet.metrics.boundary import BoundaryScores, compare_boundaries
from rasnet.metrics.calibration import (
    FrameRanking,
    PixelSample,
    Reliability,
    ReliabilityCurve,
    fit_temperature,
    rank_frames,
    softmax,
)
from rasnet.metrics.confusion import confusion_matrix
from rasnet.metrics.figures import INSTRUMENT, MEAN, METRICS
from rasnet.metrics.results import ALL, Figure, Results, write_csv, write_json
from rasnet.metrics.segmentation import SegmentationMetrics

__all__ = [
    "ALL",
    "INSTRUMENT",
    "MEAN",
    "METRICS",
    "BoundaryScores",
    "Figure",
    "FrameRanking",
    "PixelSample",
    "Reliability",
    "ReliabilityCurve",
    "Results",
    "SegmentationMetrics",
    "compare_boundaries",
    "confusion_matrix",
    "fit_temperature",
    "rank_frames",
    "softmax",
    "write_csv",
    "write_json",
]
