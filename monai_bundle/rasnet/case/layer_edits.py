"""What people and programs do to the layers of a case; every edit counts for the whole video."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from rasnet.case import layers
from rasnet.case.changes import FrameStore
from rasnet.case.database import Database
from rasnet.case.info import CaseInfo
from rasnet.case.journal import TOOL, current_user
from rasnet.case.layers import Layer
from rasnet.errors import RASNetError


class CaseLayers:
    """The layers of a case: the half of `Case` that is about instruments, not frames.

    In every method `who` is a person, by default the one at this computer, and `tool` the program in use.
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

    def merge_layers(self, into: int, others: Iterable[int], *, who: str | None = None, tool: str = TOOL) -> None:
        """Make several layers one in every frame; `into` keeps its name, colour and type.

        Readers see the merge at once; the mask files follow one by one, and what a kill interrupts is
        finished when the case is next opened.

        Raises:
            RASNetError: a layer does not exist, or `into` is among the others.
        """
        gone = sorted(set(others))
        if into in gone:
            raise RASNetError(f"layer {into} cannot be merged into itself; name only the other layers")
        self._edit(gone, into, who or current_user(), "merge layers", tool)

    def remove_layer(self, layer_id: int, *, who: str | None = None, tool: str = TOOL) -> None:
        """Turn a layer into background in every frame; interrupted, it is finished like a merge.

        Raises:
            RASNetError: no such layer.
        """
        self._edit([layer_id], 0, who or current_user(), "remove layer", tool)

    def _edit(self, gone: list[int], target: int, who: str, what: str, tool: str) -> None:
        with self._database.transaction() as connection:
            self._store.settle(connection)
            if target:
                layers.find(connection, target)
            layers.begin_edit(connection, gone, target, who=who, what=what, tool=tool)
        self._store.follow_edits()

    def _put(self, connection: sqlite3.Connection, layer: Layer, who: str, tool: str) -> None:
        """Add or change a layer in a person's name."""
        exists = connection.execute("SELECT 1 FROM layers WHERE id = ?", (layer.id,)).fetchone()
        if not exists:
            layers.insert(connection, layer, who=who, tool=tool)
        changed = layers.replace(connection, layer, who=who, tool=tool) if exists else layer.type is not None
        if changed:
            layers.mark_typed(connection, layer.id)
