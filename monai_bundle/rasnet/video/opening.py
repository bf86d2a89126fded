"""One door to every kind of source."""

from __future__ import annotations

from pathlib import Path

from rasnet.errors import RASNetError
from rasnet.video.source import VideoSource


def open_source(path: str | Path, *, gpu: bool = False) -> VideoSource:
    """Open a video file, a DICOM file, a folder of images or one image.

    Args:
        path: MP4, MOV, AVI, MKV, MPEG-TS, MPEG-PS or whatever else FFmpeg reads; DICOM video or multi-frame
            images, with any ending; a folder of PNG, JPEG, BMP or TIFF images, taken in natural order (frame2
            before frame10); or one such image.
        gpu: let an NVIDIA GPU decode a video file, if it can (see `rasnet.video.file.VideoFile`).

    Raises:
        RASNetError: nothing there, nothing readable, or no frames in it.

    Examples:
        >>> with open_source("operation.mp4") as source:  # doctest: +SKIP
        ...     frame = source[1200]
        ...     frame.pts, frame.rgb.shape
        (48.0, (1080, 1920, 3))
    """
    path = Path(path)
    try:
        return _open(path, gpu)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise RASNetError(f"there is no file or folder {path}; check the path") from error
    except PermissionError as error:
        raise RASNetError(
            f"{path} may not be read; give yourself read permission for it, or copy it elsewhere"
        ) from error
    except OSError as error:
        raise RASNetError(
            f"{path} cannot be read ({error.strerror or error}); check the disk or the connection"
        ) from error


def _open(path: Path, gpu: bool) -> VideoSource:
    # PyAV and Pillow are loaded when a source needs them: `import rasnet.video` stays quick.
    from rasnet.video.images import IMAGE_SUFFIXES, ImageSequence

    path.stat()
    if path.is_dir():
        return ImageSequence.from_folder(path)
    with path.open("rb"):
        pass  # says what the operating system has against reading it, better than a decoder does
    if path.suffix.lower() in IMAGE_SUFFIXES:
        return ImageSequence.from_image(path)
    from rasnet.video.dicom import is_dicom, open_dicom

    if is_dicom(path):
        return open_dicom(path)
    from rasnet.video.file import VideoFile

    return VideoFile(path, gpu=gpu)
