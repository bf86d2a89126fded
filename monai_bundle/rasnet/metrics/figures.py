"""From tallies to figures: Dice, IoU and the rest, for each class and their mean."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from rasnet.metrics.tallies import Tallies

FloatArray = npt.NDArray[np.float64]

INSTRUMENT = "instrument"
"""What figures of instrument against background are labelled with."""

MEAN = "mean"
"""What the mean over the instrument classes is labelled with."""

METRICS = {
    "pooled_dice": "Dice of pixel counts pooled over all frames",
    "pooled_iou": "IoU of pixel counts pooled over all frames",
    "paper_foreground_only_dice": "Dice pooled without pixels that either mask calls background",
    "paper_foreground_only_iou": "IoU pooled without pixels that either mask calls background",
    "challenge_iou": "per frame, mean IoU over classes in the truth; mean over frames",
    "isi_iou": "per frame, mean IoU over classes in truth or prediction; mean over frames",
    "mc_iou": "per class, mean IoU of the frames with it in truth or prediction; mean over classes",
    "nsd": "normalised surface Dice, mean over frames",
    "hd95": "95 % Hausdorff distance in pixels, mean over frames",
}
"""Every metric and what it is. `hd95` is the better the smaller; all others go from 0 (worst) to 1.

- ``pooled_*`` are the paper's tables as they ought to be: a class's IoU = Dice / (2 - Dice) there. The authors' later
  code drops the row and column of the background from the confusion matrix, which costs an error between instrument
  and background nothing; ``paper_foreground_only_*`` do the same, to compare with the paper's numbers alone.
- ``challenge_iou`` (EndoVis 2017), ``isi_iou`` and ``mc_iou`` (ISINet and later work): a frame, or of ``mc_iou`` a
  class in a frame, that is empty in both masks is left out; a class missed, or found where it is not, scores 0 -
  but for ``challenge_iou``, which does not look at classes that the truth lacks.
- ``nsd`` and ``hd95`` leave out a frame that is empty in both masks; where one is empty they score 0 and the picture's
  diagonal.
"""


def compute_figures(tallies: Tallies, labels: list[str]) -> dict[tuple[str, str], FloatArray]:
    """Compute every figure.

    Args:
        tallies: with leading axes ``...``.
        labels: names of the instrument classes, by id from 1.

    Returns:
        By metric and label, an array (...): nan where there is nothing to measure. Labels are the classes' names,
        `MEAN` for the mean over the classes that have a figure, and `INSTRUMENT` for all of them taken as one, which
        stands alone where there is one class only.
    """
    figures: dict[tuple[str, str], FloatArray] = {}
    overlap, predicted, true = np.moveaxis(tallies.binary, -1, 0)
    figures["pooled_dice", INSTRUMENT] = _ratio(2 * overlap, predicted + true)
    figures["pooled_iou", INSTRUMENT] = _ratio(overlap, predicted + true - overlap)
    nsd, hd95, frames = np.moveaxis(tallies.boundary, -2, 0)
    figures["nsd", INSTRUMENT] = _ratio(nsd[..., 0], frames[..., 0])
    figures["hd95", INSTRUMENT] = _ratio(hd95[..., 0], frames[..., 0])
    figures["challenge_iou", MEAN] = _ratio(tallies.challenge[..., 0], tallies.challenge[..., 1])
    figures["isi_iou", MEAN] = _ratio(tallies.isi[..., 0], tallies.isi[..., 1])
    class_iou = _ratio(tallies.class_iou[..., 0, :], tallies.class_iou[..., 1, :])
    if tallies.classes == 2:
        figures["mc_iou", MEAN] = class_iou[..., 0]
        return figures
    by_class = {
        "pooled_dice": _dice(tallies.matrix),
        "pooled_iou": _iou(tallies.matrix),
        "paper_foreground_only_dice": _dice(_foreground_only(tallies.matrix)),
        "paper_foreground_only_iou": _iou(_foreground_only(tallies.matrix)),
        "mc_iou": class_iou,
        "nsd": _ratio(nsd, frames)[..., 1:],
        "hd95": _ratio(hd95, frames)[..., 1:],
    }
    for metric, values in by_class.items():
        for place, label in enumerate(labels):
            figures[metric, label] = values[..., place]
        measured = ~np.isnan(values)
        figures[metric, MEAN] = _ratio(np.where(measured, values, 0).sum(axis=-1), measured.sum(axis=-1, dtype=float))
    return {key: figures[key] for key in sorted(figures, key=lambda key: list(METRICS).index(key[0]))}


def _dice(matrix: FloatArray) -> FloatArray:
    """Dice of every instrument class, (..., K)."""
    overlap, sizes = _overlap_and_sizes(matrix)
    return _ratio(2 * overlap, sizes)


def _iou(matrix: FloatArray) -> FloatArray:
    overlap, sizes = _overlap_and_sizes(matrix)
    return _ratio(overlap, sizes - overlap)


def _overlap_and_sizes(matrix: FloatArray) -> tuple[FloatArray, FloatArray]:
    overlap = np.diagonal(matrix, axis1=-2, axis2=-1)
    return overlap[..., 1:], (matrix.sum(axis=-1) + matrix.sum(axis=-2))[..., 1:]


def _foreground_only(matrix: FloatArray) -> FloatArray:
    matrix = matrix.copy()
    matrix[..., 0, :] = 0
    matrix[..., :, 0] = 0
    return matrix


def _ratio(numerator: FloatArray, denominator: FloatArray) -> FloatArray:
    """Divide; nan where the denominator is 0."""
    missing = np.full(np.broadcast_shapes(numerator.shape, denominator.shape), np.nan)
    ratio: FloatArray = np.divide(numerator, denominator, out=missing, where=denominator > 0)
    return ratio
