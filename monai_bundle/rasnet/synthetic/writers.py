"""Scenes as files: a video with its case, and the raw layout of EndoVis 2017."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from rasnet.case import LAYER_COLORS, Case, Layer
from rasnet.errors import RASNetError
from rasnet.labels import LabelSchema
from rasnet.masks import Mask
from rasnet.progress import Progress, SilentProgress
from rasnet.synthetic.render import Actor, Shot, render
from rasnet.synthetic.scene import SyntheticFrame, SyntheticScene, to_frames
from rasnet.video import RegionOfInterest, VideoWriter, open_source

WHO, TOOL = "synthetic", "synth"
"""In whose name the masks of a synthetic case are accepted."""

_RAW_SIZE = (1080, 1920)
_WINDOW = RegionOfInterest(top=28, left=320, height=1024, width=1280, frame_height=1080, frame_width=1920)
_DISPARITY = 0.02
_PARTS = {"Shaft": 10, "Wrist": 20, "Claspers": 30, "Probe": 40}


def write_case(
    scene: SyntheticScene,
    video_path: str | Path,
    case_folder: str | Path | None = None,
    *,
    progress: Progress | None = None,
) -> None:
    """Write a scene as a video and, where a folder is given, its exact masks as a case.

    The case holds an accepted frame for every frame of the video: layer ids, parts (schema
    ``instrument_parts``), and the type of every layer.

    Args:
        scene: what to write.
        video_path: MP4 file to write.
        case_folder: an empty or new folder; None for the video alone.
        progress: told of every frame.

    Raises:
        RASNetError: the folder is not empty, or a file cannot be written.

    Examples:
        >>> write_case(SyntheticScene(7, frames=50), "clip.mp4", "truth.case")
    """
    progress = progress or SilentProgress()
    video_path = Path(video_path)
    _write_video(scene, video_path, progress)
    if case_folder is None:
        return
    schema = LabelSchema.load("instrument_parts")
    with open_source(video_path) as source:
        size = (source.height, source.width)
        roi = RegionOfInterest.whole(source.height, source.width)
        case = Case.create(case_folder, source=source, schema=schema, roi=roi, model=None)
    with case:
        case.set_layers(
            [
                Layer(number, f"Instrument {number}", LAYER_COLORS[number - 1], type_name)
                for number, type_name in scene.layers
            ],
            who=WHO,
            tool=TOOL,
        )
        progress.start("writing masks", len(scene))
        for index in range(len(scene)):
            frame = scene.render(index)
            layers, parts = _fit(frame.layers, size), _fit(frame.parts, size)
            case.correct(index, layers, parts, who=WHO, tool=TOOL, status="accepted")
            progress.advance(index)
        progress.finish(case=str(case_folder))


def write_endovis2017(
    scenes: Sequence[SyntheticScene], folder: str | Path, *, progress: Progress | None = None
) -> None:
    """Write scenes in the raw layout of the EndoVis 2017 challenge, with its irregularities.

    ``instrument_dataset_N/left_frames`` and ``right_frames`` hold 1920x1080 pictures with the view at
    1280x1024 from column 320 and row 28; ``ground_truth`` one folder an instrument with part values 10
    shaft, 20 wrist, 30 claspers and 40 probe. As in the original, folder names differ from sequence to
    sequence (sides before or after the type, with and without ``_labels``, Maryland forceps), and the masks
    of every second sequence have three channels.

    Args:
        scenes: scene N becomes sequence N, counted from 1; pictures are scaled to the view.
        folder: where; made with its parents.
        progress: told of every frame.

    Raises:
        RASNetError: a sequence is there already.
    """
    progress = progress or SilentProgress()
    progress.start("writing EndoVis 2017 sequences", sum(len(scene) for scene in scenes))
    for number, scene in enumerate(scenes, start=1):
        target = Path(folder) / f"instrument_dataset_{number}"
        if target.exists():
            raise RASNetError(f"{target} exists already; choose an empty folder for the data set")
        _write_sequence(scene, target, number, progress)
    progress.finish(folder=str(folder))


def endovis_folder(number: int, type_name: str, side: str) -> str:
    """Name an instrument's folder of masks as sequence `number` of EndoVis 2017 would.

    Args:
        number: of the sequence, from 1.
        type_name: name in the schema ``endovis2017_types``.
        side: what tells it from another of its type (``"Left"``, ``"Right"``), or "".
    """
    name = type_name.replace(" ", "_")
    if number == 1 and type_name == "Bipolar Forceps":
        name = f"Maryland_{name}"
    if side:
        name = f"{name}_{side}" if number == 4 else f"{side}_{name}"
    bare = number == 7 or (number == 6 and type_name == "Prograsp Forceps")
    return name if bare else f"{name}_labels"


def _write_video(scene: SyntheticScene, path: Path, progress: Progress) -> None:
    height, width = scene.size
    progress.start("rendering", len(scene))
    with VideoWriter(path, height, width, scene.fps) as writer:
        for index in range(len(scene)):
            writer.write(scene.render(index).rgb)
            progress.advance(index)
    progress.finish(video=str(path))


def _fit(mask: Mask, size: tuple[int, int]) -> Mask:
    """Repeat an odd last row and column, as the video does."""
    height, width = mask.shape
    return np.pad(mask, ((0, size[0] - height), (0, size[1] - width)), mode="edge")


def _write_sequence(scene: SyntheticScene, target: Path, number: int, progress: Progress) -> None:
    truth = {
        layer: target / "ground_truth" / endovis_folder(number, type_name, side)
        for (layer, type_name), side in zip(scene.layers, _sides(scene), strict=True)
    }
    for path in (target / "left_frames", target / "right_frames", target / "ground_truth", *truth.values()):
        path.mkdir(parents=True)
    (target / "camera_calibration.txt").write_text(_calibration(), encoding="utf-8")
    (target / "mappings.json").write_text(json.dumps(_PARTS, indent=2) + "\n", encoding="utf-8")
    for index in range(len(scene)):
        shot = scene.shot(index)
        left, right = to_frames(render([shot, _right_eye(shot)], scene.size, scene.device))
        name = f"frame{index:03d}.png"
        _save_picture(target / "left_frames" / name, left.rgb)
        _save_picture(target / "right_frames" / name, right.rgb)
        for layer, path in truth.items():
            _save_mask(path / name, left, layer, channels=3 if number % 2 == 0 else 1)
        progress.advance(index)


def _sides(scene: SyntheticScene) -> list[str]:
    """Left or Right for instruments that share their type with another, by where they come from."""
    actors = scene.shot(0).actors
    sides = [""] * len(actors)
    for type_id in {actor.type_id for actor in actors}:
        same = [index for index, actor in enumerate(actors) if actor.type_id == type_id]
        if len(same) > 1:
            same.sort(key=lambda index: actors[index].pose.x)
            for index, side in zip(same, ("Left", "Right", "Third", "Fourth"), strict=False):
                sides[index] = side
    return sides


def _right_eye(shot: Shot) -> Shot:
    """The same moment from the scope's right camera: all moves left, what is near moves more."""
    right, down = shot.view.shift
    return shot._replace(
        view=shot.view._replace(shift=(right + _DISPARITY, down)),
        actors=tuple(_moved_left(actor) for actor in shot.actors),
        seed=shot.seed + 7919,
    )


