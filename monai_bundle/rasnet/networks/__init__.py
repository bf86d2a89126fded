"""Networks that segment instruments."""

from rasnet.networks.packing import pack, unpack
from rasnet.networks.rasnet import AttentionFusion, DecoderBlock, RASNet

__all__ = ["AttentionFusion", "DecoderBlock", "RASNet", "pack", "unpack"]
