"""EndoVis 2017 "Robotic Instrument Segmentation": sequences of frames with their masks, whatever layout they lie in.

M. Allan et al.: "2017 Robotic Instrument Segmentation Challenge", arXiv:1902.06426. `endovis2017_layouts` finds the
sequences in a folder; here one of their frames is read. Neither needs torch.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from rasnet.datasets.images import read_grey, read_rgb
from rasnet.errors import RASNetError
from rasnet.labels import LabelSchema
from rasnet.masks import Mask, mask_values
from rasnet.video import RegionOfInterest

Part = Literal["train", "test"]
Layout = Literal["raw", "cropped", "flat"]

TYPES = LabelSchema.load("endovis2017_types")
PARTS = LabelSchema.load("instrument_parts")

RAW_WINDOW = RegionOfInterest(top=28, left=320, height=1024, width=1280, frame_height=1080, frame_width=1920)
"""The picture inside the frames as they were recorded."""

UNKNOWN = 255
"""In a `MaskFolder.table`: no mask may hold this value."""


class Truth(NamedTuple):
    """What the challenge says of a frame.

    Attributes:
        types: ids of the schema ``endovis2017_types``, uint8 (H, W).
        parts: ids of the schema ``instrument_parts``, uint8 (H, W); None where the layout has no parts.
        instances: type id of each instrument in view. Two of a type are two, where they have masks of their own.
    """

    types: Mask
    parts: Mask | None
    instances: tuple[int, ...]


@dataclass(frozen=True)
class MaskFolder:
    """Masks of one kind, one a frame.

    Attributes:
        path: folder of the PNG files, named like the pictures.
        content: ``"instrument"``: the parts of one instrument of type `type_id`; ``"types"`` or ``"parts"``: of all.
        table: id of each mask value, `UNKNOWN` for values that must not occur, uint8 (256,).
        type_id: of the instrument.
    """

    path: Path
    content: Literal["instrument", "types", "parts"]
    table: Mask
    type_id: int = 0

    def read(self, stem: str) -> Mask:
        """Read a mask as ids, uint8 (H, W); three-channel masks say the same in each channel.

        Raises:
            RASNetError: the mask is not there, is broken, or holds values that mean nothing.
        """
        file = self.path / f"{stem}.png"
        if not file.is_file():
            raise RASNetError(f"there is no mask {file}; unpack the archive again")
        mask = read_grey(file)
        if strange := [value for value in mask_values(mask) if self.table[value] == UNKNOWN]:
            known = np.flatnonzero(self.table != UNKNOWN)
            raise RASNetError(
                f"{file} holds the value{'s' * (len(strange) > 1)} {_listed(strange)}; a mask of {self.content} holds "
                f"{_listed(known.tolist())}: copy it again without converting it"
            )
        return self.table[mask]


@dataclass(frozen=True, eq=False)
class Sequence:
    """One video of the challenge, sampled at 2 Hz.

    Attributes:
        number: 1 to 10.
        part: ``"train"`` or ``"test"``; frames of the test part follow those of the same number in the train part.
        layout: how its files lie.
        folder: that they lie in.
        frames: number of every frame, ascending.
        pictures: file of every frame's picture, of the left eye.
        right: the same for the right eye, or empty. There are no masks for it.
        masks: ground truth; empty where the challenge keeps it.
    """

    number: int
    part: Part
    layout: Layout
    folder: Path
    frames: tuple[int, ...]
    pictures: tuple[Path, ...]
    right: tuple[Path, ...]
    masks: tuple[MaskFolder, ...]

    @property
    def name(self) -> str:
        """``"3"`` in the train part, ``"test 3"`` in the test part: as splits name it."""
        return sequence_name(self.number, self.part)

    def __len__(self) -> int:
        return len(self.frames)

    def picture(self, index: int, eye: Literal["left", "right"] = "left") -> npt.NDArray[np.uint8]:
        """Read the picture of the index-th frame, uint8 (H, W, 3), without the black around it.

        Raises:
            RASNetError: it is broken, or there is no such eye.
        """
        files = self.pictures if eye == "left" else self.right
        if not files:
            raise RASNetError(f"sequence {self.name} has no {eye} pictures in {self.folder}; unpack them too")
        return window(read_rgb(files[index]))

    def truth(self, index: int) -> Truth:
        """Read the masks of the index-th frame.

        Where instruments overlap, the one whose folder's name comes later (ignoring case) lies on top; published
        code differs in this.

        Raises:
            RASNetError: a mask is missing, broken, of another size than the others, or holds unknown values.
        """
        stem = self.pictures[index].stem
        if not self.masks:
            raise RASNetError(f"sequence {self.name} has no ground truth in {self.folder}; unpack it, or leave it out")
        read = {folder.path: window(folder.read(stem)) for folder in self.masks}
        if len({mask.shape for mask in read.values()}) > 1:
            sizes = ", ".join(f"{path.name} {_size(mask)}" for path, mask in read.items())
            raise RASNetError(f"the masks of {stem} in {self.folder} differ in size ({sizes}); copy them again")
        if self.masks[0].content == "instrument":
            return self._merged([(folder.type_id, read[folder.path]) for folder in self.masks])
        types = next(read[folder.path] for folder in self.masks if folder.content == "types")
        parts = next((read[folder.path] for folder in self.masks if folder.content == "parts"), None)
        return Truth(types, parts, tuple(value for value in mask_values(types) if value))

    def frame(self, index: int) -> tuple[npt.NDArray[np.uint8], Truth]:
        """Read picture and masks of the index-th frame, and check that they are of one size.

        Raises:
            RASNetError: see `picture` and `truth`; or they differ in size.
        """
        rgb, truth = self.picture(index), self.truth(index)
        if rgb.shape[:2] != truth.types.shape:
            raise RASNetError(
                f"{self.pictures[index]} is {_size(rgb)} and its masks are {_size(truth.types)}; make them one size"
            )
        return rgb, truth

    @staticmethod
    def _merged(instruments: list[tuple[int, Mask]]) -> Truth:
        types = np.zeros_like(instruments[0][1])
        parts = np.zeros_like(types)
        for type_id, mask in instruments:
            here = mask > 0
            types[here] = type_id
            parts[here] = mask[here]
        return Truth(types, parts, tuple(type_id for type_id, mask in instruments if mask.any()))


def sequence_name(number: int, part: Part = "train") -> str:
    """Name a sequence as splits do."""
    return str(number) if part == "train" else f"test {number}"


def window(image: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Cut the picture out of a frame as it was recorded, (1080, 1920) or (1080, 1920, 3); others stay whole."""
    return image if window_size(*image.shape[:2]) == image.shape[:2] else RAW_WINDOW.crop(image)


def window_size(height: int, width: int) -> tuple[int, int]:
    """Give height and width of what `window` leaves of a frame."""
    recorded = (height, width) == (RAW_WINDOW.frame_height, RAW_WINDOW.frame_width)
    return (RAW_WINDOW.height, RAW_WINDOW.width) if recorded else (height, width)


def type_of_folder(name: str) -> int | None:
    """Tell which type an instrument's folder of masks is of: its name holds that of the type.

    Examples:
        >>> type_of_folder("Maryland_Bipolar_Forceps_labels"), type_of_folder("Right_Vessel_Sealer")
        (1, 4)
    """
    words = name.casefold().replace(" ", "_")
    return next((label.id for label in TYPES.instruments if label.name.casefold().replace(" ", "_") in words), None)


def _size(image: npt.NDArray[np.uint8]) -> str:
    return f"{image.shape[1]}x{image.shape[0]}"


def _listed(values: list[int]) -> str:
    shown = ", ".join(map(str, values[:8]))
    return shown if len(values) <= 8 else f"{shown} and {len(values) - 8} more"
