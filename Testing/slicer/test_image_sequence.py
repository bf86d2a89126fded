"""Image sequences that are in a scene already: given to the worker, and their masks into the same browser."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("slicer_core", reason="the package slicer-core is not installed")

import slicer
import vtk
from editor import Editor
from mrml import Mrml
from RASNetSlicerLib import segments
from RASNetSlicerLib.image_sequence import find_images, write_frames
from RASNetSlicerLib.layer_edits import LayerEdits
from RASNetSlicerLib.scene import CaseScene
from RASNetSlicerLib.timeline import Timeline
from RASNetSlicerLib.window import plan_window
from surgery import HEIGHT, WIDTH, picture, predicted_mask
from vtk.util.numpy_support import numpy_to_vtk

from rasnet.case import Case
from rasnet.errors import RASNetError
from rasnet.labels import LabelSchema
from rasnet.progress import SilentProgress
from rasnet.video import RegionOfInterest, open_source

TIMES = ["0.0", "0.05", "0.1", "0.2"]
STROKE = slice(40, 46), slice(5, 20)


class Ultrasound:
    """A browser as other modules make it: any index, any geometry, and a segmentation of the user's own.

    Args:
        mrml: the scene.
        pictures: (H, W) or (H, W, C) of each frame.
        unit: of the index.
    """

    def __init__(self, mrml: Mrml, pictures: Sequence[np.ndarray], unit: str = "s", name: str = "tower") -> None:
        self.scene = mrml.scene
        self.browser = mrml.scene.AddNewNodeByClass("vtkMRMLSequenceBrowserNode", f"{name} browser")
        self.images = self.sequence(name, [volume(pixels) for pixels in pictures], unit)
        self.own = self.sequence(f"{name} drawing", [drawing(index) for index in range(len(pictures))], unit)
        self.browser.SetAndObserveMasterSequenceNodeID(self.images.GetID())
        self.browser.AddSynchronizedSequenceNode(self.own)
        self.browser.SetPlaybackRateFps(7)

    def sequence(self, name: str, nodes: Sequence[slicer.vtkMRMLNode], unit: str = "s") -> slicer.vtkMRMLSequenceNode:
        sequence = self.scene.AddNewNodeByClass("vtkMRMLSequenceNode", name)
        sequence.SetIndexName("time")
        sequence.SetIndexUnit(unit)
        for time, node in zip(TIMES, nodes, strict=False):
            sequence.SetDataNodeAtValue(node, time)
        return sequence


def volume(pixels: np.ndarray) -> slicer.vtkMRMLScalarVolumeNode:
    """A volume that lies askew, with pixels of 0.3 mm."""
    node = slicer.vtkMRMLVectorVolumeNode() if pixels.ndim == 3 else slicer.vtkMRMLScalarVolumeNode()
    image = vtk.vtkImageData()
    image.SetDimensions(pixels.shape[1], pixels.shape[0], 1)
    image.GetPointData().SetScalars(numpy_to_vtk(pixels.reshape(-1, *pixels.shape[2:]), deep=True))
    node.SetAndObserveImageData(image)
    node.SetIJKToRASDirections(0, 1, 0, 1, 0, 0, 0, 0, -1)
    node.SetSpacing(0.3, 0.3, 1)
    node.SetOrigin(10, 20, 30)
    return node


def drawing(index: int) -> slicer.vtkMRMLSegmentationNode:
    node = slicer.vtkMRMLSegmentationNode()
    node.GetSegmentation().SetSourceRepresentationName("Binary labelmap")
    node.GetSegmentation().AddEmptySegment(f"vessel {index}", f"vessel {index}", [1, 0, 0])
    return node


@pytest.fixture
def tower(mrml: Mrml) -> Ultrasound:
    return Ultrasound(mrml, [picture(index) for index in range(4)])


@pytest.fixture
def join(tower: Ultrasound, tmp_path: Path) -> Callable[[], CaseScene]:
    """Write the frames, segment them as a worker does, and show the masks."""
    path = write_frames(tower.browser, tmp_path / "case.mkv")
    with open_source(path) as source:
        case = Case.create(
            tmp_path / "case",
            source=source,
            schema=LabelSchema.load("endovis2017_types"),
            roi=RegionOfInterest.whole(HEIGHT, WIDTH),
            model=None,
        )
        for frame in source:
            if frame.index != 2:
                case.write_prediction(frame.index, frame.pts, predicted_mask(frame.index), uncertainty=[0.1])
    return lambda: CaseScene.join(case, tower.browser, who="A. Surgeon")


def assert_shows_its_case(shown: CaseScene) -> None:
    for index in range(4):
        expected = predicted_mask(index) if index != 2 else np.zeros((HEIGHT, WIDTH), np.uint8)
        np.testing.assert_array_equal(shown.mask(index), expected)
        shown.sequences.show(index)
        assert shown.shown == index == shown.sequences.browser.GetSelectedItemNumber()
        node = shown.sequences.mask_proxy
        assert node.GetSegmentation() is shown.sequences.mask_node(index).GetSegmentation()
        found = node.GetSegmentation().GetSegment("Layer_1").GetRepresentation("Binary labelmap")
        ours, theirs = vtk.vtkMatrix4x4(), vtk.vtkMatrix4x4()
        found.GetImageToWorldMatrix(ours)
        shown.sequences.image_proxy.GetIJKToRASMatrix(theirs)
        assert [ours.GetElement(i, j) for i in range(4) for j in range(4)] == pytest.approx(
            [theirs.GetElement(i, j) for i in range(4) for j in range(4)]
        )


# Giving frames to the worker


@pytest.mark.parametrize(
    ("pixels", "expected"),
    [
        pytest.param(picture(3), picture(3), id="RGB"),
        pytest.param(np.dstack([picture(3), np.full((HEIGHT, WIDTH), 7, np.uint8)]), picture(3), id="RGBA"),
        pytest.param(picture(3)[..., 1].copy(), picture(3)[..., [1, 1, 1]], id="grey"),
        pytest.param(picture(3)[:47, :63].copy(), picture(3)[:47, :63], id="odd sides"),
    ],
)
def test_eight_bits_are_kept_to_the_last(mrml: Mrml, tmp_path: Path, pixels: np.ndarray, expected: np.ndarray) -> None:
    tower = Ultrasound(mrml, [np.roll(pixels, shift, axis=1) for shift in range(4)])

    with open_source(write_frames(tower.browser, tmp_path / "frames.mkv")) as source:
        assert len(source) == 4
        for index in (3, 0, 2, 1):
            np.testing.assert_array_equal(source[index].rgb, np.roll(expected, index, axis=1))


def test_pictures_of_an_hd_tower_are_kept_too(mrml: Mrml, tmp_path: Path) -> None:
    # From 1280 columns on, video without a colour matrix counts as BT.709.
    noise = np.random.default_rng(0).integers(0, 256, (720, 1280, 3), np.uint8)

    with open_source(write_frames(Ultrasound(mrml, [noise]).browser, tmp_path / "frames.mkv")) as source:
        np.testing.assert_array_equal(source[0].rgb, noise)


def test_more_than_eight_bits_become_what_slicer_shows(mrml: Mrml, tmp_path: Path) -> None:
    pixels = np.arange(HEIGHT * WIDTH, dtype=np.int16).reshape(HEIGHT, WIDTH) - 500
    tower = Ultrasound(mrml, [pixels] * 2)
    display = tower.browser.GetProxyNode(tower.images).GetDisplayNode()
    display.SetAutoWindowLevel(False)
    display.SetWindowLevel(1020, 510)  # 0 to 1020: four values a step

    with open_source(write_frames(tower.browser, tmp_path / "frames.mkv")) as source:
        np.testing.assert_allclose(source[0].rgb[..., 0], np.clip(pixels / 4, 0, 255), atol=0.51)


@pytest.mark.parametrize(
    ("unit", "times"), [("s", [0, 0.05, 0.1, 0.2]), ("mm", [0, 1 / 7, 2 / 7, 3 / 7]), ("", [0, 1 / 7, 2 / 7, 3 / 7])]
)
def test_frames_have_the_times_of_the_index_or_of_the_playback(
    mrml: Mrml, tmp_path: Path, unit: str, times: list[float]
) -> None:
    tower = Ultrasound(mrml, [picture(index) for index in range(4)], unit)

    with open_source(write_frames(tower.browser, tmp_path / "frames.mkv")) as source:
        np.testing.assert_allclose(source.times, times, atol=0.0011)


def test_cancelling_leaves_nothing_behind(tower: Ultrasound, tmp_path: Path) -> None:
    class CancelledError(Exception):
        pass

    class Impatient(SilentProgress):
        def advance(self, frame: int | None = None, count: int = 1) -> None:
            raise CancelledError

    with pytest.raises(CancelledError):
        write_frames(tower.browser, tmp_path / "case.mkv", progress=Impatient())

    assert list(tmp_path.iterdir()) == []


# What cannot be segmented


def test_two_image_sequences_in_a_browser_are_one_sentence(tower: Ultrasound) -> None:
    other = tower.sequence("right eye", [volume(picture(index)) for index in range(4)])
    tower.browser.AddSynchronizedSequenceNode(other)

    with pytest.raises(RASNetError, match=r"tower browser has 2 sequences of images, tower and right eye; put the one"):
        find_images(tower.browser)


def test_a_browser_without_images_is_one_sentence(mrml: Mrml, tower: Ultrasound) -> None:
    empty = mrml.scene.AddNewNodeByClass("vtkMRMLSequenceBrowserNode", "empty")
    with pytest.raises(RASNetError, match="empty has no sequence of images"):
        find_images(empty)
    empty.SetAndObserveMasterSequenceNodeID(tower.own.GetID())
    with pytest.raises(RASNetError, match="empty has no sequence of images"):
        find_images(empty)
    empty.AddSynchronizedSequenceNode(tower.images)
    with pytest.raises(RASNetError, match="empty goes by tower drawing; put the images tower into"):
        find_images(empty)


def test_stacks_of_slices_are_one_sentence(mrml: Mrml, tmp_path: Path) -> None:
    stack = slicer.vtkMRMLScalarVolumeNode()
    image = vtk.vtkImageData()
    image.SetDimensions(4, 4, 20)
    image.AllocateScalars(vtk.VTK_UNSIGNED_CHAR, 1)
    stack.SetAndObserveImageData(image)
    tower = Ultrasound(mrml, [picture(0)])
    tower.images.SetDataNodeAtValue(stack, "0.05")

    with pytest.raises(RASNetError, match="tower holds stacks of 20 slices"):
        write_frames(tower.browser, tmp_path / "case.mkv")
    assert list(tmp_path.iterdir()) == []


def test_frames_of_other_sizes_are_one_sentence(mrml: Mrml, tmp_path: Path) -> None:
    tower = Ultrasound(mrml, [picture(0), picture(1)[:-1]])

    with pytest.raises(RASNetError, match="frame 1 of tower is 64x47 and the first is 64x48"):
        write_frames(tower.browser, tmp_path / "case.mkv")


# Masks in the same browser


def test_masks_come_into_the_same_browser(tower: Ultrasound, join: Callable[[], CaseScene]) -> None:
    tower.browser.SetSelectedItemNumber(3)
    pictures = tower.images.GetNumberOfDataNodes()

    shown = join()

    assert shown.sequences.browser is tower.browser
    assert shown.shown == 3
    assert tower.browser.GetMasterSequenceNode() is tower.images
    assert (tower.images.GetNumberOfDataNodes(), tower.browser.GetPlaybackRateFps()) == (pictures, 7)
    assert [shown.sequences.masks.GetNthIndexValue(item) for item in range(4)] == TIMES
    assert_shows_its_case(shown)


def test_a_segmentation_of_the_users_own_is_left_alone(tower: Ultrasound, join: Callable[[], CaseScene]) -> None:
    tower.browser.SetSelectedItemNumber(1)
    proxy = tower.browser.GetProxyNode(tower.own)
    proxy.GetSegmentation().AddEmptySegment("not saved", "not saved", [0, 1, 0])

    shown = join()
    Timeline(shown).refresh()
    assert list(proxy.GetSegmentation().GetSegmentIDs()) == ["vessel 1", "not saved"]
    assert not tower.browser.GetSaveChanges(tower.own)
    Editor_on(tower, shown).paint("Layer_1", *STROKE)
    LayerEdits(shown).remove(2)

    for index in range(4):
        shown.sequences.show(index)
        assert list(proxy.GetSegmentation().GetSegmentIDs()) == [f"vessel {index}"]
        assert list(tower.own.GetNthDataNode(index).GetSegmentation().GetSegmentIDs()) == [f"vessel {index}"]
    assert shown.sequences.mask_proxy is not proxy


def test_strokes_are_in_the_case_and_in_the_frames_geometry(tower: Ultrasound, join: Callable[[], CaseScene]) -> None:
    shown = join()
    shown.sequences.show(3)
    Editor_on(tower, shown).paint("Layer_2", *STROKE)
    shown.sequences.show(0)

    expected = predicted_mask(3)
    expected[STROKE] = 2
    np.testing.assert_array_equal(shown.case.mask(3), expected)


def test_a_saved_scene_goes_on_with_its_case(
    tower: Ultrasound, join: Callable[[], CaseScene], start_mrml: Callable[[], Mrml], tmp_path: Path
) -> None:
    shown = join()
    shown.close()
    assert shown.scene.WriteToMRB(str(tmp_path / "scene.mrb"))
    again = start_mrml()
    assert again.scene.ReadFromMRB(str(tmp_path / "scene.mrb"))

    attached = CaseScene.attach(again.scene.GetFirstNodeByClass("vtkMRMLSequenceBrowserNode"))

    assert_shows_its_case(attached)
    assert segments.read_layers(attached.sequences.mask_proxy) == segments.read_layers(shown.sequences.mask_proxy)


def test_there_is_no_window_to_move(join: Callable[[], CaseScene]) -> None:
    shown = join()

    assert not shown.can_move
    with pytest.raises(RASNetError, match="is in the scene as a whole"):
        shown.move(plan_window(shown.case.info, start=2))
    assert_shows_its_case(shown)


def test_grey_pictures_are_their_own_luminance(mrml: Mrml, tmp_path: Path) -> None:
    tower = Ultrasound(mrml, [picture(index)[..., 0].copy() for index in range(3)])
    with open_source(write_frames(tower.browser, tmp_path / "case.mkv")) as source:
        schema, roi = LabelSchema.load("endovis2017_types"), RegionOfInterest.whole(HEIGHT, WIDTH)
        case = Case.create(tmp_path / "case", source=source, schema=schema, roi=roi, model=None)

    shown = CaseScene.join(case, tower.browser)

    assert shown.luminance() is shown.sequences.image_proxy


def test_a_case_of_other_pictures_is_refused_and_the_scene_stays(
    mrml: Mrml, join: Callable[[], CaseScene], case: Case
) -> None:
    join()
    other = Ultrasound(mrml, [picture(index) for index in range(3)], name="other")
    before = mrml.scene.GetNumberOfNodes()

    with pytest.raises(RASNetError, match="has 8 frames of 64x48, and other has 3 frames of 64x48"):
        CaseScene.join(case, other.browser)

    assert mrml.scene.GetNumberOfNodes() == before


def Editor_on(tower: Ultrasound, shown: CaseScene) -> Editor:  # noqa: N802 (a kind of constructor)
    """The Segment Editor on the masks of a tower."""
    return Editor(type("Scene", (), {"scene": tower.scene})(), shown)
