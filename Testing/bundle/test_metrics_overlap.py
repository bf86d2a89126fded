"""Dice, IoU and confusion against counts made by hand, and against MONAI and scikit-learn."""

from __future__ import annotations

import csv
import json
import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from monai.metrics import ConfusionMatrixMetric, MeanIoU

from rasnet.errors import RASNetError
from rasnet.labels import ANY_INSTRUMENT, IGNORE, Label, LabelSchema
from rasnet.metrics import (
    ALL,
    INSTRUMENT,
    MEAN,
    SegmentationMetrics,
    confusion_matrix,
    write_csv,
    write_json,
)

PARTS = LabelSchema.load("instrument_parts")  # background, shaft, manipulator
TYPES = LabelSchema.load("endovis2017_types")
BINARY = LabelSchema("binary", "parts", (Label(0, "background", (0, 0, 0)), Label(1, "forceps", (1, 1, 1))))


def mask(*values: int) -> np.ndarray:
    """One row of pixels, (1, N)."""
    return np.array([values], np.uint8)


def measure(*frames: tuple[np.ndarray, np.ndarray], schema: LabelSchema = PARTS, **wishes) -> SegmentationMetrics:
    """Figures of frames, (predicted, truth), of one sequence."""
    metrics = SegmentationMetrics(schema, **wishes)
    for predicted, truth in frames:
        metrics.add("a", predicted, truth)
    return metrics


def random_frames(seed: int, count: int = 6, classes: int = 8) -> list[tuple[np.ndarray, np.ndarray]]:
    """Frames, 12x15, in which some classes are absent from truth, prediction or both."""
    random = np.random.default_rng(seed)
    frames = []
    for _ in range(count):
        there = np.append(0, random.choice(np.arange(1, classes), random.integers(0, 4), replace=False))
        found = np.append(0, random.choice(np.arange(1, classes), random.integers(0, 4), replace=False))
        frames.append(tuple(random.choice(ids, (12, 15)).astype(np.uint8) for ids in (found, there)))
    return frames


def one_hot(masks: list[np.ndarray], classes: int = 8) -> torch.Tensor:
    """Masks (N, H, W) as channels, (N, C, H, W)."""
    return torch.nn.functional.one_hot(torch.from_numpy(np.stack(masks)).long(), classes).movedim(-1, 1)


class TestConfusionMatrix:
    def test_rows_are_true_and_columns_predicted_classes(self) -> None:
        counts = confusion_matrix(mask(0, 1, 2, 2, 1), mask(0, 0, 2, 1, 1), 3)
        assert counts[:3].tolist() == [[1, 1, 0], [0, 1, 1], [0, 0, 1]]
        assert counts[3].tolist() == [0, 0, 0]

    def test_partial_labels(self) -> None:
        counts = confusion_matrix(mask(0, 1, 2, 2), mask(ANY_INSTRUMENT, ANY_INSTRUMENT, IGNORE, 2), 3)
        assert counts.tolist() == [[0, 0, 0], [0, 0, 0], [0, 0, 1], [1, 1, 0]]

    def test_some_instrument_is_the_only_one_there_is(self) -> None:
        assert confusion_matrix(mask(0, 1), mask(ANY_INSTRUMENT, ANY_INSTRUMENT), 2).tolist() == [
            [0, 0],
            [1, 1],
            [0, 0],
        ]

    @given(seed=st.integers(0, 1000), classes=st.integers(2, 9))
    @settings(max_examples=20, deadline=None)
    def test_it_is_scikit_learns(self, seed: int, classes: int) -> None:
        sklearn = pytest.importorskip("sklearn.metrics")
        predicted, truth = np.random.default_rng(seed).integers(0, classes, (2, 9, 11)).astype(np.uint8)
        expected = sklearn.confusion_matrix(truth.ravel(), predicted.ravel(), labels=range(classes))
        assert np.array_equal(confusion_matrix(predicted, truth, classes)[:classes], expected)

    @pytest.mark.parametrize(
        ("predicted", "truth", "words"),
        [
            (mask(0, 1), mask(0, 160), "the true mask holds the value 160, and class ids go from 0 to 2"),
            (mask(0, 70), mask(0, 1), "the predicted mask holds the value 70"),
            (mask(0, 255), mask(0, 1), "the predicted mask holds the value 255"),
            (mask(0, 1, 2), mask(0, 1), "the predicted mask is 3x1 and the true one 2x1"),
        ],
    )
    def test_masks_that_make_no_sense(self, predicted: np.ndarray, truth: np.ndarray, words: str) -> None:
        with pytest.raises(RASNetError, match=words):
            confusion_matrix(predicted, truth, 3)


