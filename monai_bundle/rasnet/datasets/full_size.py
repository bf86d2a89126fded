"""Labelled frames at their own size, as they pass by: for evaluation, which needs each once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch.utils.data import IterableDataset

from rasnet.datasets.example import Example
from rasnet.datasets.frames import read_examples
from rasnet.datasets.sources import Source
from rasnet.errors import RASNetError
from rasnet.progress import Progress, SilentProgress

_RENDERED_SIZE = (512, 640)  # rows and columns of synthetic frames: half of EndoVis 2017's


class FullSizeFrames(IterableDataset[dict[str, Any]]):
    """The frames of some sources in batches of one source and one size; none is kept.

    A batch holds ``image``, uint8 (B, H, W, 3); ``label``, uint8 (B, H, W), as `Example.mask`; ``source``, its name.

    Args:
        sources: what to read.
        batch_size: most frames in a batch.
        progress: told of every source.

    Raises:
        RASNetError: there is no source. While it is read: a source cannot be read, or holds a mask of another size
            than its picture.
    """

    def __init__(self, sources: Sequence[Source], batch_size: int = 1, progress: Progress | None = None) -> None:
        if not sources:
            raise RASNetError("the data list has no source with labels to evaluate on; give one the split 'validation'")
        self.sources = list(sources)
        self.batch_size = batch_size
        self._progress = progress or SilentProgress()

    def __iter__(self) -> Iterator[dict[str, Any]]:
        self._progress.start("evaluate sources", len(self.sources))
        for source in self.sources:
            waiting: list[Example] = []
            for example in read_examples(source, _RENDERED_SIZE, torch.device("cpu")):
                _check(example, source)
                if waiting and (len(waiting) == self.batch_size or waiting[0].mask.shape != example.mask.shape):
                    yield _batch(waiting, source)
                    waiting = []
                waiting.append(example)
            if waiting:
                yield _batch(waiting, source)
            self._progress.advance()
        self._progress.finish(sources=len(self.sources))


def _batch(examples: list[Example], source: Source) -> dict[str, Any]:
    return {
        "image": torch.from_numpy(np.stack([example.rgb for example in examples])),
        "label": torch.from_numpy(np.stack([example.mask for example in examples])),
        "source": source.name,
    }


def _check(example: Example, source: Source) -> None:
    if example.rgb.shape[:2] != example.mask.shape:
        sizes = ["x".join(map(str, shape[1::-1])) for shape in (example.rgb.shape, example.mask.shape)]
        raise RASNetError(f"a picture in {source.folder} is {sizes[0]} and its mask is {sizes[1]}; make them one size")
