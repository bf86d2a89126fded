"""A model learns from the corrections of a case, and keeps what it learnt only if it got better.

The names below load what they need when they are used: finding a case's own model needs no torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rasnet.lazy import lazy_names

if TYPE_CHECKING:
    from rasnet.adaptation.adapting import Adaptation, adapt
    from rasnet.adaptation.model_file import case_weights
    from rasnet.adaptation.record import AdaptationRecord, read_record
    from rasnet.adaptation.repredicting import old_predictions, repredict

_MODULES = {
    "Adaptation": "adapting",
    "AdaptationRecord": "record",
    "adapt": "adapting",
    "case_weights": "model_file",
    "old_predictions": "repredicting",
    "read_record": "record",
    "repredict": "repredicting",
}

__all__ = [
    "Adaptation",
    "AdaptationRecord",
    "adapt",
    "case_weights",
    "old_predictions",
    "read_record",
    "repredict",
]

__getattr__ = lazy_names(__name__, _MODULES)
