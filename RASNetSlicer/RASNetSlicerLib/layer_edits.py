"""Layer edits of a person: each acts on the case and on every frame in the scene."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from rasnet.case import Layer
from rasnet.masks import Mask
from RASNetSlicerLib.scene import CaseScene


class LayerEdits:
    """Rename, recolour, type, add, merge and remove layers of a case that is in a scene.

    Every method goes through `CaseScene.edit_layers` and raises RASNetError where the case refuses (no such layer or
    type, 255 layers) or cannot be written; nothing has changed then.

    Args:
        shown: the case in its scene.
    """

    def __init__(self, shown: CaseScene) -> None:
        self._shown = shown
        self._by = {"who": shown.who, "tool": shown.tool}

    def rename(self, layer_id: int, name: str) -> Layer:
        """Give a layer another name."""
        return self._shown.edit_layers(lambda case: case.update_layer(layer_id, name=name, **self._by))

    def recolor(self, layer_id: int, color: tuple[int, int, int]) -> Layer:
        """Give a layer another colour, three values 0 to 255."""
        return self._shown.edit_layers(lambda case: case.update_layer(layer_id, color=color, **self._by))

    def set_type(self, layer_id: int, type_name: str | None) -> Layer:
        """Say what a layer is: a label of the case's types; None for not known."""
        return self._shown.edit_layers(lambda case: case.update_layer(layer_id, type=type_name or "", **self._by))

    def add(
        self,
        name: str | None = None,
        *,
        color: tuple[int, int, int] | None = None,
        type_name: str | None = None,
    ) -> Layer:
        """Add a layer, empty in every frame."""
        return self._shown.edit_layers(lambda case: case.add_layer(name, color=color, type=type_name, **self._by))

    def merge(self, into: int, others: Iterable[int]) -> None:
        """Make several layers one in every frame of the case; `into` keeps its name, colour and type."""
        gone = list(others)
        self._shown.edit_layers(lambda case: case.merge_layers(into, gone, **self._by), _moving(gone, into))

    def remove(self, layer_id: int) -> None:
        """Turn a layer into background in every frame of the case."""
        self._shown.edit_layers(lambda case: case.remove_layer(layer_id, **self._by), _moving([layer_id], 0))


def _moving(values: Iterable[int], target: int) -> Mask:
    table = np.arange(256, dtype=np.uint8)
    table[list(values)] = target
    return table
