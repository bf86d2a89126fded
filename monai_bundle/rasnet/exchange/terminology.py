"""Coded meanings of instruments, for formats that ask for them (HL7 FHIR device kinds; SNOMED CT)."""

from __future__ import annotations

from rasnet.labels import Code, LabelSchema

CATEGORY = Code("SCT", "260787004", "Physical object")
_UNKNOWN_INSTRUMENT = Code("SCT", "37759000", "Surgical instrument")


def code_of(type_name: str | None, types: LabelSchema) -> Code:
    """Give the code of an instrument's type; where there is none, that of surgical instruments.

    Args:
        type_name: name of a label of `types`; None where the type is not known.
        types: the schema.
    """
    label = types[type_name] if type_name is not None else None
    return label.code if label is not None and label.code is not None else _UNKNOWN_INSTRUMENT
