"""The terminology that Slicer lists: the schemas' labels, each to be found under its name, code and colour."""

from __future__ import annotations

import json

import pytest

pytest.importorskip("slicer_core", reason="the package slicer-core is not installed")

import slicer
from mrml import Mrml
from RASNetSlicerLib.terminology import TERMINOLOGY, terminology_entry
from RASNetSlicerLib.terminology_file import TERMINOLOGY_FILE, terminology_document, write_terminology

from rasnet.labels import Code, Label, LabelSchema

TYPES = LabelSchema.load("endovis2017_types")
PARTS = LabelSchema.load("instrument_parts")
LABELS = [*TYPES.instruments, *PARTS.instruments]


@pytest.fixture
def terminologies(mrml: Mrml) -> slicer.vtkSlicerTerminologiesModuleLogic:
    logic = mrml.logics["Terminologies"]
    assert logic.LoadTerminologyFromFile(str(TERMINOLOGY_FILE)) == TERMINOLOGY
    return logic


def test_the_file_is_what_the_schemas_say() -> None:
    found = json.loads(TERMINOLOGY_FILE.read_text(encoding="utf-8"))

    assert found == terminology_document([TYPES, PARTS]), "run python -m RASNetSlicerLib.terminology_file"


def test_writing_it_again_changes_nothing(tmp_path) -> None:
    write_terminology(tmp_path / "again.term.json")

    assert (tmp_path / "again.term.json").read_bytes() == TERMINOLOGY_FILE.read_bytes()


def test_all_seven_types_and_both_parts_are_there() -> None:
    assert (len(TYPES.instruments), len(PARTS.instruments)) == (7, 2)


@pytest.mark.parametrize("label", LABELS, ids=lambda label: label.name)
def test_slicer_finds_every_label_by_name(terminologies, label: Label) -> None:
    entry = slicer.vtkSlicerTerminologyEntry()

    assert terminologies.FindTypeInTerminologyBy3dSlicerLabel(TERMINOLOGY, label.name, entry)

    assert code_of(entry.GetTypeObject()) == label.code
    modified = entry.GetTypeModifierObject().GetCodeValue()
    shown = entry.GetTypeModifierObject() if modified else entry.GetTypeObject()
    assert shown.GetSlicerLabel() == label.name
    assert shown.GetRecommendedDisplayRGBValue() == label.color


@pytest.mark.parametrize("name", [None, *(label.name for label in TYPES.instruments)])
def test_the_tag_that_layers_carry_is_an_entry_of_the_terminology(terminologies, name: str | None) -> None:
    entry = slicer.vtkSlicerTerminologyEntry()
    assert terminologies.DeserializeTerminologyEntry(terminology_entry(name, TYPES), entry)

    assert entry.GetTerminologyContextName() == TERMINOLOGY
    assert code_of(entry.GetCategoryObject()) == code_of(category(terminologies))
    assert code_of(entry.GetTypeObject()) in [code_of(kind) for kind in types(terminologies)]


def test_no_code_occurs_twice_as_slicer_would_only_ever_find_the_first(terminologies) -> None:
    kinds = [code_of(kind) for kind in types(terminologies)]
    assert len({(code.scheme, code.value) for code in kinds}) == len(kinds) == 5

    for kind in types(terminologies):
        modifiers = [code_of(modifier) for modifier in modifiers_of(terminologies, kind)]
        assert len({(code.scheme, code.value) for code in modifiers}) == len(modifiers)


def test_codes_fit_into_dicom(terminologies) -> None:
    everything = [category(terminologies), *types(terminologies)]
    everything += [modifier for kind in types(terminologies) for modifier in modifiers_of(terminologies, kind)]
    for code in map(code_of, everything):
        assert len(code.scheme) <= 16  # Coding Scheme Designator and Code Value are Short Strings,
        assert len(code.value) <= 16
        assert len(code.meaning) <= 64  # Code Meaning is a Long String (DICOM PS3.5, 6.2)


def code_of(coded: slicer.vtkCodedEntry) -> Code:
    return Code(coded.GetCodingSchemeDesignator(), coded.GetCodeValue(), coded.GetCodeMeaning())


def category(logic: slicer.vtkSlicerTerminologiesModuleLogic) -> slicer.vtkSlicerTerminologyCategory:
    found = slicer.vtkSlicerTerminologyCategory()
    assert logic.GetNumberOfCategoriesInTerminology(TERMINOLOGY) == 1
    assert logic.GetNthCategoryInTerminology(TERMINOLOGY, 0, found)
    return found


def types(logic: slicer.vtkSlicerTerminologiesModuleLogic) -> list[slicer.vtkSlicerTerminologyType]:
    physical = category(logic)
    found = [
        slicer.vtkSlicerTerminologyType()
        for _ in range(logic.GetNumberOfTypesInTerminologyCategory(TERMINOLOGY, physical))
    ]
    for index, kind in enumerate(found):
        assert logic.GetNthTypeInTerminologyCategory(TERMINOLOGY, physical, index, kind)
    return found


def modifiers_of(
    logic: slicer.vtkSlicerTerminologiesModuleLogic, kind: slicer.vtkSlicerTerminologyType
) -> list[slicer.vtkSlicerTerminologyType]:
    if not kind.GetHasModifiers():
        return []
    physical = category(logic)
    count = logic.GetNumberOfTypeModifiersInTerminologyType(TERMINOLOGY, physical, kind)
    found = [slicer.vtkSlicerTerminologyType() for _ in range(count)]
    for index, modifier in enumerate(found):
        assert logic.GetNthTypeModifierInTerminologyType(TERMINOLOGY, physical, kind, index, modifier)
    return found
