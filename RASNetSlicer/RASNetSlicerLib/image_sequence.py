"""Image sequences that are in a scene already, as video for the worker."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt
import slicer
from vtk.util.numpy_support import vtk_to_numpy

from rasnet.case import CaseInfo
from rasnet.errors import RASNetError
from rasnet.files import clear_errors, whole_file
from rasnet.progress import Progress, SilentProgress
from RASNetSlicerLib.sequences import synchronized

_SECONDS = {"s": 1.0, "ms": 0.001}
_TICKS_PER_SECOND = 1000  # of Matroska


def find_images(browser: slicer.vtkMRMLSequenceBrowserNode) -> slicer.vtkMRMLSequenceNode:
    """The sequence of volumes that a browser shows.

    Raises:
        RASNetError: it has none, or several, or it is not what the browser goes by.
    """
    master = browser.GetMasterSequenceNode()
    sequences = ([master] if master is not None else []) + synchronized(browser)
    found = [sequence for sequence in sequences if _holds_pictures(sequence)]
    if not found:
        raise RASNetError(f"{browser.GetName()} has no sequence of images; choose the browser of a video")
    if len(found) > 1:
        names = " and ".join(sequence.GetName() for sequence in found)
        raise RASNetError(
            f"{browser.GetName()} has {len(found)} sequences of images, {names}; put the one that is to be segmented "
            "into a browser of its own"
        )
    if found[0] is not master:
        raise RASNetError(
            f"{browser.GetName()} goes by {master.GetName()}; put the images {found[0].GetName()} into a browser of "
            "their own"
        )
    return master


def check_case(info: CaseInfo, images: slicer.vtkMRMLSequenceNode) -> None:
    """Refuse a case that was made from other pictures.

    Raises:
        RASNetError: the number of frames or their size differs.
    """
    width, height, _ = images.GetNthDataNode(0).GetImageData().GetDimensions()
    theirs = (images.GetNumberOfDataNodes(), width, height)
    ours = (info.source.frame_count, info.width, info.height)
    if ours != theirs:
        raise RASNetError(
            f"the case of {info.source.name} has {_words(ours)}, and {images.GetName()} has {_words(theirs)}; choose "
            "the case that was made from these images"
        )


def write_frames(
    browser: slicer.vtkMRMLSequenceBrowserNode, path: str | Path, *, progress: Progress | None = None
) -> Path:
    """Write the image sequence of a browser as a lossless video (FFV1 in Matroska), a frame for each item.

    Pixels of 8 bits are kept exactly, in the order in which they are stored; others become what Slicer shows by window
    and level. Where the index is a time, frames have it to the millisecond; else they come at the playback rate.

    Args:
        browser: of the sequence.
        path: the file, which ends in ``.mkv``; it appears only when it is whole.
        progress: told of each frame; what it raises ends the work and leaves nothing behind.

    Raises:
        RASNetError: no image sequence or several (see `find_images`), stacks of slices, pictures of different sizes,
            or the disk is full.
    """
    import av

    progress = SilentProgress() if progress is None else progress
    images = find_images(browser)
    target, times = Path(path), _times(browser, images)
    progress.start("write frames", len(times))
    try:
        with clear_errors(target), whole_file(target) as making, av.open(str(making), "w", format="matroska") as file:
            stream = file.add_stream("ffv1", rate=_rate(times))
            stream.width, stream.height, _ = images.GetNthDataNode(0).GetImageData().GetDimensions()
            stream.pix_fmt = "bgr0"
            stream.codec_context.time_base = tick = Fraction(1, _TICKS_PER_SECOND)
            for item, rgb in enumerate(_pictures(browser, images)):
                frame = av.VideoFrame.from_ndarray(rgb, format="rgb24").reformat(format="bgr0")
                frame.pts, frame.time_base = round(times[item] / tick), tick
                file.mux(stream.encode(frame))
                progress.advance(item)
            file.mux(stream.encode(None))
    except av.error.FFmpegError as error:
        raise RASNetError(
            f"{target} cannot be written ({error.strerror}); free space or choose another place"
        ) from error
    progress.finish(path=str(target), frames=len(times))
    return target


def _holds_pictures(sequence: slicer.vtkMRMLSequenceNode) -> bool:
    node = sequence.GetNthDataNode(0)
    return node is not None and node.IsA("vtkMRMLScalarVolumeNode") and not node.IsA("vtkMRMLLabelMapVolumeNode")


def _times(browser: slicer.vtkMRMLSequenceBrowserNode, images: slicer.vtkMRMLSequenceNode) -> list[float]:
    """Seconds of each frame from the first."""
    values = [images.GetNthIndexValue(item) for item in range(images.GetNumberOfDataNodes())]
    unit = _SECONDS.get(images.GetIndexUnit() or "")
    if unit is not None and images.GetIndexType() == images.NumericIndex:
        times = [(float(value) - float(values[0])) * unit for value in values]
        if all(after - before >= 1 / _TICKS_PER_SECOND for before, after in pairwise(times)):
            return times
    return [item / (browser.GetPlaybackRateFps() or 25) for item in range(len(values))]


def _rate(times: list[float]) -> Fraction:
    """Average frames a second."""
    return Fraction((len(times) - 1) / times[-1] if len(times) > 1 else 25).limit_denominator(1001)


def _pictures(
    browser: slicer.vtkMRMLSequenceBrowserNode, images: slicer.vtkMRMLSequenceNode
) -> Iterator[npt.NDArray[np.uint8]]:
    """Each picture as uint8 (H, W, 3)."""
    first = None
    for item in range(images.GetNumberOfDataNodes()):
        image = images.GetNthDataNode(item).GetImageData()
        if image is None:
            raise RASNetError(f"frame {item} of {images.GetName()} has no pixels; remove it from the sequence")
        width, height, slices = image.GetDimensions()
        if slices != 1:
            raise RASNetError(
                f"{images.GetName()} holds stacks of {slices} slices; choose a sequence of single pictures"
            )
        first = first or (width, height)
        if (width, height) != first:
            raise RASNetError(
                f"frame {item} of {images.GetName()} is {width}x{height} and the first is {first[0]}x{first[1]}; "
                "choose a sequence of pictures of one size"
            )
        pixels = vtk_to_numpy(image.GetPointData().GetScalars()).reshape(height, width, -1)
        rgb = pixels[..., :3] if pixels.shape[2] >= 3 else pixels[..., :1].repeat(3, axis=2)
        yield np.ascontiguousarray(rgb if rgb.dtype == np.uint8 else _as_shown(rgb, browser.GetProxyNode(images)))


def _as_shown(pixels: npt.NDArray[np.generic], proxy: slicer.vtkMRMLVolumeNode) -> npt.NDArray[np.uint8]:
    display = proxy.GetDisplayNode()
    low, width = display.GetLevel() - display.GetWindow() / 2, display.GetWindow()
    shown: npt.NDArray[np.uint8] = ((pixels - low) * (255 / width) + 0.5).clip(0, 255).astype(np.uint8)
    return shown


def _words(size: tuple[int, int, int]) -> str:
    count, width, height = size
    return f"{count} frames of {width}x{height}"
