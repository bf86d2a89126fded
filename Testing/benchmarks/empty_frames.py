"""How often the weights find an instrument where there is none.

    python Testing/benchmarks/empty_frames.py TISSUE PHOTOGRAPHS --json empty.json

TISSUE is a folder of endoscopic frames, from which dark, bright and defocused ones are made; PHOTOGRAPHS is a folder of
pictures that no endoscope took: faces, rooms, things. Both may be left out. A mask is empty if it holds less than 0.5 %
of the picture, which is less than the tip of an instrument.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated

import cv2
import numpy as np
import numpy.typing as npt
import typer
from machine import describe_machine, show, write_json
from rich.progress import track

from rasnet.bundle import file_sha256, weights_path
from rasnet.datasets.blank import render_blanks
from rasnet.datasets.frames_without_masks import read_unlabelled
from rasnet.inference import TorchBackend

UInt8Array = npt.NDArray[np.uint8]

_EMPTY_BELOW = 0.005
_SIZE = (512, 640)

_SPOILT: dict[str, Callable[[UInt8Array], UInt8Array]] = {
    "tissue, light off (3 %)": lambda rgb: cv2.convertScaleAbs(rgb, alpha=0.03),
    "tissue, overexposed": lambda rgb: cv2.convertScaleAbs(rgb, alpha=0.05, beta=242),
    "tissue, out of focus": lambda rgb: cv2.GaussianBlur(rgb, (0, 0), rgb.shape[1] / 12),
}


def made_frames(count: int) -> dict[str, list[UInt8Array]]:
    """Pictures without a signal: black, white, even and smooth ones, all with and without noise."""
    blanks = [blank.rgb for blank in render_blanks(4 * count, _SIZE, seed=12345)]
    return {
        "black": [np.zeros((*_SIZE, 3), np.uint8)],
        "white": [np.full((*_SIZE, 3), 255, np.uint8)],
        **{f"blank, {kind}": blanks[place::4] for place, kind in enumerate(("dark", "bright", "even", "smooth"))},
    }


def read_frames(folder: Path, every: int) -> Iterator[UInt8Array]:
    """Read every n-th picture of a folder."""
    for example in read_unlabelled(folder, every):
        yield example.rgb


def main(
    tissue: Annotated[Path | None, typer.Argument(help="Folder of endoscopic frames.", exists=True)] = None,
    photographs: Annotated[Path | None, typer.Argument(help="Folder of other pictures.", exists=True)] = None,
    every: Annotated[int, typer.Option(min=1, metavar="N", help="Take every N-th frame of TISSUE.")] = 20,
    weights: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Weights of the network.", show_default="the released ones")
    ] = None,
    json: Annotated[Path | None, typer.Option(metavar="FILE", help="Write the figures here too.")] = None,
) -> None:
    """Count pictures without instruments whose mask is empty."""
    weights = weights or weights_path()
    backend = TorchBackend(weights)
    frames = made_frames(20)
    if tissue is not None:
        seen = list(read_frames(tissue, every))
        frames |= {name: [spoil(rgb) for rgb in seen] for name, spoil in _SPOILT.items()}
    if photographs is not None:
        frames["photographs"] = list(read_frames(photographs, 1))
    shares = {
        name: [float(np.mean(backend(rgb[None])[0] > 0)) for rgb in track(pictures, name)]
        for name, pictures in frames.items()
    }
    figures = {
        name: {"frames": len(found), "empty": float(np.mean(np.less(found, _EMPTY_BELOW))), "median": np.median(found)}
        for name, found in shares.items()
    }
    machine, sha256 = describe_machine("cpu"), file_sha256(weights)
    show(
        f"Empty masks of pictures without instruments, {weights.name} ({sha256[:8]})",
        ("pictures", "how many", "empty", "median share taken for an instrument"),
        [(name, str(row["frames"]), f"{row['empty']:.0%}", f"{row['median']:.1%}") for name, row in figures.items()],
        machine,
    )
    write_json(json, {"machine": machine, "weights_sha256": sha256, "pictures": figures})


if __name__ == "__main__":
    typer.run(main)
