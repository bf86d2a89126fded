"""The terminology that the module brings to Slicer, written from the label schemas.

``python -m RASNetSlicerLib.terminology_file`` in the module's folder writes it again after a schema has changed.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from rasnet.labels import Code, Label, LabelSchema
from RASNetSlicerLib.terminology import CATEGORY, TERMINOLOGY, UNKNOWN_INSTRUMENT

TERMINOLOGY_FILE = Path(__file__).resolve().parents[1] / "Resources" / "instruments.term.json"

_SCHEMAS = ("endovis2017_types", "instrument_parts")
_SCHEME = "99RASNET"  # DICOM has private coding schemes begin with 99


def terminology_document(schemas: Sequence[LabelSchema]) -> dict[str, Any]:
    """The content of a Slicer terminology with every label of some schemas.

    Slicer finds a type by its code alone, so a code is listed once. Where it stands for one label, the type shows
    that label's name and colour; where several labels share it, they are modifiers of the type, under private codes.

    Args:
        schemas: where the labels come from.

    Returns:
        What the JSON file holds (dcmqi's segment context schema).
    """
    labels: dict[Code, list[tuple[str, Label]]] = {UNKNOWN_INSTRUMENT: []}
    for schema in schemas:
        for label in schema.labels:
            if label.code is not None:
                labels.setdefault(label.code, []).append((f"{schema.kind}-{label.id}", label))
    category = {**_words(CATEGORY), "showAnatomy": False, "Type": [_type(*item) for item in labels.items()]}
    return {
        "SegmentationCategoryTypeContextName": TERMINOLOGY,
        "@schema": "https://raw.githubusercontent.com/qiicr/dcmqi/master/doc/segment-context-schema.json#",
        "SegmentationCodes": {"Category": [category]},
    }


def write_terminology(path: Path = TERMINOLOGY_FILE) -> None:
    """Write the terminology of the schemas that ship with RASNet."""
    document = terminology_document([LabelSchema.load(name) for name in _SCHEMAS])
    path.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")


def _type(code: Code, labels: Iterable[tuple[str, Label]]) -> dict[str, Any]:
    found = list(labels)
    if len(found) == 1:
        return {**_words(code), **_look(found[0][1])}
    modifiers = [{**_words(Code(_SCHEME, value, label.name)), **_look(label)} for value, label in found]
    return {**_words(code), **({"Modifier": modifiers} if modifiers else {})}


def _words(code: Code) -> dict[str, Any]:
    return {"CodingSchemeDesignator": code.scheme, "CodeValue": code.value, "CodeMeaning": code.meaning}


def _look(label: Label) -> dict[str, Any]:
    return {"3dSlicerLabel": label.name, "recommendedDisplayRGBValue": list(label.color)}


if __name__ == "__main__":
    write_terminology()
