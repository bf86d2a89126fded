"""Instrument types as Slicer's terminology writes them on a segment."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rasnet.errors import RASNetError
from rasnet.labels import Code, LabelSchema

TERMINOLOGY = "RASNet surgical instruments"
"""Name of the terminology that the module brings (``instruments.term.json``)."""

TYPE_TAG = "RASNet.Type"
"""Segment tag with the type's name: several types share a code, so the code alone does not tell them apart."""

MODIFIER_SCHEME = "99RASNET"
"""Of the modifiers that tell types of one code apart."""

CATEGORY = Code("SCT", "260787004", "Physical object")
UNKNOWN_INSTRUMENT = Code("SCT", "37759000", "Surgical instrument")


def terminology_entry(type_name: str | None, types: LabelSchema) -> str:
    """The terminology tag of a layer: context, category, type, modifier, no anatomic region.

    Args:
        type_name: name of a label of `types`; None while it is not known, which gives "Surgical instrument".
        types: the schema.

    Examples:
        >>> terminology_entry("Large Needle Driver", LabelSchema.load("endovis2017_types"))
        'RASNet surgical instruments~SCT^260787004^Physical object~SCT^59746007^Needle holder~^^~~^^~^^'
    """
    code, modifier = UNKNOWN_INSTRUMENT, "^^"
    if type_name is not None:
        label = types[type_name]
        code = label.code or UNKNOWN_INSTRUMENT
        if code == UNKNOWN_INSTRUMENT or len(_named(code, types)) > 1:
            modifier = _words(Code(MODIFIER_SCHEME, f"{types.kind}-{label.id}", label.name))
    return "~".join((TERMINOLOGY, _words(CATEGORY), _words(code), modifier, "", "^^", "^^"))


def type_of_entry(entry: str, types: LabelSchema) -> str | None:
    """What a person who chose a terminology entry said of an instrument.

    Args:
        entry: the terminology tag of a segment.
        types: the schema.

    Returns:
        Name of a label of `types`; "" for a surgical instrument of a type that is not known; None where the entry says
        nothing of the type: it is from another terminology, or its code stands for several types.
    """
    context, _, code, modifier = (*entry.split("~"), "", "", "")[:4]
    if context != TERMINOLOGY:
        return None
    scheme, value, *_ = (*modifier.split("^"), "", "")
    found: list[str] = [label.name for label in types.instruments if value == f"{types.kind}-{label.id}"]
    if scheme == MODIFIER_SCHEME and found:
        return found[0]
    parts = code.split("^")
    if parts[:2] == [UNKNOWN_INSTRUMENT.scheme, UNKNOWN_INSTRUMENT.value]:
        return ""
    found = [name for name, item in _codes(types) if [item.scheme, item.value] == parts[:2]]
    return found[0] if len(found) == 1 else None


def load_terminology(logic: Any, path: str | Path) -> str:
    """Let Slicer know the module's terminology, once: its own has no surgical instruments.

    Args:
        logic: of the Terminologies module (vtkSlicerTerminologiesModuleLogic).
        path: ``instruments.term.json``.

    Returns:
        Name of the terminology.

    Raises:
        RASNetError: the file is missing or damaged, or holds another terminology.
    """
    if not logic.IsTerminologyContextLoaded(TERMINOLOGY):
        found = logic.LoadTerminologyFromFile(str(path)) if Path(path).is_file() else ""
        if found != TERMINOLOGY:
            raise RASNetError(f"the instruments' names could not be loaded from {path}; install the extension again")
    return TERMINOLOGY


def _codes(types: LabelSchema) -> list[tuple[str, Code]]:
    return [(label.name, label.code) for label in types.instruments if label.code is not None]


def _named(code: Code, types: LabelSchema) -> list[str]:
    return [name for name, other in _codes(types) if other == code]


def _words(code: Code) -> str:
    return "^".join((code.scheme, code.value, code.meaning))
