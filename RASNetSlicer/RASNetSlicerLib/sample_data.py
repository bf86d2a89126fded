"""The sample clip in Slicer's Sample Data module."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from RASNetSlicerLib.bundle_path import extension_file

SAMPLE_NAME = "RASNetSampleClip"
CLIP = "Resources/sample_clip.mp4"
CLIP_SHA256 = "2d90509f0cf61f81497aba0270cfda362e55295274c79e5855aec153ead7ad83"
_THUMBNAIL = f"Resources/Icons/{SAMPLE_NAME}.png"


def register_sample_data(open_video: Callable[[Path], object]) -> None:
    """Offer the sample clip in the Sample Data module: ten seconds of a drawn operation.

    The clip comes with the extension, so nothing is downloaded. Slicer itself reads no MP4: the button hands the clip
    to `open_video`, and ``SampleData.downloadSample("RASNetSampleClip")`` gives a script its path. Registering it
    again, as a reloaded module does, adds no second button.

    Args:
        open_video: opens a video in the module; called when the button is pressed. It has to look the module's widget
            up then, as the widget of now may have been reloaded.

    Raises:
        ImportError: the extension lacks its clip.
    """
    import SampleData

    clip = extension_file(CLIP)
    SampleData.SampleDataLogic.registerCustomSampleDataSource(
        category="RASNet",
        sampleName=SAMPLE_NAME,
        uris=clip.as_uri(),
        fileNames=f"{SAMPLE_NAME}.mp4",
        checksums=f"SHA256:{CLIP_SHA256}",
        loadFiles=False,
        thumbnailFileName=str(extension_file(_THUMBNAIL)),
        customDownloader=_Opener(clip, open_video),
    )


class _Opener:
    """What the button does. Slicer compares sources as text, so this has the same text every time."""

    def __init__(self, clip: Path, open_video: Callable[[Path], object]) -> None:
        self._clip = clip
        self._open_video = open_video

    def __call__(self, _source: object) -> None:
        self._open_video(self._clip)

    def __repr__(self) -> str:
        return f"opens {self._clip} in RASNet"
