"""Finds the sequences of EndoVis 2017 in a folder: as the challenge hands them out, cropped, or flat.

Nothing is read here but names and the small mapping files, so that it takes no time; what is not understood is named.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from rasnet.datasets.endovis2017 import TYPES, Layout, MaskFolder, Part, Sequence, sequence_name, type_of_folder
from rasnet.datasets.endovis2017_mappings import read_mapping, type_table
from rasnet.errors import RASNetError
from rasnet.video.images import IMAGE_SUFFIXES, natural_key

# As releases of the challenge and the scripts in wide use name what lies in a sequence's folder.
_PICTURES, _RIGHT, _TRUTH = ("left_frames", "images"), "right_frames", ("ground_truth", "gt")
_TYPE_MASKS, _PART_MASKS = ("instruments_masks", "TypeSegmentation"), ("parts_masks", "PartsSegmentation")
_UNUSED = ("binary_masks", "BinarySegmentation")  # types say as much, and more
_KNOWN = {*_PICTURES, _RIGHT, *_TRUTH, *_TYPE_MASKS, *_PART_MASKS, *_UNUSED}
_SEQUENCE = re.compile(r"instrument_dataset_0*(\d+)$")
_FLAT_NAME = re.compile(r"0*(\d+)\D+0*(\d+)$")
_TEST = re.compile(r"(?:^|_)test(?:ing)?(?:_|$)", re.IGNORECASE)
_TEST_ARCHIVE = re.compile(r"instrument_\w+_test(?:ing)?$", re.IGNORECASE)
_DEPTH = 4
_TRAIN_SEQUENCES = 8


@dataclass(frozen=True)
class EndoVis2017:
    """The sequences of a folder.

    Attributes:
        folder: that was searched.
        sequences: by part and number.
        not_understood: folders that are no part of any layout.
        problems: what is wrong with the names, a sentence each; the files themselves are not read.
    """

    folder: Path
    sequences: tuple[Sequence, ...]
    not_understood: tuple[Path, ...]
    problems: tuple[str, ...]

    def __getitem__(self, name: str) -> Sequence:
        """Find a sequence by its name.

        Raises:
            RASNetError: it is not there.
        """
        for sequence in self.sequences:
            if sequence.name == name:
                return sequence
        there = ", ".join(sequence.name for sequence in self.sequences)
        raise RASNetError(
            f"sequence {name} is not in {self.folder}, which holds {there}; unpack the archive that has it"
        )

    @classmethod
    def find(cls, folder: str | Path) -> EndoVis2017:
        """Search a folder: ``instrument_dataset_N`` at any depth to four, or ``<split>/image`` and ``<split>/label``.

        Raises:
            RASNetError: there is no such folder, or nothing of EndoVis 2017 in it.
        """
        folder = Path(folder)
        if not folder.is_dir():
            raise RASNetError(f"there is no folder {folder}; give the one that EndoVis 2017 was unpacked to")
        search = _Search(folder)
        search.run()
        if not search.sequences:
            archives = sorted(file.name for file in folder.glob("*.zip"))
            unpack = f"; unpack {', '.join(archives)} first" if archives else "; give the folder above them"
            raise RASNetError(
                f"{folder} holds no instrument_dataset_N with left_frames or images, and no image beside label{unpack}"
            )
        sequences = sorted(search.sequences, key=lambda sequence: (sequence.part != "train", sequence.number))
        return cls(folder, tuple(sequences), tuple(search.not_understood), tuple(search.problems))


@dataclass
class _Search:
    root: Path
    sequences: list[Sequence] = field(default_factory=list)
    not_understood: list[Path] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    _found: dict[tuple[Part, int], list[Path]] = field(default_factory=lambda: defaultdict(list))

    def run(self) -> None:
        self._look_into(self.root, _DEPTH)
        for (part, number), paths in sorted(self._found.items()):
            self._add(part, number, paths)

    def _look_into(self, folder: Path, depth: int) -> bool:
        """Collect the sequences under a folder, and note what lies beside them; say if there are any."""
        understood, others = False, []
        for path in _folders(folder):
            if match := _SEQUENCE.search(path.name):
                number = int(match.group(1))
                part: Part = "test" if number > _TRAIN_SEQUENCES or self._is_test(path) else "train"
                self._found[part, number].append(path)
                understood = True
            elif _first(path, ("image", "images")) and _first(path, ("label", "labels")):
                self._add_flat(path)
                understood = True
            elif depth > 1 and self._look_into(path, depth - 1):
                understood = True
            else:
                others.append(path)
        if understood:
            self.not_understood += others
        return understood

    def _is_test(self, path: Path) -> bool:
        # Of the searched folder's own name only the challenge's counts: people unpack to anywhere.
        names = path.relative_to(self.root).parts[:-1]
        return any(map(_TEST.search, names)) or bool(_TEST_ARCHIVE.match(self.root.name))

    def _add(self, part: Part, number: int, paths: list[Path]) -> None:
        """Make a sequence of one folder, or of one with pictures and one with the test set's labels."""
        name = sequence_name(number, part)
        with_pictures = [path for path in paths if _first(path, _PICTURES)]
        if not with_pictures:
            self.problems.append(
                f"sequence {name} has no left_frames or images in {_places(paths)}; unpack its pictures too"
            )
            return
        # The scripts in wide use leave their cropped copy beside what they read; the recorded one says more.
        recorded = [path for path in with_pictures if (path / _PICTURES[0]).is_dir()] or with_pictures
        if len(recorded) > 1:
            self.problems.append(f"sequence {name} is there twice, in {_places(recorded)}; keep one of them")
        folder = recorded[0]
        pictures = _first(folder, _PICTURES)
        assert pictures is not None
        masks = tuple(
            masks for path in (folder, *(p for p in paths if p not in with_pictures)) for masks in self._masks(path)
        )
        layout: Layout = "cropped" if pictures.name == "images" else "raw"
        for path in paths:
            self.not_understood += [below for below in _folders(path) if below.name not in _KNOWN]
        files = self._numbered(pictures)
        right = tuple(self._numbered(folder / _RIGHT).values()) if (folder / _RIGHT).is_dir() else ()
        self._finish(number, part, layout, folder, files, right, masks)

    def _add_flat(self, path: Path) -> None:
        images, labels = _first(path, ("image", "images")), _first(path, ("label", "labels"))
        assert images is not None
        assert labels is not None
        by_sequence: dict[int, dict[int, Path]] = defaultdict(dict)
        for file in _images(images):
            if numbers := _FLAT_NAME.search(file.stem):
                by_sequence[int(numbers.group(1))][int(numbers.group(2))] = file
            else:
                self.problems.append(f"{file} names no sequence and frame; call it seq_1_frame0042{file.suffix}")
        part: Part = "test" if re.match("test|val", path.name.casefold()) else "train"
        masks = (MaskFolder(labels, "types", type_table()),)
        for number, files in sorted(by_sequence.items()):
            self._finish(number, part, "flat", path, files, (), masks)

    def _finish(
        self,
        number: int,
        part: Part,
        layout: Layout,
        folder: Path,
        files: dict[int, Path],
        right: tuple[Path, ...],
        masks: tuple[MaskFolder, ...],
    ) -> None:
        name = sequence_name(number, part)
        if any(sequence.name == name for sequence in self.sequences):
            self.problems.append(f"sequence {name} is there twice, the second time in {folder}; keep one of them")
            return
        if not files:
            self.problems.append(f"sequence {name} has no pictures in {folder}; unpack the archive again")
            return
        frames = tuple(sorted(files))
        pictures = tuple(files[frame] for frame in frames)
        self._check_frames(name, frames, pictures, right)
        self._check_masks(name, pictures, masks, shared=layout == "flat")
        self.sequences.append(Sequence(number, part, layout, folder, frames, pictures, right, masks))

    def _check_frames(
        self, name: str, frames: tuple[int, ...], pictures: tuple[Path, ...], right: tuple[Path, ...]
    ) -> None:
        if gaps := sorted(set(range(frames[0], frames[-1] + 1)) - set(frames)):
            self.problems.append(f"sequence {name} lacks {_counted(gaps, 'frame')}; unpack the archive again")
        if right and (lonely := {file.stem for file in pictures} ^ {file.stem for file in right}):
            self.problems.append(
                f"sequence {name} has {sorted(lonely)[0]} for one eye only ({len(lonely)} such frames)"
            )

    def _check_masks(
        self, name: str, pictures: tuple[Path, ...], masks: tuple[MaskFolder, ...], *, shared: bool
    ) -> None:
        wanted = {file.stem for file in pictures}
        for folder in masks:
            there = {file.stem for file in _images(folder.path)}
            if missing := sorted(wanted - there):
                self.problems.append(
                    f"{folder.path} lacks the masks of {_counted(missing, 'picture')} of sequence {name}; "
                    "unpack the archive again"
                )
            if not shared and (lonely := sorted(there - wanted)):
                self.problems.append(
                    f"{folder.path} has masks without pictures for {_counted(lonely, 'frame')} of sequence {name}; "
                    "unpack the pictures again"
                )

    def _masks(self, folder: Path) -> Iterator[MaskFolder]:
        truth = _first(folder, _TRUTH)
        mapping = read_mapping(folder, self.root)
        self.problems += [problem for problem in mapping.problems if problem not in self.problems]
        for place in (folder, *([truth] if truth else [])):
            if path := _first(place, _TYPE_MASKS):
                yield MaskFolder(path, "types", mapping.types)
            if path := _first(place, _PART_MASKS):
                yield MaskFolder(path, "parts", mapping.all_parts)
        for path in sorted(_folders(truth), key=lambda path: path.name.casefold()) if truth else ():
            type_id = type_of_folder(path.name)
            if path.name in _KNOWN:
                continue
            if type_id is None:
                self.problems.append(
                    f"{path} is not named after an instrument; its name must hold one of "
                    f"{', '.join(label.name.replace(' ', '_') for label in TYPES.instruments)}"
                )
                self.not_understood.append(path)
            else:
                yield MaskFolder(path, "instrument", mapping.parts, type_id)

    def _numbered(self, folder: Path) -> dict[int, Path]:
        """Pictures by their frame number."""
        files: dict[int, Path] = {}
        for file in _images(folder):
            digits = re.search(r"(\d+)$", file.stem)
            if digits is None:
                self.problems.append(f"{file} has no frame number in its name; remove it")
            else:
                files[int(digits.group(1))] = file
        return files


def _folders(folder: Path) -> list[Path]:
    """Folders inside a folder, without what operating systems leave there."""
    paths = [path for path in folder.iterdir() if path.is_dir() and not path.name.startswith((".", "__"))]
    return sorted(paths, key=natural_key)


def _images(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    files = (file for file in folder.iterdir() if file.suffix.lower() in IMAGE_SUFFIXES)
    return sorted((file for file in files if not file.name.startswith(".")), key=natural_key)


def _first(folder: Path, names: tuple[str, ...]) -> Path | None:
    return next((folder / name for name in names if (folder / name).is_dir()), None)


def _places(paths: list[Path]) -> str:
    return " and ".join(map(str, paths))


def _counted(things: list[int] | list[str], noun: str) -> str:
    if len(things) == 1:
        return f"{noun} {things[0]}"
    return f"{len(things)} {noun}s, the first {things[0]}"
