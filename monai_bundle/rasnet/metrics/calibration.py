"""Whether a model knows how sure it may be: reliability of its probabilities, temperature, ranking of frames."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax, logsumexp
from scipy.special import softmax as _softmax
from scipy.stats import spearmanr

from rasnet.errors import RASNetError
from rasnet.labels import ANY_INSTRUMENT, IGNORE

FloatArray = npt.NDArray[np.float64]

BINS = 20
"""Of the reliability curve."""

WORST, FIRST = 0.1, 0.2
"""The share of the frames that is worst, and the share of the ranking in which they are looked for."""

_TEMPERATURES = (0.05, 20.0)


@dataclass(frozen=True)
class ReliabilityCurve:
    """How often the predicted class is right, by how sure the model was of it. Bins without a pixel are left out.

    Attributes:
        confidence: mean probability of the predicted class, (N,), ascending.
        accuracy: share of the pixels whose predicted class is the true one, (N,).
        count: pixels, int64 (N,).
    """

    confidence: FloatArray
    accuracy: FloatArray
    count: npt.NDArray[np.int64]

    @property
    def ece(self) -> float:
        """Expected calibration error, 0 to 1: mean over pixels of what confidence and accuracy of their bin differ by.

        Guo et al., "On Calibration of Modern Neural Networks", ICML 2017; nan without pixels.
        """
        if not self.count.sum():
            return float("nan")
        return float(np.average(np.abs(self.confidence - self.accuracy), weights=self.count))


class Reliability:
    """Histograms of the pixels' confidence: any number of frames in the memory of a few numbers.

    Args:
        bins: of equal width from 0 to 1.
    """

    def __init__(self, bins: int = BINS) -> None:
        self._pixels = np.zeros(bins, np.int64)
        self._correct = np.zeros(bins, np.int64)
        self._confidence = np.zeros(bins)

    def add(self, probabilities: npt.NDArray[np.floating], truth: npt.NDArray[np.uint8]) -> None:
        """Add the pixels of a frame.

        Pixels of `IGNORE` are left out. If any pixel is `ANY_INSTRUMENT`, the frame is taken as instrument against
        background: all the truth says.

        Args:
            probabilities: (C, ...), background first, sums of 1.
            truth: class ids, `ANY_INSTRUMENT` or `IGNORE`, uint8 (...).
        """
        if (truth == ANY_INSTRUMENT).any():
            probabilities = np.stack([probabilities[0], 1 - probabilities[0]])
            truth = np.where(truth == IGNORE, truth, truth > 0)
        known = truth != IGNORE
        confidence = probabilities.max(axis=0)[known]
        correct = (probabilities.argmax(axis=0) == truth)[known]
        bins = len(self._pixels)
        place = np.minimum((confidence * bins).astype(np.intp), bins - 1)
        self._pixels += np.bincount(place, minlength=bins)
        self._correct += np.bincount(place[correct], minlength=bins)
        self._confidence += np.bincount(place, weights=confidence, minlength=bins)

    def curve(self) -> ReliabilityCurve:
        """Compute the curve of what was added so far."""
        held = self._pixels > 0
        pixels = self._pixels[held]
        return ReliabilityCurve(self._confidence[held] / pixels, self._correct[held] / pixels, pixels)


class PixelSample:
    """An even random sample of all pixels that pass by, of a fixed size, to fit a temperature on.

    Args:
        size: most pixels that are kept.
        seed: the same pixels are kept for the same seed.
    """

    def __init__(self, size: int = 100_000, seed: int = 0) -> None:
        self._size = size
        self._random = np.random.default_rng(seed)
        self._keys: FloatArray = np.empty(0)
        self._logits: npt.NDArray[np.float32] | None = None
        self._truth = np.empty(0, np.uint8)

    def add(self, logits: npt.NDArray[np.floating], truth: npt.NDArray[np.uint8]) -> None:
        """Let the pixels of a frame pass by.

        Args:
            logits: class scores (C, ...).
            truth: class ids, `ANY_INSTRUMENT` or `IGNORE`, which is left out; uint8 (...).
        """
        place = np.flatnonzero(truth.ravel() != IGNORE)
        # Every pixel draws a key, and those with the smallest stay (reservoir sampling).
        keys = self._random.random(len(place))
        if len(self._keys) == self._size:
            chance = keys < self._keys.max(initial=0.0)
            place, keys = place[chance], keys[chance]
        new = logits.reshape(len(logits), -1)[:, place].T.astype(np.float32)
        old = new[:0] if self._logits is None else self._logits
        keys = np.concatenate([self._keys, keys])
        kept = np.argpartition(keys, self._size)[: self._size] if len(keys) > self._size else slice(None)
        self._keys = keys[kept]
        self._logits = np.concatenate([old, new])[kept]
        self._truth = np.concatenate([self._truth, truth.ravel()[place]])[kept]

    @property
    def logits(self) -> npt.NDArray[np.float32]:
        """Class scores of the sample, (N, C).

        Raises:
            RASNetError: no pixel was added.
        """
        if self._logits is None or not len(self._logits):
            raise RASNetError("there is no pixel with a known class to fit a temperature on; add labelled frames")
        return self._logits

    @property
    def truth(self) -> npt.NDArray[np.uint8]:
        """What the sample's pixels are, (N,)."""
        return self._truth


