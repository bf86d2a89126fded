"""Sequences of EndoVis 2017 at training size: read once, in parallel, kept in a cache folder."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator
from collections.abc import Sequence as Many
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
import numpy.typing as npt
from PIL import Image

from rasnet.datasets.endovis2017 import TYPES, Sequence
from rasnet.errors import RASNetError
from rasnet.files import clear_errors, whole_folder
from rasnet.masks import Mask
from rasnet.progress import Progress, SilentProgress

Item = TypeVar("Item")
Result = TypeVar("Result")

# Of the files' form and of how they are made: another number, another key.
_VERSION = 1
_MOST_THREADS = 16


@dataclass(frozen=True, eq=False)
class CachedSequence:
    """A sequence at training size; the arrays are views of files, which processes on one machine share.

    Attributes:
        sequence: where it comes from.
        images: pictures squeezed to the size, antialiased, uint8 (N, h, w, 3).
        types: ids of the schema ``endovis2017_types``, nearest pixel, uint8 (N, h, w).
        parts: ids of the schema ``instrument_parts``, uint8 (N, h, w); None where the layout has none.
        instances: instruments of each type in view at full size, uint8 (N, 7).
    """

    sequence: Sequence
    images: npt.NDArray[np.uint8]
    types: Mask
    parts: Mask | None
    instances: npt.NDArray[np.uint8]


def default_cache() -> Path:
    """Where caches lie: ``rasnet`` in the user's cache folder."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "rasnet" / "endovis2017"


def prepare(
    sequences: Many[Sequence], size: tuple[int, int], cache: Path, progress: Progress | None = None
) -> list[CachedSequence]:
    """Give sequences at training size; those that are not in the cache yet are read and put there.

    A run that is killed keeps the sequences that were whole. Changed files are read again.

    Args:
        sequences: with ground truth.
        size: height and width.
        cache: folder; made where it is not there. A frame of 256x320 takes 0.4 MB.
        progress: told of every frame that is read.

    Raises:
        RASNetError: a frame or mask is broken, see `Sequence.frame`; or the cache cannot be written.
    """
    progress = progress or SilentProgress()
    places = [cache / f"{sequence.name.replace(' ', '_')}-{_key(sequence, size)}" for sequence in sequences]
    todo = [(sequence, place) for sequence, place in zip(sequences, places, strict=True) if not place.is_dir()]
    if todo:
        progress.start(f"read EndoVis 2017 at {size[1]}x{size[0]}", sum(len(sequence) for sequence, _ in todo))
        for sequence, place in todo:
            with clear_errors(place), whole_folder(place) as making:
                _convert(sequence, size, making, progress)
        progress.finish(cache=str(cache))
    return [_open(sequence, place) for sequence, place in zip(sequences, places, strict=True)]


def instance_counts(instances: Many[int]) -> npt.NDArray[np.uint8]:
    """Count type ids by type, uint8 (7,)."""
    return np.bincount(np.asarray(instances, np.int64), minlength=len(TYPES))[1:].astype(np.uint8)


def in_parallel(work: Callable[[Item], Result], items: Many[Item]) -> Iterator[Result]:
    """Do work on items in threads (decoding images leaves Python's lock), and give the results in order."""
    with ThreadPoolExecutor(min(_MOST_THREADS, os.cpu_count() or 1)) as pool:
        try:
            yield from pool.map(work, items)
        finally:
            pool.shutdown(cancel_futures=True)


def _convert(sequence: Sequence, size: tuple[int, int], folder: Path, progress: Progress) -> None:
    count, (height, width) = len(sequence), size

    def array(name: str, *shape: int) -> npt.NDArray[np.uint8]:
        made: npt.NDArray[np.uint8] = np.lib.format.open_memmap(
            folder / f"{name}.npy", mode="w+", dtype=np.uint8, shape=(count, *shape)
        )
        return made

    images, types = array("images", height, width, 3), array("types", height, width)
    parts = array("parts", height, width)
    instances = array("instances", len(TYPES) - 1)

    def convert(index: int) -> bool:
        rgb, truth = sequence.frame(index)
        images[index] = resized(rgb, size, Image.Resampling.BILINEAR)
        types[index] = resized(truth.types, size, Image.Resampling.NEAREST)
        instances[index] = instance_counts(truth.instances)
        if truth.parts is not None:
            parts[index] = resized(truth.parts, size, Image.Resampling.NEAREST)
        return truth.parts is not None

    with_parts = []
    for index, has_parts in enumerate(in_parallel(convert, range(count))):
        with_parts.append(has_parts)
        progress.advance(sequence.frames[index])
    if not all(with_parts):
        (folder / "parts.npy").unlink()


def _open(sequence: Sequence, folder: Path) -> CachedSequence:
    def array(name: str) -> npt.NDArray[np.uint8]:
        loaded: npt.NDArray[np.uint8] = np.load(folder / f"{name}.npy", mmap_mode="r")
        return loaded

    try:
        parts = array("parts") if (folder / "parts.npy").is_file() else None
        return CachedSequence(sequence, array("images"), array("types"), parts, array("instances"))
    except (OSError, ValueError) as error:
        raise RASNetError(f"the cache {folder} is damaged ({error}); remove that folder, it is made again") from error


def _key(sequence: Sequence, size: tuple[int, int]) -> str:
    """Digest of everything that the converted arrays depend on, without reading the files."""
    digest = hashlib.sha256(f"{_VERSION} {size} {sequence.frames}".encode())
    for folder in sequence.masks:
        digest.update(f"{folder.path.name} {folder.content} {folder.type_id}".encode() + folder.table.tobytes())
    files = [*sequence.pictures, *(m.path / f"{p.stem}.png" for m in sequence.masks for p in sequence.pictures)]
    for file in files:
        try:
            state = file.stat()
        except OSError as error:
            raise RASNetError(f"{file} cannot be read ({error.strerror}); unpack the archive again") from error
        digest.update(f"{file.name} {state.st_size} {state.st_mtime_ns}".encode())
    return digest.hexdigest()[:16]


def resized(image: npt.NDArray[np.uint8], size: tuple[int, int], how: Image.Resampling) -> npt.NDArray[np.uint8]:
    """Squeeze a picture or a mask to a height and width."""
    return np.asarray(Image.fromarray(image).resize((size[1], size[0]), how))
