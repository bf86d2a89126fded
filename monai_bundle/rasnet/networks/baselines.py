"""The networks that the paper compares RASNet with: U-Net and TernausNet.

A training takes one of them by its ``network_def``::

    --network_def "{'_target_': 'rasnet.networks.UNet', 'num_classes': 8}"
    --network_def::_target_ rasnet.networks.TernausNet

RASNet without its Attention Fusion Modules is ``rasnet.networks.RASNet`` with ``attention: none``.
"""

from __future__ import annotations

from pathlib import Path

import torch
import torch.nn.functional as F
from monai.networks.nets.basic_unet import Down, TwoConv, UpCat
from torch import Tensor, nn

from rasnet.errors import RASNetError
from rasnet.networks.packing import unpack_on_load
from rasnet.networks.pretrained import load_vgg11

UNET_WIDTHS = (64, 128, 256, 512, 1024)

# Of VGG-11's five levels, and the number of its convolutions in each.
VGG11_WIDTHS = (64, 128, 256, 512, 512)
VGG11_DEPTHS = (1, 1, 2, 2, 2)
_TERNAUS_WIDTHS = (32, 64, 128, 256, 256)  # what each level's decoder gives, from the finest

# MONAI's blocks as the publication has them, but with batch normalisation, which 2015 did without.
_BLOCK = {"act": ("relu", {"inplace": True}), "norm": "batch", "bias": False}


class UNet(nn.Module):
    """U-Net with its original widths, made of MONAI's blocks.

    Ronneberger et al., "U-Net: Convolutional Networks for Biomedical Image Segmentation", MICCAI 2015: five levels of
    two 3x3 convolutions, 64 to 1024 channels, 2x2 max-pooling down and 2x2 deconvolution up. Two things differ: the
    convolutions are padded, so that the output has the input's size, and batch-normalised, as nearly all U-Nets since.

    Args:
        num_classes: output channels, background included.
        dropout: probability of dropping a feature channel before the classifier, 0 to 1.
        pretrained: there are no published weights; None.

    Attributes:
        arguments: what a network for these weights is made with, by name.

    Raises:
        RASNetError: pretrained weights are asked for.

    Examples:
        >>> UNet(num_classes=3).eval()(torch.zeros(1, 3, 101, 75)).shape
        torch.Size([1, 3, 101, 75])
    """

    def __init__(self, num_classes: int, dropout: float = 0.0, pretrained: None = None) -> None:
        super().__init__()
        if pretrained is not None:
            raise RASNetError("there are no published weights of U-Net's encoder; set pretrained to null")
        self.arguments = {"num_classes": num_classes}
        w1, w2, w3, w4, w5 = UNET_WIDTHS
        self.down1 = TwoConv(2, 3, w1, **_BLOCK)
        self.down2 = Down(2, w1, w2, **_BLOCK)
        self.down3 = Down(2, w2, w3, **_BLOCK)
        self.down4 = Down(2, w3, w4, **_BLOCK)
        self.down5 = Down(2, w4, w5, **_BLOCK)
        self.up4 = UpCat(2, w5, w4, w4, **_BLOCK)
        self.up3 = UpCat(2, w4, w3, w3, **_BLOCK)
        self.up2 = UpCat(2, w3, w2, w2, **_BLOCK)
        self.up1 = UpCat(2, w2, w1, w1, **_BLOCK)
        self.classify = nn.Sequential(nn.Dropout2d(dropout), nn.Conv2d(w1, num_classes, 1))
        unpack_on_load(self)

    def forward(self, images: Tensor) -> Tensor:
        """Score every pixel: float (B, 3, H, W), H and W at least 32, to logits (B, num_classes, H, W)."""
        e1 = self.down1(images)
        e2 = self.down2(e1)
        e3 = self.down3(e2)
        e4 = self.down4(e3)
        d4 = self.up4(self.down5(e4), e4)
        scores: Tensor = self.classify(self.up1(self.up2(self.up3(d4, e3), e2), e1))
        return scores


