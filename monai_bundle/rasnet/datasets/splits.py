"""Which frames of EndoVis 2017 train, which choose the model, and which test: small JSON files.

Published figures differ by tens of points with the split. ``paper`` is the paper's kind, in which neighbouring frames
lie on both sides; ``fold0`` to ``fold3`` keep every sequence on one side and are what most later work reports.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from rasnet.datasets.endovis2017 import TYPES
from rasnet.datasets.endovis2017_layouts import EndoVis2017
from rasnet.errors import RASNetError
from rasnet.files import whole_file

FORMAT = "rasnet-split/1"

FOLDS = (("1", "3"), ("2", "5"), ("4", "8"), ("6", "7"))
"""Sequences that each fold tests on (TernausNet's, used by all since)."""

PAPER_TEST_SHARE = 50 / 225
"""Share of each sequence, at its end, that the paper tests on: 8x175 and 8x50 frames make its 1400 and 400."""

OFFICIAL_LONG = ("test 9", "test 10")
"""Sequences of the official test set that no training sequence belongs to."""

SPLITS = ("paper", "table1", *(f"fold{n}" for n in range(4)), *(f"official{n}" for n in range(1, 9)), "official")
"""Names that `make_split` knows."""

Frames = Mapping[str, tuple[int, ...]]
"""Frame numbers by sequence name."""


@dataclass(frozen=True)
class Split:
    """Which frames are for what.

    Attributes:
        name: for example ``"fold0"``.
        description: how it was made.
        train: frames that train.
        validation: frames of the training side that choose the model; never seen in training.
        test: frames that neither train nor choose.

    Raises:
        RASNetError: a frame has two purposes, or one of the three has none.
    """

    name: str
    description: str
    train: Frames
    validation: Frames
    test: Frames

    def __post_init__(self) -> None:
        sides = {"train": self.train, "validation": self.validation, "test": self.test}
        for side, frames in sides.items():
            if not any(frames.values()):
                raise RASNetError(f"split {self.name} leaves no frame to {side}; take another split, or more sequences")
        for one, other in (("train", "validation"), ("train", "test"), ("validation", "test")):
            for name in sides[one].keys() & sides[other].keys():
                if both := sorted(set(sides[one][name]) & set(sides[other][name])):
                    raise RASNetError(
                        f"split {self.name} has frame {both[0]} of sequence {name} in {one} and in {other}; "
                        "take it out of one"
                    )

    def write(self, path: Path) -> None:
        """Write a JSON file, whole; frames as ranges: ``"0-157,165"``."""
        sides = {side: _ranges(getattr(self, side)) for side in ("train", "validation", "test")}
        data = {"format": FORMAT, "name": self.name, "description": self.description, **sides}
        with whole_file(path) as making:
            making.write_text(json.dumps(data, indent=2) + "\n", encoding="utf-8")

    @classmethod
    def read(cls, path: str | Path) -> Split:
        """Read a JSON file.

        Raises:
            RASNetError: it is not there, is no split, or has a frame on two sides.
        """
        try:
            data = json.loads(Path(path).read_text(encoding="utf-8"))
            if data["format"] != FORMAT:
                raise RASNetError(f"{path} has the format '{data['format']}', not '{FORMAT}'; write it again")
            return cls(
                data["name"], data["description"], *(_numbers(data[side]) for side in ("train", "validation", "test"))
            )
        except OSError as error:
            raise RASNetError(
                f"the split {path} cannot be read ({error.strerror}); use one of {', '.join(SPLITS)} or a split's file"
            ) from error
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise RASNetError(
                f"{path} is not a split ({error!r}); write it with `rasnet endovis2017 --splits`"
            ) from error


def make_split(
    name: str,
    data: EndoVis2017,
    *,
    validation: float = 0.1,
    instances: Mapping[str, npt.NDArray[np.uint8]] | None = None,
) -> Split:
    """Make a split of the sequences that are there.

    Validation frames are the last of each sequence's training frames. They resemble their neighbours in training, so
    that validation figures are too good; they choose an epoch all the same, without a look at the test.

    Args:
        name: one of `SPLITS`: ``"paper"``, the last 2/9 of each sequence test; ``"table1"``, a window of each
            sequence tests, such that the instances come close to the paper's Table I; ``"foldN"``, two sequences
            test; ``"officialN"``, test sequence N with all training sequences but N; ``"official"``, the two long
            test sequences.
        data: the sequences.
        validation: share of the training frames, above 0, below 1.
        instances: by sequence, instruments of each type in every frame, (N, 7), for ``"table1"``.

    Raises:
        RASNetError: no such split, or sequences that it needs are not there.
    """
    there = {sequence.name: sequence.frames for sequence in data.sequences if sequence.masks}
    training = {name: frames for name, frames in there.items() if not name.startswith("test")}
    if name == "paper":
        test = {
            key: frames[len(frames) - held_out_count(len(frames), PAPER_TEST_SHARE) :]
            for key, frames in training.items()
        }
        return _held_out(name, "the last 2/9 of each sequence test (8x50 of 8x225 frames)", training, test, validation)
    if name == "table1":
        from rasnet.datasets.split_search import search_windows

        if instances is None:
            raise RASNetError("the split table1 needs the instances of every frame; make it with `rasnet endovis2017`")
        test = search_windows({key: (frames, instances[key]) for key, frames in training.items()})
        words = "a window of each sequence tests, found to come close to the instance counts of the paper's Table I"
        return _held_out(name, words, training, test, validation)
    if name in SPLITS and name.startswith("fold"):
        wanted = FOLDS[int(name[-1])]
        test = {key: there[key] for key in wanted if key in there}
        _need(name, wanted, test, data)
        rest = {key: frames for key, frames in training.items() if key not in wanted}
        return _held_out(
            name, f"sequences {' and '.join(wanted)} test, no frame of them trains", rest, test, validation
        )
    if name in SPLITS:
        number = name.removeprefix("official")
        official = (f"test {number}",) if number else OFFICIAL_LONG
        test = {key: there[key] for key in official if key in there}
        _need(name, official, test, data)
        rest = {key: frames for key, frames in training.items() if key != number}
        words = f"the official {' and '.join(official)}; training sequence {number or '(none)'} left out"
        return _held_out(name, words, rest, test, validation)
    raise RASNetError(f"there is no split '{name}'; use one of {', '.join(SPLITS)} or the path of a split's .json file")


def check_classes(split: Split, instances: Mapping[str, npt.NDArray[np.uint8]], data: EndoVis2017) -> None:
    """See that what is tested was also trained.

    Args:
        split: to look at.
        instances: by sequence, instruments of each type in every frame, (N, 7).
        data: the sequences.

    Raises:
        RASNetError: a type occurs in validation or test, but never in training.
    """

    def seen(side: Frames) -> npt.NDArray[np.bool_]:
        rows = [instances[name][np.searchsorted(data[name].frames, frames)] for name, frames in side.items()]
        return np.asarray(np.concatenate(rows).any(axis=0))

    names = [label.name for label in TYPES.instruments]
    trained, tested = seen(split.train), seen(split.test) | seen(split.validation)
    if missing := [name for name, t, u in zip(names, trained, tested, strict=True) if u and not t]:
        raise RASNetError(
            f"split {split.name} tests {', '.join(missing)}, which no training frame shows "
            f"(it trains on sequences {', '.join(split.train)}); unpack the other sequences, or take another split"
        )


def _held_out(name: str, description: str, frames: Frames, test: Frames, share: float) -> Split:
    """Take the test frames out of all, then the last of the rest for validation."""
    if not 0 < share < 1:
        raise RASNetError(f"the share of validation must lie between 0 and 1, not {share}")
    rest = {key: tuple(n for n in numbers if n not in set(test.get(key, ()))) for key, numbers in frames.items()}
    cut = {key: len(numbers) - held_out_count(len(numbers), share) for key, numbers in rest.items()}
    return Split(
        name,
        f"{description}; the last {share:.0%} of each sequence's training frames validate",
        train={key: numbers[: cut[key]] for key, numbers in rest.items() if numbers[: cut[key]]},
        validation={key: numbers[cut[key] :] for key, numbers in rest.items() if numbers[cut[key] :]},
        test={key: numbers for key, numbers in test.items() if numbers},
    )


def held_out_count(length: int, share: float) -> int:
    """Give how many of some frames are held out for validation or test: a share, at least one of two or more."""
    return max(round(length * share), int(length > 1))


def _need(name: str, wanted: Iterable[str], there: Frames, data: EndoVis2017) -> None:
    if missing := [key for key in wanted if key not in there]:
        raise RASNetError(
            f"split {name} tests sequence {' and '.join(missing)}, which {data.folder} lacks or has no masks of; "
            "unpack it, or take another split"
        )


def _ranges(frames: Frames) -> dict[str, str]:
    """Write frame numbers as ranges."""
    written = {}
    for name, numbers in frames.items():
        runs: list[list[int]] = []
        for number in numbers:
            if runs and number == runs[-1][1] + 1:
                runs[-1][1] = number
            else:
                runs.append([number, number])
        written[name] = ",".join(f"{a}-{b}" if b > a else f"{a}" for a, b in runs)
    return written


def _numbers(ranges: Mapping[str, str]) -> Frames:
    frames: dict[str, tuple[int, ...]] = {}
    for name, text in ranges.items():
        if not re.fullmatch(r"\d+(-\d+)?(,\d+(-\d+)?)*", text):
            raise ValueError(f"'{text}' are no frames such as 0-157,165")
        runs = ([int(number) for number in run.split("-")] for run in text.split(","))
        frames[name] = tuple(number for run in runs for number in range(run[0], run[-1] + 1))
    return frames
