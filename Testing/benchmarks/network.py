"""How long the network alone takes for a picture, by batch.

    python Testing/benchmarks/network.py
    python Testing/benchmarks/network.py --device cuda --batch 1 --batch 64

Pictures have the network's own size, 320x256, so that nothing is resized. "bytes to masks" is what a program sees that
gives uint8 pictures in memory and gets uint8 masks; on a GPU the way there and back is in it. "on the GPU" takes
pictures that lie there and leaves masks there; "on the GPU, eager" does the same kernel by kernel, without a recording.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import torch
import typer
from limits import PICTURE
from machine import describe_machine, repeat, show, write_json
from material import SAMPLE_CLIP, WeightsOption, chosen_weights

from rasnet.inference import Backend, RecordedSegmenter, TorchBackend, load_backend
from rasnet.inference.openvino_backend import shrink
from rasnet.video import open_source

BATCHES = {"cpu": [1, 4], "cuda": [1, 8, 64, 256]}


def pictures(count: int) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """Pictures of the sample clip, uint8 (count, 256, 320, 3)."""
    with open_source(SAMPLE_CLIP) as clip:
        return np.stack([shrink(clip[place % len(clip)].rgb, PICTURE) for place in range(count)])


def measure_network(backend: Backend, batches: list[int], seconds: float) -> Iterator[dict[str, Any]]:
    """Measure a backend at every batch.

    Yields:
        Rows with ``engine``, ``way``, ``batch`` and ``milliseconds`` a batch.
    """
    every = pictures(max(batches))
    for batch in batches:
        rgb = every[:batch]
        row = {"engine": backend.name, "batch": batch}
        yield {**row, "way": "bytes to masks", "milliseconds": repeat(partial(backend, rgb), seconds)}
        if isinstance(backend, TorchBackend) and backend.device.type == "cuda":
            frames = torch.from_numpy(rgb).to(backend.device)
            ways = {"on the GPU": RecordedSegmenter(backend.segmenter), "on the GPU, eager": backend.segmenter}
            for way, segmenter in ways.items():
                with torch.inference_mode():
                    yield {**row, "way": way, "milliseconds": repeat(partial(segmenter, frames), seconds)}


def main(
    device: Annotated[Literal["cpu", "cuda"], typer.Option(help="Where the network runs.")] = "cpu",
    weights: WeightsOption = None,
    batch: Annotated[
        list[int] | None, typer.Option(min=1, help="Pictures at once; may be given again.", show_default="by device")
    ] = None,
    seconds: Annotated[float, typer.Option(min=0, help="About how long each.")] = 3,
    json: Annotated[Path | None, typer.Option(metavar="FILE", help="Write the figures here too.")] = None,
) -> None:
    """Measure the network without decoding, tracking and writing."""
    rows: list[dict[str, Any]] = []
    for path in chosen_weights(weights, device):
        rows += measure_network(load_backend(path, device)[0], batch or BATCHES[device], seconds)
    machine = describe_machine(device)
    show(
        f"network alone, {PICTURE[1]}x{PICTURE[0]}, on {device}",
        ("engine", "way", "batch", "ms a batch", "lowest", "highest", "pictures/s"),
        [
            (
                *(str(row[name]) for name in ("engine", "way", "batch")),
                *(f"{value:.2f}" for value in row["milliseconds"].values()),
                f"{1e3 * row['batch'] / row['milliseconds']['median']:.1f}",
            )
            for row in rows
        ],
        machine,
    )
    write_json(json, {"machine": machine, "device": device, "rows": rows})


if __name__ == "__main__":
    typer.run(main)
