"""Networks that segment instruments."""

from rasnet.networks.baselines import TernausNet, UNet
from rasnet.networks.packing import pack, unpack
from rasnet.networks.rasnet import AttentionFusion, DecoderBlock, RASNet

__all__ = ["AttentionFusion", "DecoderBlock", "RASNet", "TernausNet", "UNet", "pack", "unpack"]