class TestPooled:
    def test_counts_are_pooled_over_frames(self) -> None:
        results = measure(
            (mask(1, 1, 0, 0), mask(1, 2, 0, 0)),
            (mask(0, 0, 0, 1), mask(1, 1, 1, 1)),
        ).results()
        assert results.value("pooled_dice", "shaft") == pytest.approx(2 * 2 / (3 + 5))
        assert results.value("pooled_iou", "shaft") == pytest.approx(2 / 6)
        assert results.value("pooled_dice", "manipulator") == 0
        assert results.value("pooled_dice", MEAN) == pytest.approx(0.25)
        assert results.value("pooled_dice", INSTRUMENT) == pytest.approx(2 * 3 / (3 + 6))
        assert results.confusion.tolist() == [[2, 0, 0], [3, 2, 0], [0, 1, 0]]

    def test_without_the_background_errors_against_it_cost_nothing(self) -> None:
        results = measure((mask(1, 1, 0, 0, 2, 2), mask(1, 0, 1, 0, 2, 1))).results()
        assert results.value("pooled_dice", "shaft") == pytest.approx(2 * 1 / (2 + 3))
        assert results.value("paper_foreground_only_dice", "shaft") == pytest.approx(2 * 1 / (1 + 2))
        assert results.value("paper_foreground_only_iou", "shaft") == pytest.approx(1 / 2)

    @pytest.mark.parametrize("seed", range(5))
    def test_they_are_monais(self, seed: int) -> None:
        frames = random_frames(seed)
        predicted, truth = (one_hot([pair[side] for pair in frames]) for side in (0, 1))
        results = measure(*frames, schema=TYPES).results()
        for metric, name in (("pooled_dice", "f1 score"), ("pooled_iou", "threat score")):
            judge = ConfusionMatrixMetric(
                include_background=False, metric_name=name, compute_sample=False, reduction="sum_batch"
            )
            judge(predicted, truth)
            expected = judge.aggregate()[0].numpy()
            values = np.array([results.value(metric, label.name) for label in TYPES.instruments])
            assert np.allclose(values, expected, atol=1e-6, equal_nan=True)

    @pytest.mark.parametrize("seed", range(3))
    def test_they_are_scikit_learns(self, seed: int) -> None:
        sklearn = pytest.importorskip("sklearn.metrics")
        frames = random_frames(seed, classes=8)
        predicted, truth = (np.concatenate([pair[side].ravel() for pair in frames]) for side in (0, 1))
        present = sorted((set(predicted.tolist()) | set(truth.tolist())) - {0})
        names = [TYPES[label].name for label in present]
        results = measure(*frames, schema=TYPES).results()
        values = {m: [results.value(m, name) for name in names] for m in ("pooled_dice", "pooled_iou")}
        assert values["pooled_dice"] == pytest.approx(sklearn.f1_score(truth, predicted, labels=present, average=None))
        assert values["pooled_iou"] == pytest.approx(
            sklearn.jaccard_score(truth, predicted, labels=present, average=None)
        )
        assert results.value("pooled_dice") == pytest.approx(np.mean(values["pooled_dice"]))

    @given(seed=st.integers(0, 1000))
    @settings(max_examples=10, deadline=None)
    def test_iou_is_dice_by_two_less_dice(self, seed: int) -> None:
        results = measure(*random_frames(seed), schema=TYPES, replicates=1).results()
        for label in (*(label.name for label in TYPES.instruments), INSTRUMENT):
            dice, iou = results.value("pooled_dice", label), results.value("pooled_iou", label)
            assert iou == pytest.approx(dice / (2 - dice), nan_ok=True)


