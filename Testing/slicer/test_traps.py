"""Ways in which Slicer loses or invents masks without a word, and that a case in a scene is safe from each.

Each test first provokes the trap, and fails if RASNet's defence is taken out.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("slicer_core", reason="the package slicer-core is not installed")

import slicer
import vtk
from editor import Editor
from mrml import Mrml
from RASNetSlicerLib import segments
from RASNetSlicerLib.exporting import save_masks
from RASNetSlicerLib.layer_edits import LayerEdits
from RASNetSlicerLib.scene import CaseScene
from RASNetSlicerLib.terminology import TERMINOLOGY, load_terminology
from RASNetSlicerLib.terminology_file import TERMINOLOGY_FILE
from RASNetSlicerLib.window import plan_window
from surgery import FRAMES, HEIGHT, SEGMENTED, WIDTH, expected_mask, picture, predict
from vtk.util.numpy_support import vtk_to_numpy

from rasnet.case import Case
from rasnet.errors import RASNetError

IDS = ["Layer_1", "Layer_2", "Layer_3"]

Load = Callable[..., CaseScene]


def walk(shown: CaseScene) -> None:
    for index in (*shown.sequences.indices, *reversed(shown.sequences.indices)):
        shown.sequences.show(index)


def save_changes(shown: CaseScene) -> bool:
    return bool(shown.sequences.browser.GetSaveChanges(shown.sequences.masks))


def shared(shown: CaseScene, index: int) -> bool:
    segmentation = shown.sequences.mask_node(index).GetSegmentation()
    names = segmentation.GetSegmentIDs()
    return len({segmentation.GetSegment(name).GetRepresentation("Binary labelmap") for name in names}) == 1


def types_in(
    logic: slicer.vtkSlicerTerminologiesModuleLogic, category: slicer.vtkSlicerTerminologyCategory
) -> list[str]:
    """Codes of the types that Slicer offers in a category of the module's terminology."""
    codes = []
    for place in range(logic.GetNumberOfTypesInTerminologyCategory(TERMINOLOGY, category)):
        found = slicer.vtkSlicerTerminologyType()
        logic.GetNthTypeInTerminologyCategory(TERMINOLOGY, category, place, found)
        codes.append(found.GetCodeValue())
    return codes


def test_1_turning_save_changes_off_destroys_no_mask(shown: CaseScene) -> None:
    shown.sequences.show(3)

    shown.sequences.browser.SetSaveChanges(shown.sequences.masks, False)

    assert save_changes(shown)
    walk(shown)
    for index in range(FRAMES):
        np.testing.assert_array_equal(shown.mask(index), expected_mask(index))
        assert shown.save() == []
        assert segments.read_layers(shown.sequences.mask_node(index)).keys() == set(IDS)


def test_2_frames_without_masks_get_none_of_their_neighbours(shown: CaseScene) -> None:
    walk(shown)

    assert shown.sequences.masks.GetNumberOfDataNodes() == shown.sequences.images.GetNumberOfDataNodes() == FRAMES
    for index in set(range(FRAMES)) - set(SEGMENTED):
        assert not shown.mask(index).any()
        assert shown.case.frame(index) is None


def test_3_display_and_edits_outlive_a_change_of_frame(shown: CaseScene, editor: Editor) -> None:
    display = shown.sequences.mask_proxy.GetDisplayNode()
    shown.sequences.show(2)
    display.SetSegmentVisibility("Layer_1", False)
    display.SetSegmentOpacity2DFill("Layer_2", 0.25)
    display.SetOpacity2DFill(0.125)
    editor.paint("Layer_2", slice(40, 46), slice(5, 20))

    walk(shown)
    shown.move(plan_window(shown.case.info, start=2))
    walk(shown)

    assert shown.sequences.mask_proxy.GetDisplayNode() is display
    assert not display.GetSegmentVisibility("Layer_1")
    assert display.GetSegmentOpacity2DFill("Layer_2") == 0.25
    assert display.GetOpacity2DFill() == 0.125
    assert (shown.mask(2)[40:46, 5:20] == 2).all()


def test_4_what_the_editor_does_to_a_segment_counts_for_every_frame(shown: CaseScene) -> None:
    shown.sequences.show(2)
    segment = shown.sequences.mask_proxy.GetSegmentation().GetSegment("Layer_2")
    segment.SetName("Nadelhalter")
    segment.SetColor(1.0, 0.0, 0.2)
    shown.sequences.show(5)

    for index in range(FRAMES):
        found = segments.read_layers(shown.sequences.mask_node(index))
        assert found["Layer_2"] == ("Nadelhalter", (255, 0, 51))
    layer = shown.case.layers()[1]
    assert (layer.name, layer.color) == ("Nadelhalter", (255, 0, 51))


def test_5_segment_ids_are_those_of_the_layers_in_every_frame(shown: CaseScene) -> None:
    predict(Case.open(shown.case.folder), range(6, FRAMES))
    shown.refresh()
    shown.move(plan_window(shown.case.info, start=1))

    for index in shown.sequences.indices:
        segmentation = shown.sequences.mask_node(index).GetSegmentation()
        assert list(segmentation.GetSegmentIDs()) == IDS
        assert [segmentation.GetSegment(name).GetLabelValue() for name in IDS] == [1, 2, 3]


