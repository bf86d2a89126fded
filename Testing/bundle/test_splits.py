"""No frame on two sides of a split; of folds and the official test, no sequence."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from endovis_folders import INSTRUMENTS, write_raw
from hypothesis import given, settings
from hypothesis import strategies as st

from rasnet.datasets.endovis2017 import Sequence
from rasnet.datasets.endovis2017_layouts import EndoVis2017
from rasnet.datasets.split_search import TEST_SHARES, search_windows
from rasnet.datasets.splits import FOLDS, SPLITS, Frames, Split, check_classes, make_split
from rasnet.errors import RASNetError


def sequence(number: int, part: str, frames: range) -> Sequence:
    """A sequence with ground truth, whose files nobody reads."""
    mask = object()
    return Sequence(number, part, "raw", Path("data"), tuple(frames), (), (), (mask,))  # type: ignore[arg-type]


def data_set(lengths: dict[int, int], test: bool = True) -> EndoVis2017:
    sequences = [sequence(number, "train", range(count)) for number, count in lengths.items()]
    if test:
        sequences += [sequence(number, "test", range(225, 300)) for number in range(1, 9)]
        sequences += [sequence(number, "test", range(300)) for number in (9, 10)]
    return EndoVis2017(Path("data"), tuple(sequences), (), ())


FULL = data_set(dict.fromkeys(range(1, 9), 225))
TYPES_OF = {1: (1, 2, 7), 2: (2, 7), 3: (3,), 4: (2, 3), 5: (1, 4, 5), 6: (2, 3, 6), 7: (1, 4), 8: (1, 5, 6)}


def instances(data: EndoVis2017, seed: int = 0) -> dict[str, np.ndarray]:
    """Instruments of each type in every frame, (N, 7): each is in view for a stretch of its sequence."""
    generator, counts = np.random.default_rng(seed), {}
    for sequence in data.sequences:
        counts[sequence.name] = np.zeros((len(sequence), 7), np.uint8)
        for number in TYPES_OF.get(sequence.number, ()):
            start, stop = sorted(generator.integers(0, len(sequence) + 1, 2))
            counts[sequence.name][start:stop, number - 1] = 1
    return counts


def frames_of(side: Frames) -> set[tuple[str, int]]:
    return {(name, frame) for name, frames in side.items() for frame in frames}


@pytest.fixture(scope="module", params=SPLITS)
def split(request: pytest.FixtureRequest) -> Split:
    return make_split(request.param, FULL, instances=instances(FULL))


class TestEverySplit:
    def test_no_frame_is_on_two_sides(self, split: Split) -> None:
        train, validation, test = map(frames_of, (split.train, split.validation, split.test))
        assert train
        assert validation
        assert test
        assert not train & validation
        assert not train & test
        assert not validation & test

    def test_by_sequence_no_sequence_is_on_two_sides(self, split: Split) -> None:
        if split.name in ("paper", "table1"):
            assert set(split.train) & set(split.test)  # these leak, as the paper's own does
        else:
            # Test sequence N goes on where training sequence N ends: they count as one.
            trained = {name.removeprefix("test ") for name in (*split.train, *split.validation)}
            assert not trained & {name.removeprefix("test ") for name in split.test}

    def test_only_training_sequences_train_and_validate(self, split: Split) -> None:
        assert not [name for name in (*split.train, *split.validation) if name.startswith("test")]

    def test_it_comes_back_from_its_file(self, split: Split, tmp_path: Path) -> None:
        split.write(tmp_path / "split.json")
        assert Split.read(tmp_path / "split.json") == split
        assert (tmp_path / "split.json").stat().st_size < 1500


class TestThePapersSplit:
    def test_1400_frames_are_for_training_and_400_for_the_test(self) -> None:
        split = make_split("paper", FULL)
        assert len(frames_of(split.train)) + len(frames_of(split.validation)) == 1400
        assert {name: (frames[0], frames[-1]) for name, frames in split.test.items()} == {
            str(number): (175, 224) for number in range(1, 9)
        }

    def test_validation_is_the_end_of_the_training_frames(self) -> None:
        split = make_split("paper", FULL, validation=0.2)
        assert (split.train["3"][-1], split.validation["3"][0], split.validation["3"][-1]) == (139, 140, 174)

    def test_the_searched_one_meets_the_counts_of_table_one(self) -> None:
        counts = instances(FULL)
        training = {name: rows for name, rows in counts.items() if not name.startswith("test")}
        split = make_split("table1", FULL, instances=counts)
        assert len(frames_of(split.test)) == 400
        wanted = sum(rows.sum(axis=0) for rows in training.values()) * TEST_SHARES
        found = sum(training[name][list(frames)].sum(axis=0) for name, frames in split.test.items())
        assert np.abs(found - wanted).max() <= 2
        for frames in split.test.values():
            assert frames == tuple(range(frames[0], frames[-1] + 1))

    def test_the_same_data_gives_the_same_windows(self) -> None:
        generator = np.random.default_rng(3)
        counts = {str(n): (tuple(range(60)), generator.integers(0, 2, (60, 7)).astype(np.uint8)) for n in range(3)}
        first, again = search_windows(counts), search_windows(counts)
        assert first == again
        assert sum(map(len, first.values())) == round(180 * 50 / 225)


class TestFolds:
    def test_they_are_the_published_ones(self) -> None:
        assert FOLDS == (("1", "3"), ("2", "5"), ("4", "8"), ("6", "7"))
        assert sorted(name for fold in FOLDS for name in fold) == [str(number) for number in range(1, 9)]

    @pytest.mark.parametrize("fold", range(4))
    def test_whole_sequences_test(self, fold: int) -> None:
        split = make_split(f"fold{fold}", FULL)
        assert split.test == {name: tuple(range(225)) for name in FOLDS[fold]}
        assert len(frames_of(split.train)) + len(frames_of(split.validation)) == 6 * 225

    def test_a_class_that_is_tested_must_be_trained(self) -> None:
        data = data_set({1: 20, 2: 20, 3: 20, 4: 20}, test=False)
        counts = {str(n): np.zeros((20, 7), np.uint8) for n in range(1, 5)}
        for name, rows in counts.items():
            rows[:, [number - 1 for number in TYPES_OF[int(name)]]] = 1
        with pytest.raises(
            RASNetError, match=r"split fold0 tests Bipolar Forceps, which no training frame shows .*sequences 2, 4"
        ):
            check_classes(make_split("fold0", data), counts, data)
        check_classes(make_split("paper", data), counts, data)


class TestOfficialTest:
    @pytest.mark.parametrize("number", range(1, 9))
    def test_the_sequence_that_goes_before_does_not_train(self, number: int) -> None:
        split = make_split(f"official{number}", FULL)
        assert split.test == {f"test {number}": tuple(range(225, 300))}
        assert set(split.train) == {str(other) for other in range(1, 9) if other != number}

    def test_the_long_ones_are_tested_by_a_model_of_all(self) -> None:
        split = make_split("official", FULL)
        assert set(split.test) == {"test 9", "test 10"}
        assert len(split.train) == 8


@settings(deadline=None)
@given(
    lengths=st.dictionaries(st.integers(1, 8), st.integers(3, 300), min_size=1),
    validation=st.floats(0.01, 0.9),
    name=st.sampled_from(["paper", "fold0", "fold1", "fold2", "fold3"]),
)
def test_whatever_is_there_sides_stay_apart(lengths: dict[int, int], validation: float, name: str) -> None:
    data = data_set(lengths, test=False)
    try:
        split = make_split(name, data, validation=validation)
    except RASNetError:
        return  # a side would be empty, or a sequence is not there
    sides = [frames_of(side) for side in (split.train, split.validation, split.test)]
    assert len(set.union(*sides)) == sum(map(len, sides))


WRONG = [
    ({"format": "other/1"}, "has the format 'other/1', not 'rasnet-split/1'"),
    (
        {"train": {"1": "0-4,9"}, "test": {"1": "9-12"}},
        "has frame 9 of sequence 1 in train and in test; take it out of one",
    ),
    ({"validation": {"1": "3"}}, "has frame 3 of sequence 1 in train and in validation"),
    ({"test": {}}, "leaves no frame to test"),
    ({"test": {"1": "a-b"}}, "is not a split"),
    ({"test": None}, "is not a split"),
]


@pytest.mark.parametrize(("change", "words"), WRONG)
def test_a_wrong_file_is_refused(tmp_path: Path, change: dict[str, object], words: str) -> None:
    data = {
        "format": "rasnet-split/1",
        "name": "mine",
        "description": "",
        "train": {"1": "0-4"},
        "validation": {"1": "5"},
        "test": {"1": "6,8-9"},
    }
    path = tmp_path / "mine.json"
    path.write_text(json.dumps(data))
    assert Split.read(path).test == {"1": (6, 8, 9)}
    path.write_text(json.dumps(data | change))
    with pytest.raises(RASNetError, match=words):
        Split.read(path)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("fold9", "there is no split 'fold9'; use one of paper, table1, fold0"),
        ("fold0", "split fold0 tests sequence 3, which data lacks or has no masks of"),
        ("official2", "split official2 tests sequence test 2"),
        ("table1", "needs the instances of every frame"),
    ],
)
def test_a_split_that_cannot_be_made(name: str, words: str) -> None:
    with pytest.raises(RASNetError, match=words):
        make_split(name, data_set({1: 20, 2: 20}, test=False))


@pytest.mark.parametrize("share", [0.0, 1.0, -1])
def test_validation_must_be_a_share(share: float) -> None:
    with pytest.raises(RASNetError, match="must lie between 0 and 1"):
        make_split("paper", FULL, validation=share)


def test_it_is_made_of_real_folders(tmp_path: Path) -> None:
    data = EndoVis2017.find(write_raw(tmp_path, {n: INSTRUMENTS[n] for n in (1, 2, 3, 5)}, frames=9))
    split = make_split("fold1", data)
    assert split.test == {"2": tuple(range(9)), "5": tuple(range(9))}