def _moved_left(actor: Actor) -> Actor:
    return actor._replace(pose=actor.pose._replace(x=actor.pose.x - 1.5 * _DISPARITY))


def _save_picture(path: Path, rgb: npt.NDArray[np.uint8]) -> None:
    raw = Image.new("RGB", (_RAW_SIZE[1], _RAW_SIZE[0]))
    view = Image.fromarray(rgb).resize((_WINDOW.width, _WINDOW.height), Image.Resampling.BICUBIC)
    raw.paste(view, (_WINDOW.left, _WINDOW.top))
    raw.save(path, compress_level=1)


def _save_mask(path: Path, frame: SyntheticFrame, layer: int, *, channels: int) -> None:
    parts = np.where(frame.layers == layer, frame.raw_parts, np.uint8(0))
    view = Image.fromarray(parts).resize((_WINDOW.width, _WINDOW.height), Image.Resampling.NEAREST)
    mask = Image.fromarray(_WINDOW.restore(np.asarray(view)))
    (mask.convert("RGB") if channels == 3 else mask).save(path, compress_level=1)


def _calibration() -> str:
    """A pinhole calibration of the two cameras, which differ by the disparity alone."""
    height, width = _RAW_SIZE
    lines = []
    for camera in (0, 1):
        lines += [
            f"Camera-{camera}-F: {_WINDOW.width} {_WINDOW.width}",
            f"Camera-{camera}-C: {width / 2} {height / 2}",
            f"Camera-{camera}-K: 0 0 0 0",
        ]
    return "\n".join([*lines, "Extrinsics-Omega: 0 0 0", "Extrinsics-T: -4.3 0 0", ""])
