"""Small folders in the layouts that EndoVis 2017 is found in, with every irregularity of their names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

SIZE = (64, 80)

INSTRUMENTS: dict[int, tuple[str, ...]] = {
    1: (
        "Left_Prograsp_Forceps_labels",
        "Maryland_Bipolar_Forceps_labels",
        "Other_labels",
        "Right_Prograsp_Forceps_labels",
    ),
    2: ("Left_Prograsp_Forceps_labels", "Right_Prograsp_Forceps_labels", "Other_labels"),
    3: ("Left_Large_Needle_Driver_labels", "Right_Large_Needle_Driver_labels"),
    4: ("Large_Needle_Driver_Left_labels", "Large_Needle_Driver_Right_labels", "Prograsp_Forceps_labels"),
    5: ("Bipolar_Forceps_labels", "Grasping_Retractor_labels", "Vessel_Sealer_labels"),
    6: (
        "Left_Large_Needle_Driver_labels",
        "Right_Large_Needle_Driver_labels",
        "Monopolar_Curved_Scissors_labels",
        "Prograsp_Forceps",
    ),
    7: ("Left_Bipolar_Forceps", "Right_Vessel_Sealer"),
    8: (
        "Bipolar_Forceps_labels",
        "Left_Grasping_Retractor_labels",
        "Right_Grasping_Retractor_labels",
        "Monopolar_Curved_Scissors_labels",
    ),
}
"""Folders of ground truth as the challenge names them, by sequence."""

TYPE_IDS = {
    "Bipolar": 1,
    "Prograsp": 2,
    "Needle": 3,
    "Vessel": 4,
    "Retractor": 5,
    "Scissors": 6,
    "Other": 7,
}


def type_id(folder: str) -> int:
    """Type of an instrument's folder, from words of its name."""
    return next(number for word, number in TYPE_IDS.items() if word in folder)


def band(place: int, count: int, frame: int, size: tuple[int, int] = SIZE) -> tuple[slice, slice]:
    """Where the place-th of `count` instruments is in a frame: a band of its own, which moves with the frame."""
    height, width = size
    top = place * height // count
    left = (3 * frame) % (width // 4)
    return slice(top + 1, top + height // count - 1), slice(left, left + width // 2)


def instrument_mask(place: int, count: int, frame: int, size: tuple[int, int] = SIZE) -> np.ndarray:
    """Part values of an instrument: shaft (10), then wrist (20), then claspers (30); (H, W)."""
    mask = np.zeros(size, np.uint8)
    rows, columns = band(place, count, frame, size)
    third = (columns.stop - columns.start) // 3
    for part in range(3):
        mask[rows, columns.start + part * third : columns.start + (part + 1) * third] = 10 * (part + 1)
    return mask


def picture(folders: Sequence[str], frame: int, size: tuple[int, int] = SIZE) -> np.ndarray:
    """Tissue with a band of its type's colour for each instrument, (H, W, 3)."""
    rgb = np.full((*size, 3), (150, 60, 50), np.uint8)
    for place, folder in enumerate(folders):
        number = type_id(folder)
        rgb[band(place, len(folders), frame, size)] = (30 * number, 255 - 30 * number, 120 * (number % 3))
    return rgb


def save(path: Path, pixels: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, **({"compress_level": 1} if path.suffix == ".png" else {"quality": 95}))


def write_raw(
    root: Path,
    sequences: Mapping[int, Sequence[str]] = INSTRUMENTS,
    frames: int = 3,
    size: tuple[int, int] = SIZE,
    right: bool = False,
) -> Path:
    """The raw layout, in two archives' folders; masks of even sequences have three channels."""
    for number, folders in sequences.items():
        place = root / f"instrument_{'1_4' if number < 5 else '5_8'}_training" / f"instrument_dataset_{number}"
        for frame in range(frames):
            name = f"frame{frame:03d}.png"
            save(place / "left_frames" / name, picture(folders, frame, size))
            if right:
                save(place / "right_frames" / name, picture(folders, frame, size))
            for index, folder in enumerate(folders):
                mask = instrument_mask(index, len(folders), frame, size)
                mask = mask if number % 2 else np.repeat(mask[..., None], 3, axis=2)
                save(place / "ground_truth" / folder / name, mask)
    return root


def merged(folders: Sequence[str], frame: int) -> tuple[np.ndarray, np.ndarray]:
    """Types and part values of a frame, (H, W) each."""
    types, parts = np.zeros(SIZE, np.uint8), np.zeros(SIZE, np.uint8)
    for index, folder in enumerate(folders):
        mask = instrument_mask(index, len(folders), frame)
        types[mask > 0] = type_id(folder)
        parts[mask > 0] = mask[mask > 0]
    return types, parts


def write_cropped(root: Path, sequences: Mapping[int, Sequence[str]] = INSTRUMENTS, frames: int = 3) -> Path:
    """The derived layout in wide use: JPEG pictures, types x 32, parts x 85, without Other in the parts."""
    for number, folders in sequences.items():
        place = root / "cropped_train" / f"instrument_dataset_{number}"
        for frame in range(frames):
            types, parts = merged(folders, frame)
            parts = np.where(types == 7, 0, parts // 10)
            save(place / "images" / f"frame{frame:03d}.jpg", picture(folders, frame))
            for folder, mask in (
                ("instruments_masks", types * 32),
                ("parts_masks", parts * 85),
                ("binary_masks", (parts > 0) * 255),
            ):
                save(place / folder / f"frame{frame:03d}.png", mask.astype(np.uint8))
    return root


def write_flat(root: Path, sequences: Mapping[int, Sequence[str]] = INSTRUMENTS, frames: int = 3) -> Path:
    """The flat layout: ``train/image``, ``train/label``, types as they are."""
    for number, folders in sequences.items():
        for frame in range(frames):
            name = f"seq_{number}_frame{frame:04d}.png"
            save(root / "train" / "image" / name, picture(folders, frame))
            save(root / "train" / "label" / name, merged(folders, frame)[0])
    return root


def write_test_set(root: Path, number: int, frames: Sequence[int], folders: Sequence[str]) -> Path:
    """A sequence of the official test set: pictures and labels lie in folders of different archives."""
    for frame in frames:
        name = f"frame{frame:03d}.png"
        save(
            root / "instrument_1_10_testing" / f"instrument_dataset_{number}" / "left_frames" / name,
            picture(folders, frame),
        )
        types, parts = merged(folders, frame)
        labels = root / "instrument_2017_test" / f"instrument_dataset_{number}"
        save(labels / "TypeSegmentation" / name, types)
        save(labels / "PartsSegmentation" / name, parts)
        save(labels / "BinarySegmentation" / name, (types > 0).astype(np.uint8))
    return root
