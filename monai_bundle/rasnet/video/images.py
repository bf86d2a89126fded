"""Folders of images, and single images, as sources of frames."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps

from rasnet.errors import RASNetError
from rasnet.video.png import metadata_follows_pixels
from rasnet.video.source import SourceKind, VideoSource

IMAGE_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff"})

IMAGE_FPS = 25.0
"""Frame rate of images, which carry no times of their own: that of PAL, the commonest endoscope signal."""

EXIF_ORIENTATION = 0x0112

# What Pillow raises for files that are broken in one way or another.
_IMAGE_ERRORS = (OSError, ValueError, SyntaxError, Image.DecompressionBombError)


class ImageSequence(VideoSource):
    """Images of one size, one a frame, `IMAGE_FPS` frames a second.

    Images that cannot be opened are damaged frames: the others keep their places.

    Args:
        path: the folder or the image.
        files: the images in order, at least one.
        kind: ``"folder"`` or ``"image"``.

    Raises:
        RASNetError: images of different sizes, or none that can be read.
    """

    def __init__(self, path: Path, files: Sequence[Path], kind: SourceKind) -> None:
        self.path = path
        self.kind = kind
        self.fps = IMAGE_FPS
        self.times = np.arange(len(files)) / IMAGE_FPS
        self.damage = []
        self._files = tuple(files)
        self.height, self.width = self._common_size()

    @classmethod
    def from_folder(cls, folder: Path) -> ImageSequence:
        """Take every image that lies in a folder (not those in folders below it), in natural order."""
        files = [
            file
            for file in folder.iterdir()
            # A leading dot marks what operating systems leave beside images (macOS: ._frame1.png).
            if file.suffix.lower() in IMAGE_SUFFIXES and not file.name.startswith(".") and file.is_file()
        ]
        if not files:
            raise RASNetError(
                f"folder {folder} holds no PNG or JPEG images; choose the folder that the images lie in, "
                "or a video file"
            )
        return cls(folder, sorted(files, key=natural_key), "folder")

    @classmethod
    def from_image(cls, file: Path) -> ImageSequence:
        """Take one image as a source of one frame."""
        return cls(file, [file], "image")

    def _rgb(self, index: int) -> npt.NDArray[np.uint8] | None:
        file = self._files[index]
        try:
            rgb = load_rgb(file)
        except _IMAGE_ERRORS as error:
            self._add_damage(index, index, f"{file.name}: {error}")
            return None
        if rgb.shape[:2] != (self.height, self.width):
            self._add_damage(index, index, f"{file.name}: its size changed after the folder was opened")
            return None
        return rgb

    def _common_size(self) -> tuple[int, int]:
        """Height and width that all images share, from their headers."""
        first: tuple[Path, tuple[int, int]] | None = None
        for index, file in enumerate(self._files):
            try:
                size = _upright_size(file)
            except PermissionError:
                raise
            except _IMAGE_ERRORS as error:
                self._add_damage(index, index, f"{file.name}: {error}")
                continue
            if first is None:
                first = file, size
            elif size != first[1]:
                raise RASNetError(
                    f"images of a folder must have one size, but {first[0].name} is "
                    f"{first[1][1]}x{first[1][0]} and {file.name} is {size[1]}x{size[0]} in {self.path}; "
                    "put them into separate folders"
                )
        if first is None:
            what = "none of the images can" if self.kind == "folder" else "the image cannot"
            raise RASNetError(f"{what} be read in {self.path}; copy it again from where it was made")
        return first[1]


def natural_key(file: Path) -> tuple[list[str | int], str]:
    """Sort key under which numbers in names count as numbers: frame2 comes before frame10."""
    parts = re.split(r"(\d+)", file.name.casefold())
    return [int(part) if place % 2 else part for place, part in enumerate(parts)], file.name


def load_rgb(file: Path) -> npt.NDArray[np.uint8]:
    """Read an image as uint8 (H, W, 3), upright by its EXIF orientation.

    Grey and palette images are spread over three channels and transparency is dropped. 16-bit images
    keep their high byte: 0 to 65535 becomes 0 to 255, whatever the range that is in use.

    Raises:
        RASNetError: the pixels are 32-bit numbers, whose range nothing tells.
        OSError, ValueError, SyntaxError: the file is broken.
    """
    with Image.open(file) as image:
        _refuse_32_bits(image, file)
        upright = ImageOps.exif_transpose(image)
        if upright.mode.startswith("I"):
            grey = (np.asarray(upright, np.uint16) >> 8).astype(np.uint8)
            return np.repeat(grey[..., None], 3, axis=2)
        return np.array(upright.convert("RGB"))


def _upright_size(file: Path) -> tuple[int, int]:
    with Image.open(file) as image:
        _refuse_32_bits(image, file)
        width, height = image.size
        # Pillow decodes a PNG file to find EXIF that may lie behind its pixels: 17 ms each at 1920x1080.
        in_header = image.format == "PNG" and not metadata_follows_pixels(file)
        exif = Image.Image.getexif(image) if in_header else image.getexif()
        quarter_turn = exif.get(EXIF_ORIENTATION, 1) in (5, 6, 7, 8)
    return (width, height) if quarter_turn else (height, width)


def _refuse_32_bits(image: Image.Image, file: Path) -> None:
    # Some versions of Pillow give 16-bit PNG as mode I; PNG has no 32-bit pixels.
    if image.mode == "F" or (image.mode == "I" and image.format != "PNG"):
        raise RASNetError(
            f"the pixels of {file} are 32-bit numbers of unknown range; save it with 8 or 16 bits a pixel"
        )
