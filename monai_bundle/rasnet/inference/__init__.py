"""From pixels to masks: one path for the bundle, the command line and 3D Slicer.

The names below load what they need when they are used, so that importing this package needs neither torch nor MONAI.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rasnet.lazy import lazy_names

if TYPE_CHECKING:
    from rasnet.inference.backend import Backend, load_backend
    from rasnet.inference.engine import CaseHandler, prepare_frames
    from rasnet.inference.export import export_model
    from rasnet.inference.frames import FrameBatch, FrameBatches
    from rasnet.inference.live import watch
    from rasnet.inference.many import segment_many
    from rasnet.inference.openvino_backend import OpenVinoBackend
    from rasnet.inference.pipeline import open_case, segment_video
    from rasnet.inference.recorded import RecordedSegmenter
    from rasnet.inference.segmenter import Prediction, Segmenter
    from rasnet.inference.sink import CaseSink
    from rasnet.inference.torch_backend import TorchBackend, place
    from rasnet.inference.transfer import memory_for

_MODULES = {
    "Backend": "backend",
    "CaseHandler": "engine",
    "CaseSink": "sink",
    "FrameBatch": "frames",
    "FrameBatches": "frames",
    "OpenVinoBackend": "openvino_backend",
    "Prediction": "segmenter",
    "RecordedSegmenter": "recorded",
    "Segmenter": "segmenter",
    "TorchBackend": "torch_backend",
    "export_model": "export",
    "load_backend": "backend",
    "memory_for": "transfer",
    "open_case": "pipeline",
    "place": "torch_backend",
    "prepare_frames": "engine",
    "segment_many": "many",
    "segment_video": "pipeline",
    "watch": "live",
}

__all__ = [
    "Backend",
    "CaseHandler",
    "CaseSink",
    "FrameBatch",
    "FrameBatches",
    "OpenVinoBackend",
    "Prediction",
    "RecordedSegmenter",
    "Segmenter",
    "TorchBackend",
    "export_model",
    "load_backend",
    "memory_for",
    "open_case",
    "place",
    "prepare_frames",
    "segment_many",
    "segment_video",
    "watch",
]

__getattr__ = lazy_names(__name__, _MODULES)
