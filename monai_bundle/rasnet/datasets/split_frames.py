"""One side of a split, from EndoVis 2017 and from cases, in the memory of the device that trains."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from collections.abc import Sequence as Many
from contextlib import contextmanager
from itertools import accumulate
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
import torch
import torch.distributed as dist
from PIL import Image

from rasnet.case import Case
from rasnet.datasets.case_dataset import read_case, trusted_frames
from rasnet.datasets.endovis2017 import PARTS, TYPES, Sequence, window_size
from rasnet.datasets.endovis2017_cache import CachedSequence, default_cache, prepare, resized
from rasnet.datasets.endovis2017_layouts import EndoVis2017
from rasnet.datasets.example import Example
from rasnet.datasets.frames import FrameDataset, FrameGroup
from rasnet.datasets.sources import Source
from rasnet.datasets.splits import SPLITS, Frames, Split, check_classes, held_out_count, make_split
from rasnet.errors import RASNetError
from rasnet.labels import LabelSchema
from rasnet.progress import Progress, SilentProgress

Side = Literal["train", "validation", "test"]


class SplitFrames(FrameDataset):
    """The frames of one side of a split, as `FrameDataset` keeps them: uint8, on a device, source by source.

    EndoVis 2017 at 320x256 takes 0.6 GB. Cases add to training and validation: of each, the last frames that a person
    has answered for validate, in the same share as of a sequence.

    Args:
        side: which frames.
        folder: EndoVis 2017 in any layout; None to learn from cases alone.
        split: name (see `rasnet.datasets.splits.SPLITS`) or path of a split of it.
        cases: folders of cases.
        schema: of the network: ``endovis2017_types``, ``instrument_parts`` or any that the cases speak.
        size: height and width that frames are kept at.
        device: that they are kept on.
        cache: folder of converted sequences; `default_cache()` by default.
        validation: share of the training side that validates.
        progress: told of what is read.

    Attributes:
        groups: the frames, source by source.
        split: of EndoVis 2017, as it was read or made; None without EndoVis 2017.
        schema: of the masks.

    Raises:
        RASNetError: no data, data that cannot be read, or a split that does not fit it.
    """

    def __init__(
        self,
        side: Side,
        folder: str | Path | None = None,
        split: str = "paper",
        cases: Many[str | Path] = (),
        schema: str = "endovis2017_types",
        size: Many[int] = (256, 320),
        device: str | torch.device = "cpu",
        cache: str | Path | None = None,
        validation: float = 0.1,
        progress: Progress | None = None,
    ) -> None:
        self.side, self.schema = side, LabelSchema.load(schema)
        self.split: Split | None = None
        self._size, self._device = (size[0], size[1]), torch.device(device)
        progress = progress or SilentProgress()
        if folder is None and not cases:
            raise RASNetError(
                "there is nothing to learn from; give --dataset_dir, the folder of EndoVis 2017, or --cases, a list"
            )
        self.groups = []
        if folder is not None:
            with _first_process_first():
                self.groups += self._from_endovis(Path(folder), split, cache, validation, progress)
        if side != "test":
            self.groups += [self._from_case(Path(path), validation, progress) for path in cases]
        self._ends = list(accumulate(map(len, self.groups)))

    def write_split(self, path: Path) -> None:
        """Write down which frames of EndoVis 2017 are for what, if there are any."""
        if self.split is not None:
            self.split.write(path)

    def _from_endovis(
        self, folder: Path, split: str, cache: str | Path | None, validation: float, progress: Progress
    ) -> list[FrameGroup]:
        data = EndoVis2017.find(folder)
        for problem in data.problems:
            progress.note(problem)
        cached = {
            sequence.sequence.name: sequence
            for sequence in prepare(
                _needed(split, data, validation),
                self._size,
                default_cache() if cache is None else Path(cache),
                progress,
            )
        }
        instances = {name: sequence.instances for name, sequence in cached.items()}
        self.split = read_split(split, data, validation, instances)
        if self.schema.name == TYPES.name:
            check_classes(self.split, instances, data)
        wanted: Frames = getattr(self.split, self.side)
        return [self._group(cached[name], frames) for name, frames in wanted.items()]

    def _group(self, cached: CachedSequence, frames: tuple[int, ...]) -> FrameGroup:
        """Bring some frames of a sequence to the device."""
        sequence = cached.sequence
        masks = {TYPES.name: cached.types, PARTS.name: cached.parts}.get(self.schema.name)
        if masks is None:
            raise RASNetError(
                f"{sequence.folder} has no masks of the label schema '{self.schema.name}'; train with --label_schema "
                f"{TYPES.name}" + (f" or {PARTS.name}" if cached.parts is not None else "")
            )
        rows = np.searchsorted(sequence.frames, frames)
        with Image.open(sequence.pictures[0]) as picture:
            height, width = window_size(picture.height, picture.width)
        source = Source("frames_with_masks", f"sequence {sequence.name}", sequence.folder)
        return self._on_device(source, cached.images[rows], masks[rows], width / height)

    def _from_case(self, folder: Path, validation: float, progress: Progress) -> FrameGroup:
        """Read the training or the validation frames of a case."""
        with Case.open(folder) as case:
            rows = trusted_frames(case)
            held_out = held_out_count(len(rows), validation)
            if not 0 < held_out < len(rows):
                raise RASNetError(
                    f"only {len(rows)} frame of {folder} is accepted or corrected; review at least two, one to learn "
                    "from and one to validate with"
                )
            rows = rows[-held_out:] if self.side == "validation" else rows[:-held_out]
            progress.start(f"read {folder.name}", len(rows))
            examples = [self._fit(example) for example in read_case(case, self.schema, rows, progress)]
            progress.finish()
            images, masks = (np.stack(arrays) for arrays in zip(*examples, strict=True))
            return self._on_device(
                Source("frames_with_masks", f"case {folder.name}", folder),
                images,
                masks,
                case.info.roi.width / case.info.roi.height,
            )

    def _fit(self, example: Example) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]]:
        return (
            resized(example.rgb, self._size, Image.Resampling.BILINEAR),
            resized(example.mask, self._size, Image.Resampling.NEAREST),
        )

    def _on_device(
        self, source: Source, images: npt.NDArray[np.uint8], masks: npt.NDArray[np.uint8], aspect: float
    ) -> FrameGroup:
        return FrameGroup(
            source,
            torch.from_numpy(images).to(self._device).movedim(-1, 1).contiguous(),
            torch.from_numpy(masks).to(self._device),
            torch.full((len(images),), aspect, device=self._device),
        )


def read_split(
    split: str, data: EndoVis2017, validation: float, instances: Mapping[str, npt.NDArray[np.uint8]]
) -> Split:
    """Make a split by its name, or read it from its file and see that the data has its frames.

    Raises:
        RASNetError: no such split, or frames of it are not there.
    """
    if split in SPLITS:
        return make_split(split, data, validation=validation, instances=instances)
    read = Split.read(split)
    for frames in (read.train, read.validation, read.test):
        for name, numbers in frames.items():
            if missing := sorted(set(numbers) - set(data[name].frames)):
                raise RASNetError(
                    f"split {split} wants frame {missing[0]} of sequence {name} ({len(missing)} such frames), which "
                    f"{data[name].folder} lacks; unpack the archive again"
                )
    return read


def _needed(split: str, data: EndoVis2017, validation: float) -> list[Sequence]:
    """Sequences that a split speaks of; all training sequences where their instances decide."""
    if split == "table1":
        return [sequence for sequence in data.sequences if sequence.part == "train" and sequence.masks]
    made = read_split(split, data, validation, {})
    return [sequence for sequence in data.sequences if sequence.name in {*made.train, *made.validation, *made.test}]


@contextmanager
def _first_process_first() -> Iterator[None]:
    """Let the first of several processes fill the cache that the others then read."""
    together = dist.is_available() and dist.is_initialized()
    if together and dist.get_rank() > 0:
        dist.barrier()
    yield
    if together and dist.get_rank() == 0:
        dist.barrier()
