"""An OpenVINO model whose weights lie in the checkpoint that it was made from, so that a bundle holds them once.

A packed checkpoint (`rasnet.networks.packing`) and its model in 8-bit integers hold the same integers: a normalisation
that is folded into a convolution scales its channels and may turn their signs, no more. Of the model's ``.bin`` file
there need only be what the checkpoint lacks, a fiftieth of it, in a ``.rest`` file.
"""

from __future__ import annotations

import io
import math
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree
from zipfile import BadZipFile, ZipFile

import numpy as np
import numpy.typing as npt

from rasnet.errors import RASNetError
from rasnet.masks import write_whole

REST = ".rest"
"""Ending of the file beside the ``.xml`` file that stands for its ``.bin`` file."""

Bytes = npt.NDArray[np.int8]

# Smaller arrays are not worth their entry.
_SMALLEST = 40_000
_ENTRY = np.dtype(
    [("member", "U64"), ("crc", np.uint32), ("offset", np.int64), ("size", np.int64), ("outer", np.int64)]
)


class _Piece(NamedTuple):
    """Integers of a model that a checkpoint holds too: where they lie in both, and how the signs of channels differ."""

    member: str
    crc: int
    offset: int
    size: int
    outer: int
    signs: Bytes


def share_weights(model: Path, checkpoint: Path) -> None:
    """Replace a model's ``.bin`` file by what a checkpoint lacks of it.

    Args:
        model: the ``.xml`` file, with its ``.bin`` file beside it.
        checkpoint: that it was made from, packed; the model finds it again in its own folder, under this name.

    Raises:
        RASNetError: they have nothing in common.
        OSError: a file cannot be read or written.
    """
    weights = np.fromfile(model.with_suffix(".bin"), np.int8)
    with ZipFile(checkpoint) as archive:
        pieces = [piece for offset, mine in _constants(model, weights) if (piece := _find(mine, offset, archive))]
    if not pieces:
        raise RASNetError(f"{model.name} has no weights in common with {checkpoint.name}; leave --shared away")
    rest = np.ones(len(weights), bool)
    for piece in pieces:
        rest[piece.offset : piece.offset + piece.size] = False
    content = io.BytesIO()
    np.savez_compressed(
        content,
        checkpoint=np.array(checkpoint.name),
        entries=np.array([piece[:-1] for piece in pieces], _ENTRY),
        channels=np.array([len(piece.signs) for piece in pieces]),
        signs=np.concatenate([piece.signs for piece in pieces]),
        rest=weights[rest],
    )
    write_whole(model.with_suffix(REST), content.getvalue())
    model.with_suffix(".bin").unlink()


def assemble(model: Path) -> Bytes:
    """Give the content of the ``.bin`` file that a model was made with, to the byte.

    Args:
        model: the ``.xml`` file, with its ``.rest`` file and the checkpoint beside it.

    Returns:
        int8 (bytes of the file,).

    Raises:
        RASNetError: the checkpoint is missing, is another one, or either file is damaged.
    """
    path = model.with_suffix(REST)
    try:
        with np.load(path) as stored:
            checkpoint = path.with_name(str(stored["checkpoint"]))
            entries, channels, signs, rest = (stored[name] for name in ("entries", "channels", "signs", "rest"))
    except (OSError, ValueError, KeyError, EOFError, BadZipFile) as error:
        raise RASNetError(f"{path} is damaged; install rasnet again") from error
    if not checkpoint.is_file():
        raise RASNetError(f"{model.name} needs the weights of {checkpoint}, which is not there; install rasnet again")
    weights = np.empty(len(rest) + int(entries["size"].sum()), np.int8)
    at = taken = 0
    try:
        with ZipFile(checkpoint) as archive:
            for entry, turned in zip(entries, np.split(signs, channels.cumsum()[:-1]), strict=True):
                gap = int(entry["offset"]) - at
                weights[at : at + gap] = rest[taken : taken + gap]
                taken, at = taken + gap, at + gap + int(entry["size"])
                if entry["crc"] != archive.getinfo(str(entry["member"])).CRC:
                    raise KeyError(entry["member"])
                integers = np.frombuffer(archive.read(str(entry["member"])), np.int8)
                by_channel = integers.reshape(int(entry["outer"]), len(turned), -1)
                np.multiply(by_channel, turned[:, None], weights[at - len(integers) : at].reshape(by_channel.shape))
    except KeyError as error:
        raise RASNetError(
            f"{model.name} was made from other weights than {checkpoint}; install rasnet again"
        ) from error
    except (OSError, ValueError, BadZipFile) as error:
        raise RASNetError(f"{checkpoint} is damaged; install rasnet again") from error
    weights[at:] = rest[taken:]
    return weights


def _constants(model: Path, weights: Bytes) -> Iterator[tuple[int, Bytes]]:
    """Offset and content of the 8-bit constants of a model that are worth an entry, in the order of the file."""
    data = ElementTree.parse(model).iterfind("layers/layer[@type='Const']/data[@element_type='i8']")
    places = {int(constant.attrib["offset"]): constant.attrib for constant in data}
    for offset, place in sorted(places.items()):
        if (size := int(place["size"])) >= _SMALLEST:
            yield offset, weights[offset : offset + size].reshape([int(side) for side in place["shape"].split(",")])


def _find(mine: Bytes, offset: int, archive: ZipFile) -> _Piece | None:
    """Look for integers of a model in a checkpoint."""
    for info in archive.infolist():
        if info.file_size == mine.size:
            found = _turned(np.frombuffer(archive.read(info), np.int8).reshape(mine.shape), mine)
            if found is not None:
                axis, signs = found
                return _Piece(info.filename, info.CRC, offset, mine.size, math.prod(mine.shape[:axis]), signs)
    return None


def _turned(theirs: Bytes, mine: Bytes) -> tuple[int, Bytes] | None:
    """The axis of channels, and the sign of each, int8 (channels,), by which integers become others; None if none."""
    products = theirs.astype(np.int32) * mine
    for axis in (0, 1):  # of the channels that a convolution, and a transposed one, gives
        others = tuple(at for at in range(mine.ndim) if at != axis)
        signs = np.where(products.sum(others, keepdims=True) < 0, -1, 1).astype(np.int8)
        if np.array_equal(theirs * signs, mine):
            return axis, signs.ravel()
    return None
