"""The parts of the training recipe that MONAI and PyTorch do not bring."""

from rasnet.training.averaging import WeightAverage
from rasnet.training.batches import ValidationBatches, prepare_batch
from rasnet.training.distillation import Distillation
from rasnet.training.optimization import GradientClipping, parameter_groups
from rasnet.training.packing import PackedWeights
from rasnet.training.pooled_dice import PooledDice
from rasnet.training.teacher import EfficientNetLite2

__all__ = [
    "Distillation",
    "EfficientNetLite2",
    "GradientClipping",
    "PackedWeights",
    "PooledDice",
    "ValidationBatches",
    "WeightAverage",
    "parameter_groups",
    "prepare_batch",
]
