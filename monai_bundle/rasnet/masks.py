"""Index masks as palette PNG files, written whole or not at all."""

from __future__ import annotations

import hashlib
import io
import struct
import zlib
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from rasnet.errors import RASNetError

Mask = npt.NDArray[np.uint8]

# NumPy and zlib, which let other threads run meanwhile, encode in place of Pillow, whose packing takes longer than its
# compression. Milliseconds to encode, milliseconds to decode with Pillow, and kB, of parts in a clip (three values):
#
#               1280x1024                                        1920x1080
#               2 bits           4 bits           8 bits         2 bits           4 bits           8 bits
#     level 1   0.94 1.37  7.1   1.55 1.46 10.1   2.5 1.3 14.3   1.47 2.11  9.5   2.40 2.18 12.6   4.0 1.9 18.1
#     level 3   0.95 1.32  5.9   1.50 1.40  8.9   2.5 1.3 13.0   1.50 2.08  8.6   2.40 2.14 11.7   4.0 1.9 16.9
#     level 4   1.58 2.15  6.3   2.70 1.80  6.9   4.7 2.2  8.9   2.48 2.37  7.5   4.15 2.66  8.0   7.3 3.2 10.2
#     level 6   2.18 1.44  4.3   3.43 1.64  5.2   6.3 1.7  7.2   3.09 2.19  5.6   5.05 2.53  6.5   9.7 2.6  9.8
#     Z_RLE     0.89 1.68  5.1   1.53 1.83  5.1   2.5 1.8  6.0   1.42 2.43  6.0   2.37 2.61  6.1   4.0 2.6  6.9
#     Pillow    2.03 1.54  6.7   -                3.2 1.3 13.0   3.18 2.41  9.1   -                5.1 1.9 16.9
#
# Level 3 is the last of zlib's fast ones. The run-length strategy gives smaller files for as little time, but they take
# a sixth to two fifths longer to decode, and masks are read more often than written. With level 3, PNG's filter "up"
# gains neither time nor space. OpenCV's encoder takes longer and writes no palette.
_COMPRESS_LEVEL = 3

# By bits a pixel: the words that hold the pixels of one packed byte, first pixel lowest, and the factor and shift that
# bring those pixels side by side into the word's top byte and down from there, first pixel highest. No two products
# of a pixel and a bit of the factor share a bit, so nothing is carried.
_PACKING = {2: ("<u4", 0x40100401, 24), 4: ("<u2", 0x1001, 8)}

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_INDEXED_COLOUR = 3


def encode_mask(mask: Mask, palette: npt.NDArray[np.uint8]) -> bytes:
    """Give the palette PNG file (ISO/IEC 15948) of an index mask: two, four or eight bits a pixel, the fewest that do.

    Args:
        mask: uint8 (H, W), any value 0 to 255.
        palette: uint8 (256, 3), the colour that viewers show for each value; the file has those its bits can name.
    """
    height, width = mask.shape
    bits = _bits_a_pixel(int(mask.max()))
    return b"".join(
        (
            _SIGNATURE,
            _chunk(b"IHDR", struct.pack(">2I5B", width, height, bits, _INDEXED_COLOUR, 0, 0, 0)),
            _chunk(b"PLTE", palette[: 1 << bits].tobytes()),
            _chunk(b"IDAT", zlib.compress(_packed_rows(mask, bits).data, _COMPRESS_LEVEL)),
            _chunk(b"IEND", b""),
        )
    )


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
    """Values that occur in a mask, background included, ascending (0.3 ms for 1920x1080).

    Eight pixels are one word, and only words unlike the one before are looked into: few are, as instruments are large.
    """
    pixels = np.ascontiguousarray(mask).reshape(-1)
    whole = pixels.size // 8 * 8
    words = pixels[:whole].view(np.uint64)
    occurs = np.zeros(256, np.bool_)
    occurs[words[:1].view(np.uint8)] = True
    occurs[words[1:][words[1:] != words[:-1]].view(np.uint8)] = True
    occurs[pixels[whole:]] = True
    return [int(value) for value in np.flatnonzero(occurs)]


def _bits_a_pixel(highest: int) -> int:
    return next(bits for bits in (2, 4, 8) if highest < 1 << bits)


def _packed_rows(mask: Mask, bits: int) -> npt.NDArray[np.uint8]:
    """Rows as PNG compresses them: filter type 0, then the pixels from each byte's high bits down."""
    height, width = mask.shape
    pixels_a_byte = 8 // bits
    rows = np.zeros((height, 1 + -(-width // pixels_a_byte)), np.uint8)
    if bits == 8:
        rows[:, 1:] = mask
    else:
        word, factor, shift = _PACKING[bits]
        words = _padded(mask, pixels_a_byte).view(word)
        np.right_shift(words * factor, shift, out=rows[:, 1:], casting="unsafe")
    return rows


def _padded(mask: Mask, multiple: int) -> Mask:
    """The mask in row order, with columns of zeros up to a width that is a multiple."""
    height, width = mask.shape
    if width % multiple == 0:
        return np.ascontiguousarray(mask)
    padded = np.zeros((height, width + -width % multiple), np.uint8)
    padded[:, :width] = mask
    return padded


def _chunk(kind: bytes, data: bytes) -> bytes:
    """A PNG chunk: length, type, data, and the CRC of type and data."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _indices(file: io.BytesIO | io.BufferedReader, name: str) -> Mask:
    try:
        with Image.open(file) as image:
            if image.mode not in ("P", "L"):
                raise RASNetError(f"{name} holds colours ({image.mode}); give an 8-bit palette or grey PNG")
            return np.array(image, np.uint8)
    except (OSError, SyntaxError, ValueError) as error:
        raise RASNetError(f"{name} is not a whole image ({error}); put the right file back") from error