# name: frames (predicted, truth), Challenge IoU, ISI IoU, mc IoU; nan: there is nothing to score
EDGES = {
    "one class right by half": ([(mask(1, 0), mask(1, 1))], 1 / 2, 1 / 2, 1 / 2),
    "a class found that is not there": ([(mask(1, 2), mask(1, 0))], 1, 1 / 2, 1 / 2),
    "a class missed": ([(mask(1, 0), mask(1, 2))], 1 / 2, 1 / 2, 1 / 2),
    "nothing found": ([(mask(0, 0), mask(1, 2))], 0, 0, 0),
    "found in an empty frame": ([(mask(1, 0), mask(0, 0))], math.nan, 0, 0),
    "nothing to find, nothing found": ([(mask(0, 0), mask(0, 0))], math.nan, math.nan, math.nan),
    "an empty frame beside a right one": ([(mask(0, 0), mask(0, 0)), (mask(1, 1), mask(1, 1))], 1, 1, 1),
    "an empty frame with something found, beside a right one": (
        [(mask(1, 0), mask(0, 0)), (mask(1, 1), mask(1, 1))],
        1,
        1 / 2,
        1 / 2,
    ),
    # class 1: frames 1 and 1/3, class 2: 0 (second frame) -> mc = (2/3 + 0) / 2
    "means over frames and classes": (
        [(mask(1, 1, 0, 0), mask(1, 1, 0, 0)), (mask(1, 2, 0, 0), mask(1, 1, 1, 0))],
        (1 + 1 / 3) / 2,
        (1 + (1 / 3 + 0) / 2) / 2,
        ((1 + 1 / 3) / 2 + 0) / 2,
    ),
}


class TestPerFrame:
    @pytest.mark.parametrize(("frames", "challenge", "isi", "mc"), EDGES.values(), ids=EDGES.keys())
    def test_edge(self, frames: list, challenge: float, isi: float, mc: float) -> None:
        results = measure(*frames).results()
        values = [results.value(metric) for metric in ("challenge_iou", "isi_iou", "mc_iou")]
        assert values == pytest.approx([challenge, isi, mc], nan_ok=True)

    @pytest.mark.parametrize("seed", range(5))
    def test_challenge_iou_is_monais(self, seed: int) -> None:
        frames = random_frames(seed)
        judge = MeanIoU(include_background=False, ignore_empty=True, reduction="none")
        iou = judge(*(one_hot([pair[side] for pair in frames]) for side in (0, 1))).numpy()
        by_frame = [np.nanmean(row) for row in iou if not np.isnan(row).all()]
        value = measure(*frames, schema=TYPES).results().value("challenge_iou")
        assert value == pytest.approx(np.mean(by_frame), abs=1e-6)


