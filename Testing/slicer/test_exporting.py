"""Saving a case that is in a scene: every form gives back, bit for bit, what it holds."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("slicer_core", reason="the package slicer-core is not installed")

import slicer
from editor import Editor
from mrml import Mrml
from PIL import Image
from RASNetSlicerLib import segments
from RASNetSlicerLib.exporting import export_segmentation, export_training_data, save_masks, save_scene
from RASNetSlicerLib.layer_edits import LayerEdits
from RASNetSlicerLib.saving import STATUS, UNCERTAINTY
from RASNetSlicerLib.scene import CaseScene
from surgery import FRAMES, HEIGHT, WIDTH, picture
from vtk.util.numpy_support import vtk_to_numpy

from rasnet.errors import RASNetError
from rasnet.masks import read_mask
from rasnet.progress import SilentProgress

STROKE = slice(40, 46), slice(5, 20)


@pytest.fixture
def corrected(shown: CaseScene, editor: Editor) -> CaseScene:
    """A case with a bit of everything, and a stroke that nobody has saved yet."""
    LayerEdits(shown).recolor(3, (17, 171, 7))
    LayerEdits(shown).rename(2, "Rechter Nadelhalter")
    for layer in (2, 3):
        LayerEdits(shown).set_type(layer, "Large Needle Driver")
    shown.set_status(1, "accepted")
    shown.set_status(3, "skipped")
    shown.sequences.show(2)
    editor.paint("Layer_2", *STROKE)
    return shown


def snapshot(nodes: list[slicer.vtkMRMLSegmentationNode]) -> list[object]:
    """Pixels, ids, names, colours and status of each frame."""
    return [
        (
            segments.read_mask(node, (HEIGHT, WIDTH)).tobytes(),
            segments.read_layers(node),
            node.GetAttribute(STATUS),
            node.GetAttribute(UNCERTAINTY),
        )
        for node in nodes
    ]


def frames(shown: CaseScene) -> list[slicer.vtkMRMLSegmentationNode]:
    return [shown.sequences.mask_node(index) for index in shown.sequences.indices]


# The scene


def test_a_scene_holds_everything(corrected: CaseScene, start_mrml: Callable[[], Mrml], tmp_path: Path) -> None:
    save_scene(corrected, tmp_path / "größer als.mrb")

    assert corrected.case.frame(2).status == "corrected"  # the stroke is in the case too
    before = snapshot(frames(corrected))
    luminance = corrected.luminance().GetName()
    save_scene(corrected, tmp_path / "größer als.mrb")  # in the place of the first
    corrected.close()
    again = start_mrml()
    assert again.scene.ReadFromMRB(str(tmp_path / "größer als.mrb"))
    attached = CaseScene.attach(again.scene.GetFirstNodeByClass("vtkMRMLSequenceBrowserNode"))
    assert snapshot(frames(attached)) == before
    nodes = again.scene.GetNumberOfNodes()
    assert (attached.luminance().GetName(), again.scene.GetNumberOfNodes()) == (luminance, nodes)
    assert [node.GetAttribute(STATUS) for node in frames(attached)] == [
        "predicted", "accepted", "corrected", "skipped", "predicted", "predicted", "", ""
    ]  # fmt: skip


def test_display_is_that_of_the_scene_that_was_saved(
    corrected: CaseScene, start_mrml: Callable[[], Mrml], tmp_path: Path
) -> None:
    display = corrected.sequences.mask_proxy.GetDisplayNode()
    display.SetSegmentVisibility("Layer_1", False)
    display.SetSegmentOpacity2DFill("Layer_2", 0.25)
    display.SetOpacity2DFill(0.125)
    save_scene(corrected, tmp_path / "scene.mrb")
    corrected.close()
    again = start_mrml()
    assert again.scene.ReadFromMRB(str(tmp_path / "scene.mrb"))
    attached = CaseScene.attach(again.scene.GetFirstNodeByClass("vtkMRMLSequenceBrowserNode"))

    for index in (0, 5, 2):
        attached.sequences.show(index)
        display = attached.sequences.mask_proxy.GetDisplayNode()
        assert [display.GetSegmentVisibility(f"Layer_{layer}") for layer in (1, 2, 3)] == [False, True, True]
        assert display.GetSegmentOpacity2DFill("Layer_2") == 0.25
        assert display.GetOpacity2DFill() == 0.125


# The masks


def read_masks(mrml: Mrml, path: Path) -> list[slicer.vtkMRMLSegmentationNode]:
    sequence = mrml.scene.AddNewNodeByClass("vtkMRMLSequenceNode")
    storage = mrml.scene.AddNewNodeByClass("vtkMRMLSequenceStorageNode")
    storage.SetFileName(str(path))
    assert storage.ReadData(sequence)
    assert sequence.GetIndexName() == "frame"
    return [sequence.GetDataNodeAtValue(str(index)) for index in range(FRAMES)]


def test_a_sequence_of_masks_holds_status_too(
    corrected: CaseScene, start_mrml: Callable[[], Mrml], tmp_path: Path
) -> None:
    nodes = corrected.scene.GetNumberOfNodes()
    save_masks(corrected, tmp_path / "masks.seq.mrb")

    assert corrected.scene.GetNumberOfNodes() == nodes
    assert snapshot(read_masks(start_mrml(), tmp_path / "masks.seq.mrb")) == snapshot(frames(corrected))


def test_a_segmentation_of_all_frames_is_what_slicer_reads(
    corrected: CaseScene, start_mrml: Callable[[], Mrml], tmp_path: Path
) -> None:
    export_segmentation(corrected, tmp_path / "masks.seg.nrrd")

    scene = start_mrml().scene
    node = scene.AddNewNodeByClass("vtkMRMLSegmentationNode")
    storage = scene.AddNewNodeByClass("vtkMRMLSegmentationStorageNode")
    storage.SetFileName(str(tmp_path / "masks.seg.nrrd"))
    assert storage.ReadData(node)
    assert segments.read_layers(node) == segments.read_layers(corrected.sequences.mask_proxy)
    found = np.zeros((FRAMES, HEIGHT, WIDTH), np.uint8)
    for name in node.GetSegmentation().GetSegmentIDs():
        segment = node.GetSegmentation().GetSegment(name)
        image = segment.GetRepresentation("Binary labelmap")
        left, right, top, bottom, first, last = image.GetExtent()
        box = found[first : last + 1, top : bottom + 1, left : right + 1]
        voxels = vtk_to_numpy(image.GetPointData().GetScalars()).reshape(box.shape)
        box[voxels == segment.GetLabelValue()] = segments.layer_id(name)
    for index in range(FRAMES):
        row = corrected.case.frame(index)
        expected = corrected.mask(index) if row and row.status != "skipped" else np.zeros((HEIGHT, WIDTH), np.uint8)
        np.testing.assert_array_equal(found[index], expected)


# Training data


def test_training_data_are_pictures_and_masks_that_a_person_stands_for(corrected: CaseScene, tmp_path: Path) -> None:
    asked: list[str] = []

    count = export_training_data(corrected, tmp_path / "training", ("layers", "types"), agree=asked.append)

    assert asked == ["frames 1 to 2 may be outside the body (faces, theatre)"]  # grey boards are no tissue
    assert count == 2  # frame 1 is accepted and frame 2 corrected
    assert sorted(path.relative_to(tmp_path / "training").as_posix() for path in tmp_path.glob("training/*/*")) == [
        f"{folder}/{name}"
        for folder in ("images", "layers", "types")
        for name in ("frame000001.png", "frame000002.png", *(() if folder == "images" else ("labels.json",)))
    ]
    for index in (1, 2):
        name = f"frame{index:06d}.png"
        np.testing.assert_array_equal(np.array(Image.open(tmp_path / "training/images" / name)), picture(index))
        mask = read_mask(tmp_path / "training/layers" / name)
        np.testing.assert_array_equal(mask, corrected.case.mask(index))
        types = corrected.case.info.types
        expected = np.array([0, types["Bipolar Forceps"].id, *[types["Large Needle Driver"].id] * 2], np.uint8)[mask]
        np.testing.assert_array_equal(read_mask(tmp_path / "training/types" / name), expected)
    table = json.loads((tmp_path / "training/layers/labels.json").read_text())
    assert [(label["id"], label["name"], tuple(label["color"])) for label in table["labels"][1:]] == [
        (layer.id, layer.name, layer.color) for layer in corrected.case.layers()
    ]
    assert [(entry["index"], entry["status"]) for entry in table["frames"]] == [(1, "accepted"), (2, "corrected")]


def test_pictures_that_a_person_should_see_first_are_refused_and_masks_alone_are_not(
    corrected: CaseScene, tmp_path: Path
) -> None:
    with pytest.raises(RASNetError, match="frames 1 to 2 may be outside the body"):
        export_training_data(corrected, tmp_path / "training")

    assert not (tmp_path / "training").exists()
    assert export_training_data(corrected, tmp_path / "training", images=False) == 2


def test_predictions_and_masks_alone_are_there_for_the_asking(corrected: CaseScene, tmp_path: Path) -> None:
    assert export_training_data(corrected, tmp_path / "all", images=False, reviewed_only=False) == 5

    assert [path.name for path in (tmp_path / "all").iterdir()] == ["layers"]


@pytest.mark.parametrize(
    ("prepare", "contents", "message"),
    [
        (lambda shown: LayerEdits(shown).set_type(2, None), ("layers", "types"), "nobody has said yet what these"),
        (lambda shown: [shown.set_status(index, "predicted") for index in (1, 2)], ("layers",), "review some first"),
        (lambda shown: None, ("layers", "parts"), "no frames with parts"),
        (lambda shown: (shown.case.folder / "../frames").rename(shown.case.folder / "../x"), ("layers",), "no longer"),
    ],
)  # fmt: skip
def test_what_cannot_be_exported_leaves_nothing_behind(
    corrected: CaseScene,
    tmp_path: Path,
    prepare: Callable[[CaseScene], object],
    contents: tuple[str, ...],
    message: str,
) -> None:
    corrected.save()
    prepare(corrected)
    (tmp_path / "out").mkdir()

    with pytest.raises(RASNetError, match=message):
        export_training_data(corrected, tmp_path / "out" / "training", contents)

    assert list((tmp_path / "out").iterdir()) == []


def test_cancelling_an_export_leaves_nothing_behind(corrected: CaseScene, tmp_path: Path) -> None:
    class Impatient(SilentProgress):
        def advance(self, frame: int | None = None, count: int = 1) -> None:
            raise KeyboardInterrupt

    (tmp_path / "out").mkdir()
    with pytest.raises(KeyboardInterrupt):
        export_training_data(corrected, tmp_path / "out" / "training", progress=Impatient())
    with pytest.raises(KeyboardInterrupt):
        export_segmentation(corrected, tmp_path / "out" / "masks.seg.nrrd", progress=Impatient())

    assert list((tmp_path / "out").iterdir()) == []


# What cannot be saved


@pytest.mark.parametrize(
    ("save", "ending"), [(save_scene, ".mrb"), (save_masks, ".seq.mrb"), (export_segmentation, ".seg.nrrd")]
)
def test_names_and_places_that_cannot_be_are_one_sentence(
    corrected: CaseScene, tmp_path: Path, save: Callable[[CaseScene, Path], None], ending: str
) -> None:
    (tmp_path / "file").write_text("in the way")

    with pytest.raises(RASNetError, match=f"name the file masks{ending}"):
        save(corrected, tmp_path / "masks.nrrd")
    with pytest.raises(RASNetError, match="cannot be written"):
        save(corrected, tmp_path / "file" / f"masks{ending}")

    assert (tmp_path / "file").read_text() == "in the way"
