"""What every source of frames offers, whatever it is read from."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from threading import Lock
from types import TracebackType
from typing import TYPE_CHECKING, Literal

import numpy as np
import numpy.typing as npt

from rasnet.errors import RASNetError

if TYPE_CHECKING:
    from rasnet.video.yuv import YuvForm

SourceKind = Literal["video", "folder", "image"]

_noting_damage = Lock()


@dataclass(frozen=True, eq=False)
class Frame:
    """One picture of a source.

    Attributes:
        index: position in display order, from 0.
        pts: presentation time in seconds from the first frame, as the file states it.
        rgb: uint8 (H, W, 3), 0 to 255, upright.
    """

    index: int
    pts: float
    rgb: npt.NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class TakenFrame:
    """One picture of a source, not converted to RGB yet.

    Attributes:
        index: position in display order, from 0.
        pts: presentation time in seconds from the first frame.
        rgb: gives uint8 (H, W, 3), or None where the picture turns out to be damaged. It may be called in any
            thread, beside others of the same source, until the source is closed; call it once.
        copy_planes: in place of `rgb`, copies the picture as it was stored into an array of the form that
            `VideoSource.yuv` tells; None where that tells none.
    """

    index: int
    pts: float
    rgb: Callable[[], npt.NDArray[np.uint8] | None]
    copy_planes: Callable[[npt.NDArray[np.uint8]], None] | None = None


@dataclass(frozen=True)
class Damage:
    """A span of frames that could not be decoded.

    Attributes:
        first: index of the first lost frame.
        last: index of the last lost frame. Where the file ends before its header says, the span lies
            beyond the end of the source and counts the frames that are missing.
        reason: what the decoder or the container said, and which frames behind the span may show traces.
    """

    first: int
    last: int
    reason: str


class VideoSource(ABC):
    """A sequence of frames with exact random access.

    ``source[i]`` is the same picture whether it is reached by reading on, by jumping or backwards.
    A source holds one decoder, so use one source a thread. It is a context manager that closes itself.

    Attributes:
        path: the file or folder.
        kind: ``"video"``, ``"folder"`` or ``"image"``.
        height: rows of an upright frame, in pixels.
        width: columns of an upright frame, in pixels.
        fps: average frame rate, frames per second.
        times: float64 (N,), presentation time of every frame in seconds from the first.
        damage: spans of frames that could not be decoded, ordered by frame. What the container shows is
            known at once; what only decoding shows is added when those frames are reached.
        yuv: the form of the pictures as they are stored, where frames that are taken give them so, too.
        on_gpu: whether a GPU decodes.
    """

    path: Path
    kind: SourceKind
    height: int
    width: int
    fps: float
    times: npt.NDArray[np.float64]
    damage: list[Damage]
    yuv: YuvForm | None = None
    on_gpu: bool = False

    @property
    def name(self) -> str:
        """Name of the file or folder, as people know it."""
        return self.path.name or self.path.resolve().name

    def __len__(self) -> int:
        return len(self.times)

    def __getitem__(self, index: int) -> Frame:
        """Give one frame; a negative index counts from the end.

        Raises:
            IndexError: no such frame.
            RASNetError: the frame is damaged; `read` skips such frames instead.
        """
        position = index + len(self) if index < 0 else index
        if not 0 <= position < len(self):
            raise IndexError(f"frame {index} of {self.name}, which has {len(self)} frames")
        rgb = self._rgb(position)
        if rgb is None:
            raise RASNetError(
                f"frame {position} of {self.name} is damaged and cannot be decoded; "
                "copy the file again from where it was recorded, or go on with another frame"
            )
        return Frame(position, float(self.times[position]), rgb)

    def read(self, start: int = 0, stop: int | None = None, step: int = 1) -> Iterator[Frame]:
        """Give frames in order, the fast way to go through a source.

        Args:
            start: first frame.
            stop: frame to stop before; None is the end. Both may be negative, as in a slice.
            step: give every step-th frame, at least 1.

        Yields:
            Frames. Damaged frames are left out and listed in `damage`.
        """
        for taken in self.take(start, stop, step):
            rgb = taken.rgb()
            if rgb is not None:
                yield Frame(taken.index, taken.pts, rgb)

    def take(self, start: int = 0, stop: int | None = None, step: int = 1) -> Iterator[TakenFrame]:
        """Give frames as `read` does, but leave what can be done beside the reading, in other threads, undone.

        Args:
            start: first frame.
            stop: frame to stop before; None is the end. Both may be negative, as in a slice.
            step: give every step-th frame, at least 1.

        Yields:
            Frames in order. Damaged ones are left out where reading shows the damage.
        """
        if step < 1:
            raise ValueError(f"step is {step}; frames are read forwards, so it must be at least 1")
        for index in range(*slice(start, stop, step).indices(len(self))):
            taken = self._take(index)
            if taken is not None:
                yield taken

    def __iter__(self) -> Iterator[Frame]:
        return self.read()

    def spread(self, count: int) -> list[int]:
        """Choose up to `count` frames spread over the source, cheap ones where there is a choice.

        Returns:
            Indices in ascending order, without repeats: one out of each of `count` equal parts, always the
            same. Their distances vary, so that nothing periodic in the source goes unseen.
        """
        places = (np.arange(count) + np.random.default_rng(0).random(count)) * len(self) / count
        return [int(index) for index in np.unique(places.astype(np.int64))]

    def close(self) -> None:
        """Let go of files and decoders; closing twice does no harm."""
        return

    def __enter__(self) -> VideoSource:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @abstractmethod
    def _rgb(self, index: int) -> npt.NDArray[np.uint8] | None:
        """Decode a frame that exists; None (and an entry in `damage`) where it cannot be decoded."""

    def _take(self, index: int) -> TakenFrame | None:
        """Do what must be done in order for a frame that exists, and leave the rest for any thread.

        All of `_rgb` is left unless a source knows better. None (and an entry in `damage`) where it cannot be decoded.
        """
        return TakenFrame(index, float(self.times[index]), partial(self._rgb, index))

    def _add_damage(self, first: int, last: int, reason: str) -> None:
        """Add a span, joined with the spans that it touches; frames that are known already stay as they are."""
        with _noting_damage:
            self._join_damage(first, last, reason)

    def _join_damage(self, first: int, last: int, reason: str) -> None:
        spans = sorted([*self.damage, Damage(first, last, reason)], key=lambda span: span.first)
        joined = spans[:1]
        for span in spans[1:]:
            before = joined[-1]
            if span.first > before.last + 1 or (span.first > before.last and span.reason != before.reason):
                joined.append(span)
            else:
                joined[-1] = Damage(before.first, max(before.last, span.last), before.reason)
        self.damage[:] = joined
