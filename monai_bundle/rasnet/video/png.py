"""What a PNG file holds, told without decoding its pixels."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from itertools import dropwhile
from pathlib import Path

_HEADER = struct.Struct(">I4s")  # length of the data, type
_SIGNATURE, _CHECKSUM = 8, 4  # bytes

_METADATA = frozenset({b"eXIf", b"tEXt", b"zTXt", b"iTXt"})


def metadata_follows_pixels(file: Path) -> bool:
    """Whether EXIF or text comes behind the pixels, where it is found only by reading on (PNG, sections 5.3 and 5.6).

    Raises:
        OSError: the file cannot be read.
    """
    behind = dropwhile(lambda kind: kind != b"IDAT", _chunk_types(file))
    return any(kind in _METADATA for kind in behind)


def _chunk_types(file: Path) -> Iterator[bytes]:
    """The types of a file's chunks in order, as far as it is whole."""
    with file.open("rb", buffering=0) as data:  # headers lie far apart
        data.seek(_SIGNATURE)
        while len(header := data.read(_HEADER.size)) == _HEADER.size:
            length, kind = _HEADER.unpack(header)
            yield kind
            data.seek(length + _CHECKSUM, 1)
