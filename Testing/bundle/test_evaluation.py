"""`rasnet evaluate`: cases and folders of masks, matched, measured, written; and bad input."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from cases import HEIGHT, WIDTH, human_mask, make_case, predict, predicted_mask, predicted_parts
from PIL import Image
from typer.testing import CliRunner

from rasnet.case import Case
from rasnet.cli import app
from rasnet.errors import RASNetError
from rasnet.evaluation import AFTER, BEFORE, MASKS, evaluate_masks, write_evaluation
from rasnet.labels import ANY_INSTRUMENT, IGNORE, LabelSchema
from rasnet.mask_sequences import frame_key
from rasnet.masks import Mask, write_mask
from rasnet.metrics import INSTRUMENT, SegmentationMetrics
from rasnet.report.metric_plots import write_class_bars, write_confusion, write_reliability

PARTS = LabelSchema.load("instrument_parts")
TYPES = LabelSchema.load("endovis2017_types")


def write_masks(folder: Path, masks: dict[str, Mask]) -> Path:
    """Index PNG files by name."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, mask in masks.items():
        write_mask(folder / f"{name}.png", mask, PARTS.palette)
    return folder


def row(*values: int) -> Mask:
    """One row of pixels, (1, N)."""
    return np.array([values], np.uint8)


def numbered(*masks: Mask) -> dict[str, Mask]:
    return {f"frame{index:03d}": mask for index, mask in enumerate(masks)}


def typed_case(folder: Path, types: dict[int, str | None]) -> Case:
    """A case of predictions with a type for each of its layers 1 to 3."""
    case = make_case(folder, frames=6)
    predict(case)
    for layer in case.layers():
        if types[layer.id] is not None:
            case.update_layer(layer.id, type=types[layer.id], who="A. Surgeon", tool="test")
    return case


class TestFolders:
    def test_one_sequence(self, tmp_path: Path) -> None:
        predicted = write_masks(tmp_path / "found", numbered(row(1, 1, 0, 0), row(0, 0, 0, 1)))
        truth = write_masks(tmp_path / "truth", numbered(row(1, 2, 0, 0), row(1, 1, 1, 1)))
        results = evaluate_masks(predicted, truth)[MASKS]
        assert results.frames == {"truth": 2}
        assert results.value("pooled_dice", "shaft") == pytest.approx(2 * 2 / (3 + 5))
        assert results.value("pooled_dice", INSTRUMENT) == pytest.approx(2 * 3 / (3 + 6))

    def test_sequences_are_found_by_name_and_frames_by_number(self, tmp_path: Path) -> None:
        for name, right in (("one", 1), ("two", 2)):
            write_masks(tmp_path / "found" / name, {f"{n:08d}": row(*[1] * right, 0) for n in (0, 5, 10)})
            write_masks(tmp_path / "truth" / name, {f"img_{n}_class": row(1, 1, 0)[:, : right + 1] for n in (5, 10)})
        results = evaluate_masks(tmp_path / "found", tmp_path / "truth")[MASKS]
        assert results.frames == {"one": 2, "two": 2}
        assert results.value("pooled_dice", "shaft", "one") == pytest.approx(2 / 3)
        assert results.value("pooled_dice", "shaft", "two") == 1
        assert results.find("pooled_dice", "shaft").over == "sequences"

    @pytest.mark.parametrize(
        ("stem", "key"), [("frame000042", 42), ("00000042", 42), ("img_07_class", 7), ("42_mask", 42), ("left", "left")]
    )
    def test_a_frame_is_known_by_the_last_number_of_its_name(self, stem: str, key: int | str) -> None:
        assert frame_key(stem) == key

    def test_binary_masks_of_any_value(self, tmp_path: Path) -> None:
        predicted = write_masks(tmp_path / "found", numbered(row(1, 2, 0, 0)))
        truth = write_masks(tmp_path / "truth", numbered(row(255, 255, 255, 0)))
        results = evaluate_masks(predicted, truth, "binary")[MASKS]
        assert results.value("pooled_dice", INSTRUMENT) == pytest.approx(2 * 2 / (2 + 3))
        assert {figure.label for figure in results.figures} == {INSTRUMENT, "mean"}

    def test_partial_truth(self, tmp_path: Path) -> None:
        predicted = write_masks(tmp_path / "found", numbered(row(1, 2, 0, 2)))
        truth = write_masks(tmp_path / "truth", numbered(row(ANY_INSTRUMENT, ANY_INSTRUMENT, 0, IGNORE)))
        results = evaluate_masks(predicted, truth)[MASKS]
        assert results.value("pooled_dice", INSTRUMENT) == 1
        assert {figure.label for figure in results.figures} == {INSTRUMENT}


