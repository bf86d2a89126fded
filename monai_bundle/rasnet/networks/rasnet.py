"""RASNet: a U-shape network whose decoder weighs the encoder's features by attention.

Z.-L. Ni, G.-B. Bian, X.-L. Xie, Z.-G. Hou, X.-H. Zhou, Y.-J. Zhou: "RASNet: Segmentation for Tracking Surgical
Instruments in Surgical Videos Using Refined Attention Segmentation Network", EMBC 2019, arXiv:1905.08663.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from monai.networks.nets.resnet import ResNetFeatures
from torch import Tensor, nn

from rasnet.networks.packing import unpack_on_load
from rasnet.networks.pretrained import load_resnet50

Attention = Literal["softmax", "sigmoid", "none"]

# Channels of the encoder's last four levels, at 1/4, 1/8, 1/16 and 1/32 of the input's size.
ENCODER_WIDTHS = (256, 512, 1024, 2048)
HEAD_WIDTH = 32


class AttentionFusion(nn.Module):
    """Attention Fusion Module (section II-B): low-level features, weighted by high-level ones, added to them.

    The high-level features are averaged over the image; a 1x1 convolution turns the average into one weight a
    channel, for the low-level features.

    Args:
        channels: channels of both inputs and of the output.
        attention: ``"softmax"`` over channels as in the paper; ``"sigmoid"`` weighs every channel by itself;
            ``"none"`` adds the features as they are.
    """

    def __init__(self, channels: int, attention: Attention = "softmax") -> None:
        super().__init__()
        self.weigh: nn.Module | None = None
        if attention != "none":
            activation = nn.Softmax(dim=1) if attention == "softmax" else nn.Sigmoid()
            self.weigh = nn.Sequential(
                nn.AdaptiveAvgPool2d(1),
                nn.Conv2d(channels, channels, 1, bias=False),
                nn.BatchNorm2d(channels),
                activation,
            )

    def forward(self, high: Tensor, low: Tensor) -> Tensor:
        """Fuse low-level features (B, channels, H, W) with high-level ones of that size or one row or column more."""
        high = _crop(high, low)
        if self.weigh is None:
            return high + low
        return high + self.weigh(high) * low


class DecoderBlock(nn.Sequential):
    """Decoder block (section II-C): reduce the channels, double the size by deconvolution, adjust the channels.

    Maps (B, in_channels, H, W) to (B, out_channels, 2H, 2W).
    """

    def __init__(self, in_channels: int, out_channels: int) -> None:
        bottleneck = in_channels // 4
        super().__init__(
            nn.Conv2d(in_channels, bottleneck, 1, bias=False),
            nn.BatchNorm2d(bottleneck),
            nn.ReLU(inplace=True),
            nn.ConvTranspose2d(bottleneck, bottleneck, 4, stride=2, padding=1, bias=False),
            nn.BatchNorm2d(bottleneck),
            nn.ReLU(inplace=True),
            nn.Conv2d(bottleneck, out_channels, 1, bias=False),
            nn.BatchNorm2d(out_channels),
            nn.ReLU(inplace=True),
        )


class Head(nn.Sequential):
    """From the last decoder block to class scores: a deconvolution, a 3x3 convolution and a 1x1 classifier.

    Maps (B, in_channels, H, W) to (B, num_classes, 2H, 2W).
    """

    def __init__(self, in_channels: int, num_classes: int, dropout: float) -> None:
        super().__init__(
            nn.ConvTranspose2d(in_channels, HEAD_WIDTH, 4, stride=2, padding=1, bias=False),
            nn.BatchNorm2d(HEAD_WIDTH),
            nn.ReLU(inplace=True),
            nn.Conv2d(HEAD_WIDTH, HEAD_WIDTH, 3, padding=1, bias=False),
            nn.BatchNorm2d(HEAD_WIDTH),
            nn.ReLU(inplace=True),
            nn.Dropout2d(dropout),
            nn.Conv2d(HEAD_WIDTH, num_classes, 1),
        )


class RASNet(nn.Module):
    """RASNet with a ResNet-50 encoder (MONAI's, identical to torchvision's).

    A packed checkpoint (see `rasnet.networks.packing`) loads like any other.

    Args:
        num_classes: output channels, background included.
        attention: how the Attention Fusion Modules weigh channels; ``"softmax"`` is the paper's.
        dropout: probability of dropping a feature channel before the classifier, 0 to 1.
        pretrained: the encoder's initial weights: None for random ones, ``"imagenet"`` to download torchvision's
            ResNet-50, or the path of such a file.

    Attributes:
        arguments: what a network for these weights is made with, by name.

    Raises:
        RASNetError: the pretrained weights cannot be had or do not fit a ResNet-50.

    Examples:
        >>> net = RASNet(num_classes=3).eval()
        >>> net(torch.zeros(1, 3, 101, 75)).shape
        torch.Size([1, 3, 101, 75])
    """

    def __init__(
        self,
        num_classes: int,
        attention: Attention = "softmax",
        dropout: float = 0.0,
        pretrained: str | Path | None = None,
    ) -> None:
        super().__init__()
        if attention not in ("softmax", "sigmoid", "none"):
            raise ValueError(f"attention must be 'softmax', 'sigmoid' or 'none', not {attention!r}")
        self.arguments = {"num_classes": num_classes, "attention": attention}
        c1, c2, c3, c4 = ENCODER_WIDTHS
        self.encoder = ResNetFeatures("resnet50", pretrained=False, spatial_dims=2, in_channels=3)
        self.decode4, self.fuse3 = DecoderBlock(c4, c3), AttentionFusion(c3, attention)
        self.decode3, self.fuse2 = DecoderBlock(c3, c2), AttentionFusion(c2, attention)
        self.decode2, self.fuse1 = DecoderBlock(c2, c1), AttentionFusion(c1, attention)
        self.decode1 = DecoderBlock(c1, c1)
        self.head = Head(c1, num_classes, dropout)
        if pretrained is not None:
            self.encoder.load_state_dict(load_resnet50(pretrained, self.encoder.state_dict()))
        unpack_on_load(self)

    def forward(self, images: Tensor) -> Tensor:
        """Score every pixel.

        Args:
            images: float (B, 3, H, W), H and W at least 32, red, green, blue, normalised by ImageNet's statistics.

        Returns:
            Class scores (logits) of the input's dtype and size, (B, num_classes, H, W).
        """
        _, e1, e2, e3, e4 = self.encoder(images)
        d3 = self.fuse3(self.decode4(e4), e3)
        d2 = self.fuse2(self.decode3(d3), e2)
        d1 = self.fuse1(self.decode2(d2), e1)
        return _crop(self.head(self.decode1(d1)), images)


def _crop(features: Tensor, like: Tensor) -> Tensor:
    """Cut the row or column that doubling an odd size added."""
    return features[..., : like.shape[-2], : like.shape[-1]]
