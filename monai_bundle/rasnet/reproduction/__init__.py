"""The paper's experiments: trains, evaluates and reports what its tables and its figure of results hold."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rasnet.reproduction.plan import Plan, quick_plan
    from rasnet.reproduction.reproducing import Reproduction, reproduce

_MODULES = {"Plan": "plan", "Reproduction": "reproducing", "quick_plan": "plan", "reproduce": "reproducing"}

__all__ = ["Plan", "Reproduction", "quick_plan", "reproduce"]


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
