"""Layer edits of a person: each acts on the case and on every frame in the scene."""

from __future__ import annotations

from collections.abc import Iterable

from rasnet.case import Layer
from rasnet.progress import Progress
from RASNetSlicerLib.scene import CaseScene


class LayerEdits:
    """Rename, recolour, type, add, merge, split and remove layers of a case that is in a scene.

    Every method goes through `CaseScene.edit_layers` and raises RASNetError where the case refuses (no such layer or
    type, 255 layers) or cannot be written; nothing has changed then. Those that change masks take a `progress`, which
    is told of every frame of the case.

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

    def merge(self, into: int, others: Iterable[int], *, progress: Progress | None = None) -> None:
        """Make several layers one in every frame of the case; `into` keeps its name, colour and type."""
        gone = list(others)
        self._shown.edit_layers(lambda case: case.merge_layers(into, gone, progress=progress, **self._by))

    def remove(self, layer_id: int, *, progress: Progress | None = None) -> None:
        """Turn a layer into background in every frame of the case."""
        self._shown.edit_layers(lambda case: case.remove_layer(layer_id, progress=progress, **self._by))

    def split_at(
        self,
        layer_id: int,
        index: int,
        *,
        into: int | None = None,
        name: str | None = None,
        progress: Progress | None = None,
    ) -> Layer:
        """Say that from a frame on a layer is another instrument.

        Args:
            layer_id: the layer, which keeps the frames before.
            index: the first frame of the other instrument.
            into: the layer that the other instrument has already; None for a new one.
            name: of the new layer.
            progress: told of each frame.
        """
        return self._shown.edit_layers(
            lambda case: case.split_layer_at(layer_id, index, into=into, name=name, progress=progress, **self._by)
        )

    def split_component(
        self,
        layer_id: int,
        index: int,
        point: tuple[int, int],
        *,
        into: int | None = None,
        name: str | None = None,
        progress: Progress | None = None,
    ) -> Layer:
        """Say that a connected component of a layer is another instrument; see `Case.split_layer_component`.

        Args:
            layer_id: the layer.
            index: the frame that shows the component.
            point: a pixel (x, y) of it in the picture on show.
            into: the layer that the other instrument has already; None for a new one.
            name: of the new layer.
            progress: told of each frame.
        """
        scale, info = self._shown.window.scale, self._shown.case.info
        x, y = (
            min(value * scale + scale // 2, end - 1)
            for value, end in zip(point, (info.width, info.height), strict=True)
        )
        return self._shown.edit_layers(
            lambda case: case.split_layer_component(
                layer_id, index, (x, y), into=into, name=name, progress=progress, **self._by
            )
        )
