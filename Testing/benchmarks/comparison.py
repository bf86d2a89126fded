"""RASNet's pipeline beside the usual way to run the same network with MONAI, and beside a plain loop.

    python Testing/benchmarks/comparison.py --frames 24

*MONAI transforms* take PNG files through a chain of MONAI's dictionary transforms, `SimpleInferer`, the inverse
transforms and `SaveImaged`, as bundles do, and leave class masks. *Plain loop* is this bundle run eagerly, as one would
write it first: a frame of the video at a time, the network in float32, all class scores enlarged, tracked, and both
masks written, one thing after another. `rasnet segment` takes the same video with each engine, and leaves a case:
classes, layers tracked over time, uncertainty and a journal. All run in turns in this process, with the same weights
and threads; a ratio is of the same turn. Loading the weights is not counted.
"""

from __future__ import annotations

import tempfile
from collections import defaultdict
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import torch
import typer
from machine import describe_machine, show, summarize, write_json
from material import FULL_SIZE, WeightsOption, chosen_weights, make_video, run_pipeline
from PIL import Image
from rich.progress import track
from usual_ways import MonaiTransforms, PlainLoop

from rasnet.bundle import weights_path
from rasnet.case import Case
from rasnet.inference import load_backend
from rasnet.inference.segmenter import network_size
from rasnet.inference.torch_backend import load_segmenter
from rasnet.video import open_source

MONAI, PLAIN = "MONAI transforms, PNG to PNG", "plain loop, video to PNG"


def write_frames(video: Path, folder: Path) -> list[Path]:
    """Write a video's frames as PNG files, for those who do not read video."""
    files = []
    with open_source(video) as source:
        for frame in source:
            files.append(folder / f"{frame.index:06d}.png")
            Image.fromarray(frame.rgb).save(files[-1])
    return files


def agreement(case: Path, masks: Path, files: list[Path]) -> float:
    """Dice between the instruments that a case and MONAI's masks show, pooled over all frames."""
    overlap = size = 0
    parts = Case.open(case)
    for index, file in enumerate(files):
        mine = parts.parts(index)
        assert mine is not None, "the released weights tell parts"
        with Image.open(masks / file.stem / f"{file.stem}.png") as image:
            usual = np.array(image)
        overlap += np.count_nonzero((mine > 0) & (usual > 0))
        size += np.count_nonzero(mine) + np.count_nonzero(usual)
    return 2 * overlap / size


def ratios(slow: list[float], fast: list[float]) -> dict[str, float]:
    """How many times as fast, turn by turn."""
    return summarize([one / other for one, other in zip(slow, fast, strict=True)])


def main(
    frames: Annotated[int, typer.Option(min=1, help="Frames to segment.")] = 24,
    device: Annotated[Literal["cpu", "cuda"], typer.Option(help="Where the network runs.")] = "cpu",
    weights: WeightsOption = None,
    repeat: Annotated[int, typer.Option(min=1, help="How often each way does its turn.")] = 3,
    workers: Annotated[int, typer.Option(min=0, metavar="N", help="MONAI's loader processes.")] = 0,
    size: Annotated[str, typer.Option(metavar="WIDTHxHEIGHT", help="Of the test video.")] = FULL_SIZE,
    json: Annotated[Path | None, typer.Option(metavar="FILE", help="Write the figures here too.")] = None,
) -> None:
    """Compare RASNet's pipeline with other ways to run its network."""
    models = {
        f"rasnet segment, {backend.name}": backend
        for backend, _ in (load_backend(path, device) for path in chosen_weights(weights, device))
    }
    checkpoint = next(
        (path for path in (each.weights for each in models.values()) if path.suffix != ".xml"), weights_path()
    )
    segmenter = load_segmenter(checkpoint).to(device)
    seconds: defaultdict[str, list[float]] = defaultdict(list)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "png").mkdir()
        video = make_video(folder, size, frames)
        files = write_frames(video, folder / "png")
        with open_source(video) as source:
            shape = network_size(source.height, source.width, segmenter.pixels)
        monai = MonaiTransforms(segmenter.network, torch.device(device), folder / "masks", shape, workers)
        loop = PlainLoop(segmenter, torch.device(device))
        for turn in track(range(repeat + 1), "comparing"):
            cases = {way: folder / f"case_{turn}_{place}" for place, way in enumerate(models)}
            (folder / f"loop_{turn}").mkdir()
            took = {MONAI: monai(files), PLAIN: loop(video, folder / f"loop_{turn}")}
            took |= {way: run_pipeline(video, cases[way], backend) for way, backend in models.items()}
            if turn:  # the first warms up
                for way, each in took.items():
                    seconds[way].append(each)
        dice = {way: agreement(case, folder / "masks", files) for way, case in cases.items()}
    ways = {way: summarize([1e3 * each / frames for each in times]) for way, times in seconds.items()}
    times_as_fast = {way: {slow: ratios(seconds[slow], seconds[way]) for slow in (MONAI, PLAIN)} for way in models}
    machine = describe_machine(device)
    show(
        f"{frames} frames of {size} on {device}, {repeat} turns; n times as fast as the first two",
        ("way", "ms a frame", "lowest", "highest", "frames/s", "MONAI", "plain", "Dice with MONAI's"),
        [
            (
                way,
                *(f"{value:.1f}" for value in figures.values()),
                f"{1e3 / figures['median']:.1f}",
                *(f"{row['median']:.2f}" for row in times_as_fast.get(way, {}).values()),
                *([f"{dice[way]:.3f}"] if way in dice else []),
            )
            for way, figures in ways.items()
        ],
        machine,
    )
    write_json(
        json,
        {
            "machine": machine,
            "device": device,
            "frames": frames,
            "size": size,
            "repeat": repeat,
            "milliseconds_per_frame": ways,
            "times_as_fast": times_as_fast,
            "dice_with_monai": dice,
        },
    )


if __name__ == "__main__":
    typer.run(main)
