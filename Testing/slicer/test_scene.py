"""A case in a Slicer scene: loaded, edited, moved through, saved and loaded again."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

pytest.importorskip("slicer_core", reason="the package slicer-core is not installed")

from editor import Editor
from mrml import Mrml
from RASNetSlicerLib import segments
from RASNetSlicerLib.images import rgb_of
from RASNetSlicerLib.layer_edits import LayerEdits
from RASNetSlicerLib.saving import STATUS, UNCERTAINTY
from RASNetSlicerLib.scene import CaseScene
from RASNetSlicerLib.terminology import terminology_entry, type_of_entry
from RASNetSlicerLib.window import plan_window
from surgery import FRAMES, HEIGHT, WIDTH, expected_mask, picture, predict

from rasnet.case import Case, Layer
from rasnet.errors import RASNetError
from rasnet.labels import LabelSchema
from rasnet.progress import SilentProgress
from rasnet.video import RegionOfInterest, open_source

if TYPE_CHECKING:
    import slicer

SAMPLE_CLIP = Path(__file__).resolve().parents[2] / "Resources" / "sample_clip.mp4"

Load = Callable[..., CaseScene]

STROKE = slice(40, 46), slice(5, 20)


def painted(index: int, layer: int) -> np.ndarray:
    mask = expected_mask(index)
    mask[STROKE] = layer
    return mask


def assert_scene_is_case(shown: CaseScene) -> None:
    """Every loaded frame has the masks and layers of the case, and Slicer's proxy is one with its item."""
    layers = {segments.segment_id(layer.id): (layer.name, layer.color) for layer in shown.case.layers()}
    scale = shown.window.scale
    for index in shown.sequences.indices:
        row = shown.case.frame(index)
        node = shown.sequences.mask_node(index)
        mask = shown.case.mask(index) if row and row.mask_sha256 else np.zeros((HEIGHT, WIDTH), np.uint8)
        np.testing.assert_array_equal(shown.mask(index), mask[scale // 2 :: scale, scale // 2 :: scale])
        assert segments.read_layers(node) == layers
        assert list(segments.read_layers(node)) == list(layers)
        assert segments.is_shared(node)
        assert node.GetAttribute(STATUS) == (row.status if row else "")
        assert not shown.is_edited(index)
    on_show = shown.sequences.mask_node(shown.shown)
    assert shown.sequences.mask_proxy.GetSegmentation() is on_show.GetSegmentation()


# Loading


def test_every_frame_is_an_item_with_its_picture_and_its_mask(shown: CaseScene) -> None:
    assert shown.sequences.indices == list(range(FRAMES))
    for index in range(FRAMES):
        shown.sequences.show(index)
        np.testing.assert_array_equal(rgb_of(shown.sequences.image_proxy), picture(index))
        np.testing.assert_array_equal(shown.mask(index), expected_mask(index))
    assert_scene_is_case(shown)


def test_sequences_follow_slicers_conventions(shown: CaseScene) -> None:
    for sequence in (shown.sequences.images, shown.sequences.masks):
        assert (sequence.GetIndexName(), sequence.GetIndexUnit()) == ("frame", "")
    assert shown.sequences.image_proxy.GetClassName() == "vtkMRMLVectorVolumeNode"
    assert matrix(shown.sequences.image_proxy) == [-1, 0, 0, 0, 0, -1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1]


@pytest.mark.parametrize(("step", "rate"), [(1, 25.0), (2, 12.5), (5, 5.0)])
def test_a_window_plays_at_the_speed_of_life(load: Load, case: Case, step: int, rate: float) -> None:
    shown = load(plan_window(case.info, step=step))  # images in a folder count as 25 frames a second

    assert shown.sequences.browser.GetPlaybackRateFps() == rate


def test_coarse_pixels_lie_where_their_blocks_lie(load: Load, case: Case) -> None:
    shown = load(plan_window(case.info, scale=2))

    assert shown.mask(3).shape == (24, 32)
    # Pixel (0, 0) covers the frame's pixels 0 and 1, so its middle is at 0.5.
    assert matrix(shown.sequences.image_proxy) == [-2, 0, 0, -0.5, 0, -2, 0, -0.5, 0, 0, 1, 0, 0, 0, 0, 1]
    assert_scene_is_case(shown)


def test_status_and_uncertainty_lie_on_the_frames_node(shown: CaseScene) -> None:
    shown.sequences.show(3)
    node = shown.sequences.mask_proxy
    assert (node.GetAttribute(STATUS), node.GetAttribute(UNCERTAINTY)) == ("predicted", "0.3000")

    shown.set_status(3, "accepted")
    shown.sequences.show(7)
    assert (node.GetAttribute(STATUS), node.GetAttribute(UNCERTAINTY)) == ("", "")

    shown.sequences.show(3)
    assert node.GetAttribute(STATUS) == shown.case.frame(3).status == "accepted"


def test_types_are_terminology(shown: CaseScene) -> None:
    segment = shown.sequences.mask_proxy.GetSegmentation().GetSegment("Layer_1")

    assert tag(segment, "TerminologyEntry") == (
        "RASNet surgical instruments~SCT^260787004^Physical object~SCT^29319002^Forceps"
        "~99RASNET^types-1^Bipolar Forceps~~^^~^^"
    )
    assert tag(segment, "RASNet.Type") == "Bipolar Forceps"


@pytest.mark.parametrize("name", [label.name for label in LabelSchema.load("endovis2017_types").instruments])
def test_a_type_and_its_terminology_entry_mean_the_same(name: str) -> None:
    types = LabelSchema.load("endovis2017_types")

    assert type_of_entry(terminology_entry(name, types), types) == name
    assert type_of_entry(terminology_entry(None, types), types) == ""


@pytest.mark.parametrize(
    "entry",
    [
        "",
        "Segmentation category and type~SCT^85756007^Tissue~SCT^29319002^Forceps~^^~~^^~^^",
        "RASNet surgical instruments~SCT^260787004^Physical object~SCT^29319002^Forceps~^^~~^^~^^",  # which of two?
    ],
)
def test_other_entries_say_nothing_of_the_type(entry: str) -> None:
    assert type_of_entry(entry, LabelSchema.load("endovis2017_types")) is None


def test_a_type_that_is_chosen_in_slicers_own_list_counts_for_every_frame(shown: CaseScene) -> None:
    shown.sequences.show(2)
    types = shown.case.info.types
    for layer, name in ((1, None), (2, "Prograsp Forceps")):
        segment = shown.sequences.mask_proxy.GetSegmentation().GetSegment(f"Layer_{layer}")
        segment.SetTag("TerminologyEntry", terminology_entry(name, types))
    shown.sequences.mask_proxy.GetSegmentation().GetSegment("Layer_3").SetTag("TerminologyEntry", "something else")

    shown.sequences.show(5)

    assert [layer.type for layer in shown.case.layers()] == [None, "Prograsp Forceps", None]
    assert_scene_is_case(shown)
    for index in range(FRAMES):
        segmentation = shown.sequences.mask_node(index).GetSegmentation()
        entries = [tag(segmentation.GetSegment(f"Layer_{layer}"), "TerminologyEntry") for layer in (1, 2, 3)]
        assert entries == [terminology_entry(name, types) for name in (None, "Prograsp Forceps", None)]


def test_a_video_that_is_gone_leaves_the_scene_as_it_was(mrml: Mrml, case: Case) -> None:
    (case.folder.parent / "frames").rename(case.folder.parent / "elsewhere")
    before = mrml.scene.GetNumberOfNodes()

    with pytest.raises(RASNetError, match="is no longer at"):
        CaseScene.load(case, mrml.scene)

    assert mrml.scene.GetNumberOfNodes() == before


def test_a_video_file_is_loaded_frame_by_frame(mrml: Mrml, tmp_path: Path) -> None:
    with open_source(SAMPLE_CLIP) as source:
        schema, roi = LabelSchema.load("endovis2017_types"), RegionOfInterest.whole(source.height, source.width)
        with Case.create(tmp_path / "clip", source=source, schema=schema, roi=roi, model=None) as case:
            shown = CaseScene.load(case, mrml.scene, plan_window(case.info, start=60, stop=66, step=5))
            shown.sequences.show(65)

            assert shown.sequences.browser.GetPlaybackRateFps() == pytest.approx(source.fps / 5)
            np.testing.assert_array_equal(rgb_of(shown.sequences.image_proxy), source[65].rgb)


# Correcting


def test_a_stroke_is_in_the_case_when_another_frame_is_shown(shown: CaseScene, editor: Editor) -> None:
    shown.sequences.show(2)
    editor.paint("Layer_2", *STROKE)
    assert shown.case.frame(2).status == "predicted"

    shown.sequences.show(4)

    np.testing.assert_array_equal(shown.case.mask(2), painted(2, 2))
    assert shown.case.frame(2).status == "corrected"
    assert_scene_is_case(shown)
    entry = list(shown.case.journal(2))[-1]
    assert (entry.who, entry.what, entry.tool) == ("A. Surgeon", "correct", "3D Slicer 5.12")


def test_a_stroke_can_be_saved_while_its_frame_is_on_show(shown: CaseScene, editor: Editor) -> None:
    shown.sequences.show(2)
    editor.paint("Layer_2", *STROKE)

    assert shown.save_frame(2)
    assert not shown.save_frame(2)

    np.testing.assert_array_equal(shown.case.mask(2), painted(2, 2))
    editor.logic.Undo()
    assert shown.save() == [2]
    np.testing.assert_array_equal(shown.case.mask(2), expected_mask(2))


def test_looking_changes_nothing(shown: CaseScene) -> None:
    before = [entry.id for entry in shown.case.journal()]

    for index in (*range(FRAMES), *reversed(range(FRAMES))):
        shown.sequences.show(index)

    assert shown.save() == []
    assert [entry.id for entry in shown.case.journal()] == before


def test_a_frame_without_a_mask_can_be_painted(shown: CaseScene, editor: Editor) -> None:
    shown.sequences.show(7)
    editor.paint("Layer_3", *STROKE)
    shown.sequences.show(0)

    np.testing.assert_array_equal(shown.case.mask(7), painted(7, 3))
    assert_scene_is_case(shown)


def test_a_frame_can_be_emptied(shown: CaseScene, editor: Editor) -> None:
    shown.sequences.show(2)
    for layer in (1, 2, 3):
        editor.erase(f"Layer_{layer}", slice(None), slice(None))
    shown.sequences.show(0)

    assert not shown.case.mask(2).any()
    assert_scene_is_case(shown)


def test_where_layers_overlap_the_last_stroke_counts(shown: CaseScene, editor: Editor) -> None:
    editor.allow_overlap()
    shown.sequences.show(2)
    editor.paint("Layer_2", slice(10, 22), slice(8, 14))  # the left half of layer 1
    shown.sequences.show(0)

    expected = expected_mask(2)
    expected[10:22, 8:14] = 2
    np.testing.assert_array_equal(shown.case.mask(2), expected)
    assert_scene_is_case(shown)


def test_a_labelmap_that_a_script_changed_is_saved(shown: CaseScene) -> None:
    shown.sequences.show(5)
    mask = painted(5, 1)
    segments.put_mask(shown.sequences.mask_proxy, mask, shown.sequences.geometry(5))
    shown.sequences.show(6)

    np.testing.assert_array_equal(shown.case.mask(5), mask)


def test_an_edit_of_coarse_pixels_leaves_the_other_pixels_exact(mrml: Mrml, load: Load, case: Case) -> None:
    shown = load(plan_window(case.info, scale=2))
    shown.sequences.show(3)  # its square begins at the odd column 11
    Editor(mrml, shown).paint("Layer_2", slice(20, 23), slice(2, 10))
    shown.sequences.show(0)

    expected = expected_mask(3)
    expected[40:46, 4:20] = 2
    np.testing.assert_array_equal(case.mask(3), expected)
    assert_scene_is_case(shown)


def test_what_cannot_be_saved_is_said_and_kept(shown: CaseScene, editor: Editor) -> None:
    said: list[str] = []
    shown.on_error = lambda error: said.append(str(error))
    masks, away = shown.case.folder / "masks", shown.case.folder / "away"
    shown.sequences.show(2)
    editor.paint("Layer_2", *STROKE)
    masks.rename(away)

    shown.sequences.show(0)
    assert len(said) == 1
    assert "cannot be written" in said[0]
    np.testing.assert_array_equal(shown.mask(2), painted(2, 2))

    away.rename(masks)
    shown.save()
    np.testing.assert_array_equal(shown.case.mask(2), painted(2, 2))
    assert_scene_is_case(shown)


def test_closing_the_scene_saves(mrml: Mrml, shown: CaseScene, editor: Editor) -> None:
    shown.sequences.show(2)
    editor.paint("Layer_2", *STROKE)
    editor.logic.SetSegmentationNode(None)

    mrml.scene.Clear(False)

    np.testing.assert_array_equal(shown.case.mask(2), painted(2, 2))


@pytest.mark.parametrize("which", ["masks", "images", "browser"])
def test_nodes_that_someone_removes_are_let_go_of_and_nothing_is_lost(
    shown: CaseScene, editor: Editor, which: str
) -> None:
    shown.sequences.show(2)
    editor.paint("Layer_2", *STROKE)
    editor.logic.SetSegmentationNode(None)
    assert shown.watching

    shown.scene.RemoveNode(getattr(shown.sequences, which))

    assert not shown.watching
    np.testing.assert_array_equal(shown.case.mask(2), painted(2, 2))
    shown.close()


def test_masks_that_someone_takes_out_of_the_browser_are_let_go_of(shown: CaseScene) -> None:
    shown.sequences.browser.RemoveSynchronizedSequenceNode(shown.sequences.masks.GetID())

    assert not shown.watching
    shown.sequences.browser.SetSelectedItemNumber(4)
    np.testing.assert_array_equal(shown.case.mask(4), expected_mask(4))


def test_loading_that_is_cancelled_leaves_the_scene_as_it_was(mrml: Mrml, case: Case) -> None:
    class Impatient(SilentProgress):
        def advance(self, frame: int | None = None, count: int = 1) -> None:
            if frame == 3:
                raise KeyboardInterrupt

    before = {mrml.scene.GetNthNode(place).GetID() for place in range(mrml.scene.GetNumberOfNodes())}
    with pytest.raises(KeyboardInterrupt):
        CaseScene.load(case, mrml.scene, progress=Impatient())

    after = [mrml.scene.GetNthNode(place) for place in range(mrml.scene.GetNumberOfNodes())]
    assert [node.GetName() for node in after if node.GetID() not in before] == []
    assert CaseScene.load(case, mrml.scene).shown == 0


# Layers


@pytest.mark.parametrize(
    "edit",
    [
        pytest.param(lambda edits: edits.rename(2, "Rechter Nadelhalter, größer"), id="rename"),
        pytest.param(lambda edits: edits.recolor(2, (1, 128, 254)), id="recolour"),
        pytest.param(lambda edits: edits.set_type(2, "Vessel Sealer"), id="type"),
        pytest.param(lambda edits: edits.set_type(1, None), id="type not known"),
        pytest.param(lambda edits: edits.add("Clip applier", type_name="Other"), id="add"),
        pytest.param(lambda edits: edits.merge(1, [2, 3]), id="merge"),
        pytest.param(lambda edits: edits.remove(1), id="remove"),
        pytest.param(lambda edits: edits.split_at(1, 3), id="split from a frame on"),
        pytest.param(lambda edits: edits.split_at(1, 3, into=3), id="split into another layer"),
        pytest.param(lambda edits: edits.split_component(2, 4, (6, 42), name="Sucker"), id="split a component"),
        pytest.param(lambda edits: [edits.remove(layer) for layer in (1, 2, 3)] + [edits.add()], id="all new"),
    ],
)
def test_a_layer_edit_counts_for_every_frame(
    shown: CaseScene, editor: Editor, edit: Callable[[LayerEdits], object]
) -> None:
    shown.sequences.show(4)
    editor.paint("Layer_2", *STROKE)  # not saved yet when the layers change
    entries = len(list(shown.case.journal()))

    edit(LayerEdits(shown))

    assert_scene_is_case(shown)
    assert {entry.who for entry in list(shown.case.journal())[entries:]} == {"A. Surgeon"}
    types = {f"Layer_{layer.id}": layer.type or "" for layer in shown.case.layers()}
    for index in range(FRAMES):
        segmentation = shown.sequences.mask_node(index).GetSegmentation()
        assert {name: tag(segmentation.GetSegment(name), "RASNet.Type") for name in types} == types


@pytest.mark.parametrize("scale", [1, 2])
def test_a_component_is_chosen_in_the_picture_on_show(load: Load, case: Case, scale: int) -> None:
    shown = load(plan_window(case.info, scale=scale))

    LayerEdits(shown).split_component(1, 0, (8 // scale, 15 // scale), into=3)

    # The square of layer 1 moves 3 pixels a frame and overlaps with itself all the way.
    for index in range(6):
        expected = expected_mask(index)
        expected[expected == 1] = 3
        np.testing.assert_array_equal(case.mask(index), expected)
    assert_scene_is_case(shown)


def test_a_layer_edit_that_is_interrupted_leaves_scene_and_case_in_agreement(shown: CaseScene) -> None:
    class Impatient(SilentProgress):
        def advance(self, frame: int | None = None, count: int = 1) -> None:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        LayerEdits(shown).merge(1, [2, 3], progress=Impatient())
    with pytest.raises(KeyboardInterrupt):
        LayerEdits(shown).split_at(1, 3, progress=Impatient())

    assert [layer.id for layer in shown.case.layers()] == [1]  # the merge was decided, the split was not
    assert_scene_is_case(shown)


def test_what_the_case_refuses_changes_nothing(shown: CaseScene) -> None:
    with pytest.raises(RASNetError, match="has no label 'Spoon'"):
        LayerEdits(shown).set_type(1, "Spoon")

    assert_scene_is_case(shown)


def test_a_segment_that_the_editor_added_becomes_a_layer_of_every_frame(shown: CaseScene, editor: Editor) -> None:
    shown.sequences.show(2)
    added = shown.sequences.mask_proxy.GetSegmentation().AddEmptySegment("", "Sucker", [1.0, 0.0, 0.0])
    editor.paint(added, *STROKE)
    shown.sequences.show(3)

    assert editor.node.GetSelectedSegmentID() == "Layer_4"
    assert shown.case.layers()[-1] == Layer(4, "Sucker", (255, 0, 0))
    np.testing.assert_array_equal(shown.case.mask(2), painted(2, 4))
    assert_scene_is_case(shown)


def test_a_segment_that_the_editor_removed_is_erased_in_that_frame_only(shown: CaseScene) -> None:
    shown.sequences.show(2)
    shown.sequences.mask_proxy.GetSegmentation().RemoveSegment("Layer_1")
    shown.sequences.show(3)

    assert [layer.id for layer in shown.case.layers()] == [1, 2, 3]
    np.testing.assert_array_equal(shown.case.mask(2), np.where(expected_mask(2) == 1, 0, expected_mask(2)))
    assert_scene_is_case(shown)


def test_layers_that_are_hidden_stay_hidden_through_edits_of_layers(shown: CaseScene) -> None:
    display = shown.sequences.mask_proxy.GetDisplayNode()
    display.SetSegmentVisibility("Layer_1", False)

    LayerEdits(shown).merge(1, [3])
    LayerEdits(shown).add()
    shown.sequences.show(5)

    assert not display.GetSegmentVisibility("Layer_1")
    assert display.GetSegmentVisibility("Layer_2")


# Windows and programs


def test_the_window_moves_in_the_same_nodes(shown: CaseScene, editor: Editor) -> None:
    proxies = shown.sequences.image_proxy, shown.sequences.mask_proxy
    shown.sequences.show(4)
    editor.paint("Layer_2", *STROKE)

    shown.move(plan_window(shown.case.info, start=1, stop=4))
    assert (shown.sequences.indices, shown.shown) == ([1, 2, 3], 3)
    assert (shown.sequences.image_proxy, shown.sequences.mask_proxy) == proxies
    np.testing.assert_array_equal(rgb_of(shown.sequences.image_proxy), picture(3))
    assert_scene_is_case(shown)

    shown.move(plan_window(shown.case.info, start=2, step=2))
    assert shown.sequences.indices == [2, 4, 6]
    np.testing.assert_array_equal(shown.mask(4), painted(4, 2))
    assert_scene_is_case(shown)


def test_masks_appear_as_programs_make_them(shown: CaseScene, editor: Editor) -> None:
    shown.sequences.show(6)
    editor.paint("Layer_2", *STROKE)
    other = Case.open(shown.case.folder)
    predict(other, range(6, 8))
    other.add_layer("Suction", who="A. Nurse")

    shown.refresh([6, 7, 99])

    assert shown.shown == 6
    np.testing.assert_array_equal(shown.mask(6), painted(6, 2))  # a person's stroke is not overwritten
    assert shown.mask(7).any()
    assert_scene_is_case(shown)


def test_reload_gives_back_every_bit(shown: CaseScene, editor: Editor, start_mrml: Callable[[], Mrml]) -> None:
    LayerEdits(shown).recolor(3, (17, 171, 7))
    shown.sequences.show(2)
    editor.paint("Layer_2", *STROKE)
    shown.set_status(3, "skipped")
    shown.close()
    before = snapshot(shown)
    again = start_mrml()

    with Case.open(shown.case.folder) as case:
        assert snapshot(CaseScene.load(case, again.scene)) == before


def test_a_saved_scene_goes_on_with_its_case(
    shown: CaseScene, editor: Editor, start_mrml: Callable[[], Mrml], tmp_path: Path
) -> None:
    shown.move(plan_window(shown.case.info, start=1, step=2))
    shown.sequences.show(5)
    editor.paint("Layer_2", *STROKE)
    shown.close()
    assert shown.scene.WriteToMRB(str(tmp_path / "scene.mrb"))
    again = start_mrml()
    assert again.scene.ReadFromMRB(str(tmp_path / "scene.mrb"))

    attached = CaseScene.attach(again.scene.GetFirstNodeByClass("vtkMRMLSequenceBrowserNode"))

    assert (attached.window, attached.shown) == (shown.window, 5)
    np.testing.assert_array_equal(rgb_of(attached.sequences.image_proxy), picture(5))
    assert snapshot(attached) == snapshot(shown)
    assert_scene_is_case(attached)
    Editor(again, attached).erase("Layer_2", *STROKE)
    attached.sequences.show(1)
    np.testing.assert_array_equal(attached.case.mask(5), expected_mask(5))


def test_a_browser_of_someone_elses_is_left_alone(mrml: Mrml) -> None:
    with pytest.raises(RASNetError, match="does not show a case"):
        CaseScene.attach(mrml.scene.AddNewNodeByClass("vtkMRMLSequenceBrowserNode", "ultrasound"))


# Seeing


@pytest.mark.parametrize("scale", [1, 2])
def test_the_overlay_lies_on_the_mask(mrml: Mrml, load: Load, case: Case, tmp_path: Path, scale: int) -> None:
    from PIL import Image
    from slice_view import SliceView

    zoom = 4
    shown = load(plan_window(case.info, scale=scale))
    display = shown.sequences.mask_proxy.GetDisplayNode()
    display.SetVisibility2DOutline(False)
    shown.sequences.image_proxy.GetDisplayNode().SetInterpolate(False)
    shown.sequences.show(3)
    view = SliceView(mrml, shown.sequences.image_proxy, zoom)

    with_overlay = view.picture()
    display.SetVisibility(False)
    without = view.picture()
    Image.fromarray(with_overlay).save(tmp_path / "overlay.png")

    pixels = without[zoom // 2 :: zoom, zoom // 2 :: zoom].astype(int)
    np.testing.assert_allclose(pixels, rgb_of(shown.sequences.image_proxy), atol=1)
    seen = (with_overlay != without).any(axis=2)
    drawn = shown.mask(3).repeat(zoom, 0).repeat(zoom, 1) > 0
    assert (seen & drawn).sum() / (seen | drawn).sum() >= 0.99


def test_the_overlay_follows_what_programs_write(mrml: Mrml, shown: CaseScene) -> None:
    from slice_view import SliceView

    shown.sequences.show(6)
    shown.sequences.mask_proxy.GetDisplayNode().SetVisibility2DOutline(False)
    view = SliceView(mrml, shown.sequences.image_proxy, 4)
    before = view.picture()

    predict(Case.open(shown.case.folder), range(6, 7))
    shown.refresh([6])

    changed = (view.picture() != before).any(axis=2)
    drawn = shown.mask(6).repeat(4, 0).repeat(4, 1) > 0
    assert (changed & drawn).sum() / (changed | drawn).sum() >= 0.99


def snapshot(shown: CaseScene) -> list[object]:
    """All that is to survive: pixels, ids, names, colours, types and status."""
    return [
        (
            index,
            shown.mask(index).tobytes(),
            segments.read_layers(node),
            [tag(node.GetSegmentation().GetSegment(name), "RASNet.Type") for name in segments.read_layers(node)],
            node.GetAttribute(STATUS),
            node.GetAttribute(UNCERTAINTY),
        )
        for index in shown.sequences.indices
        for node in [shown.sequences.mask_node(index)]
    ]


def matrix(node: slicer.vtkMRMLVolumeNode) -> list[float]:
    import vtk

    found = vtk.vtkMatrix4x4()
    node.GetIJKToRASMatrix(found)
    return [found.GetElement(row, column) for row in range(4) for column in range(4)]


def tag(segment: slicer.vtkSegment, name: str) -> str:
    import vtk

    value = vtk.reference("")
    segment.GetTag(name, value)
    return str(value)
