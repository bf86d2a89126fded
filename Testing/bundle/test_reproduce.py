"""The paper's experiments in one command: every table, the figure, one page; what is done is not done again."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from endovis_folders import write_raw
from PIL import Image
from tiny_network import TINY
from typer.testing import CliRunner

from rasnet.cli import app
from rasnet.cli.experiments import parse_setting
from rasnet.datasets.endovis2017 import TYPES
from rasnet.datasets.endovis2017_layouts import EndoVis2017
from rasnet.errors import RASNetError
from rasnet.metrics import SegmentationMetrics
from rasnet.progress import SilentProgress
from rasnet.reproduction import Plan, Reproduction, paper, plan, reproduce
from rasnet.reproduction.evaluation import results_from_json
from rasnet.reproduction.figure3 import choose_frames
from rasnet.reproduction.plan import EXPERIMENTS, FOLDS
from rasnet.reproduction.runs import load_test_frames
from rasnet.reproduction.synthetic_data import INSTRUMENTS, write_synthetic

NO_WEIGHTS = {"resnet50": None, "vgg11": None}
SMALL = {"epochs": 1, "size": [64, 96], "batch_size": 4}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight sequences of four frames: 16 train, 8 validate, 8 test."""
    return write_raw(tmp_path_factory.mktemp("data"), frames=4)


@pytest.fixture(scope="module")
def tiny_networks() -> Iterator[None]:
    """The experiments with networks that train in a second."""
    tiny = tuple(replace(experiment, settings={"network_def": TINY}) for experiment in EXPERIMENTS)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(plan, "EXPERIMENTS", tiny)
        yield