class TernausNet(nn.Module):
    """TernausNet-11: a U-shape on VGG-11's convolutions, as its authors entered it in EndoVis 2017.

    Iglovikov and Shvets, "TernausNet", arXiv:1801.05746; Shvets et al., "Automatic Instrument Segmentation in
    Robot-Assisted Surgery using Deep Learning", ICMLA 2018, whose code upsamples by 4x4 deconvolutions. Inputs whose
    sides are no multiples of 32 are extended by repeating their last row and column, and the output is cut.

    Args:
        num_classes: output channels, background included.
        dropout: probability of dropping a feature channel before the classifier, 0 to 1.
        pretrained: the encoder's initial weights: None for random ones, ``"imagenet"`` to download torchvision's
            VGG-11, or the path of such a file.

    Attributes:
        arguments: what a network for these weights is made with, by name.

    Raises:
        RASNetError: the pretrained weights cannot be had or do not fit a VGG-11.

    Examples:
        >>> TernausNet(num_classes=3).eval()(torch.zeros(1, 3, 101, 75)).shape
        torch.Size([1, 3, 101, 75])
    """

    def __init__(self, num_classes: int, dropout: float = 0.0, pretrained: str | Path | None = None) -> None:
        super().__init__()
        self.arguments = {"num_classes": num_classes}
        self.encoder = _Vgg11()
        e1, e2, e3, e4, e5 = VGG11_WIDTHS
        d1, d2, d3, d4, d5 = _TERNAUS_WIDTHS
        self.center = _upsampling(e5, 2 * d5, d5)
        self.decode5 = _upsampling(d5 + e5, 2 * d5, d5)
        self.decode4 = _upsampling(d5 + e4, 2 * d4, d3)
        self.decode3 = _upsampling(d3 + e3, 2 * d3, d2)
        self.decode2 = _upsampling(d2 + e2, 2 * d2, d1)
        self.decode1 = nn.Sequential(*_convolution(d1 + e1, d1))
        self.classify = nn.Sequential(nn.Dropout2d(dropout), nn.Conv2d(d1, num_classes, 1))
        self._initialize()
        if pretrained is not None:
            self.encoder.load_state_dict(load_vgg11(pretrained, self.encoder.state_dict()))
        unpack_on_load(self)

    def forward(self, images: Tensor) -> Tensor:
        """Score every pixel: float (B, 3, H, W), H and W at least 32, to logits (B, num_classes, H, W)."""
        height, width = images.shape[-2:]
        right, below = _to_multiple(width), _to_multiple(height)
        e1, e2, e3, e4, e5 = self.encoder(F.pad(images, [0, right, 0, below], mode="replicate"))
        d5 = self.center(F.max_pool2d(e5, 2))
        d4 = self.decode5(torch.cat([d5, e5], dim=1))
        d3 = self.decode4(torch.cat([d4, e4], dim=1))
        d2 = self.decode3(torch.cat([d3, e3], dim=1))
        d1 = self.decode2(torch.cat([d2, e2], dim=1))
        scores: Tensor = self.classify(self.decode1(torch.cat([d1, e1], dim=1)))
        return scores[..., :height, :width]

    def _initialize(self) -> None:
        """He initialisation, as torchvision trains VGG: without normalisation, PyTorch's own lets signals die out."""
        for module in self.modules():
            if isinstance(module, nn.Conv2d | nn.ConvTranspose2d) and module.bias is not None:
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
                nn.init.zeros_(module.bias)


class _Vgg11(nn.Module):
    """The convolutions of VGG-11, with torchvision's names; gives the features of its five levels, finest first."""

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        channels = 3
        self.ends: list[int] = []
        for width, depth in zip(VGG11_WIDTHS, VGG11_DEPTHS, strict=True):
            for _ in range(depth):
                layers += _convolution(channels, width)
                channels = width
            self.ends.append(len(layers) - 1)
            layers.append(nn.MaxPool2d(2))
        self.features = nn.ModuleList(layers[:-1])  # the last pooling is the decoder's

    def forward(self, images: Tensor) -> list[Tensor]:
        features = []
        for place, layer in enumerate(self.features):
            images = layer(images)
            if place in self.ends:
                features.append(images)
        return features


def _to_multiple(side: int) -> int:
    """How many pixels a side lacks to a multiple of 32."""
    return (32 - side % 32) % 32


def _convolution(in_channels: int, out_channels: int) -> list[nn.Module]:
    return [nn.Conv2d(in_channels, out_channels, 3, padding=1), nn.ReLU(inplace=True)]


def _upsampling(in_channels: int, middle: int, out_channels: int) -> nn.Sequential:
    """A 3x3 convolution, then a deconvolution that doubles the size."""
    deconvolution = nn.ConvTranspose2d(middle, out_channels, 4, stride=2, padding=1)
    return nn.Sequential(*_convolution(in_channels, middle), deconvolution, nn.ReLU(inplace=True))
