"""Reliability, temperature and ranking against cases whose answer is known."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from monai.metrics import CalibrationErrorMetric

from rasnet.errors import RASNetError
from rasnet.labels import ANY_INSTRUMENT, IGNORE
from rasnet.metrics import (
    PixelSample,
    Reliability,
    fit_temperature,
    rank_frames,
    softmax,
)


def drawn(seed: int, pixels: int, scale: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """Logits (C, N) of which the truth (N,) is drawn, and then made `scale` times as sure as they ought to be."""
    random = np.random.default_rng(seed)
    logits = random.normal(0, 2, (3, pixels))
    below = softmax(logits).cumsum(axis=0) < random.random(pixels)
    return scale * logits, below.sum(axis=0).astype(np.uint8)


class TestReliability:
    def test_by_hand(self) -> None:
        reliability = Reliability(bins=10)
        instrument = np.array([0.95, 0.95, 0.35, 0.65])  # confidence 0.95, 0.95, 0.65, 0.65
        reliability.add(np.stack([1 - instrument, instrument]), np.uint8([1, 0, 0, 1]))
        curve = reliability.curve()
        assert curve.confidence.tolist() == pytest.approx([0.65, 0.95])
        assert curve.accuracy.tolist() == [1.0, 0.5]
        assert curve.count.tolist() == [2, 2]
        assert curve.ece == pytest.approx((0.35 + 0.45) / 2)

    def test_frames_add_up(self) -> None:
        logits, truth = drawn(0, 600)
        whole, parts = Reliability(), Reliability()
        whole.add(softmax(logits), truth)
        for part in np.split(np.arange(600), 3):
            parts.add(softmax(logits[:, part]), truth[part])
        assert parts.curve().ece == pytest.approx(whole.curve().ece)

    def test_a_model_that_knows_itself_has_no_error_and_one_twice_as_sure_has(self) -> None:
        error = {}
        for scale in (1.0, 2.0):
            reliability = Reliability()
            logits, truth = drawn(1, 200_000, scale)
            reliability.add(softmax(logits), truth)
            error[scale] = reliability.curve().ece
        assert error[1.0] < 0.005
        assert error[2.0] > 0.05

    def test_the_binary_curve_is_monais_and_scikit_learns(self) -> None:
        """Of two classes, MONAI and scikit-learn bin the instrument's probability; ours folds it at one half."""
        calibration = pytest.importorskip("sklearn.calibration")
        logits, truth = drawn(2, 20_000, 1.7)
        sure = np.abs(logits[1])  # the instrument is always the predicted class
        p, truth = 1 / (1 + np.exp(-sure)), (truth == 1).astype(np.uint8)
        reliability = Reliability(bins=20)
        reliability.add(np.stack([1 - p, p]), truth)
        accuracy, confidence = calibration.calibration_curve(truth, p, n_bins=20)
        curve = reliability.curve()
        assert np.allclose(curve.accuracy, accuracy)
        assert np.allclose(curve.confidence, confidence)

        judge = CalibrationErrorMetric(num_bins=20, include_background=True)
        judge(torch.from_numpy(p)[None, None, None], torch.from_numpy(truth)[None, None, None])
        assert curve.ece == pytest.approx(judge.aggregate().item(), abs=1e-4)

    def test_partial_labels(self) -> None:
        reliability = Reliability(bins=10)
        p = np.array([[0.1, 0.4, 0.9, 0.2], [0.45, 0.3, 0.05, 0.4], [0.45, 0.3, 0.05, 0.4]])
        reliability.add(p, np.uint8([ANY_INSTRUMENT, ANY_INSTRUMENT, 0, IGNORE]))
        curve = reliability.curve()  # instrument 0.9 and right, 0.6 and right; background 0.9 and right
        assert curve.confidence.tolist() == pytest.approx([0.6, 0.9])
        assert (curve.accuracy == 1).all()
        assert curve.count.tolist() == [1, 2]

    def test_nothing_added(self) -> None:
        assert math.isnan(Reliability().curve().ece)


