"""The paper's experiments: trains, evaluates and reports what its tables and its figure of results hold."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rasnet.lazy import lazy_names

if TYPE_CHECKING:
    from rasnet.reproduction.plan import Plan, quick_plan
    from rasnet.reproduction.reproducing import Reproduction, reproduce

_MODULES = {"Plan": "plan", "Reproduction": "reproducing", "quick_plan": "plan", "reproduce": "reproducing"}

__all__ = ["Plan", "Reproduction", "quick_plan", "reproduce"]

__getattr__ = lazy_names(__name__, _MODULES)
