"""EndoVis 2017 is read from every layout that it is found in; what is wrong with a copy is said, all at once."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from endovis_folders import (
    INSTRUMENTS,
    SIZE,
    instrument_mask,
    merged,
    picture,
    save,
    type_id,
    write_cropped,
    write_flat,
    write_raw,
    write_test_set,
)
from PIL import Image
from typer.testing import CliRunner

from rasnet.cli import app
from rasnet.datasets.endovis2017 import RAW_WINDOW, type_of_folder
from rasnet.datasets.endovis2017_cache import prepare
from rasnet.datasets.endovis2017_check import PAPER_TEST, PAPER_TRAIN, check
from rasnet.datasets.endovis2017_layouts import EndoVis2017
from rasnet.errors import RASNetError

PART_IDS = np.array([0, 1, 2, 2, 2], np.uint8)  # shaft; wrist, claspers and probe are the manipulator


@pytest.fixture(scope="module")
def raw(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All eight sequences, three frames each, in the raw layout. Do not change them."""
    return write_raw(tmp_path_factory.mktemp("raw"), right=True)


@pytest.fixture
def two(tmp_path: Path) -> Path:
    """Sequences 1 and 2, to be spoilt."""
    return write_raw(tmp_path / "data", {number: INSTRUMENTS[number] for number in (1, 2)})


