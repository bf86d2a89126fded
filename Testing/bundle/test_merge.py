"""One case out of two: nobody's work is lost, and nothing is decided for people who disagree."""

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cases import HEIGHT, WIDTH, human_mask, make_case, predict, predicted_mask, predicted_parts
from typer.testing import CliRunner

from rasnet.case import Case, Layer, ModelInfo
from rasnet.cli import app
from rasnet.errors import RASNetError
from rasnet.masks import Mask
from rasnet.merging import merge_cases, read_conflicts

FRAMES = 12


def rasnet(*arguments: str | Path) -> Any:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def bar(*ids: int) -> Mask:
    """Bars of 40 x 8 px side by side, in these layers."""
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    for place, layer in enumerate(ids):
        mask[4:44, 10 * place : 10 * place + 8] = layer
    return mask


@pytest.fixture
def cases(tmp_path: Path) -> tuple[Case, Case]:
    """Two people's cases of one segmented video."""
    first, second = (make_case(tmp_path / name, FRAMES) for name in ("anna", "ben"))
    predict(first)
    predict(second)
    return first, second


def correct(case: Case, index: int, mask: Mask | None = None, status: str = "corrected", who: str = "Anna") -> None:
    case.correct(index, human_mask(index) if mask is None else mask, who=who, tool="test", status=status)


class TestFrames:
    def test_what_one_person_did_is_taken(self, cases: tuple[Case, Case], tmp_path: Path) -> None:
        first, second = cases
        correct(first, 1)
        correct(second, 2, status="accepted", who="Ben")
        second.set_status(3, "skipped", who="Ben")
        result = merge_cases(first, second, tmp_path / "out")
        assert result.conflicts == ()
        with Case.open(tmp_path / "out") as merged:
            statuses = {row.index: row.status for row in merged.frames()}
            assert [statuses[index] for index in range(5)] == [
                *("predicted", "corrected", "accepted", "skipped", "predicted")
            ]
            np.testing.assert_array_equal(merged.mask(1), human_mask(1))
            np.testing.assert_array_equal(merged.mask(2), human_mask(2))
            np.testing.assert_array_equal(merged.mask(4), predicted_mask(4))
            np.testing.assert_array_equal(merged.parts(4), predicted_parts(4))
            assert [entry.who for entry in merged.journal(1)] == ["Anna"]
            assert [entry.who for entry in merged.journal(2)] == ["Ben"]
            assert [entry.who for entry in merged.journal(3)][-1] == "Ben"
            assert merged.missing() == []

    def test_two_people_who_agree(self, cases: tuple[Case, Case], tmp_path: Path) -> None:
        correct(cases[0], 1)
        correct(cases[1], 1, status="accepted", who="Ben")
        assert merge_cases(*cases, tmp_path / "out").conflicts == ()
        with Case.open(tmp_path / "out") as merged:
            frame = merged.frame(1)
            assert frame is not None
            assert frame.status == "accepted"

    def test_two_people_who_do_not(self, cases: tuple[Case, Case], tmp_path: Path) -> None:
        first, second = cases
        correct(first, 1)
        correct(second, 1, predicted_mask(5), who="Ben")
        correct(first, 2)
        second.set_status(2, "skipped", who="Ben")
        before = [list(case.journal()) for case in cases]
        result = merge_cases(first, second, tmp_path / "out")
        assert [(found.kind, found.frame, found.outcome) for found in result.conflicts] == [
            ("mask", 1, "left out"),
            ("status", 2, "left out"),
        ]
        assert (result.conflicts[0].first, result.conflicts[0].second) == ("corrected by Anna", "corrected by Ben")
        with Case.open(tmp_path / "out") as merged:
            assert merged.missing() == [1, 2]  # a program predicts them anew
        with (tmp_path / "out" / "conflicts.csv").open(newline="") as file:
            rows = list(csv.DictReader(file))
        assert [(row["kind"], row["frame"], row["second"]) for row in rows] == [
            ("mask", "1", "corrected by Ben"),
            ("status", "2", "skipped by Ben"),
        ]
        assert [list(case.journal()) for case in cases] == before

    def test_predictions_that_differ_are_told(self, cases: tuple[Case, Case], tmp_path: Path) -> None:
        cases[1].write_prediction(4, cases[1].times[4], bar(1), model="another")
        result = merge_cases(*cases, tmp_path / "out")
        assert (result.predictions, result.conflicts) == ((4,), ())
        with Case.open(tmp_path / "out") as merged:
            np.testing.assert_array_equal(merged.mask(4), predicted_mask(4))


