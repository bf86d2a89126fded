"""Frames of many sources in memory: decoded once, squeezed to one size, taken in batches."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import accumulate
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import Dataset

from rasnet.datasets.blank import render_blanks
from rasnet.datasets.endovis2015 import read_rigid, read_robotic
from rasnet.datasets.example import Example
from rasnet.datasets.frames_with_masks import read_frames_with_masks
from rasnet.datasets.frames_without_masks import read_unlabelled, read_without_instruments
from rasnet.datasets.picture import read_pictures
from rasnet.datasets.rendered import render_examples
from rasnet.datasets.sources import Source
from rasnet.errors import RASNetError
from rasnet.progress import Progress, SilentProgress

# Sets of one camera, which have one region of interest, and sets of pictures from anywhere.
_SEQUENCE_READERS = {
    "endovis2015_robotic": read_robotic,
    "endovis2015_rigid": read_rigid,
    "frames_with_masks": read_frames_with_masks,
}
_PICTURE_READERS = {"unlabelled": read_unlabelled, "without_instruments": read_without_instruments}


@dataclass(frozen=True, eq=False)
class FrameGroup:
    """The frames of one source.

    Attributes:
        source: where they come from.
        images: uint8 (N, 3, h, w), every picture squeezed to the canvas.
        masks: uint8 (N, h, w), as `Example.mask`.
        aspects: float32 (N,), width over height that the pictures had.
    """

    source: Source
    images: Tensor
    masks: Tensor
    aspects: Tensor

    def __len__(self) -> int:
        return len(self.images)

    def take(self, indices: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Give images, masks and aspects of some frames, on the device that they are kept on."""
        indices = indices.to(self.images.device)
        return self.images[indices], self.masks[indices], self.aspects[indices]


class FrameDataset(Dataset[dict[str, Any]]):
    """Fully, partly and not at all labelled frames in one data set.

    A frame of 320x400 takes half a megabyte: 7,500 of them 3.8 GB, in the memory of the device that augments them.

    Args:
        sources: what to read, all of one split.
        canvas: height and width that frames are kept at. They are squeezed to it; the augmentation knows their
            aspect and undoes that.
        device: that the frames are kept on, and that synthetic ones are rendered on.
        progress: told of every source.

    Attributes:
        groups: the frames, source by source.

    Raises:
        RASNetError: a source cannot be read, or holds a mask of another size than its picture.

    Examples:
        >>> dataset = FrameDataset([Source("synthetic", "synthetic", count=2)], canvas=(64, 80))
        >>> dataset[1]["image"].shape
        torch.Size([3, 64, 80])
    """

    def __init__(
        self,
        sources: Sequence[Source],
        canvas: Sequence[int] = (320, 400),
        device: str | torch.device = "cpu",
        progress: Progress | None = None,
    ) -> None:
        progress = progress or SilentProgress()
        height, width = canvas
        self.groups: list[FrameGroup] = []
        progress.start("read frames", len(sources))
        for source in sources:
            self.groups.append(_load(source, (height, width), torch.device(device)))
            progress.advance()
        progress.finish(frames=sum(map(len, self.groups)))
        self._ends = list(accumulate(map(len, self.groups)))

    def __len__(self) -> int:
        return self._ends[-1] if self._ends else 0

    def __getitem__(self, index: int) -> dict[str, Any]:
        """Give one frame: image uint8 (3, h, w), label uint8 (h, w), aspect, and its source's name."""
        if not -len(self) <= index < len(self):
            raise IndexError(f"frame {index} of a data set of {len(self)}")
        index %= len(self)
        place = bisect_right(self._ends, index)
        group = self.groups[place]
        index -= self._ends[place] - len(group)
        aspect = float(group.aspects[index])
        return {
            "image": group.images[index],
            "label": group.masks[index],
            "aspect": aspect,
            "source": group.source.name,
        }


def _load(source: Source, canvas: tuple[int, int], device: torch.device) -> FrameGroup:
    fitted = [_fit(example, canvas, source) for example in read_examples(source, canvas, device)]
    images, masks, aspects = zip(*fitted, strict=True)
    return FrameGroup(
        source,
        torch.from_numpy(np.stack(images)).to(device).movedim(-1, 1).contiguous(),
        torch.from_numpy(np.stack(masks)).to(device),
        torch.tensor(aspects, dtype=torch.float32, device=device),
    )


def read_examples(source: Source, canvas: tuple[int, int], device: torch.device) -> Iterator[Example]:
    """Read or render the frames of a source, one by one; `canvas` and `device` are for those that are rendered.

    Black borders of a sequence are left out, as the pipeline leaves them out.
    """
    if source.kind == "synthetic":
        return render_examples(source.count, canvas, source.seed, device)
    if source.kind == "blank":
        return render_blanks(source.count, canvas, source.seed)
    assert source.folder is not None
    if source.kind in _PICTURE_READERS:
        return _PICTURE_READERS[source.kind](source.folder, source.step)
    return read_pictures(partial(_SEQUENCE_READERS[source.kind], source.folder), source.step)


def _fit(example: Example, canvas: tuple[int, int], source: Source) -> tuple[Any, Any, float]:
    """Squeeze a picture (antialiased) and its mask (nearest) to the canvas; give the aspect that it had."""
    height, width = example.mask.shape
    if example.rgb.shape[:2] != (height, width):
        rows, columns = example.rgb.shape[:2]
        raise RASNetError(
            f"a picture in {source.folder} is {columns}x{rows} and its mask is {width}x{height}; make them one size"
        )
    size = (canvas[1], canvas[0])
    image = Image.fromarray(example.rgb).resize(size, Image.Resampling.BILINEAR)
    mask = Image.fromarray(example.mask).resize(size, Image.Resampling.NEAREST)
    return np.asarray(image), np.asarray(mask), width / height
