"""Why a file is no video, in words that help."""

from __future__ import annotations

import struct
from pathlib import Path

from rasnet.errors import RASNetError

# What an MP4 or MOV file may begin with.
_FIRST_BOXES = frozenset({b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip"})


def unreadable(path: Path) -> RASNetError:
    """Explain a file that FFmpeg does not know."""
    if path.stat().st_size == 0:
        return RASNetError(f"{path} is empty; copy it again from where it was recorded")
    if _lacks_table(path):
        return _cut_off(path)
    return RASNetError(
        f"{path} is not a video that can be read; choose a video (MP4, MOV, AVI, MKV, MPEG), "
        "a folder of PNG or JPEG images, or one image"
    )


def without_frames(path: Path) -> RASNetError:
    """Explain a file that holds no picture."""
    if _lacks_table(path):
        return _cut_off(path)
    return RASNetError(f"{path} holds no video frames, at most sound or text; choose another file")


def undecodable(path: Path, reason: str | None) -> RASNetError:
    """Explain a file none of whose frames can be decoded."""
    why = f" ({reason})" if reason else ""
    return RASNetError(f"no frame of {path} can be decoded{why}; copy it again, or convert it to MP4 with H.264")


def _cut_off(path: Path) -> RASNetError:
    return RASNetError(
        f"{path} was cut off while recording or copying: its table of frames (the moov atom) is missing or not whole; "
        "copy it again from the recorder, or repair it with a tool that has an intact file of the same recorder"
    )


def _lacks_table(path: Path) -> bool:
    boxes = _complete_boxes(path)
    return bool(boxes) and boxes[0] in _FIRST_BOXES and b"moov" not in boxes


def _complete_boxes(path: Path) -> list[bytes]:
    """Types of the boxes that an MP4 file consists of; the box that holds the frames may be cut off."""
    size = path.stat().st_size
    boxes: list[bytes] = []
    with path.open("rb") as file:
        start = 0
        while len(header := file.read(16)) >= 8:
            length, kind = struct.unpack(">I4s", header[:8])
            if length == 1 and len(header) == 16:
                (length,) = struct.unpack(">Q", header[8:])
            if length < 8 or start + length > size:
                if kind == b"mdat":
                    boxes.append(kind)
                break
            boxes.append(kind)
            start += length
            file.seek(start)
    return boxes