class TestRawLayout:
    @pytest.mark.parametrize("number", INSTRUMENTS)
    def test_every_irregular_name_is_understood(self, raw: Path, number: int) -> None:
        sequence = EndoVis2017.find(raw)[str(number)]
        named = {folder.path.name: folder.type_id for folder in sequence.masks}
        assert named == {folder: type_id(folder) for folder in INSTRUMENTS[number]}

    @pytest.mark.parametrize("number", INSTRUMENTS)
    def test_masks_of_instruments_are_merged(self, raw: Path, number: int) -> None:
        sequence = EndoVis2017.find(raw)[str(number)]
        types, parts = merged(INSTRUMENTS[number], 2)
        rgb, truth = sequence.frame(2)
        assert np.array_equal(rgb, picture(INSTRUMENTS[number], 2))
        assert np.array_equal(truth.types, types)
        assert np.array_equal(truth.parts, PART_IDS[parts // 10])
        assert sorted(truth.instances) == sorted(map(type_id, INSTRUMENTS[number]))

    def test_all_is_found_and_nothing_is_wrong(self, raw: Path) -> None:
        data = EndoVis2017.find(raw)
        assert [(s.name, s.layout, s.frames) for s in data.sequences] == [
            (str(n), "raw", (0, 1, 2)) for n in range(1, 9)
        ]
        assert (data.not_understood, data.problems) == ((), ())

    def test_both_eyes_can_be_had(self, raw: Path, two: Path) -> None:
        assert EndoVis2017.find(raw)["1"].picture(0, "right").shape == (*SIZE, 3)
        with pytest.raises(RASNetError, match="sequence 1 has no right pictures"):
            EndoVis2017.find(two)["1"].picture(0, "right")

    def test_of_recorded_frames_only_the_picture_is_taken(self, tmp_path: Path) -> None:
        write_raw(tmp_path, {3: INSTRUMENTS[3]}, frames=1, size=(1080, 1920))
        rgb, truth = EndoVis2017.find(tmp_path)["3"].frame(0)
        assert rgb.shape == (1024, 1280, 3)
        expected = instrument_mask(0, 2, 0, (1080, 1920))[28 : 28 + 1024, 320 : 320 + 1280]
        assert np.array_equal(truth.types[:490] > 0, expected[:490] > 0)
        assert (RAW_WINDOW.top, RAW_WINDOW.left) == (28, 320)

    def test_where_instruments_overlap_the_later_name_lies_on_top(self, tmp_path: Path) -> None:
        full = np.full(SIZE, 10, np.uint8)
        save(tmp_path / "instrument_dataset_1/left_frames/frame000.png", picture([], 0))
        for folder in ("vessel_sealer_labels", "Bipolar_Forceps_labels", "Other_labels"):
            save(tmp_path / "instrument_dataset_1/ground_truth" / folder / "frame000.png", full)
        truth = EndoVis2017.find(tmp_path)["1"].truth(0)
        assert (truth.types == 4).all()
        assert sorted(truth.instances) == [1, 4, 7]

    @pytest.mark.parametrize(
        ("name", "entries"),
        [
            ("mappings.json", {"Shaft": 50, "Wrist": 60, "Claspers": 70, "Probe": 80}),
            ("parts_mapping.json", {"shaft": 50, "WRIST": 60, "claspers": 70}),
        ],
    )
    def test_a_mapping_file_has_the_last_word(self, tmp_path: Path, name: str, entries: dict[str, int]) -> None:
        root = write_raw(tmp_path, {1: INSTRUMENTS[1]}, frames=1)
        for file in root.rglob("ground_truth/*/*.png"):
            mask = np.asarray(Image.open(file))
            save(file, np.where(mask > 0, mask + 40, 0).astype(np.uint8))
        (root / name).write_text(json.dumps(entries))
        assert np.array_equal(EndoVis2017.find(root)["1"].truth(0).parts, PART_IDS[merged(INSTRUMENTS[1], 0)[1] // 10])

    @pytest.mark.parametrize(
        ("place", "name"),
        [
            ("testing", "3"),  # the folder that was searched may be called anything
            ("latest/tested", "3"),
            ("instrument_1_4_testing", "test 3"),
            ("data/cropped_test", "test 3"),
            ("data/test", "test 3"),
        ],
    )
    def test_the_part_follows_from_the_archives_name(self, tmp_path: Path, place: str, name: str) -> None:
        save(tmp_path / place / "instrument_dataset_3/left_frames/frame225.png", picture([], 0))
        searched = tmp_path / Path(place).parts[0]
        assert [sequence.name for sequence in EndoVis2017.find(searched).sequences] == [name]


class TestOtherLayouts:
    @pytest.mark.parametrize(
        ("write", "layout", "with_parts"), [(write_cropped, "cropped", True), (write_flat, "flat", False)]
    )
    def test_types_are_those_of_the_raw_layout(
        self, tmp_path: Path, write: Callable[..., Path], layout: str, with_parts: bool
    ) -> None:
        data = EndoVis2017.find(write(tmp_path))
        assert [s.layout for s in data.sequences] == [layout] * 8
        assert not data.problems
        for number, folders in INSTRUMENTS.items():
            truth = data[str(number)].truth(1)
            types, parts = merged(folders, 1)
            assert np.array_equal(truth.types, types)
            if with_parts:
                parts[types == 7] = 0  # this layout leaves Other out of the parts
                assert np.array_equal(truth.parts, PART_IDS[parts // 10])
            else:
                assert truth.parts is None

    def test_of_a_recorded_and_a_cropped_copy_the_recorded_one_is_read(self, tmp_path: Path) -> None:
        write_cropped(tmp_path, {5: INSTRUMENTS[5]})
        write_raw(tmp_path, {5: INSTRUMENTS[5]})
        data = EndoVis2017.find(tmp_path)
        assert [(s.layout, len(s.masks)) for s in data.sequences] == [("raw", 3)]
        assert not data.problems

    def test_pictures_and_labels_of_the_test_set_lie_apart(self, tmp_path: Path) -> None:
        write_raw(tmp_path, {3: INSTRUMENTS[3]})
        write_test_set(tmp_path, 3, range(225, 228), INSTRUMENTS[3])
        write_test_set(tmp_path, 9, range(2), INSTRUMENTS[5])
        data = EndoVis2017.find(tmp_path)
        assert [(s.name, s.part) for s in data.sequences] == [("3", "train"), ("test 3", "test"), ("test 9", "test")]
        assert data["test 3"].frames == (225, 226, 227)
        assert np.array_equal(data["test 9"].truth(1).types, merged(INSTRUMENTS[5], 1)[0])
        assert not data.problems

    def test_a_test_set_without_labels_has_pictures_only(self, tmp_path: Path) -> None:
        write_test_set(tmp_path, 9, range(2), INSTRUMENTS[5])
        shutil.rmtree(tmp_path / "instrument_2017_test")
        sequence = EndoVis2017.find(tmp_path)["test 9"]
        assert sequence.picture(0).shape == (*SIZE, 3)
        with pytest.raises(RASNetError, match="sequence test 9 has no ground truth"):
            sequence.truth(0)


def spoil_gap(root: Path) -> None:
    next(root.rglob("instrument_dataset_1/left_frames/frame001.png")).unlink()


def spoil_mask_gone(root: Path) -> None:
    next(root.rglob("Left_Prograsp_Forceps_labels/frame002.png")).unlink()


def spoil_value(root: Path) -> None:
    file = next(root.rglob("instrument_dataset_1/ground_truth/Other_labels/frame000.png"))
    save(file, np.full(SIZE, 77, np.uint8))


def spoil_size(root: Path) -> None:
    file = next(root.rglob("instrument_dataset_1/ground_truth/Other_labels/frame000.png"))
    save(file, np.zeros((32, 40), np.uint8))


def spoil_all_sizes(root: Path) -> None:
    for file in root.rglob("instrument_dataset_1/left_frames/frame000.png"):
        save(file, np.zeros((32, 40, 3), np.uint8))


def spoil_download(root: Path) -> None:
    file = next(root.rglob("instrument_dataset_2/left_frames/frame001.png"))
    file.write_bytes(file.read_bytes()[:200])


def spoil_name(root: Path) -> None:
    save(
        next(root.rglob("instrument_dataset_1")) / "ground_truth" / "Suction_labels" / "frame000.png",
        np.zeros(SIZE, np.uint8),
    )


def spoil_pictures_gone(root: Path) -> None:
    shutil.rmtree(next(root.rglob("instrument_dataset_1")) / "left_frames")


def spoil_twice(root: Path) -> None:
    shutil.copytree(next(root.rglob("instrument_dataset_1")), root / "again" / "instrument_dataset_1")


def spoil_mapping(root: Path) -> None:
    (root / "mappings.json").write_text("{'Shaft': 10")


PROBLEMS: list[tuple[Callable[[Path], None], str]] = [
    (spoil_gap, "sequence 1 lacks frame 1; unpack the archive again"),
    (spoil_gap, "has masks without pictures for frame frame001 of sequence 1"),
    (spoil_mask_gone, r"Left_Prograsp_Forceps_labels lacks the masks of picture frame002 of sequence \d"),
    (spoil_value, "frame000.png holds the value 77; a mask of instrument holds 0, 10, 20, 30, 40"),
    (spoil_size, r"the masks of frame000 in .* differ in size \(.*Other_labels 40x32"),
    (spoil_all_sizes, "frame000.png is 40x32 and its masks are 80x64; make them one size"),
    (spoil_all_sizes, "pictures of sequence 1 .* differ in size"),
    (spoil_download, "frame001.png is not a whole image"),
    (
        spoil_name,
        "Suction_labels is not named after an instrument; its name must hold one of Bipolar_Forceps, Prograsp",
    ),
    (spoil_pictures_gone, "sequence 1 has no left_frames or images in"),
    (spoil_twice, "sequence 1 is there twice, in .* and .*; keep one of them"),
    (spoil_mapping, "mappings.json is not a mapping of names to values"),
]


class TestWhatIsWrong:
    @pytest.mark.parametrize(("spoil", "words"), PROBLEMS)
    def test_is_said_in_a_sentence(self, two: Path, spoil: Callable[[Path], None], words: str) -> None:
        assert check(EndoVis2017.find(two)).problems == ()
        spoil(two)
        problems = check(EndoVis2017.find(two)).problems
        assert any(re.search(words, problem) for problem in problems), problems

    def test_is_said_all_at_once(self, two: Path) -> None:
        for spoil in (spoil_value, spoil_download, spoil_name):
            spoil(two)
        problems = check(EndoVis2017.find(two)).problems
        assert len(problems) == 3

    def test_folders_of_other_things_are_named(self, two: Path) -> None:
        (two / "photos" / "2019").mkdir(parents=True)
        (two / "instrument_1_4_training/instrument_dataset_1/depth").mkdir()
        (two / "__MACOSX").mkdir()
        names = {path.name for path in EndoVis2017.find(two).not_understood}
        assert names == {"photos", "depth"}

    def test_no_data_at_all(self, tmp_path: Path) -> None:
        with pytest.raises(RASNetError, match=r"there is no folder .*nowhere; give the one that EndoVis 2017"):
            EndoVis2017.find(tmp_path / "nowhere")
        (tmp_path / "instrument_1_4_training.zip").touch()
        with pytest.raises(
            RASNetError, match=r"holds no instrument_dataset_N .*; unpack instrument_1_4_training\.zip first"
        ):
            EndoVis2017.find(tmp_path)

    def test_a_sequence_that_is_not_there(self, two: Path) -> None:
        with pytest.raises(RASNetError, match=r"sequence 7 is not in .*, which holds 1, 2; unpack"):
            EndoVis2017.find(two)["7"]

    @pytest.mark.parametrize("name", ["Suction_labels", "Clip_Applier"])
    def test_an_unknown_instrument_has_no_type(self, name: str) -> None:
        assert type_of_folder(name) is None


class TestCache:
    def test_frames_are_squeezed_and_kept(self, raw: Path, tmp_path: Path) -> None:
        sequences = EndoVis2017.find(raw).sequences[:2]
        first, _ = prepare(sequences, (32, 40), tmp_path)
        assert first.images.shape == (3, 32, 40, 3)
        assert np.array_equal(first.types[1], merged(INSTRUMENTS[1], 1)[0][1::2, 1::2])
        assert first.instances.tolist() == [[1, 2, 0, 0, 0, 0, 1]] * 3
        made = {file: file.stat().st_mtime_ns for file in tmp_path.rglob("*.npy")}
        prepare(sequences, (32, 40), tmp_path)
        assert {file: file.stat().st_mtime_ns for file in tmp_path.rglob("*.npy")} == made

    def test_changed_files_are_read_again(self, two: Path, tmp_path: Path) -> None:
        cache = tmp_path / "cache"
        before = prepare([EndoVis2017.find(two)["1"]], SIZE, cache)[0].types.copy()
        file = next(two.rglob("instrument_dataset_1/ground_truth/Other_labels/frame000.png"))
        save(file, np.zeros(SIZE, np.uint8))
        after = prepare([EndoVis2017.find(two)["1"]], SIZE, cache)[0].types
        assert (before[0] == 7).any()
        assert not (after[0] == 7).any()

    def test_a_broken_file_leaves_nothing_half_written(self, two: Path, tmp_path: Path) -> None:
        spoil_download(two)
        with pytest.raises(RASNetError, match="not a whole image"):
            prepare(EndoVis2017.find(two).sequences, SIZE, tmp_path / "cache")
        assert [path.name.split("-")[0] for path in (tmp_path / "cache").iterdir()] == ["1"]

    def test_without_parts_there_are_none(self, tmp_path: Path) -> None:
        data = EndoVis2017.find(write_flat(tmp_path / "flat", {1: INSTRUMENTS[1]}))
        assert prepare(data.sequences, SIZE, tmp_path / "cache")[0].parts is None


class TestCommand:
    def test_it_prints_table_one_beside_the_papers(self, raw: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("COLUMNS", "120")
        done = CliRunner().invoke(app, ["endovis2017", str(raw), "--check", "--progress", "none"])
        assert done.exit_code == 0, done.output
        assert re.search(
            r"^8 +as recorded +3 +both +1 Bipolar Forceps, 2 Grasping Retractor, 1 Monopolar", done.output, re.M
        )
        # Sequence 3, 4 and 6 have two needle drivers each; of three frames, the last one tests.
        assert re.search(r"^Large Needle Driver +12 +6 +1013 +184$", done.output, re.M)
        assert re.search(r"^Total +\d+ +\d+ +3422 +687$", done.output, re.M)

    def test_problems_end_it_with_exit_code_2(self, two: Path) -> None:
        spoil_value(two)
        done = CliRunner().invoke(app, ["endovis2017", str(two), "--check", "--progress", "none"])
        assert done.exit_code == 2
        assert "problem: " in done.output
        assert "has a problem, named above; mend it" in done.output

    def test_it_writes_the_splits_that_the_data_allows(self, raw: Path, tmp_path: Path) -> None:
        done = CliRunner().invoke(app, ["endovis2017", str(raw), "--splits", str(tmp_path), "--progress", "none"])
        assert done.exit_code == 0, done.output
        assert sorted(f.stem for f in tmp_path.iterdir()) == ["fold0", "fold1", "fold2", "fold3", "paper", "table1"]
        assert "these sequences allow no split official1" in done.output

    def test_the_papers_table_adds_up(self) -> None:
        assert (sum(PAPER_TRAIN), sum(PAPER_TEST)) == (3422, 687)


def test_neither_torch_nor_monai_is_needed() -> None:
    program = (
        "import sys, rasnet.datasets.endovis2017_report; sys.exit(any(m in sys.modules for m in ('torch', 'monai')))"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
