"""Label schemas: the one source of class ids, names, colours and codes."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from rasnet.errors import RASNetError

SCHEMA_FOLDER = Path(__file__).parent / "schemas"

SchemaKind = Literal["types", "parts"]

ANY_INSTRUMENT = 254
"""Value of a pixel in a mask of truth that is known to be an instrument, but not which class of it."""

IGNORE = 255
"""Value of a pixel in a mask of truth about which nothing is known."""


@dataclass(frozen=True)
class Code:
    """A coded meaning, as DICOM and terminologies write it.

    Attributes:
        scheme: coding scheme designator, for example ``"SCT"`` (SNOMED CT).
        value: code value, for example ``"37759000"``.
        meaning: the scheme's own words for the code.
    """

    scheme: str
    value: str
    meaning: str


@dataclass(frozen=True)
class Label:
    """One class of a schema.

    Attributes:
        id: the value in masks, 0 to 255; 0 is the background.
        name: what people read, for example ``"Large Needle Driver"``.
        color: red, green, blue, each 0 to 255.
        code: coded meaning; None where nothing citable exists (the background).
    """

    id: int
    name: str
    color: tuple[int, int, int]
    code: Code | None = None


@dataclass(frozen=True)
class LabelSchema:
    """The classes that a model, a case or an export speaks of.

    Ids run from 0 (background) without gaps, so a class id is also the index of the network's channel.

    Attributes:
        name: the schema's name, for example ``"instrument_parts"``.
        kind: ``"types"`` (which instrument) or ``"parts"`` (which part of any instrument).
        labels: the classes, ordered by id, background first.

    Raises:
        RASNetError: ids with gaps, names that occur twice, or an unknown kind.

    Examples:
        >>> schema = LabelSchema.load("instrument_parts")
        >>> schema["shaft"].id
        1
    """

    name: str
    kind: SchemaKind
    labels: tuple[Label, ...]

    def __post_init__(self) -> None:
        names = [label.name.casefold() for label in self.labels]
        if [label.id for label in self.labels] != list(range(len(self.labels))):
            raise RASNetError(f"label schema '{self.name}' must number its labels 0, 1, 2 ... in order")
        if len(self.labels) < 2 or len(self.labels) > 256:
            raise RASNetError(f"label schema '{self.name}' must have 2 to 256 labels")
        if len(set(names)) != len(names):
            raise RASNetError(f"label schema '{self.name}' has the same name twice; give each label its own")
        if self.kind not in ("types", "parts"):
            raise RASNetError(f"label schema '{self.name}' must be of kind 'types' or 'parts'")

    @classmethod
    def load(cls, name_or_path: str | Path) -> LabelSchema:
        """Read a schema that ships with RASNet by name, or any schema by the path of its JSON file.

        Raises:
            RASNetError: no such schema, or the file is not a label schema.
        """
        path = Path(name_or_path)
        if path.suffix != ".json":
            path = SCHEMA_FOLDER / f"{name_or_path}.json"
        if not path.is_file():
            raise RASNetError(
                f"unknown label schema '{name_or_path}'; use one of {', '.join(cls.available())} "
                "or the path of a schema's .json file"
            )
        try:
            return cls.from_json(json.loads(path.read_text(encoding="utf-8")))
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise RASNetError(f"{path} is not a label schema ({error}); compare it with {SCHEMA_FOLDER}") from error

    @staticmethod
    def available() -> list[str]:
        """Names of the schemas that ship with RASNet."""
        return sorted(path.stem for path in SCHEMA_FOLDER.glob("*.json"))

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> LabelSchema:
        """Build a schema from the object that `to_json` gives."""
        labels = tuple(
            Label(
                id=item["id"],
                name=item["name"],
                color=_color(item["color"]),
                code=Code(**item["code"]) if item.get("code") else None,
            )
            for item in data["labels"]
        )
        return cls(name=data["name"], kind=data["kind"], labels=labels)

    def to_json(self) -> dict[str, Any]:
        """Give the schema as an object that JSON can hold."""
        return {
            "name": self.name,
            "kind": self.kind,
            "labels": [
                {
                    "id": label.id,
                    "name": label.name,
                    "color": list(label.color),
                    "code": vars(label.code) if label.code else None,
                }
                for label in self.labels
            ],
        }

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, key: int | str) -> Label:
        """Find a label by id or by name (case does not matter).

        Raises:
            RASNetError: the schema has no such label; the message lists those it has.
        """
        if isinstance(key, str):
            found = [label for label in self.labels if label.name.casefold() == key.casefold()]
        else:
            found = [label for label in self.labels if label.id == key]
        if not found:
            names = ", ".join(label.name for label in self.labels)
            raise RASNetError(f"label schema '{self.name}' has no label '{key}'; it has {names}")
        return found[0]

    @property
    def instruments(self) -> tuple[Label, ...]:
        """Every label but the background."""
        return self.labels[1:]

    @cached_property
    def palette(self) -> npt.NDArray[np.uint8]:
        """Colours by mask value, uint8 (256, 3); values without a label are black."""
        palette = np.zeros((256, 3), np.uint8)
        palette[: len(self)] = [label.color for label in self.labels]
        return palette

    def channel_def(self) -> dict[str, str]:
        """Channel definition as a MONAI bundle's ``metadata.json`` writes it: ``{"0": "background", ...}``."""
        return {str(label.id): label.name for label in self.labels}


def _color(values: list[int]) -> tuple[int, int, int]:
    red, green, blue = (int(value) for value in values)
    if not all(0 <= value <= 255 for value in (red, green, blue)):
        raise ValueError(f"colour {values} is outside 0 to 255")
    return red, green, blue