class TestPartialLabels:
    def test_a_sequence_that_knows_no_classes_counts_for_the_instrument_alone(self) -> None:
        metrics = SegmentationMetrics(PARTS)
        metrics.add("binary", mask(1, 2, 0, 2), mask(ANY_INSTRUMENT, ANY_INSTRUMENT, 0, 0))
        metrics.add("binary", mask(2, 0, 0, 0), mask(0, 0, 0, 0))  # says nothing of classes either
        metrics.add("full", mask(1, 1, 0, 0), mask(1, 0, 0, 0))
        results = metrics.results()
        assert {figure.label for figure in results.figures if figure.sequence == "binary"} == {INSTRUMENT}
        assert results.value("pooled_dice", INSTRUMENT, "binary") == pytest.approx(2 * 2 / (4 + 2))
        assert results.value("pooled_dice", INSTRUMENT) == pytest.approx(2 * 3 / (6 + 3))
        assert results.value("pooled_dice", "shaft") == results.value("pooled_dice", "shaft", "full")
        assert results.confusion.tolist() == [[2, 1, 0], [0, 1, 0], [0, 0, 0]]

    def test_the_interval_of_a_class_is_of_the_sequences_that_know_it(self) -> None:
        metrics = SegmentationMetrics(PARTS)
        for predicted in (mask(1, 1, 0, 0), mask(1, 0, 0, 0), mask(1, 1, 1, 1)):
            metrics.add("binary", predicted, mask(ANY_INSTRUMENT, ANY_INSTRUMENT, 0, 0))
            metrics.add("full", predicted, mask(1, 1, 0, 0))
        results = metrics.results()
        assert (results.find("pooled_dice", INSTRUMENT).over, results.find("pooled_dice", INSTRUMENT).frames) == (
            "sequences",
            6,
        )
        shaft, alone = results.find("pooled_dice", "shaft"), results.find("pooled_dice", "shaft", "full")
        assert (shaft.over, shaft.frames) == ("frames", 3)
        assert shaft.low == alone.low < shaft.value < shaft.high == alone.high

    def test_ignored_pixels_count_nowhere(self) -> None:
        results = measure((mask(1, 1, 2), mask(1, IGNORE, IGNORE))).results()
        for metric in ("pooled_dice", "challenge_iou", "isi_iou", "mc_iou", "nsd"):
            assert results.value(metric) == 1
        assert math.isnan(results.value("pooled_dice", "manipulator"))

    def test_one_class_alone_is_the_instrument(self) -> None:
        results = measure((mask(1, 1, 0), mask(ANY_INSTRUMENT, 0, 0)), schema=BINARY).results()
        assert results.value("pooled_dice", INSTRUMENT) == pytest.approx(2 / 3)
        assert results.value("mc_iou") == results.value("challenge_iou") == 1 / 2
        assert not [figure for figure in results.figures if figure.label == "forceps"]
        assert not [figure for figure in results.figures if figure.metric.startswith("paper")]


class TestIntervals:
    def test_a_set_is_drawn_by_sequences_and_a_sequence_by_frames(self) -> None:
        metrics = SegmentationMetrics(PARTS)
        for name, right in (("a", 4), ("b", 2), ("c", 0)):
            for _ in range(2):
                metrics.add(name, mask(*[1] * right, *[0] * (4 - right)), mask(1, 1, 1, 1))
        results = metrics.results()
        assert (results.find("pooled_dice", "shaft").over, results.find("pooled_dice", "shaft").frames) == (
            "sequences",
            6,
        )
        assert (results.find("pooled_dice", "shaft").low, results.find("pooled_dice", "shaft").high) == (0, 1)
        alone = results.find("pooled_dice", "shaft", "b")
        assert (alone.over, alone.frames) == ("frames", 2)
        assert alone.low == alone.value == alone.high == pytest.approx(2 * 4 / (4 + 8))  # equal frames

    def test_the_only_sequence_is_drawn_by_frames(self) -> None:
        results = measure((mask(1), mask(1)), (mask(0), mask(1))).results()
        assert results.find("pooled_dice", "shaft", ALL).over == "frames"

    def test_one_frame_has_no_interval(self) -> None:
        figure = measure((mask(1), mask(1))).results().find("pooled_dice", "shaft")
        assert (figure.value, figure.low, figure.high, figure.over) == (1, None, None, None)

    def test_frames_are_drawn_as_often_as_a_bootstrap_draws_them(self) -> None:
        """The share of right pixels in n frames: an interval of value -+ 1.96 sqrt(p (1 - p) / n)."""
        random, count = np.random.default_rng(0), 400
        right = random.random(count) < 0.7
        results = measure(*((mask(int(hit), 1), mask(1, 1)) for hit in right), replicates=2000).results()
        figure = results.find("mc_iou", "shaft")  # 1 or 1/2 a frame
        spread = 1.96 * 0.5 * math.sqrt(right.mean() * (1 - right.mean()) / count)
        assert figure.high - figure.low == pytest.approx(2 * spread, rel=0.1)
        assert (figure.high + figure.low) / 2 == pytest.approx(figure.value, abs=spread / 5)

    def test_sequences_are_drawn_whole(self) -> None:
        """SciPy's bootstrap of the sequences' counts gives the same interval."""
        from scipy.stats import bootstrap

        sizes = np.array([[8, 10], [5, 10], [9, 10], [2, 10], [7, 10], [6, 10]])  # overlap and size of both masks
        metrics = SegmentationMetrics(PARTS, replicates=4000)
        for index, (overlap, size) in enumerate(sizes):
            metrics.add(f"s{index}", mask(*[1] * overlap, *[0] * (size - overlap)), mask(*[1] * size))

        def dice(drawn: np.ndarray, axis: int) -> np.ndarray:
            found, true = sizes[drawn, 0].sum(axis=axis), sizes[drawn, 1].sum(axis=axis)
            return 2 * found / (found + true)

        judge = bootstrap((np.arange(6),), dice, n_resamples=4000, method="percentile", rng=0).confidence_interval
        figure = metrics.results().find("pooled_dice", "shaft")
        assert (figure.low, figure.high) == pytest.approx((judge.low, judge.high), abs=0.03)

    def test_the_order_of_sequences_and_chance_change_nothing(self) -> None:
        frames = random_frames(3)
        there, back = SegmentationMetrics(TYPES), SegmentationMetrics(TYPES)
        for name in "ab":
            for predicted, truth in frames:
                there.add(name, predicted, truth)
        for name in "ba":
            for predicted, truth in frames:
                back.add(name, predicted, truth)
        assert there.results().find("isi_iou", MEAN, "a") == back.results().find("isi_iou", MEAN, "a")

    def test_memory_does_not_grow_with_frames(self) -> None:
        import tracemalloc

        metrics = SegmentationMetrics(TYPES)
        predicted, truth = random_frames(0)[0]
        metrics.add("a", predicted, truth)
        tracemalloc.start()
        for _ in range(300):
            metrics.add("a", predicted, truth)
        grown, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert grown < 10_000  # bytes; a record of each frame would be more


