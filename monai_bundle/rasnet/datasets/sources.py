"""The data list: a small JSON file that says where training and validation frames lie and how often each is seen."""

from __future__ import annotations

import json
from dataclasses import MISSING, dataclass, fields
from pathlib import Path
from typing import Any, Literal, get_args

from rasnet.errors import RASNetError

Kind = Literal[
    "endovis2015_robotic",
    "endovis2015_rigid",
    "frames_with_masks",
    "without_instruments",
    "unlabelled",
    "synthetic",
    "blank",
]
RENDERED = ("synthetic", "blank")
"""Kinds that are made, not read."""

Split = Literal["train", "validation"]
Role = Literal["labelled", "synthetic", "unlabelled"]


@dataclass(frozen=True)
class Source:
    """One entry of a data list.

    Attributes:
        kind: how the frames lie there; see the readers of the same names.
        name: for figures; the folder's last part where the list gives none.
        folder: one sequence or set; None for ``synthetic`` and ``blank``, which are rendered.
        weight: how often a frame of this source is drawn, relative to the other sources of its role.
        split: ``"train"`` or ``"validation"``.
        step: take every step-th frame.
        count: stills to render, for ``synthetic`` and ``blank``.
        seed: of the stills, for ``synthetic`` and ``blank``.
    """

    kind: Kind
    name: str
    folder: Path | None = None
    weight: float = 1.0
    split: Split = "train"
    step: int = 1
    count: int = 1
    seed: int = 0

    @property
    def role(self) -> Role:
        """Which share of a batch this source feeds."""
        if self.kind == "synthetic" or self.kind == "unlabelled":
            return self.kind
        return "labelled"


def read_sources(path: str | Path, folder: str | Path | None = None) -> list[Source]:
    """Read a data list.

    Args:
        path: a JSON file that holds a list of objects with the attributes of `Source`.
        folder: where its relative folders start; the folder of the list by default.

    Raises:
        RASNetError: no such file, no JSON, or an entry that makes no sense; the sentence says which.

    Examples:
        A list with one labelled and one synthetic source::

            [
              {"kind": "endovis2015_robotic", "folder": "endovis2015/Dataset1", "weight": 0.18, "step": 2},
              {"kind": "synthetic", "count": 5600, "seed": 1000}
            ]
    """
    path = Path(path)
    try:
        entries = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise RASNetError(
            f"the data list {path} cannot be read ({error.strerror}); give one with --data_list"
        ) from error
    except ValueError as error:
        raise RASNetError(f"the data list {path} is not JSON ({error}); correct it") from error
    if not isinstance(entries, list) or not entries:
        raise RASNetError(f'the data list {path} must be a JSON list of sources: [{{"kind": ..., "folder": ...}}, ...]')
    base = path.parent if folder is None else Path(folder)
    sources = [_source(entry, base, f"source {place} of {path}") for place, entry in enumerate(entries, start=1)]
    _check_names(sources, path)
    return sources


def _source(entry: Any, base: Path, where: str) -> Source:
    if not isinstance(entry, dict):
        raise RASNetError(f"{where} must be a JSON object such as {{'kind': 'unlabelled', 'folder': 'frames'}}")
    if entry.get("kind") not in get_args(Kind):
        raise RASNetError(f"{where} has the kind {entry.get('kind')!r}; use one of {', '.join(get_args(Kind))}")
    known = {field.name for field in fields(Source)}
    if unknown := sorted(entry.keys() - known):
        raise RASNetError(f"{where} has the unknown key '{unknown[0]}'; it may have {', '.join(sorted(known))}")
    rendered = entry["kind"] in RENDERED
    for key in ("folder", "step") if rendered else ("count", "seed"):
        if key in entry:
            raise RASNetError(f"{where} is {entry['kind']}, which has no '{key}'; remove it")
    if not rendered and not isinstance(entry.get("folder"), str):
        raise RASNetError(f"{where} lacks 'folder', the path of its frames")
    _check_values(entry, where)
    folder = None if rendered else base / entry["folder"]
    name = entry.get("name") or (folder.resolve().name if folder else entry["kind"])
    return Source(**{**entry, "name": name, "folder": folder})


def _check_values(entry: dict[str, Any], where: str) -> None:
    values = {field.name: entry.get(field.name, field.default) for field in fields(Source)}
    name = values["name"]
    if name is not MISSING and not isinstance(name, str):
        raise RASNetError(f"{where} has the name {name!r}; a name is a string")
    if not _is_number(values["weight"]) or values["weight"] <= 0:
        raise RASNetError(f"{where} has the weight {values['weight']!r}; a weight is a number above 0")
    for key, least in (("step", 1), ("count", 1), ("seed", 0)):
        if type(values[key]) is not int or values[key] < least:
            raise RASNetError(f"{where} has the {key} {values[key]!r}; give a whole number from {least} up")
    if values["split"] not in get_args(Split):
        raise RASNetError(f"{where} has the split {values['split']!r}; use 'train' or 'validation'")
    if values["split"] == "validation" and entry["kind"] == "unlabelled":
        raise RASNetError(f"{where} has no labels to validate with; remove it or use it for 'train'")


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _check_names(sources: list[Source], path: Path) -> None:
    names = [source.name for source in sources if source.split == "validation"]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise RASNetError(f"{path} has two validation sources called '{twice[0]}'; give each a 'name' of its own")
