"""Published figures: the paper's Tables II to IV, and later work on the four folds. All in per cent."""

from __future__ import annotations

from typing import NamedTuple


class Score(NamedTuple):
    """Mean over the seven types, or one type's.

    Attributes:
        dice: per cent.
        iou: per cent.
    """

    dice: float
    iou: float


TABLE_II = {"rasnet_random": Score(78.11, 70.72), "rasnet": Score(94.65, 90.33)}
"""Initialisation, by the name of the experiment."""

TABLE_III = {
    "rasnet_no_afm": Score(89.31, 82.75),
    "rasnet": Score(94.65, 90.33),
    "unet": Score(70.04, 56.76),
    "ternausnet": Score(88.04, 80.34),
}
"""Networks, by the name of the experiment."""

TABLE_IV = {
    "Bipolar Forceps": Score(97.75, 95.61),
    "Prograsp Forceps": Score(84.59, 73.31),
    "Large Needle Driver": Score(98.31, 96.68),
    "Vessel Sealer": Score(98.01, 96.08),
    "Grasping Retractor": Score(88.05, 78.65),
    "Monopolar Curved Scissors": Score(99.01, 98.04),
    "Other": Score(96.87, 93.95),
    "mean": Score(94.65, 90.33),
}
"""RASNet by type."""


class FoldScore(NamedTuple):
    """Figures on the four folds, per cent; None where the publication has none."""

    challenge_iou: float
    isi_iou: float | None
    mc_iou: float | None


FOLDS = {
    "TernausNet": FoldScore(35.3, 12.7, 10.2),
    "ISINet": FoldScore(55.6, 52.2, 29.0),
    "TraSeTR": FoldScore(60.4, None, None),
    "S3Net": FoldScore(72.5, 72.0, 46.6),
    "MATIS": FoldScore(71.4, 66.3, 41.1),
}
"""Later work, each as its authors (of TernausNet, ISINet's) report it."""
