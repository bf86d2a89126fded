"""The whole way on real video: worker and released weights, scene, overlay, correction, saved scene and back."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("slicer_core", reason="the package slicer-core is not installed")

from editor import Editor
from mrml import Mrml
from PIL import Image
from RASNetSlicerLib.exporting import save_scene
from RASNetSlicerLib.images import rgb_of
from RASNetSlicerLib.process import Event, Worker
from RASNetSlicerLib.review import ReviewQueue
from RASNetSlicerLib.scene import CaseScene
from RASNetSlicerLib.timeline import Timeline
from RASNetSlicerLib.window import plan_window
from slice_view import SliceView

from rasnet.case import Case

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_S = 120

# (video, frames to segment)
VIDEOS = {
    "sample clip": (ROOT / "Resources" / "sample_clip.mp4", (60, 120)),
    "da Vinci": ("endovis2015_robotic/Dataset3/Video.avi", (40, 200)),
}


@pytest.fixture(params=[pytest.param(name, marks=[pytest.mark.real] * (name != "sample clip")) for name in VIDEOS])
def segmented(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Case, tuple[int, ...]]:
    """A case whose frames the released weights have segmented, in a process of their own."""
    video, frames = VIDEOS[request.param]
    if isinstance(video, str):
        video = request.getfixturevalue("shared_data") / video
    worker = Worker(
        sys.executable,
        tmp_path / "case",
        source=video,
        options=("--device", "cpu"),
        environment={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    for index in frames:
        worker.segment_frame(index)
    events: list[Event] = []
    deadline = time.monotonic() + PATIENCE_S
    while sum(event["event"] == "frame" for event in events) < len(frames):
        assert time.monotonic() < deadline, (events, worker.log)
        assert worker.running, (events, worker.log)
        events += worker.poll()
        time.sleep(0.05)
    worker.cancel()
    return Case.open(tmp_path / "case"), frames


def test_from_video_to_a_saved_correction(
    mrml: Mrml,
    start_mrml: Callable[[], Mrml],
    segmented: tuple[Case, tuple[int, ...]],
    tmp_path: Path,
) -> None:
    case, frames = segmented
    window = plan_window(case.info, start=frames[0], stop=frames[-1] + 1, step=frames[1] - frames[0])
    shown = CaseScene.load(case, mrml.scene, window)
    assert shown.sequences.indices == list(frames)
    assert shown.case.layers()

    shown.sequences.image_proxy.GetDisplayNode().SetInterpolate(False)
    view = SliceView(mrml, shown.sequences.image_proxy, 1)
    for index in frames:
        shown.sequences.show(index)
        assert shown.mask(index).any()
        assert overlap(view, shown, index, tmp_path / f"overlay{index}.png") >= 0.99

    shown.sequences.show(frames[0])
    editor = Editor(mrml, shown)
    editor.erase("Layer_1", slice(None), slice(0, case.info.width // 2))
    queue = ReviewQueue(shown)
    assert queue.accept() == frames[1]
    timeline = Timeline(shown)
    timeline.refresh()
    assert timeline.table.GetNumberOfRows() == len(case.layers())
    save_scene(shown, tmp_path / "scene.mrb")
    masks = {index: case.mask(index) for index in frames}
    shown.close()

    again = start_mrml()
    assert again.scene.ReadFromMRB(str(tmp_path / "scene.mrb"))
    attached = CaseScene.attach(again.scene.GetFirstNodeByClass("vtkMRMLSequenceBrowserNode"))
    assert not (masks[frames[0]][:, : case.info.width // 2] == 1).any()
    for index in frames:
        np.testing.assert_array_equal(attached.mask(index), masks[index])
        attached.sequences.show(index)
        with attached.case.open_source() as source:
            np.testing.assert_array_equal(rgb_of(attached.sequences.image_proxy), source[index].rgb)
    assert attached.case.frame(frames[0]).status == "accepted"


def overlap(view: SliceView, shown: CaseScene, index: int, path: Path) -> float:
    """Intersection over union of what an axial view shows as coloured and the mask, each pixel of it."""
    display = shown.sequences.mask_proxy.GetDisplayNode()
    display.SetVisibility2DOutline(False)
    with_overlay = view.picture()
    display.SetVisibility(False)
    without = view.picture()
    display.SetVisibility(True)
    Image.fromarray(with_overlay).save(path)
    np.testing.assert_allclose(without.astype(int), rgb_of(shown.sequences.image_proxy), atol=1)
    # Half of a layer's colour is visible wherever the picture has another colour.
    colors = np.array([(0, 0, 0), *[layer.color for layer in shown.case.layers()]])
    far = (np.abs(without.astype(int) - colors[ranks(shown)[shown.mask(index)]]).max(axis=2) > 4) | (
        shown.mask(index) == 0
    )
    seen, drawn = (with_overlay != without).any(axis=2)[far], (shown.mask(index) > 0)[far]
    return float((seen & drawn).sum() / (seen | drawn).sum())


def ranks(shown: CaseScene) -> np.ndarray:
    """Place of each mask value among the layers, from 1; (256,)."""
    table = np.zeros(256, np.intp)
    for place, layer in enumerate(shown.case.layers(), 1):
        table[layer.id] = place
    return table