@pytest.fixture(scope="module")
def small(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Plan:
    folder = tmp_path_factory.mktemp("reproduction")
    settings = SMALL | {"cache_dir": str(folder / "cache"), "learning_rate": 0.02, "epochs": 5}
    return Plan(data, folder / "out", NO_WEIGHTS, settings=settings, on_folds=("rasnet",))


@pytest.fixture(scope="module")
def found(small: Plan, tiny_networks: None) -> Reproduction:
    return reproduce(small)


class TestTheReport:
    def test_every_table_has_the_papers_numbers_beside_what_was_measured(self, found: Reproduction) -> None:
        one, two, three, four, folds = found.tables
        assert one.rows[2] == ("Large Needle Driver", "18", "6", "1013", "184")
        assert [row[-2:] for row in two.rows] == [("78.11", "70.72"), ("94.65", "90.33")]
        assert {row[0]: row[-2:] for row in three.rows} == {
            "RASNet without AFM": ("89.31", "82.75"),
            "RASNet": ("94.65", "90.33"),
            "U-Net": ("70.04", "56.76"),
            "TernausNet": ("88.04", "80.34"),
        }
        assert [row[0] for row in four.rows] == [*(label.name for label in TYPES.instruments), "Mean"]
        assert [row[0] for row in folds.rows][:2] == ["RASNet, random initialisation", "TernausNet (published)"]

    def test_what_was_measured_is_what_is_shown(self, found: Reproduction) -> None:
        value = found.results["unet"].value("pooled_dice")
        assert 0.05 < value < 1
        row = next(row for row in found.tables[2].rows if row[0] == "U-Net")
        assert float(row[1]) == pytest.approx(100 * value, abs=0.006)

    def test_without_imagenet_weights_it_says_so(self, found: Reproduction) -> None:
        assert found.tables[1].rows[1][1] == "not run"
        assert "--resnet50" in found.tables[1].notes
        assert "rasnet" not in found.results

    def test_figures_follow_from_the_predictions_that_are_kept(self, small: Plan, found: Reproduction) -> None:
        metrics = SegmentationMetrics(TYPES)
        with np.load(small.folder(small.main, "paper") / "predictions.npz") as kept:
            for group in load_test_frames(small, "paper").groups:
                assert kept[group.source.name].shape == (1, 64, 96)
                for predicted, truth in zip(kept[group.source.name], group.masks.numpy(), strict=True):
                    metrics.add(group.source.name, predicted, truth)
        assert metrics.results().value("pooled_dice") == found.results[small.main.name].value("pooled_dice")

    def test_every_sequence_is_tested_on_the_folds(self, found: Reproduction) -> None:
        frames = found.folds["rasnet_random"].frames
        assert frames == {f"sequence {number}": 4 for number in range(1, 9)}

    def test_one_page_holds_it_all(self, small: Plan, found: Reproduction) -> None:
        html = found.page.read_text()
        for words in ("Table I:", "Table II:", "Table III:", "Table IV:", "Four folds", "Figure 3", "Confusion matrix"):
            assert words in html
        assert html.count("data:image/png;base64,") == 3
        assert "neighbouring frames on both sides" in html
        assert not re.findall(r"(?:src|href)='(?!data:)", html)  # nothing beside it is needed

    def test_every_number_is_in_the_table_for_programs(self, found: Reproduction) -> None:
        rows = list(csv.DictReader(found.csv.open()))
        mean = [r for r in rows if r["masks"] == "unet on paper" and r["sequence"] == "all" and r["label"] == "mean"]
        values = {row["metric"]: float(row["value"]) for row in mean}
        assert values["pooled_iou"] == pytest.approx(found.results["unet"].value("pooled_iou"))
        assert {row["masks"] for row in rows} == {
            *(f"{name} on paper" for name in ("rasnet_random", "rasnet_no_afm", "ternausnet", "unet")),
            "rasnet_random on folds",
        }

    def test_the_pictures_are_there(self, small: Plan, found: Reproduction) -> None:
        with Image.open(small.out / "figure3.png") as figure:
            assert figure.size == (5 * 326 + 6, 34 + 4 * (213 + 6) + 40)
        for name in ("class_bars.png", "confusion.png"):
            assert (small.out / name).stat().st_size > 5000

    def test_each_run_has_its_log(self, small: Plan, found: Reproduction) -> None:
        log = (small.folder(small.main, "paper") / "train.log").read_text()
        assert re.search(r"Epoch\[5\] [\d.]+ images/s, waiting for data", log)


class TestGoingOn:
    def test_what_is_done_is_not_done_again(
        self, small: Plan, found: Reproduction, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def fail(*_: Any) -> None:
            raise AssertionError("trained again")

        monkeypatch.setattr("rasnet.reproduction.runs.make_training", fail)
        again = reproduce(small)
        assert again.tables == found.tables

    def test_other_settings_need_another_folder(self, small: Plan, found: Reproduction) -> None:
        with pytest.raises(
            RASNetError, match=r"holds a run with epochs 5, not 9; give the same settings, or another --out"
        ):
            reproduce(replace(small, settings={**small.settings, "epochs": 9}))

    def test_a_run_that_was_stopped_goes_on(
        self, small: Plan, tiny_networks: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        settings = {**small.settings, "save_every_s": 0.0}
        stopped = replace(small, out=tmp_path, settings=settings, on_folds=())
        needed = {"rasnet_random", "ternausnet", "unet"}  # by the figure
        monkeypatch.setattr(plan, "EXPERIMENTS", tuple(e for e in plan.EXPERIMENTS if e.name in needed))

        class Impatient(SilentProgress):
            seen = 0

            def advance(self, frame: int | None = None, count: int = 1) -> None:
                self.seen += count
                if self.seen > 3 * 16 + 3:  # in the fourth epoch of the first run
                    raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            reproduce(stopped, Impatient())
        folder = stopped.folder(stopped.main, "paper")
        assert (folder / "last.pt").is_file()
        assert not (folder / "predictions.npz").exists()
        reproduce(stopped)
        log = (folder / "train.log").read_text()
        assert [int(number) for number in re.findall(r"Epoch\[(\d+)\] [\d.]+ images/s", log)] == list(range(1, 6))


class TestPlan:
    def test_it_has_every_network_of_the_papers_tables(self) -> None:
        names = {experiment.name for experiment in EXPERIMENTS}
        assert names == paper.TABLE_II.keys() | paper.TABLE_III.keys()

    @pytest.mark.parametrize("score", [*paper.TABLE_II.values(), *paper.TABLE_III.values(), *paper.TABLE_IV.values()])
    def test_the_papers_numbers_are_those_of_pooled_counts(self, score: paper.Score) -> None:
        if score in paper.TABLE_IV.values() and score != paper.TABLE_IV["mean"]:
            assert score.iou == pytest.approx(100 * score.dice / (200 - score.dice), abs=0.03)
        assert score.iou < score.dice

    def test_the_papers_mean_is_that_of_the_seven_types(self) -> None:
        types = [score for name, score in paper.TABLE_IV.items() if name != "mean"]
        assert np.mean([score.dice for score in types]) == pytest.approx(94.65, abs=0.006)
        assert np.mean([score.iou for score in types]) == pytest.approx(90.33, abs=0.006)

    def test_encoders_start_from_their_weights(self) -> None:
        made = Plan(Path("data"), Path("out"), {"resnet50": "a.pth", "vgg11": "b.pth"})
        starts = {e.name: made.run_settings(e, "paper")["pretrained"] for e in made.experiments}
        assert starts == {
            "rasnet": "a.pth",
            "rasnet_random": None,
            "rasnet_no_afm": "a.pth",
            "ternausnet": "b.pth",
            "unet": None,
        }
        assert made.splits(made.main) == ("paper", *FOLDS)

    def test_a_missing_weights_file_is_said_before_anything_is_trained(self, small: Plan, tmp_path: Path) -> None:
        wrong = replace(small, weights={"resnet50": str(tmp_path / "none.pth"), "vgg11": None}, out=tmp_path / "out")
        with pytest.raises(RASNetError, match=r"there is no weights file .*none\.pth"):
            reproduce(wrong)
        assert not (tmp_path / "out").exists()


class TestFigure3:
    def test_frames_show_many_types_of_many_sequences(self) -> None:
        truth = {name: np.zeros((3, 4, 4), np.uint8) for name in "abc"}
        truth["a"][1, 0, :2] = 1, 2
        truth["a"][2, 0, 0] = 3
        truth["b"][0, 0, 0] = 1
        truth["c"][2, 0, :2] = 4, 1
        assert choose_frames(truth, 3) == [("c", 2), ("a", 1), ("b", 0)]
        assert len(choose_frames(truth, 99)) == 9


class TestQuick:
    def test_synthetic_sequences_have_the_instruments_of_the_real_ones(self, tmp_path: Path) -> None:
        write_synthetic(tmp_path / "data", SilentProgress(), frames=1, size=(64, 80))
        data = EndoVis2017.find(tmp_path / "data")
        assert not data.problems
        found = [sorted(folder.type_id for folder in sequence.masks) for sequence in data.sequences]
        assert found == [sorted(TYPES[name].id for name in names) for names in INSTRUMENTS]
        written = sorted(tmp_path.rglob("*.png"))
        write_synthetic(tmp_path / "data", SilentProgress())
        assert sorted(tmp_path.rglob("*.png")) == written  # once is enough

    def test_the_command_rehearses_it_all_and_says_so(self, tmp_path: Path, tiny_networks: None) -> None:
        write_raw(tmp_path / "out" / "synthetic", frames=4)  # they are there already
        settings = {**SMALL, "cache_dir": str(tmp_path / "cache")}
        options = [f"--set={name}={json.dumps(value)}" for name, value in settings.items()]
        given = ["reproduce", "--quick", "--out", str(tmp_path / "out"), "--progress", "none"]
        done = CliRunner().invoke(app, [*given, *options], env={"COLUMNS": "140"})
        assert done.exit_code == 0, done.output
        assert re.search(r"^U-Net +[\d.]+ .* 70\.04 +56\.76$", done.output, re.M)
        assert "the report is" in done.output
        page = (tmp_path / "out" / "report.html").read_text()
        assert "short training on synthetic pictures" in page
        assert "Four folds" in page


class TestCommand:
    @pytest.mark.parametrize("arguments", [[], ["data", "--quick"]])
    def test_data_is_real_or_synthetic(self, arguments: list[str]) -> None:
        done = CliRunner().invoke(app, ["reproduce", *arguments, "--out", "out"])
        assert done.exit_code == 2
        assert "give DATA, the folder of EndoVis 2017, or --quick" in done.output

    def test_train_is_one_command(self, data: Path, tmp_path: Path) -> None:
        settings = {**SMALL, "cache_dir": str(tmp_path / "cache"), "network_def": TINY}
        options = [f"--set={name}={json.dumps(value)}" for name, value in settings.items()]
        done = CliRunner().invoke(app, ["train", "--data", str(data), "--out", str(tmp_path / "run"), *options])
        assert done.exit_code == 0, done.output
        assert (tmp_path / "run" / "best.pt").is_file()

    @pytest.mark.parametrize(
        ("text", "value"),
        [("a=20", 20), ("a=[1, 2]", [1, 2]), ("a=fold0", "fold0"), ("a=None", None), ("a=null", None)],
    )
    def test_settings_are_values_or_words(self, text: str, value: Any) -> None:
        assert parse_setting(text) == ("a", value)

    def test_a_setting_has_a_name(self) -> None:
        with pytest.raises(RASNetError, match="--set 'epochs' is not understood; give NAME=VALUE"):
            parse_setting("epochs")


def test_results_come_back_from_their_file(found: Reproduction) -> None:
    results = found.results["unet"]
    again = results_from_json(json.loads(json.dumps(results.to_json())))
    assert again.figures == results.figures
    assert np.array_equal(again.confusion, results.confusion)
