"""DICOM video as a source of frames: encapsulated MPEG-2, H.264 and HEVC streams, and multi-frame images."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import av
import numpy as np
import numpy.typing as npt

from rasnet.errors import RASNetError
from rasnet.video.file import VideoFile
from rasnet.video.images import IMAGE_FPS
from rasnet.video.source import VideoSource

_MAGIC = b"DICM"
_MAGIC_AT = 128  # DICOM PS3.10, 7.1: behind the preamble

# DICOM PS3.5, A.4: an element of undefined length, the items in it and the end of them.
_ENCAPSULATED = struct.pack("<HH2sHL", 0x7FE0, 0x0010, b"OB", 0, 0xFFFFFFFF)
_ITEM = 0xE000FFFE

# Streams without a container, whose frames have no times of their own.
_RAW_STREAMS = frozenset({"h264", "hevc", "mpegvideo"})

# FFmpeg opens the file once for every fragment of the stream.
_MOST_FRAGMENTS = 256


def is_dicom(path: Path) -> bool:
    """Whether a file is DICOM, whatever its name."""
    with path.open("rb") as file:
        return file.read(_MAGIC_AT + len(_MAGIC))[_MAGIC_AT:] == _MAGIC


def open_dicom(path: Path) -> VideoSource:
    """Open a DICOM file of one or more frames.

    The file is read where it lies: nothing of it is copied, and of its header only what describes the pixels is kept.

    Args:
        path: the file, which exists and may be read.

    Raises:
        RASNetError: pydicom is not installed, the file has no pictures, or they cannot be decoded.
    """
    try:
        import pydicom
    except ImportError as error:
        raise RASNetError(
            f"{path} is DICOM, which needs the package pydicom; install it with `pip install 'rasnet[dicom]'`"
        ) from error
    try:
        with path.open("rb") as file:
            header = pydicom.dcmread(file, stop_before_pixels=True)
            start = file.tell()
            has_pixels = bool(file.read(1)) and "Rows" in header
    except (pydicom.errors.InvalidDicomError, EOFError, ValueError, AttributeError, struct.error) as error:
        raise RASNetError(f"{path} is no whole DICOM file ({error}); copy it again from the archive") from error
    if not has_pixels:
        what = header.get("Modality") or "something else"
        raise RASNetError(f"{path} holds no pictures ({what}); choose a DICOM file of a video or of images")
    syntax = header.file_meta.TransferSyntaxUID
    return DicomVideo(path, header, start) if _is_video(syntax) else DicomFrames(path, header)


class DicomVideo(VideoFile):
    """A video stream that is encapsulated in DICOM: FFmpeg reads it out of the file.

    Times are those of the stream's container. A stream without one has those of the DICOM header.

    Args:
        path: the file.
        header: its data set, without the pixels.
        start: where the pixel data element begins, bytes.

    Raises:
        RASNetError: the stream cannot be decoded.
    """

    def __init__(self, path: Path, header: Any, start: int) -> None:
        fragments, is_whole = _fragments(path, start)
        address = _address(path, fragments)
        try:
            with av.open(address, metadata_errors="replace") as container:
                has_times = container.format.name not in _RAW_STREAMS
            super().__init__(Path(address))
        except (RASNetError, OSError, av.error.FFmpegError) as error:
            why = "" if is_whole else "its end is missing and "
            syntax = header.file_meta.TransferSyntaxUID.name
            raise RASNetError(
                f"{path} cannot be shown: {why}no frame of its video ({syntax}) can be decoded; copy it again from the "
                "archive, or export it from there as MP4"
            ) from error
        self.path = path
        if not has_times:
            self.times, self.fps = _times(header, len(self))
        promised = _frame_count(header)
        if not is_whole and promised > len(self):
            missing = f"the file ends early: {promised - len(self)} of its {promised} frames are missing"
            self._add_damage(len(self), promised - 1, missing)


class DicomFrames(VideoSource):
    """Frames of a DICOM image: each is stored as it is, or compressed by itself (JPEG and its relatives).

    Pictures are shown in RGB. Grey ones are spread over three channels; of more than 8 bits the highest 8 that are in
    use are kept.

    Args:
        path: the file.
        header: its data set, without the pixels.

    Raises:
        RASNetError: the pixels cannot be decoded.
    """

    def __init__(self, path: Path, header: Any) -> None:
        self.path = path
        self.kind = "video"
        self.height, self.width = int(header.Rows), int(header.Columns)
        self.times, self.fps = _times(header, _frame_count(header))
        self.damage = []
        self._header = header
        try:
            self._decode(0)
        except _pixel_errors() as error:
            syntax = header.file_meta.TransferSyntaxUID.name
            raise RASNetError(
                f"the pixels of {path} ({syntax}) cannot be decoded; copy the file again from the archive, or export "
                "it from there uncompressed"
            ) from error

    def _rgb(self, index: int) -> npt.NDArray[np.uint8] | None:
        try:
            return self._decode(index)
        except _pixel_errors() as error:
            self._add_damage(index, index, str(error).splitlines()[0])
            return None

    def _decode(self, index: int) -> npt.NDArray[np.uint8]:
        from pydicom.pixels import apply_color_lut, pixel_array

        pixels = pixel_array(self.path, index=index)
        header = self._header
        if header.PhotometricInterpretation == "PALETTE COLOR":
            pixels = apply_color_lut(pixels, header)
            return _high_byte(pixels, 16 if pixels.dtype.itemsize > 1 else 8)
        if header.get("PixelRepresentation", 0):
            pixels = pixels.astype(np.int32) + (1 << header.BitsStored - 1)
        grey = _high_byte(pixels, header.BitsStored)
        if header.PhotometricInterpretation == "MONOCHROME1":
            grey = 255 - grey
        return grey if grey.ndim == 3 else grey[..., np.newaxis].repeat(3, axis=2)


def _is_video(syntax: str) -> bool:
    from pydicom.uid import MPEGTransferSyntaxes  # MPEG-2, H.264 and HEVC

    return syntax in MPEGTransferSyntaxes


def _pixel_errors() -> tuple[type[Exception], ...]:
    """What pydicom and its decoders raise for pixels that they cannot decode."""
    return (RuntimeError, ValueError, AttributeError, NotImplementedError, EOFError, OSError, struct.error)


def _high_byte(pixels: npt.NDArray[Any], bits: int) -> npt.NDArray[np.uint8]:
    """The highest 8 of the bits in use; fewer than 8 are spread over the whole range."""
    if bits >= 8:
        return (pixels >> (bits - 8)).astype(np.uint8)
    return (pixels * (255 // ((1 << bits) - 1))).astype(np.uint8)


def _fragments(path: Path, start: int) -> tuple[list[tuple[int, int]], bool]:
    """Begin and end of each piece of the stream in the file, and whether the file is whole."""
    size = path.stat().st_size
    pieces: list[tuple[int, int]] = []
    with path.open("rb") as file:
        file.seek(start)
        if file.read(len(_ENCAPSULATED)) != _ENCAPSULATED:
            raise RASNetError(f"{path} holds no video where its header says so; copy it again from the archive")
        while len(head := file.read(8)) == 8:
            tag, length = struct.unpack("<LL", head)
            if tag != _ITEM:
                return pieces[1:], True  # the first item is the table of offsets
            pieces.append((file.tell(), min(file.tell() + length, size)))
            file.seek(length, 1)
    return pieces[1:], False


def _address(path: Path, fragments: list[tuple[int, int]]) -> str:
    """The stream in the file, as FFmpeg's protocols subfile and concat name it."""
    if not 0 < len(fragments) <= _MOST_FRAGMENTS:
        raise RASNetError(
            f"the video in {path} is in {len(fragments)} pieces, and 1 to {_MOST_FRAGMENTS} can be read; export it "
            "from the archive as MP4"
        )
    parts = [f"subfile,,start,{first},end,{end},,:{path.resolve()}" for first, end in fragments]
    return parts[0] if len(parts) == 1 else "concat:" + "|".join(parts)


def _frame_count(header: Any) -> int:
    return max(int(header.get("NumberOfFrames") or 1), 1)


def _times(header: Any, count: int) -> tuple[npt.NDArray[np.float64], float]:
    """Seconds of each frame from the first, (N,), and the average rate, frames/s (DICOM PS3.3, C.7.6.5)."""
    vector = header.get("FrameTimeVector") or []
    if count > 1 and len(vector) == count and all(step > 0 for step in vector[1:]):
        times = np.cumsum([0.0, *map(float, vector[1:])]) / 1000
        return times, (count - 1) / float(times[-1])
    milliseconds = float(header.get("FrameTime") or 0)
    stated = float(header.get("CineRate") or header.get("RecommendedDisplayFrameRate") or IMAGE_FPS)
    rate = 1000 / milliseconds if milliseconds > 0 else stated
    return np.arange(count) / rate, rate