class TestCases:
    def test_parts_of_a_case(self, tmp_path: Path) -> None:
        case = make_case(tmp_path, frames=5)
        predict(case)
        truth = write_masks(tmp_path / "truth", {f"{index:08d}": predicted_parts(index) for index in (0, 3)})
        results = evaluate_masks(case.folder, truth)[MASKS]
        assert [results.value("pooled_dice", name) for name in ("shaft", "manipulator")] == [1, 1]

    def test_a_truth_that_is_a_case_knows_no_part_of_what_a_person_added(self, tmp_path: Path) -> None:
        case = make_case(tmp_path, frames=2)
        predict(case)
        case.correct(1, human_mask(1), who="A. Surgeon", tool="test")
        found = write_masks(tmp_path / "found", numbered(predicted_parts(0), (human_mask(1) > 0).astype(np.uint8)))
        results = evaluate_masks(found, case.folder)[MASKS]
        assert results.value("pooled_dice", INSTRUMENT) == 1
        assert {figure.label for figure in results.figures} == {INSTRUMENT}

    def test_skipped_frames_do_not_count(self, tmp_path: Path) -> None:
        case = make_case(tmp_path, frames=3)
        predict(case)
        case.set_status(1, "skipped", who="A. Surgeon")
        assert evaluate_masks(case.folder, case.folder, "binary")[MASKS].frames == {"case": 2}

    def test_types_of_a_case_are_those_of_its_layers(self, tmp_path: Path) -> None:
        kinds = {1: "Prograsp Forceps", 2: "Bipolar Forceps", 3: "Bipolar Forceps"}
        case = typed_case(tmp_path, kinds)
        table = np.array([0, *(TYPES[name].id for name in kinds.values())], np.uint8)
        truth = write_masks(tmp_path / "truth", numbered(*(table[predicted_mask(index)] for index in range(6))))
        results = evaluate_masks(case.folder, truth, "types")[MASKS]
        assert results.value("pooled_dice") == results.value("challenge_iou") == 1

    def test_a_folder_of_cases(self, tmp_path: Path) -> None:
        (tmp_path / "cases").mkdir()
        for name in ("one", "two"):
            case = make_case(tmp_path / name, frames=2)
            predict(case)
            case.close()
            case.folder.rename(tmp_path / "cases" / f"{name}.case")
            write_masks(tmp_path / "truth" / name, numbered(predicted_parts(0), predicted_parts(1)))
        results = evaluate_masks(tmp_path / "cases", tmp_path / "truth")[MASKS]
        assert results.frames == {"one": 2, "two": 2}
        assert results.value("pooled_dice") == 1

    def test_layers_without_a_type_are_named(self, tmp_path: Path) -> None:
        case = typed_case(tmp_path, {1: "Other", 2: None, 3: None})
        truth = write_masks(tmp_path / "truth", numbered(row(0)))
        with pytest.raises(RASNetError, match=r"what these layers .* are: 2 \(Instrument 2\), 3 \(Instrument 3\)"):
            evaluate_masks(case.folder, truth, "types")

    @pytest.mark.parametrize("known", [True, False], ids=["the case knows the types", "the frames vote"])
    def test_before_and_after_the_vote(self, tmp_path: Path, known: bool) -> None:
        """One frame in three of each layer is called Bipolar Forceps; its layer outvotes it."""
        kinds = {1: "Prograsp Forceps", 2: "Vessel Sealer", 3: "Other"}
        case = make_case(tmp_path, frames=9)
        predict(case)
        if known:
            for layer in case.layers():
                case.update_layer(layer.id, type=kinds[layer.id], who="A. Surgeon", tool="test")
        table = np.array([0, *(TYPES[name].id for name in kinds.values())], np.uint8)
        true = [table[predicted_mask(index)] for index in range(9)]
        flicker = [np.where(mask > 0, TYPES["Bipolar Forceps"].id, 0).astype(np.uint8) for mask in true]
        single = [flicker[index] if index >= 6 else true[index] for index in range(9)]
        folders = [write_masks(tmp_path / name, numbered(*masks)) for name, masks in (("t", true), ("s", single))]
        results = evaluate_masks(case.folder, folders[0], "types", frame_wise=folders[1])
        assert results[AFTER].value("challenge_iou") == 1
        assert results[BEFORE].value("challenge_iou") == pytest.approx(6 / 9)
        assert results[BEFORE].value("pooled_dice", INSTRUMENT) == 1


