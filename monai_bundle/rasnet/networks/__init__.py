"""Networks that segment instruments."""

from rasnet.networks.baselines import TernausNet, UNet
from rasnet.networks.checkpoints import Checkpoint, Description, describe, read_checkpoint
from rasnet.networks.packing import pack, unpack
from rasnet.networks.rasnet import AttentionFusion, DecoderBlock, RASNet

__all__ = [
    "AttentionFusion",
    "Checkpoint",
    "DecoderBlock",
    "Description",
    "RASNet",
    "TernausNet",
    "UNet",
    "describe",
    "pack",
    "read_checkpoint",
    "unpack",
]
