"""Which class was taken for which: pixel counts of one pair of masks."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from rasnet.errors import RASNetError
from rasnet.labels import ANY_INSTRUMENT, IGNORE


def confusion_matrix(
    predicted: npt.NDArray[np.uint8], truth: npt.NDArray[np.uint8], classes: int
) -> npt.NDArray[np.int64]:
    """Count pixels by true and by predicted class.

    Args:
        predicted: class ids, uint8 (H, W), 0 to ``classes - 1``.
        truth: uint8 (H, W): class ids, `ANY_INSTRUMENT` or `IGNORE`. Where there are two classes, background and
            instrument, `ANY_INSTRUMENT` is the second.
        classes: how many, background included.

    Returns:
        int64 (classes + 1, classes): rows are true classes, columns predicted ones. The last row holds the pixels of
        `ANY_INSTRUMENT`; pixels of `IGNORE` are left out.

    Raises:
        RASNetError: the masks differ in size, or hold a value that means nothing.

    Examples:
        >>> confusion_matrix(np.uint8([[0, 1, 1]]), np.uint8([[0, 0, 1]]), 2)[:2].tolist()
        [[1, 1], [0, 1]]
    """
    if predicted.shape != truth.shape:
        raise RASNetError(
            f"the predicted mask is {_size(predicted)} and the true one {_size(truth)}; compare masks of one frame "
            "at one size"
        )
    rows, columns = classes + 3, classes + 1  # unknown instrument, ignored, meaningless
    row_of = _table(classes, last=classes + 2)
    row_of[ANY_INSTRUMENT] = 1 if classes == 2 else classes
    row_of[IGNORE] = classes + 1
    pairs = row_of[truth] * np.uint16(columns) + _table(classes, last=classes)[predicted]
    counts = np.bincount(pairs.ravel(), minlength=rows * columns).reshape(rows, columns)
    if counts[-1].any() or counts[:, -1].any():
        raise _meaningless(predicted, truth, classes)
    return counts[: classes + 1, :classes]


def _table(classes: int, last: int) -> npt.NDArray[np.uint16]:
    table = np.full(256, last, np.uint16)
    table[:classes] = range(classes)
    return table


def _meaningless(predicted: npt.NDArray[np.uint8], truth: npt.NDArray[np.uint8], classes: int) -> RASNetError:
    strange = [value for value in np.unique(truth).tolist() if classes <= value < ANY_INSTRUMENT]
    which = "true" if strange else "predicted"
    strange = strange or [value for value in np.unique(predicted).tolist() if value >= classes]
    values = ", ".join(map(str, strange))
    return RASNetError(
        f"the {which} mask holds the value {values}, and class ids go from 0 to {classes - 1}; "
        "convert the masks, or name the labels that they hold"
    )


def _size(mask: npt.NDArray[np.uint8]) -> str:
    return "x".join(map(str, mask.shape[::-1]))
