"""Index masks as palette PNG files, written whole or not at all."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from rasnet.errors import RASNetError

Mask = npt.NDArray[np.uint8]

# Level 3 is the last that zlib-ng, which Pillow brings, does in one pass. Masks with values up to 3, which most are,
# are stored with two bits a pixel: 1280x1024 takes 1.1 ms to encode, 1.0 ms to decode and 6 kB, where whole bytes
# take 2.1 ms, 0.75 ms and 13 kB; four bits gain no time. Level 6 takes 1.8 ms; zlib's run-length strategy 1.0 ms,
# 1.5 ms and 3 kB, and masks are read more often than written. OpenCV's encoder takes 7 ms and writes no palette.
_COMPRESS_LEVEL = 3
_FEW = 4


def encode_mask(mask: Mask, palette: npt.NDArray[np.uint8]) -> bytes:
    """Give the palette PNG file of an index mask: two bits a pixel where no value is above 3, else eight.

    Args:
        mask: uint8 (H, W), any value 0 to 255.
        palette: uint8 (256, 3), the colour that viewers show for each value.
    """
    image = Image.fromarray(np.ascontiguousarray(mask))
    image.putpalette((palette[:_FEW] if mask.max() < _FEW else palette).tobytes())  # its size sets the bits a pixel
    file = io.BytesIO()
    image.save(file, "PNG", compress_level=_COMPRESS_LEVEL)
    return file.getvalue()


def decode_mask(data: bytes) -> Mask:
    """Give the index mask, uint8 (H, W), of a PNG file's bytes.

    Raises:
        RASNetError: not an image, or an image whose pixels are not single-byte indices.
    """
    return _indices(io.BytesIO(data), "the mask")


def read_mask(path: str | Path) -> Mask:
    """Read an index mask, uint8 (H, W), from a palette or grey PNG file.

    Raises:
        RASNetError: the file is absent, damaged, or holds colours instead of indices.
    """
    try:
        with Path(path).open("rb") as file:
            return _indices(file, str(path))
    except OSError as error:
        raise RASNetError(f"{path} cannot be read as a mask ({error}); put the right file back") from error


def write_mask(path: str | Path, mask: Mask, palette: npt.NDArray[np.uint8]) -> None:
    """Write an index mask as a palette PNG; a reader sees the old file or the new one, never a part.

    Args:
        path: the file; its folder exists.
        mask: uint8 (H, W).
        palette: uint8 (256, 3).
    """
    write_whole(Path(path), encode_mask(mask, palette))


def write_whole(path: Path, data: bytes) -> None:
    """Write a file under a temporary name in the same folder, then rename it into place."""
    temporary = temporary_name(path)
    try:
        temporary.write_bytes(data)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def temporary_name(path: Path) -> Path:
    """Name of the file that `write_whole` renames to `path`."""
    return path.with_name(f".{path.name}.tmp")


def mask_sha256(mask: Mask) -> str:
    """SHA-256 of a mask's pixels in row order: the same whatever the PNG encoder, palette or level."""
    return hashlib.sha256(np.ascontiguousarray(mask).data).hexdigest()


def mask_values(mask: Mask) -> list[int]:
    """Values that occur in a mask, background included, ascending (0.4 ms for 1280x1024)."""
    histogram = Image.fromarray(np.ascontiguousarray(mask)).histogram()
    return [value for value, count in enumerate(histogram) if count]


def _indices(file: io.BytesIO | io.BufferedReader, name: str) -> Mask:
    try:
        with Image.open(file) as image:
            if image.mode not in ("P", "L"):
                raise RASNetError(f"{name} holds colours ({image.mode}); give an 8-bit palette or grey PNG")
            return np.array(image, np.uint8)
    except (OSError, SyntaxError, ValueError) as error:
        raise RASNetError(f"{name} is not a whole image ({error}); put the right file back") from error
