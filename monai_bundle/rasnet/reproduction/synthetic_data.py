"""Synthetic sequences in the layout of EndoVis 2017, with the instruments of the real ones."""

from __future__ import annotations

from pathlib import Path

from rasnet.files import whole_folder
from rasnet.progress import Progress
from rasnet.synthetic import SyntheticScene, write_endovis2017

INSTRUMENTS = (
    ("Prograsp Forceps", "Bipolar Forceps", "Other", "Prograsp Forceps"),
    ("Prograsp Forceps", "Prograsp Forceps", "Other"),
    ("Large Needle Driver", "Large Needle Driver"),
    ("Large Needle Driver", "Large Needle Driver", "Prograsp Forceps"),
    ("Bipolar Forceps", "Grasping Retractor", "Vessel Sealer"),
    ("Large Needle Driver", "Large Needle Driver", "Monopolar Curved Scissors", "Prograsp Forceps"),
    ("Bipolar Forceps", "Vessel Sealer"),
    ("Bipolar Forceps", "Grasping Retractor", "Grasping Retractor", "Monopolar Curved Scissors"),
)
"""Types in each of the eight sequences, as in the challenge."""

FRAMES = 30
_FPS = 2.0  # the challenge's


def write_synthetic(folder: Path, progress: Progress, frames: int = FRAMES, size: tuple[int, int] = (256, 320)) -> None:
    """Write eight sequences, unless they are there; the folder appears whole or not at all.

    Args:
        folder: for the sequences.
        progress: told of every frame.
        frames: of each sequence.
        size: height and width that scenes are drawn at; they are enlarged to the challenge's.
    """
    import torch

    if folder.is_dir():
        return
    device = "cuda" if torch.cuda.is_available() else "cpu"
    scenes = [
        SyntheticScene(2017 + number, size=size, frames=frames, fps=_FPS, device=device, types=types)
        for number, types in enumerate(INSTRUMENTS)
    ]
    with whole_folder(folder) as making:
        write_endovis2017(scenes, making, progress=progress)
