"""What people and programs do to the layers of a case; every edit counts for the whole video."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from itertools import chain

import numpy as np
import numpy.typing as npt

from rasnet.case import journal, layers
from rasnet.case.changes import FrameStore, MaskChange
from rasnet.case.database import Database
from rasnet.case.frames import FrameRow
from rasnet.case.info import CaseInfo
from rasnet.case.journal import TOOL, current_user
from rasnet.case.layers import Layer
from rasnet.case.splitting import Pixels, component_at, follow
from rasnet.errors import RASNetError
from rasnet.progress import Progress, SilentProgress


class CaseLayers:
    """The layers of a case: the half of `Case` that is about instruments, not frames.

    In every method `who` is a person, by default the one at this computer, and `tool` the program in use; `progress`
    is told of each frame whose mask changes.
    """

    def __init__(self, info: CaseInfo, database: Database, store: FrameStore) -> None:
        self.info = info
        self._database = database
        self._store = store

    def layers(self) -> list[Layer]:
        """The layers, by id."""
        return [layers.from_row(row) for row in self._database.rows("SELECT * FROM layers ORDER BY id")]

    def palette(self) -> npt.NDArray[np.uint8]:
        """Colours of the layers by mask value, uint8 (256, 3); unused values have what they would get."""
        return self._store.palette()

    def add_layer(
        self,
        name: str | None = None,
        *,
        color: tuple[int, int, int] | None = None,
        type: str | None = None,
        who: str | None = None,
        tool: str = TOOL,
    ) -> Layer:
        """Add a layer under an id that no mask uses.

        Args:
            name: by default "Instrument" and the id.
            color: by default one that differs from its neighbours', also for colour-blind eyes.
            type: name of a label of `CaseInfo.types`; None while it is not known.
            who: the person.
            tool: the program in use.

        Raises:
            RASNetError: 255 layers exist, or the schema has no such type.
        """
        with self._database.transaction() as connection:
            default = layers.default_layer(layers.free_id(connection))
            layer = Layer(
                default.id,
                default.name if name is None else name,
                color or default.color,
                layers.type_name(self.info.types, type),
            )
            self._put(connection, layer, who or current_user(), tool)
        return layer

    def set_layers(self, new: Iterable[Layer], *, who: str | None = None, tool: str = TOOL) -> None:
        """Add or change several layers at once, by id; layers that are not named stay as they are.

        Raises:
            RASNetError: the schema lacks a type; nothing changes then.
        """
        with self._database.transaction() as connection:
            for layer in new:
                typed = replace(layer, type=layers.type_name(self.info.types, layer.type))
                self._put(connection, typed, who or current_user(), tool)

    def update_layer(
        self,
        layer_id: int,
        *,
        name: str | None = None,
        color: tuple[int, int, int] | None = None,
        type: str | None = None,
        who: str | None = None,
        tool: str = TOOL,
    ) -> Layer:
        """Change what is given of a layer, and leave the rest.

        Args:
            layer_id: the layer.
            name: new name.
            color: new colour.
            type: name of a label of `CaseInfo.types`, or "" for not known; programs no longer change it.
            who: the person.
            tool: the program in use.

        Raises:
            RASNetError: no such layer or type.
        """
        with self._database.transaction() as connection:
            old = layers.find(connection, layer_id)
            layer = Layer(
                layer_id,
                old.name if name is None else name,
                color or old.color,
                old.type if type is None else layers.type_name(self.info.types, type or None),
            )
            layers.replace(connection, layer, who=who or current_user(), tool=tool)
            if type is not None:
                layers.mark_typed(connection, layer_id)
        return layer

    def propose_type(self, layer_id: int, type: str | None, *, who: str, tool: str = TOOL) -> bool:
        """Let a program say what a layer is, unless a person has.

        Args:
            layer_id: the layer.
            type: name of a label of `CaseInfo.types`; None for not known.
            who: the model.
            tool: the program.

        Returns:
            False where a person has said what the layer is: nothing changes then.

        Raises:
            RASNetError: no such layer or type.
        """
        with self._database.transaction() as connection:
            old = layers.find(connection, layer_id)
            question = "SELECT typed_by_person FROM layers WHERE id = ?"
            if connection.execute(question, (layer_id,)).fetchone()[0]:
                return False
            layer = replace(old, type=layers.type_name(self.info.types, type))
            layers.replace(connection, layer, who=who, tool=tool)
        return True

    def merge_layers(
        self,
        into: int,
        others: Iterable[int],
        *,
        who: str | None = None,
        tool: str = TOOL,
        progress: Progress | None = None,
    ) -> None:
        """Make several layers one in every frame; `into` keeps its name, colour and type.

        Readers see the merge at once; the mask files follow one by one, and what a kill interrupts is
        finished when the case is next opened.

        Raises:
            RASNetError: a layer does not exist, or `into` is among the others.
        """
        gone = sorted(set(others))
        if into in gone:
            raise RASNetError(f"layer {into} cannot be merged into itself; name only the other layers")
        self._edit(gone, into, who or current_user(), "merge layers", tool, progress)

    def remove_layer(
        self, layer_id: int, *, who: str | None = None, tool: str = TOOL, progress: Progress | None = None
    ) -> None:
        """Turn a layer into background in every frame; interrupted, it is finished like a merge.

        Raises:
            RASNetError: no such layer.
        """
        self._edit([layer_id], 0, who or current_user(), "remove layer", tool, progress)

    def split_layer_at(
        self,
        layer_id: int,
        index: int,
        *,
        into: int | None = None,
        name: str | None = None,
        who: str | None = None,
        tool: str = TOOL,
        progress: Progress | None = None,
    ) -> Layer:
        """Say that from a frame on a layer is another instrument.

        Status and parts of the frames stay. Frames that a program segments later are not split.

        Args:
            layer_id: the layer, which keeps the frames before.
            index: the first frame of the other instrument.
            into: the layer that the other instrument has already; None for a new one.
            name: of the new layer, by default "Instrument" and its id.
            who: the person.
            tool: the program in use.
            progress: told of each frame.

        Returns:
            The other instrument's layer.

        Raises:
            RASNetError: no such layer, the layer is nowhere from the frame on, or someone else changed a frame at
                the same time; nothing has changed then.
        """
        later = [row.index for row in self._store.rows() if row.index >= index and row.mask_sha256]

        def parts() -> Iterator[tuple[int, Pixels]]:
            return ((frame, self._pixels(layer_id, frame)) for frame in later)

        return self._split(layer_id, parts, into, name, who or current_user(), tool, progress, len(later))

    def split_layer_component(
        self,
        layer_id: int,
        index: int,
        point: tuple[int, int],
        *,
        into: int | None = None,
        name: str | None = None,
        who: str | None = None,
        tool: str = TOOL,
        progress: Progress | None = None,
    ) -> Layer:
        """Say that a connected component of a layer is another instrument.

        The component is followed to later and earlier frames as long as it stays apart from the rest of the layer
        (see `rasnet.case.splitting.follow`). Otherwise as `split_layer_at`.

        Args:
            layer_id: the layer.
            index: a frame that shows the component.
            point: a pixel (x, y) of it.
            into: the layer that the other instrument has already; None for a new one.
            name: of the new layer, by default "Instrument" and its id.
            who: the person.
            tool: the program in use.
            progress: told of each frame.

        Returns:
            The other instrument's layer.

        Raises:
            RASNetError: no such layer, or it is not at this place; or as `split_layer_at`.
        """
        x, y = point
        layer = self._pixels(layer_id, index)
        if not (0 <= x < self.info.width and 0 <= y < self.info.height and layer[y, x]):
            raise RASNetError(f"layer {layer_id} is not at ({x}, {y}) in frame {index}; choose a place that it covers")
        frames = [row.index for row in self._store.rows() if row.mask_sha256]
        later = [frame for frame in frames if frame > index]
        earlier = [frame for frame in reversed(frames) if frame < index]

        def parts() -> Iterator[tuple[int, Pixels]]:
            component = component_at(layer, x, y)
            ways = [
                follow(component, layer, way, lambda frame: self._pixels(layer_id, frame)) for way in (later, earlier)
            ]
            return chain([(index, component)], *ways)

        return self._split(layer_id, parts, into, name, who or current_user(), tool, progress, len(frames))

    def _pixels(self, layer_id: int, index: int) -> Pixels:
        pixels: Pixels = self._store.mask(index) == layer_id
        return pixels

    def _split(
        self,
        layer_id: int,
        parts: Callable[[], Iterator[tuple[int, Pixels]]],
        into: int | None,
        name: str | None,
        who: str,
        tool: str,
        progress: Progress | None,
        most: int,
    ) -> Layer:
        """Give parts of a layer to another: encode without the lock, then decide on all frames at once."""
        progress = SilentProgress() if progress is None else progress
        if into == layer_id:
            raise RASNetError(
                f"layer {layer_id} cannot be split into itself; name another layer, or none for a new one"
            )
        self._store.follow_edits()
        with self._database.transaction() as connection:
            found = old, target = self._split_target(connection, layer_id, into, name)
        progress.start("split layer", most)
        changes: list[tuple[FrameRow, MaskChange]] = []
        for index, part in parts():
            row = self._store.row(index)
            if row is not None and part.any():
                mask = np.where(part, np.uint8(target.id), self._store.mask(index))
                changes.append((row, self._store.replacement(row, mask, who=who, what="split layer", tool=tool)))
            progress.advance(index)
        if not changes:
            raise RASNetError(f"layer {layer_id} is in none of these frames; choose a frame that shows it")
        with self._database.transaction() as connection:
            self._store.settle(connection)
            if found != self._split_target(connection, layer_id, into, name):
                raise RASNetError(f"the layers of {self._store.folder} have changed meanwhile; split the layer again")
            if into is None:
                layers.insert(connection, target, who=who, tool=tool)
            self._store.rewrite(connection, changes)
            journal.append(
                connection,
                who=who,
                what="split layer",
                tool=tool,
                layer=layer_id,
                before=old.name,
                after=str(target.id),
            )
        self._store.carry_out()
        progress.finish(frames=len(changes))
        return target

    def _split_target(
        self, connection: sqlite3.Connection, layer_id: int, into: int | None, name: str | None
    ) -> tuple[Layer, Layer]:
        """The layer to split, and the other one as it is or will be."""
        old = layers.find(connection, layer_id)
        if into is not None:
            return old, layers.find(connection, into)
        default = layers.default_layer(layers.free_id(connection))
        return old, default if name is None else replace(default, name=name)

    def _edit(self, gone: list[int], target: int, who: str, what: str, tool: str, progress: Progress | None) -> None:
        with self._database.transaction() as connection:
            self._store.settle(connection)
            if target:
                layers.find(connection, target)
            layers.begin_edit(connection, gone, target, who=who, what=what, tool=tool)
        self._store.follow_edits(progress)

    def _put(self, connection: sqlite3.Connection, layer: Layer, who: str, tool: str) -> None:
        """Add or change a layer in a person's name."""
        exists = connection.execute("SELECT 1 FROM layers WHERE id = ?", (layer.id,)).fetchone()
        if not exists:
            layers.insert(connection, layer, who=who, tool=tool)
        changed = layers.replace(connection, layer, who=who, tool=tool) if exists else layer.type is not None
        if changed:
            layers.mark_typed(connection, layer.id)