def softmax(logits: npt.NDArray[np.floating], temperature: float = 1.0) -> FloatArray:
    """Turn class scores (C, ...) into probabilities at a temperature."""
    return np.asarray(_softmax(np.asarray(logits, np.float64) / temperature, axis=0))


def fit_temperature(logits: npt.NDArray[np.floating], truth: npt.NDArray[np.uint8]) -> float:
    """Find the temperature T for which softmax(logits / T) has the least negative log-likelihood.

    The likelihood of `ANY_INSTRUMENT` is the sum of those of the instrument classes. Guo et al., ICML 2017.

    Args:
        logits: class scores of some pixels, (N, C), background first.
        truth: their class ids or `ANY_INSTRUMENT`, (N,).

    Returns:
        The temperature, 0.05 to 20: above 1 if the model is too sure, below if it is not sure enough.

    Raises:
        RASNetError: logits and truth are not of as many pixels, or there are none.
    """
    if not len(truth) or logits.shape[:1] != truth.shape:
        raise RASNetError(f"a temperature needs logits (N, C) and truth (N,), not {logits.shape} and {truth.shape}")
    scores = np.asarray(logits, np.float64)
    some = truth == ANY_INSTRUMENT
    index = np.where(some, 0, truth).astype(np.intp)[:, None]

    def loss(log_temperature: float) -> float:
        log_p = log_softmax(scores / np.exp(log_temperature), axis=1)
        exact = np.take_along_axis(log_p, index, axis=1)[~some].sum()
        partial = logsumexp(log_p[some, 1:], axis=1).sum() if some.any() else 0.0
        return -float(exact + partial) / len(truth)

    low, high = np.log(_TEMPERATURES)
    return float(np.exp(minimize_scalar(loss, bounds=(low, high), method="bounded", options={"xatol": 1e-5}).x))


class FrameRanking(NamedTuple):
    """How well an uncertainty puts bad frames first.

    Attributes:
        spearman: rank correlation of uncertainty with 1 - Dice; nan where one of them is the same in all frames.
        found: share of the worst 10 % of the frames that lie in the first 20 % of the ranking; by chance 0.2.
        frames: how many.
    """

    spearman: float
    found: float
    frames: int


def rank_frames(uncertainty: npt.ArrayLike, dice: npt.ArrayLike) -> FrameRanking:
    """Compare a ranking of frames by uncertainty with their true Dice.

    Args:
        uncertainty: of each frame, larger is worse, (N,).
        dice: of each frame, (N,). Equal values keep the frames' order.

    Raises:
        RASNetError: there is no frame, or not one Dice a frame.
    """
    uncertain, missed = np.asarray(uncertainty, np.float64), 1 - np.asarray(dice, np.float64)
    count = len(uncertain)
    if not count or uncertain.shape != missed.shape:
        raise RASNetError(f"a ranking needs one Dice a frame, not {len(missed)} for {count}")
    worst = np.argsort(-missed, kind="stable")[: max(1, round(WORST * count))]
    first = np.argsort(-uncertain, kind="stable")[: max(1, round(FIRST * count))]
    varies = np.ptp(uncertain) > 0 and np.ptp(missed) > 0
    spearman = float(spearmanr(uncertain, missed).statistic) if varies else float("nan")
    return FrameRanking(spearman, float(np.isin(worst, first).mean()), count)
