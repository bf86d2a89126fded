"""What is counted in a frame: numbers that add up over frames, from which every figure follows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from rasnet.labels import IGNORE
from rasnet.metrics.boundary import compare_boundaries
from rasnet.metrics.confusion import confusion_matrix

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Tallies:
    """Additive counts, of one frame or of many. Leading axes, written ``...``, are whatever the array brings.

    Attributes:
        values: float64 (..., `width` (classes)).
        classes: how many, background included.
    """

    values: FloatArray
    classes: int

    @staticmethod
    def width(classes: int) -> int:
        """How many numbers are kept."""
        return 3 + classes**2 + 2 + 2 + 2 * (classes - 1) + 3 * classes + 1

    @classmethod
    def zero(cls, classes: int) -> Tallies:
        """Those of no frame."""
        return cls(np.zeros(cls.width(classes)), classes)

    @property
    def binary(self) -> FloatArray:
        """Pixels of instrument, whatever class: in both masks, in the predicted one, in the true one; (..., 3)."""
        return self._part(0, 3)

    @property
    def matrix(self) -> FloatArray:
        """Pixels by true class (rows) and predicted class, (..., C, C)."""
        matrix = self._part(3, self.classes**2)
        return matrix.reshape(*matrix.shape[:-1], self.classes, self.classes)

    @property
    def challenge(self) -> FloatArray:
        """Sum of the frames' mean IoU over classes that are in the truth, and their number; (..., 2)."""
        return self._part(3 + self.classes**2, 2)

    @property
    def isi(self) -> FloatArray:
        """The same over classes that are in truth or prediction; (..., 2)."""
        return self._part(5 + self.classes**2, 2)

    @property
    def class_iou(self) -> FloatArray:
        """Of each instrument class: sum of IoU over frames with it in either mask, and their number; (..., 2, K)."""
        part = self._part(7 + self.classes**2, 2 * (self.classes - 1))
        return part.reshape(*part.shape[:-1], 2, self.classes - 1)

    @property
    def boundary(self) -> FloatArray:
        """Sums of NSD and of HD95 and number of frames, for instrument as a whole and each class; (..., 3, C)."""
        part = self._part(7 + self.classes**2 + 2 * (self.classes - 1), 3 * self.classes)
        return part.reshape(*part.shape[:-1], 3, self.classes)

    @property
    def partial(self) -> FloatArray:
        """How many frames have pixels of which only "some instrument" is known; (..., 1)."""
        return self._part(self.values.shape[-1] - 1, 1)

    def without_classes(self) -> Tallies:
        """What they say of instrument against background alone."""
        kept = Tallies(np.zeros_like(self.values), self.classes)
        kept.binary[...] = self.binary
        kept.boundary[..., 0] = self.boundary[..., 0]
        kept.partial[...] = self.partial
        return kept

    def _part(self, start: int, length: int) -> FloatArray:
        return self.values[..., start : start + length]


def measure_frame(
    predicted: npt.NDArray[np.uint8],
    truth: npt.NDArray[np.uint8],
    classes: int,
    tolerance: float,
    spacing: tuple[float, float] = (1.0, 1.0),
) -> Tallies:
    """Count what one pair of masks adds.

    Pixels of `IGNORE` count nowhere, and are background to the outlines of both masks.

    Args:
        predicted: class ids, uint8 (H, W).
        truth: class ids, `ANY_INSTRUMENT` or `IGNORE`, uint8 (H, W).
        classes: how many, background included.
        tolerance: of the normalised surface Dice, as a share of the diagonal.
        spacing: height and width of a pixel.

    Raises:
        RASNetError: the masks differ in size, or hold a value that means nothing.
    """
    tallies = Tallies.zero(classes)
    counts = confusion_matrix(predicted, truth, classes)
    tallies.binary[:] = counts[1:, 1:].sum(), counts[:, 1:].sum(), counts[1:].sum()
    known = truth != IGNORE
    _add_boundary(tallies, 0, (predicted > 0) & known, (truth > 0) & known, tolerance, spacing)
    if counts[classes].any():
        tallies.partial[:] = 1
        return tallies
    tallies.matrix[:] = counts[:classes]
    _add_ious(tallies)
    if classes == 2:
        tallies.boundary[:, 1] = tallies.boundary[:, 0]
        return tallies
    for label in range(1, classes):
        if counts[label].any() or counts[:, label].any():
            _add_boundary(tallies, label, (predicted == label) & known, truth == label, tolerance, spacing)
    return tallies


def _add_ious(tallies: Tallies) -> None:
    matrix = tallies.matrix
    overlap, true, predicted = np.diag(matrix)[1:], matrix.sum(axis=1)[1:], matrix.sum(axis=0)[1:]
    union = true + predicted - overlap
    iou = np.divide(overlap, union, out=np.zeros_like(overlap), where=union > 0)
    for sums, counted in ((tallies.challenge, true > 0), (tallies.isi, union > 0)):
        if counted.any():
            sums[:] = iou[counted].mean(), 1
    tallies.class_iou[:] = iou, union > 0


def _add_boundary(
    tallies: Tallies,
    place: int,
    predicted: npt.NDArray[np.bool_],
    truth: npt.NDArray[np.bool_],
    tolerance: float,
    spacing: tuple[float, float],
) -> None:
    scores = compare_boundaries(predicted, truth, tolerance, spacing)
    if scores is not None:
        tallies.boundary[:, place] = scores.nsd, scores.hd95, 1
