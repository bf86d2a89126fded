"""The parts of the training recipe that MONAI and PyTorch do not bring."""

from rasnet.training.averaging import WeightAverage
from rasnet.training.batches import ValidationBatches, prepare_batch
from rasnet.training.distillation import Distillation
from rasnet.training.optimization import GradientClipping, parameter_groups
from rasnet.training.packing import PackedWeights
from rasnet.training.pooled_dice import PooledDice
from rasnet.training.pseudo_labels import PseudoLabels
from rasnet.training.start import start_from
from rasnet.training.teacher import EfficientNetLite2

__all__ = [
    "Distillation",
    "EfficientNetLite2",
    "GradientClipping",
    "PackedWeights",
    "PooledDice",
    "PseudoLabels",
    "ValidationBatches",
    "WeightAverage",
    "parameter_groups",
    "prepare_batch",
    "start_from",
]
