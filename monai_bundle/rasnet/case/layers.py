"""Layers: the instruments of a case, and the edits of layers that rewrite masks."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from rasnet.case import journal
from rasnet.errors import RASNetError
from rasnet.labels import LabelSchema
from rasnet.masks import Mask

# Okabe and Ito, "Color Universal Design" (2008), in the order in which they stand out from tissue, then three of
# Paul Tol's (SRON/EPS/TN/09-002). Ids beyond the list start over.
LAYER_COLORS: tuple[tuple[int, int, int], ...] = (
    (86, 180, 233),
    (240, 228, 66),
    (0, 158, 115),
    (230, 159, 0),
    (0, 114, 178),
    (204, 121, 167),
    (213, 94, 0),
    (68, 187, 153),
    (51, 34, 136),
    (238, 221, 136),
)


@dataclass(frozen=True)
class Layer:
    """One instrument over the whole video.

    Attributes:
        id: its value in the masks, 1 to 255.
        name: what people read.
        color: red, green, blue, each 0 to 255.
        type: name of a label of the case's types schema; None while it is not known.
    """

    id: int
    name: str
    color: tuple[int, int, int]
    type: str | None = None

    def __post_init__(self) -> None:
        if not 1 <= self.id <= 255:
            raise RASNetError(f"layer id {self.id} does not fit a mask; use 1 to 255")
        if not self.name.strip() or not self.name.isprintable():
            raise RASNetError(f"layer {self.id} cannot be named {self.name!r}; use printable characters")
        if len(self.color) != 3 or not all(0 <= value <= 255 for value in self.color):
            raise RASNetError(f"layer {self.id} cannot have the colour {self.color}; use three values 0 to 255")


def default_layer(layer_id: int) -> Layer:
    """The layer that a mask value has before anyone says more about it."""
    color = LAYER_COLORS[(layer_id - 1) % len(LAYER_COLORS)]
    return Layer(layer_id, f"Instrument {layer_id}", color)


def palette(layers: Iterable[Layer]) -> npt.NDArray[np.uint8]:
    """Colours by mask value, uint8 (256, 3): the layers' own, elsewhere what a new layer would get."""
    colors = np.zeros((256, 3), np.uint8)
    colors[1:] = [default_layer(layer_id).color for layer_id in range(1, 256)]
    for layer in layers:
        colors[layer.id] = layer.color
    return colors


def from_row(row: sqlite3.Row) -> Layer:
    """Give the layer of a row of the table."""
    return Layer(row["id"], row["name"], (row["red"], row["green"], row["blue"]), row["type"])


def find(connection: sqlite3.Connection, layer_id: int) -> Layer:
    """Find a layer by id.

    Raises:
        RASNetError: there is none; the message lists those there are.
    """
    row = connection.execute("SELECT * FROM layers WHERE id = ?", (layer_id,)).fetchone()
    if row is None:
        ids = [str(r["id"]) for r in connection.execute("SELECT id FROM layers ORDER BY id")]
        raise RASNetError(f"the case has no layer {layer_id}; it has {', '.join(ids) or 'none'}")
    return from_row(row)


def free_id(connection: sqlite3.Connection) -> int:
    """An id for a new layer: one that was never used, as long as there is one.

    Raises:
        RASNetError: 255 layers are in use.
    """
    used = {row["id"] for row in connection.execute("SELECT id FROM layers")}
    ever = set(used)
    for row in connection.execute("SELECT layers FROM edits"):
        ever.update(json.loads(row["layers"]))
    if max(ever, default=0) < 255:
        return max(ever, default=0) + 1
    free = sorted(set(range(1, 256)) - used)
    if not free:
        raise RASNetError("the case has 255 layers, which is all that a mask can hold; merge or remove some")
    return free[0]


def insert(connection: sqlite3.Connection, layer: Layer, *, who: str, tool: str) -> None:
    """Add a layer and say so in the journal."""
    connection.execute(
        "INSERT INTO layers (id, name, red, green, blue, type) VALUES (?,?,?,?,?,?)",
        (layer.id, layer.name, *layer.color, layer.type),
    )
    journal.append(connection, who=who, what="add layer", tool=tool, layer=layer.id, after=layer.name)


def insert_unknown(connection: sqlite3.Connection, values: Iterable[int], *, who: str, tool: str) -> None:
    """Add a default layer for each mask value that has none."""
    known = {row["id"] for row in connection.execute("SELECT id FROM layers")}
    for value in values:
        if value and value not in known:
            insert(connection, default_layer(value), who=who, tool=tool)


def replace(connection: sqlite3.Connection, new: Layer, *, who: str, tool: str) -> bool:
    """Change name, colour and type of a layer; each change has its own entry in the journal.

    Returns:
        Whether the type changed.
    """
    old = find(connection, new.id)
    changes = (
        ("rename layer", old.name, new.name),
        ("recolor layer", _hex(old.color), _hex(new.color)),
        ("set type", old.type, new.type),
    )
    for what, before, after in changes:
        if before != after:
            journal.append(connection, who=who, what=what, tool=tool, layer=new.id, before=before, after=after)
    connection.execute(
        "UPDATE layers SET name = ?, red = ?, green = ?, blue = ?, type = ? WHERE id = ?",
        (new.name, *new.color, new.type, new.id),
    )
    return old.type != new.type


def mark_typed(connection: sqlite3.Connection, layer_id: int) -> None:
    """Remember that a person said what the layer is, so that no program says otherwise."""
    connection.execute("UPDATE layers SET typed_by_person = 1 WHERE id = ?", (layer_id,))


def type_name(types: LabelSchema, name: str | None) -> str | None:
    """Give a type as its schema spells it.

    Raises:
        RASNetError: the schema has no such instrument; the message lists those it has.
    """
    if name is None:
        return None
    label = types[name]
    if label.id == 0:
        raise RASNetError(f"'{name}' is no instrument; use {', '.join(i.name for i in types.instruments)}")
    return label.name


def begin_edit(
    connection: sqlite3.Connection, layers: Sequence[int], target: int, *, who: str, what: str, tool: str
) -> None:
    """Put `layers` into `target` (0: into the background): from here on every reader sees it so.

    The masks follow frame by frame; a frame's ``edit`` says how far it is.
    """
    names = {layer_id: find(connection, layer_id).name for layer_id in layers}
    connection.execute(
        "INSERT INTO edits (layers, target, who, what, tool) VALUES (?,?,?,?,?)",
        (json.dumps(list(layers)), target, who, what, tool),
    )
    for layer_id, name in names.items():
        connection.execute("DELETE FROM layers WHERE id = ?", (layer_id,))
        after = str(target) if target else None
        journal.append(connection, who=who, what=what, tool=tool, layer=layer_id, before=name, after=after)


def edit_table(edits: Sequence[sqlite3.Row]) -> Mask:
    """Where edits take each mask value, uint8 (256,)."""
    table = np.arange(256, dtype=np.uint8)
    for edit in edits:
        table[np.isin(table, json.loads(edit["layers"]))] = edit["target"]
    return table


def _hex(color: tuple[int, int, int]) -> str:
    return "#{:02x}{:02x}{:02x}".format(*color)
