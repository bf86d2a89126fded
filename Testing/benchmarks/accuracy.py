"""How well the released weights find instruments in real frames.

    python Testing/benchmarks/accuracy.py DATA --json accuracy.json

DATA is a folder of labelled frames, which the project may not ship. Of these sets, what is there is measured:

    endovis2015_robotic/Dataset3/    Video.avi, Segmentation.avi           shaft and manipulator
    endovis2015_rigid/OP3/           Raw/img_XX_raw.png, Masks/img_XX_class.png    shaft and manipulator
    laparoscopy_prokto/3/            NAME.jpg, NAME_mask.png               instrument or not
    dvrk_grey/Beta_validation/       NAME.jpg, NAME_mask.png               instrument or not

Masks are compared at the full size of the frame, with the region of interest that the pipeline finds. Dice is pooled
over the pixels of all frames of a set; the median is that of the frames, where an empty mask of an empty frame counts
as 1.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import numpy.typing as npt
import torch
import typer
from machine import describe_machine, show, write_json
from PIL import Image
from rich.progress import track
from scipy.stats import spearmanr

from rasnet.bundle import weights_path
from rasnet.datasets.endovis2015 import part_ids
from rasnet.errors import RASNetError
from rasnet.inference import Backend, load_backend
from rasnet.inference.backend import checkpoint_sha256
from rasnet.labels import LabelSchema
from rasnet.video import RegionOfInterest, VideoSource, find_roi, open_source

UInt8Array = npt.NDArray[np.uint8]

_SCHEMA = LabelSchema.load("instrument_parts")
_SHAFT, _MANIPULATOR = _SCHEMA["shaft"].id, _SCHEMA["manipulator"].id


@dataclass(frozen=True)
class LabelledSet:
    """Frames and their true masks.

    Attributes:
        frames: a video, or a folder that holds the frames alone.
        masks: true class ids of each frame, uint8 (H, W), by index; of a binary set 0 and 1.
        parts: whether the masks tell shaft from manipulator.
    """

    frames: VideoSource
    masks: Callable[[int], UInt8Array]
    parts: bool


@dataclass(frozen=True)
class Score:
    """What was measured on one set.

    Attributes:
        frames: how many.
        binary: pooled Dice of instrument against background.
        shaft: pooled Dice of the shaft; None in a binary set.
        manipulator: pooled Dice of the manipulator; None in a binary set.
        median: of the frames' binary Dice.
        uncertainty: rank correlation over the frames of the model's uncertainty with the Dice that it misses.
    """

    frames: int
    binary: float
    shaft: float | None
    manipulator: float | None
    median: float
    uncertainty: float


@contextmanager
def robotic(folder: Path) -> Iterator[LabelledSet]:
    """Open a sequence of EndoVis 2015, robotic: two videos."""
    with open_source(folder / "Video.avi") as frames, open_source(folder / "Segmentation.avi") as labels:
        yield LabelledSet(frames, lambda index: part_ids(labels[index].rgb.max(axis=2)), parts=True)


@contextmanager
def rigid(folder: Path) -> Iterator[LabelledSet]:
    """Open a sequence of EndoVis 2015, rigid: a folder of frames, one of masks."""
    masks = sorted((folder / "Masks").glob("*_class.png"))
    with open_source(folder / "Raw") as frames:
        yield LabelledSet(frames, lambda index: part_ids(_read_grey(masks[index])), parts=True)


@contextmanager
def binary(folder: Path) -> Iterator[LabelledSet]:
    """Open a folder of frames with their masks beside them."""
    masks = sorted(folder.glob("*_mask.png"))
    with tempfile.TemporaryDirectory() as alone:
        for mask in masks:
            frame = mask.with_name(mask.name.replace("_mask.png", ".jpg"))
            (Path(alone) / frame.name).symlink_to(frame.resolve())
        with open_source(alone) as frames:
            yield LabelledSet(frames, lambda index: (_read_grey(masks[index]) > 127).astype(np.uint8), parts=False)


SETS = {
    "endovis2015_robotic/Dataset3": robotic,
    "endovis2015_rigid/OP3": rigid,
    "laparoscopy_prokto/3": binary,
    "dvrk_grey/Beta_validation": binary,
}


def evaluate(labelled: LabelledSet, backend: Backend, every: int, name: str) -> Score:
    """Segment every n-th frame of a set, one at a time, and compare with its mask.

    Args:
        labelled: the set.
        backend: what segments.
        every: take every n-th frame.
        name: of the set, for the progress bar.
    """
    roi = find_roi(labelled.frames)
    counts = []
    uncertainties = []
    indices = range(0, len(labelled.frames), every)
    for frame in track(labelled.frames.read(step=every), name, len(indices)):
        predicted, uncertainty = _segment(frame.rgb, roi, backend)
        true = labelled.masks(frame.index)
        classes = (_SHAFT, _MANIPULATOR) if labelled.parts else ()
        counts.append(
            [
                _overlap_and_size(predicted > 0, true > 0),
                *(_overlap_and_size(predicted == value, true == value) for value in classes),
            ]
        )
        uncertainties.append(uncertainty)
    overlaps, sizes = np.moveaxis(np.array(counts, np.float64), 2, 0)
    pooled = 2 * overlaps.sum(axis=0) / sizes.sum(axis=0)
    per_frame = np.divide(2 * overlaps[:, 0], sizes[:, 0], out=np.ones(len(sizes)), where=sizes[:, 0] > 0)
    return Score(
        frames=len(counts),
        binary=float(pooled[0]),
        shaft=float(pooled[1]) if labelled.parts else None,
        manipulator=float(pooled[2]) if labelled.parts else None,
        median=float(np.median(per_frame)),
        uncertainty=float(spearmanr(uncertainties, 1 - per_frame).statistic),
    )


def main(
    data: Annotated[Path, typer.Argument(metavar="DATA", help="Folder of the sets.", exists=True, file_okay=False)],
    every: Annotated[int, typer.Option(min=1, metavar="N", help="Take every N-th frame.")] = 1,
    device: Annotated[Literal["cpu", "cuda"], typer.Option(help="Where the network runs.")] = "cpu",
    weights: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="A checkpoint (.pt) or an OpenVINO model (.xml).",
            show_default="the released .pt",
        ),
    ] = None,
    threads: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Cores for the network.", show_default="all")
    ] = None,
    json: Annotated[Path | None, typer.Option(metavar="FILE", help="Write the figures here too.")] = None,
) -> None:
    """Measure Dice on labelled frames."""
    if threads is not None:
        torch.set_num_threads(threads)
    weights = weights or weights_path()
    (backend, _), sha256 = load_backend(weights, device), checkpoint_sha256(weights)
    scores = {}
    for name, open_set in SETS.items():
        if (data / name).is_dir():
            with open_set(data / name) as labelled:
                scores[name] = evaluate(labelled, backend, every, name)
    if not scores:
        raise RASNetError(f"none of {', '.join(SETS)} is in {data}")
    machine = describe_machine(device)
    show(
        f"Dice of {weights.name} ({sha256[:8]}), one frame in {every}",
        ("set", "frames", "binary", "shaft", "manipulator", "median frame", "rank correlation"),
        [
            (name, str(score.frames), *(_figure(value) for value in list(asdict(score).values())[1:]))
            for name, score in scores.items()
        ],
        machine,
    )
    sets = {name: asdict(score) for name, score in scores.items()}
    write_json(json, {"machine": machine, "weights_sha256": sha256, "every": every, "sets": sets})


def _segment(rgb: UInt8Array, roi: RegionOfInterest, backend: Backend) -> tuple[UInt8Array, float]:
    """Class ids of the full frame, and the uncertainty about the instrument as a whole."""
    classes, uncertainty = backend(np.ascontiguousarray(roi.crop(rgb))[None])
    return roi.restore(classes[0]), float(uncertainty[0, 0])


def _overlap_and_size(first: npt.NDArray[np.bool_], second: npt.NDArray[np.bool_]) -> tuple[int, int]:
    """Pixels in both masks, and the sum of the pixels of each."""
    return int(np.count_nonzero(first & second)), int(np.count_nonzero(first) + np.count_nonzero(second))


def _read_grey(path: Path) -> UInt8Array:
    with Image.open(path) as image:
        return np.array(image.convert("L"))


def _figure(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"


if __name__ == "__main__":
    typer.run(main)