class TestFiles:
    def test_a_table_and_an_object_hold_every_figure(self, tmp_path: Path) -> None:
        results = measure((mask(1, 1, 0, 0), mask(1, 2, 0, 0)), (mask(0), mask(0))).results()
        write_csv(tmp_path / "figures.csv", {"masks": results})
        write_json(tmp_path / "figures.json", results.to_json())
        rows = list(csv.DictReader((tmp_path / "figures.csv").open()))
        assert len(rows) == len(results.figures)
        assert list(rows[0]) == ["masks", "sequence", "metric", "label", "value", "low", "high", "over", "frames"]
        data = json.loads((tmp_path / "figures.json").read_text())
        assert [float(row["value"]) for row in rows] == [figure["value"] for figure in data["figures"]]
        assert data["confusion"] == [[3, 0, 0], [0, 1, 0], [0, 1, 0]]
        assert "paper" in str(data["metrics"])
        assert data["labels"] == ["background", "shaft", "manipulator"]

    def test_no_frames(self) -> None:
        with pytest.raises(RASNetError, match="there is no frame to evaluate"):
            SegmentationMetrics(PARTS).results()

    def test_a_sequence_called_like_the_whole(self) -> None:
        with pytest.raises(RASNetError, match="a sequence cannot be called 'all'"):
            SegmentationMetrics(PARTS).add("all", mask(0), mask(0))

    def test_a_frame_that_is_refused_is_not_counted(self) -> None:
        metrics = measure((mask(1), mask(1)))
        with pytest.raises(RASNetError):
            metrics.add("a", mask(9), mask(1))
        assert metrics.results().frames == {"a": 1}


@pytest.mark.parametrize("module", ["rasnet.metrics", "rasnet.evaluation, rasnet.report.metric_plots"])
def test_neither_torch_nor_monai(module: str) -> None:
    program = f"import sys, {module}; print({{'torch', 'monai', 'ignite', 'matplotlib'}} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