class TestBadInput:
    def test_everything_that_is_missing_is_said_at_once(self, tmp_path: Path) -> None:
        for name, numbers in (("one", (0,)), ("two", (0, 1, 2))):
            write_masks(tmp_path / "truth" / name, {f"{n:03d}": row(1) for n in numbers})
        write_masks(tmp_path / "truth" / "three", {"000": row(1)})
        write_masks(tmp_path / "found" / "one", {"000": row(1)})
        write_masks(tmp_path / "found" / "two", {"001": row(1)})
        with pytest.raises(RASNetError) as caught:
            evaluate_masks(tmp_path / "found", tmp_path / "truth")
        assert str(caught.value) == (
            "sequence 'three' has no predicted masks; 2 of 3 true masks of 'two' have no predicted one (0, 2); "
            "predict them, or take their true masks out of the folder"
        )

    def test_every_mask_that_cannot_be_compared_is_said(self, tmp_path: Path) -> None:
        truth = write_masks(tmp_path / "truth", numbered(row(0, 160), row(0, 1), row(0, 1), row(0, 1)))
        found = write_masks(tmp_path / "found", numbered(row(0, 1), row(0, 1, 1), row(0, 7), row(0, 1)))
        (found / "frame003.png").write_bytes((found / "frame003.png").read_bytes()[:40])
        with pytest.raises(RASNetError) as caught:
            evaluate_masks(found, truth)
        said = str(caught.value)
        assert "frame 0 of 'truth': the true mask holds the value 160" in said
        assert "frame 1 of 'truth': the predicted mask is 3x1 and the true one 2x1" in said
        assert "frame 2 of 'truth': the predicted mask holds the value 7" in said
        assert "frame003.png is not a whole image" in said

    def test_a_long_list_is_cut(self, tmp_path: Path) -> None:
        truth = write_masks(tmp_path / "truth", numbered(*[row(9)] * 20))
        with pytest.raises(RASNetError, match="and 12 more like these"):
            evaluate_masks(truth, truth)

    def test_two_files_of_one_frame(self, tmp_path: Path) -> None:
        folder = write_masks(tmp_path / "truth", {"a1": row(1), "b1": row(1)})
        with pytest.raises(RASNetError, match=r"a1\.png and .*b1\.png are both masks of frame 1"):
            evaluate_masks(folder, folder)

    def test_coloured_masks(self, tmp_path: Path) -> None:
        (tmp_path / "truth").mkdir()
        Image.new("RGB", (4, 4)).save(tmp_path / "truth" / "1.png")
        with pytest.raises(RASNetError, match="holds colours"):
            evaluate_masks(tmp_path / "truth", tmp_path / "truth")

    def test_parts_of_another_schema(self, tmp_path: Path) -> None:
        case = make_case(tmp_path, frames=2)
        predict(case)
        schema = replace(PARTS, name="mine", labels=tuple(replace(x, name=f"my {x.name}") for x in PARTS.labels))
        (tmp_path / "mine.json").write_text(json.dumps(schema.to_json()))
        with pytest.raises(RASNetError, match="are those of 'instrument_parts', not of 'mine'"):
            evaluate_masks(case.folder, case.folder, str(tmp_path / "mine.json"))

    @pytest.mark.parametrize(
        ("predicted", "labels", "frame_wise", "words"),
        [
            ("nowhere", "parts", None, "there is no folder"),
            ("empty", "parts", None, "holds no mask PNG files, no case, and no folder with either"),
            ("truth", "wheels", None, "unknown label schema 'wheels'"),
            ("truth", "parts", "truth", "a vote over layers is about types"),
            ("truth", "types", "truth", "a vote over layers needs layers, which only a case has"),
        ],
    )
    def test_nothing_to_compare(
        self, tmp_path: Path, predicted: str, labels: str, frame_wise: str | None, words: str
    ) -> None:
        (tmp_path / "empty").mkdir()
        truth = write_masks(tmp_path / "truth", numbered(row(1)))
        with pytest.raises(RASNetError, match=words):
            evaluate_masks(tmp_path / predicted, truth, labels, frame_wise=frame_wise and tmp_path / frame_wise)


