"""Instrument types as Slicer's terminology writes them on a segment."""

from __future__ import annotations

from rasnet.labels import Code, LabelSchema

TERMINOLOGY = "RASNet surgical instruments"
"""Name of the terminology that the module brings (``instruments.term.json``)."""

TYPE_TAG = "RASNet.Type"
"""Segment tag with the type's name: several types share a code, so the code alone does not tell them apart."""

CATEGORY = Code("SCT", "260787004", "Physical object")
UNKNOWN_INSTRUMENT = Code("SCT", "37759000", "Surgical instrument")


def terminology_entry(type_name: str | None, types: LabelSchema) -> str:
    """The terminology tag of a layer: context, category, type, no modifier, no anatomic region.

    Args:
        type_name: name of a label of `types`; None while it is not known, which gives "Surgical instrument".
        types: the schema.

    Examples:
        >>> terminology_entry("Large Needle Driver", LabelSchema.load("endovis2017_types"))
        'RASNet surgical instruments~SCT^260787004^Physical object~SCT^59746007^Needle holder~^^~~^^~^^'
    """
    code = types[type_name].code if type_name is not None else None
    words = (_words(CATEGORY), _words(code or UNKNOWN_INSTRUMENT))
    return "~".join((TERMINOLOGY, *words, "^^", "", "^^", "^^"))


def _words(code: Code) -> str:
    return "^".join((code.scheme, code.value, code.meaning))
