"""Looks through the frames of an export for what could tell who somebody is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rasnet.case import Case
from rasnet.errors import RASNetError
from rasnet.frame_ranges import frame_words
from rasnet.privacy.burned_in_text import BurnedInText, find_text, to_grey
from rasnet.privacy.outside_body import score_frame
from rasnet.progress import Progress, SilentProgress
from rasnet.video import VideoSource

_SAMPLES = 12
_MOSTLY = 0.9


@dataclass(frozen=True)
class Flags:
    """Frames that a person should look at before they leave the house.

    Attributes:
        outside: look as if they were outside the body.
        text: show burned-in text.
        grey: the video has no colours, so that nothing tells frames outside the body.
    """

    outside: tuple[int, ...]
    text: tuple[int, ...]
    grey: bool

    def __bool__(self) -> bool:
        return bool(self.outside or self.text)

    def __str__(self) -> str:
        """Name the frames."""
        words = []
        if self.outside:
            words.append(f"{frame_words(self.outside)} may be outside the body (faces, theatre)")
        if self.text:
            words.append(f"{frame_words(self.text)} may show burned-in text")
        return " and ".join(words)


def flag_frames(source: VideoSource, frames: Sequence[int], progress: Progress | None = None) -> Flags:
    """Look at frames of a video; the detectors and their rates are told in docs/exchange.md.

    Args:
        source: the video; damaged frames are passed over.
        frames: indices, ascending.
        progress: told of each frame.
    """
    progress = progress or SilentProgress()
    text = _find_text(source)
    outside, with_text, grey, seen = [], [], 0, 0
    progress.start("look for faces and text", len(frames))
    for index in frames:
        for frame in source.read(index, index + 1):
            score = score_frame(frame.rgb)
            seen += 1
            grey += score.is_grey
            if score.outside > 0:
                outside.append(index)
            if text is not None and text.is_in(to_grey(frame.rgb)):
                with_text.append(index)
        progress.advance(index)
    is_grey = grey > _MOSTLY * seen
    return Flags(() if is_grey else tuple(outside), tuple(with_text), is_grey)


def refuse_flagged(case: Case, frames: Sequence[int], progress: Progress | None = None) -> None:
    """Stop an export whose frames are flagged.

    Args:
        case: the case.
        frames: that are to be exported.
        progress: told of each frame, and where the video is grey.

    Raises:
        RASNetError: frames are flagged, or the video is not there to look at.
    """
    try:
        source = case.open_source()
    except RASNetError as error:
        raise RASNetError(
            f"nobody can look for faces and burned-in text: {error}; or export with --include-flagged"
        ) from error
    with source:
        flags = flag_frames(source, frames, progress)
    if flags:
        raise RASNetError(f"{flags}; look at them, skip them in the case, or export with --include-flagged")
    if flags.grey and progress is not None:
        progress.note("the video is grey: nothing tells whether frames are outside the body, look for yourself")


def _find_text(source: VideoSource) -> BurnedInText | None:
    """Find text by frames spread over the whole video."""
    frames = [to_grey(frame.rgb) for index in source.spread(_SAMPLES) for frame in source.read(index, index + 1)]
    return find_text(frames) if frames else None