class TestFiles:
    @pytest.fixture
    def folders(self, tmp_path: Path) -> list[Path]:
        """Predicted and true masks of two sequences of 48x64."""
        for name in ("one", "two"):
            for side, shift in (("found", 2), ("truth", 0)):
                masks = numbered(*(np.roll(predicted_parts(index), shift, axis=1) for index in range(3)))
                write_masks(tmp_path / side / name, masks)
        return [tmp_path / "found", tmp_path / "truth"]

    def test_what_is_written(self, tmp_path: Path, folders: list[Path]) -> None:
        results = evaluate_masks(*folders)
        write_evaluation(results, tmp_path / "out")
        assert sorted(file.name for file in (tmp_path / "out").iterdir()) == [
            "classes.png",
            "confusion.png",
            "figures.csv",
            "figures.json",
        ]
        rows = list(csv.DictReader((tmp_path / "out" / "figures.csv").open()))
        by_key = {(r["sequence"], r["metric"], r["label"]): r for r in rows}
        assert float(by_key["all", "pooled_dice", "shaft"]["value"]) == results[MASKS].value("pooled_dice", "shaft")
        assert {sequence for sequence, _, _ in by_key} == {"all", "one", "two"}
        data = json.loads((tmp_path / "out" / "figures.json").read_text())
        assert np.sum(data["masks"]["confusion"]) == 6 * HEIGHT * WIDTH
        for name in ("classes.png", "confusion.png"):
            picture = np.asarray(Image.open(tmp_path / "out" / name).convert("RGB"))
            assert min(picture.shape[:2]) > 250
            assert len(np.unique(picture.reshape(-1, 3), axis=0)) > 20

    def test_the_command(self, tmp_path: Path, folders: list[Path]) -> None:
        done = CliRunner().invoke(app, ["evaluate", *map(str, folders), "--out", str(tmp_path / "out")])
        assert done.exit_code == 0, done.output
        value = evaluate_masks(*folders)[MASKS].find("pooled_dice", "shaft")
        assert f"{value.value:.3f}" in done.output
        assert f"{value.low:.3f}-{value.high:.3f}" in done.output
        assert max(map(len, done.output.splitlines())) <= 80
        assert "bootstrap over sequences" in done.output
        assert (tmp_path / "out" / "figures.csv").is_file()

    def test_the_command_says_what_is_wrong_and_writes_nothing(self, tmp_path: Path, folders: list[Path]) -> None:
        write_masks(folders[1] / "one", {"frame900": row(0)})
        done = CliRunner().invoke(app, ["evaluate", *map(str, folders), "--out", str(tmp_path / "out")])
        assert done.exit_code == 2
        assert "error: 1 of 4 true masks of 'one' have no predicted one (900)" in done.output
        assert not (tmp_path / "out").exists()

    def test_pictures_of_nothing_are_refused(self, tmp_path: Path) -> None:
        metrics = SegmentationMetrics(PARTS)
        metrics.add("a", row(0), row(ANY_INSTRUMENT))
        with pytest.raises(RASNetError, match="no comparison has 'mc_iou' for any class"):
            write_class_bars({"a": metrics.results()}, tmp_path / "bars.png", "mc_iou")
        with pytest.raises(RASNetError, match="needs pixels with a known class"):
            write_reliability({}, tmp_path / "curve.png")
        write_confusion(metrics.results(), tmp_path / "confusion.png")  # an empty matrix is drawn as such
        assert (tmp_path / "confusion.png").is_file()