class TestTemperature:
    @pytest.mark.parametrize("scale", [0.4, 1.0, 2.5])
    def test_it_finds_how_much_too_sure_the_model_is(self, scale: float) -> None:
        logits, truth = drawn(3, 60_000, scale)
        assert fit_temperature(logits.T, truth) == pytest.approx(scale, rel=0.03)

    def test_it_mends_the_calibration(self) -> None:
        logits, truth = drawn(4, 60_000, 2.5)
        temperature = fit_temperature(logits.T, truth)
        errors = []
        for t in (1.0, temperature):
            reliability = Reliability()
            reliability.add(softmax(logits, t), truth)
            errors.append(reliability.curve().ece)
        assert errors[1] < 0.1 * errors[0]

    def test_it_is_the_least_negative_log_likelihood(self) -> None:
        logits, truth = drawn(5, 5000, 1.6)

        def nll(temperature: float) -> float:
            scores = torch.from_numpy(logits.T / temperature)
            return torch.nn.functional.cross_entropy(scores, torch.from_numpy(truth).long()).item()

        best = fit_temperature(logits.T, truth)
        assert nll(best) <= min(nll(best * 1.01), nll(best * 0.99))

    def test_some_instrument_counts_by_the_sum_of_the_classes(self) -> None:
        logits, truth = drawn(6, 60_000, 2.0)
        partial = np.where(truth > 0, np.uint8(ANY_INSTRUMENT), truth)
        assert fit_temperature(logits.T, partial) == pytest.approx(2.0, rel=0.05)

    def test_logits_and_truth_of_other_numbers(self) -> None:
        with pytest.raises(RASNetError, match=r"needs logits \(N, C\) and truth \(N,\)"):
            fit_temperature(np.zeros((3, 5)), np.zeros(5, np.uint8))


class TestPixelSample:
    def test_a_small_set_is_kept_whole(self) -> None:
        sample = PixelSample(size=100)
        sample.add(np.arange(12.0).reshape(3, 2, 2), np.uint8([[0, 1], [IGNORE, 2]]))
        assert sample.truth.tolist() == [0, 1, 2]
        assert sample.logits.tolist() == [[0, 4, 8], [1, 5, 9], [3, 7, 11]]

    def test_every_pixel_has_the_same_chance(self) -> None:
        """Ten frames of other sizes: their pixels are in the sample by the frames' shares."""
        sample, sizes = PixelSample(size=2000, seed=1), np.arange(1, 11) * 400
        for number, pixels in enumerate(sizes):
            sample.add(np.zeros((2, pixels)), np.full(pixels, number, np.uint8))
        shares = np.bincount(sample.truth, minlength=10) / 2000
        assert len(sample.logits) == 2000
        assert np.allclose(shares, sizes / sizes.sum(), atol=0.03)

    def test_empty(self) -> None:
        with pytest.raises(RASNetError, match="there is no pixel with a known class"):
            _ = PixelSample().logits


class TestRanking:
    def test_a_perfect_ranking(self) -> None:
        dice = np.linspace(0, 1, 50)
        assert rank_frames(1 - dice, dice) == (pytest.approx(1), 1, 50)

    def test_a_ranking_upside_down(self) -> None:
        dice = np.linspace(0, 1, 50)
        assert rank_frames(dice, dice) == (pytest.approx(-1), 0, 50)

    def test_by_hand(self) -> None:
        """Of 20 frames the worst 2 are 0 and 1; the first 4 of the ranking are 19, 18, 1 and 17."""
        dice = np.arange(20) / 20
        uncertainty = np.arange(20) / 100
        uncertainty[1] = 0.175
        assert rank_frames(uncertainty, dice).found == 0.5

    def test_a_figure_that_never_changes_ranks_nothing(self) -> None:
        assert math.isnan(rank_frames(np.zeros(30), np.linspace(0, 1, 30)).spearman)

    @pytest.mark.parametrize(("uncertainty", "dice"), [([], []), ([0.1], [0.2, 0.3])])
    def test_not_one_dice_a_frame(self, uncertainty: list[float], dice: list[float]) -> None:
        with pytest.raises(RASNetError, match="one Dice a frame"):
            rank_frames(uncertainty, dice)