class TestLayers:
    @pytest.fixture
    def empty(self, tmp_path: Path) -> tuple[Case, Case]:
        return make_case(tmp_path / "anna", FRAMES), make_case(tmp_path / "ben", FRAMES)

    def test_overlap_tells_which_is_which_and_others_are_added(self, empty: tuple[Case, Case], tmp_path: Path) -> None:
        first, second = empty
        first.set_layers([Layer(1, "A", (1, 1, 1)), Layer(2, "B", (2, 2, 2), "Other")])
        second.set_layers(
            [Layer(1, "B", (3, 3, 3)), Layer(2, "A", (4, 4, 4), "Vessel Sealer"), Layer(3, "C", (5, 5, 5))]
        )
        correct(first, 0, bar(1, 2))
        correct(second, 0, bar(2, 1), who="Ben")
        correct(second, 1, bar(2, 1, 3), who="Ben")
        assert merge_cases(first, second, tmp_path / "out").conflicts == ()
        with Case.open(tmp_path / "out") as merged:
            assert [(layer.id, layer.name, layer.type) for layer in merged.layers()] == [
                *((1, "A", "Vessel Sealer"), (2, "B", "Other"), (3, "C", None))
            ]
            np.testing.assert_array_equal(merged.mask(0), bar(1, 2))
            np.testing.assert_array_equal(merged.mask(1), bar(1, 2, 3))

    def test_an_id_that_is_taken_gives_way(self, empty: tuple[Case, Case], tmp_path: Path) -> None:
        first, second = empty
        correct(first, 0, bar(1))
        second.set_layers([Layer(1, "Hook", (3, 3, 3))])
        correct(second, 1, bar(0, 0, 1), who="Ben")
        merge_cases(first, second, tmp_path / "out")
        with Case.open(tmp_path / "out") as merged:
            assert [(layer.id, layer.name) for layer in merged.layers()] == [(1, "Instrument 1"), (2, "Hook")]
            np.testing.assert_array_equal(merged.mask(1), bar(0, 0, 2))

    def test_of_two_types_none_is_taken(self, empty: tuple[Case, Case], tmp_path: Path) -> None:
        first, second = empty
        first.set_layers([Layer(1, "A", (1, 1, 1), "Other")])
        second.set_layers([Layer(1, "Left", (1, 1, 1), "Vessel Sealer")])
        correct(first, 0, bar(1))
        correct(second, 0, bar(1), who="Ben")
        result = merge_cases(first, second, tmp_path / "out")
        assert [(found.kind, found.layer, found.first, found.second, found.outcome) for found in result.conflicts] == [
            ("name", 1, "A", "Left", "the name 'A'"),
            ("type", 1, "Other", "Vessel Sealer", "no type"),
        ]
        with Case.open(tmp_path / "out") as merged:
            assert merged.layers() == [Layer(1, "A", (1, 1, 1))]


class TestBadInput:
    def test_cases_that_do_not_fit(self, cases: tuple[Case, Case], tmp_path: Path) -> None:
        other = make_case(tmp_path / "other", FRAMES, step=2)
        with pytest.raises(RASNetError, match="frames 0 to 12 in steps of 1, not 0 to 12 in steps of 2"):
            merge_cases(cases[0], other, tmp_path / "out")
        longer = make_case(tmp_path / "longer", FRAMES + 1)
        with pytest.raises(RASNetError, match="give two cases of one video"):
            merge_cases(cases[0], longer, tmp_path / "out")

    def test_models_may_differ(self, cases: tuple[Case, Case], tmp_path: Path) -> None:
        other = make_case(tmp_path / "other", FRAMES, model=ModelInfo("newer", "cd" * 32, "torch"))
        correct(other, 0, who="Ben")
        merge_cases(cases[0], other, tmp_path / "out")
        with Case.open(tmp_path / "out") as merged:
            assert merged.info.model == cases[0].info.model
            with merged.open_source() as source:
                assert len(source) == FRAMES

    def test_a_merge_that_fails_leaves_nothing(self, cases: tuple[Case, Case], tmp_path: Path) -> None:
        (cases[1].folder / "masks" / "00000008.png").unlink()
        with pytest.raises(RASNetError, match=r"00000008\.png"):
            merge_cases(*cases, tmp_path / "out")
        assert sorted(path.name for path in tmp_path.iterdir()) == ["anna", "ben"]

    def test_a_folder_with_other_things_is_left_alone(self, cases: tuple[Case, Case]) -> None:
        with pytest.raises(RASNetError, match="not an empty folder"):
            merge_cases(*cases, cases[0].folder)


class TestList:
    def test_what_is_written_is_read(self, cases: tuple[Case, Case], tmp_path: Path) -> None:
        correct(cases[0], 1)
        correct(cases[1], 1, predicted_mask(5), who="Ben, the other")
        cases[0].update_layer(1, name='a "name", quoted')
        result = merge_cases(*cases, tmp_path / "out")
        assert len(result.conflicts) == 2
        assert read_conflicts(tmp_path / "out") == list(result.conflicts)

    def test_a_case_that_no_merge_made_has_none(self, cases: tuple[Case, Case]) -> None:
        assert read_conflicts(cases[0].folder) == []

    @pytest.mark.parametrize("text", [b"kind;frame;layer\nmask;1;\n", b"\xff\xfe", b"kind,frame\nmask,one\n"])
    def test_a_spoilt_list_is_one_sentence(self, text: bytes, tmp_path: Path) -> None:
        (tmp_path / "conflicts.csv").write_bytes(text)
        with pytest.raises(RASNetError, match="is no list of conflicts"):
            read_conflicts(tmp_path)


class TestCommand:
    def test_programs_get_an_event(self, cases: tuple[Case, Case], tmp_path: Path) -> None:
        done = rasnet("merge", cases[0].folder, cases[1].folder, tmp_path / "out", "--progress", "json")
        event = {"event": "merge", "folder": str(tmp_path / "out"), "frames": FRAMES, "predictions": 0}
        assert json.loads(done.stdout.splitlines()[-1]) == event

    def test_conflicts_are_printed(self, cases: tuple[Case, Case], tmp_path: Path) -> None:
        correct(cases[0], 1)
        correct(cases[1], 1, predicted_mask(5), who="Ben")
        done = rasnet("merge", cases[0].folder, cases[1].folder, tmp_path / "out")
        assert done.exit_code == 0, done.output
        assert "conflict: frame 1, mask: corrected by Anna / corrected by Ben: left out" in " ".join(
            done.stdout.split()
        )
        assert "11 frames, 1 conflicts" in " ".join(done.stderr.split())
