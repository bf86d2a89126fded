"""What the values of EndoVis 2017's masks mean: the challenge's numbers, or those of a mapping file beside them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from rasnet.datasets.endovis2017 import PARTS, TYPES, UNKNOWN, type_of_folder
from rasnet.masks import Mask

MAPPING_FILES = ("mappings.json", "parts_mapping.json", "instrument_type_mapping.json", "type_mapping.json")
"""Names by release; each maps names of parts or of types to values."""

PART_VALUES = {"shaft": 10, "wrist": 20, "claspers": 30, "probe": 40}
"""Values of an instrument's mask, unless a mapping file says otherwise."""

PART_IDS = {"shaft": PARTS["shaft"].id, **dict.fromkeys(("wrist", "claspers", "probe"), PARTS["manipulator"].id)}
"""The challenge tells four parts apart, the schema ``instrument_parts`` two."""

# The derived layout multiplies its ids, so that people can see them.
_PARTS_FACTOR, _TYPES_FACTOR = 85, 32


@dataclass(frozen=True)
class ValueMapping:
    """Ids of mask values, for `rasnet.datasets.endovis2017.MaskFolder.table`.

    Attributes:
        parts: of the mask of one instrument.
        all_parts: of masks with the parts of all instruments, whose values may be ids, or ids times 85.
        types: of masks with all types, whose values may be ids, or ids times 32.
        problems: with the mapping files, a sentence each.
    """

    parts: Mask
    all_parts: Mask
    types: Mask
    problems: tuple[str, ...]


def read_mapping(folder: Path, root: Path) -> ValueMapping:
    """Read the mapping files in a sequence's folder and above it.

    Args:
        folder: of the sequence.
        root: the highest folder to look into.
    """
    values, types, problems = dict(PART_VALUES), dict[int, int](), list[str]()
    places = [folder, *(parent for parent in folder.parents if parent.is_relative_to(root))]
    for file in (place / name for place in reversed(places) for name in MAPPING_FILES):
        if not file.is_file():
            continue
        try:
            entries = {str(name): int(value) for name, value in json.loads(file.read_text(encoding="utf-8")).items()}
        except (ValueError, TypeError, AttributeError, OSError) as error:
            problems.append(f"{file} is not a mapping of names to values ({error}); copy it again")
            continue
        for name, value in entries.items():
            type_id = type_of_folder(name)
            if not 0 <= value <= 255:
                problems.append(f"{file} maps '{name}' to {value}, which no mask can hold; copy it again")
            elif name.casefold() in PART_IDS:
                values[name.casefold()] = value
            elif type_id is not None:
                types[value] = type_id
            elif name.casefold() != "background":
                problems.append(f"{file} maps '{name}', which is neither a part nor an instrument; remove the entry")
    parts = {value: PART_IDS[name] for name, value in values.items()}
    ids = {
        factor * place: PART_IDS[name]
        for place, name in enumerate(PART_VALUES, start=1)
        for factor in (1, _PARTS_FACTOR)
        if factor * place < UNKNOWN + 1
    }
    return ValueMapping(_table(parts), _table(ids | parts), _table(types) if types else type_table(), tuple(problems))


def type_table() -> Mask:
    """Ids of the values of masks with all types, where nothing else is said."""
    return _table({factor * label.id: label.id for label in TYPES.instruments for factor in (1, _TYPES_FACTOR)})


def _table(meaning: Mapping[int, int]) -> Mask:
    table = np.full(256, UNKNOWN, np.uint8)
    table[0] = 0
    for value, label in meaning.items():
        table[value] = label
    return table
