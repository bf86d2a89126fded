"""The durable form of everything that people and models said about one video."""

from rasnet.case.case import Case
from rasnet.case.frames import FrameRow, FrameStatus
from rasnet.case.info import FORMAT, CaseInfo, ModelInfo, SourceInfo
from rasnet.case.journal import JournalEntry
from rasnet.case.layers import LAYER_COLORS, Layer
from rasnet.case.writer import CaseWriter, PredictedFrame

__all__ = [
    "FORMAT",
    "LAYER_COLORS",
    "Case",
    "CaseInfo",
    "CaseWriter",
    "FrameRow",
    "FrameStatus",
    "JournalEntry",
    "Layer",
    "ModelInfo",
    "PredictedFrame",
    "SourceInfo",
]