def test_6_a_failed_write_is_not_the_last_one(shown: CaseScene, tmp_path: Path) -> None:
    sequence = shown.sequences.masks
    sequence.AddDefaultStorageNode()
    storage = sequence.GetStorageNode()
    storage.SetFileName(str(tmp_path / "masks.seg.seq.nrrd"))  # as users expect, and Slicer does not know
    assert not storage.WriteData(sequence)
    storage.SetFileName(str(tmp_path / "again.seq.mrb"))
    assert not storage.WriteData(sequence)  # the right name comes too late

    save_masks(shown, tmp_path / "masks.seq.mrb")

    assert (tmp_path / "masks.seq.mrb").stat().st_size > 0
    sequence.AddDefaultStorageNode()  # as Slicer's own dialog does
    sequence.GetStorageNode().SetFileName(str(tmp_path / "by_slicer.seq.mrb"))
    assert sequence.GetStorageNode().WriteData(sequence)


def test_7_all_segments_of_a_frame_share_one_labelmap(shown: CaseScene, editor: Editor) -> None:
    assert all(shared(shown, index) for index in range(FRAMES))

    editor.allow_overlap()
    shown.sequences.show(2)
    editor.paint("Layer_1", slice(33, 36), slice(42, 50))  # on layer 2
    assert not shared(shown, 2)  # Slicer has split it
    shown.sequences.show(3)
    assert shared(shown, 2)

    edits = LayerEdits(shown)
    edits.add()
    edits.merge(1, [3])
    edits.remove(2)
    assert all(shared(shown, index) for index in range(FRAMES))
    memory = shown.sequences.mask_node(2).GetSegmentation().GetSegment("Layer_1").GetRepresentation("Binary labelmap")
    assert memory.GetScalarSize() == 1


def test_8_intensity_tools_have_a_luminance_that_follows_the_frame(shown: CaseScene) -> None:
    node = shown.luminance()
    for index in (0, 4, 2):
        shown.sequences.show(index)
        seen = vtk_to_numpy(node.GetImageData().GetPointData().GetScalars()).reshape(48, 64)
        red, green, blue = np.moveaxis(picture(index).astype(float), 2, 0)
        np.testing.assert_allclose(seen, 0.2126 * red + 0.7152 * green + 0.0722 * blue, atol=0.51)
    assert node.GetImageData().GetNumberOfScalarComponents() == 1
    assert shown.luminance() is node


def test_9_every_instrument_has_a_place_in_slicers_terminology(mrml: Mrml, shown: CaseScene) -> None:
    logic = mrml.logics["Terminologies"]
    assert not logic.IsTerminologyContextLoaded(TERMINOLOGY)  # Slicer brings no such thing

    assert load_terminology(logic, TERMINOLOGY_FILE) == TERMINOLOGY
    assert load_terminology(logic, "/nowhere") == TERMINOLOGY  # it is there by now

    for label in shown.case.info.types.instruments:
        LayerEdits(shown).set_type(1, label.name)
        segment = shown.sequences.mask_proxy.GetSegmentation().GetSegment("Layer_1")
        words = vtk.reference("")
        segment.GetTag(slicer.vtkSegment.GetTerminologyEntryTagName(), words)
        entry = slicer.vtkSlicerTerminologyEntry()
        assert logic.DeserializeTerminologyEntry(str(words), entry)
        assert entry.GetTerminologyContextName() == TERMINOLOGY
        assert entry.GetTypeObject().GetCodeValue() in types_in(logic, entry.GetCategoryObject()), label.name


def test_9_a_terminology_that_is_missing_is_one_sentence(mrml: Mrml, tmp_path: Path) -> None:
    (tmp_path / "other.term.json").write_text("{}")
    for path in (tmp_path / "other.term.json", tmp_path / "missing.term.json"):
        with pytest.raises(RASNetError, match="the instruments' names could not be loaded"):
            load_terminology(mrml.logics["Terminologies"], path)


def test_10_a_long_video_is_loaded_by_window_and_all_of_it_can_be_reached(load: Load, case: Case) -> None:
    # Two frames fit; a budget of 2 GB does the same to an hour of video.
    budget = 2 * HEIGHT * WIDTH * 4
    shown = load(plan_window(case.info, budget=budget, step=1, start=0, stop=2))
    seen = []
    for start in range(0, FRAMES, 2):
        shown.move(plan_window(case.info, budget=budget, step=1, start=start, stop=start + 2))
        pixels = sum(
            shown.sequences.images.GetDataNodeAtValue(str(index)).GetImageData().GetNumberOfPoints() * 4
            for index in shown.sequences.indices
        )
        assert pixels <= budget
        assert shown.sequences.masks.GetNumberOfDataNodes() == 2
        seen += shown.sequences.indices
        for index in shown.sequences.indices:
            np.testing.assert_array_equal(shown.mask(index), expected_mask(index))
    assert seen == list(range(FRAMES))

    assert len(load(plan_window(case.info, budget=budget)).sequences.indices) == 2  # by stride, when nobody chooses


def test_11_undo_ends_at_the_frame_and_what_it_cannot_undo_is_saved(shown: CaseScene, editor: Editor) -> None:
    shown.sequences.show(2)
    editor.paint("Layer_2", slice(40, 46), slice(5, 20))
    assert editor.logic.CanUndo()

    shown.sequences.show(3)
    assert not editor.logic.CanUndo()
    editor.logic.Undo()

    np.testing.assert_array_equal(shown.mask(3), expected_mask(3))
    assert (shown.case.mask(2)[40:46, 5:20] == 2).all()
