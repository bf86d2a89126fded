"""From pixels to masks in one module: frames go in as bytes and masks come out as bytes."""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from rasnet.inference.network_input import IMAGENET_MEAN, IMAGENET_STD, PAPER_PIXELS, network_size

# Pixels of the network's input, as a share, under which a disagreement about an instrument hardly counts.
NEGLIGIBLE = 0.005


class Prediction(NamedTuple):
    """What a model says of a batch of frames.

    Attributes:
        classes: uint8 (B, H, W), the class of every pixel.
        uncertainty: float32 (B, C), 0 (sure) to 1: the Dice that the model expects to miss, for the instrument as
            a whole in column 0 and for class c in column c.
    """

    classes: Tensor
    uncertainty: Tensor


class Decision(nn.Module):
    """What comes after the network: its scores calibrated, enlarged and decided.

    Args:
        temperature: see `Segmenter`.
        classifier: turns the network's features into class scores, where the network has been left without its last
            convolution (see `rasnet.networks.classifier`).
    """

    def __init__(self, temperature: float, classifier: nn.Module | None = None) -> None:
        super().__init__()
        self.temperature = temperature
        self.classifier = nn.Identity() if classifier is None else classifier

    def forward(self, features: Tensor, size: tuple[int, int]) -> Prediction:
        """Decide what the network gives, (B, channels, h, w), at a size."""
        scores = calibrate(self.classifier(features), self.temperature)
        return Prediction(decide(scores, size), expected_dice_loss(scores))


class Segmenter(nn.Module):
    """A network with everything before and after it, all on the device of its input.

    Resize (antialiased) and normalise; network; class scores enlarged to the picture's size, where the class of
    each pixel is decided. Only bytes enter and leave the device.

    Args:
        network: maps float (B, 3, h, w), normalised by ImageNet's statistics, to class scores (B, C, h, w).
        pixels: number of pixels of the network's input; its shape follows the picture's.
        temperature: that the class scores are divided by, so that their softmax is as often right as it says (Guo et
            al., On Calibration of Modern Neural Networks, ICML 2017). It changes the uncertainty, never a mask.

    Examples:
        >>> segmenter = Segmenter(RASNet(3)).eval()
        >>> segmenter(torch.zeros(2, 512, 640, 3, dtype=torch.uint8)).classes.shape
        torch.Size([2, 512, 640])
    """

    mean: Tensor
    std: Tensor
    scale: Tensor
    shift: Tensor

    def __init__(self, network: nn.Module, pixels: int = PAPER_PIXELS, temperature: float = 1.0) -> None:
        super().__init__()
        self.network = network
        self.decision = Decision(temperature)
        self.pixels = pixels
        self.register_buffer("mean", 255 * torch.tensor(IMAGENET_MEAN).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", 255 * torch.tensor(IMAGENET_STD).view(1, 3, 1, 1), persistent=False)
        # The same as one multiplication and one sum, which are done in one pass.
        self.register_buffer("scale", 1 / self.std, persistent=False)
        self.register_buffer("shift", -self.mean / self.std, persistent=False)

    def forward(self, frames: Tensor) -> Prediction:
        """Segment pictures of one size.

        Args:
            frames: uint8 (B, H, W, 3), red, green, blue; the region of interest only.

        Returns:
            Classes and uncertainty at the pictures' size.
        """
        height, width = frames.shape[1:3]
        prediction: Prediction = self.decision(self.network(self.prepare(frames)), (height, width))
        return prediction

    def prepare(self, frames: Tensor) -> Tensor:
        """Turn frames, uint8 (B, H, W, 3), into the network's input, (B, 3, h, w) of the network's dtype.

        Raises:
            TypeError: frames of another dtype; pictures from 0 to 1 would all look black to the network.
        """
        if frames.dtype != torch.uint8:
            raise TypeError(f"frames must be uint8, 0 to 255, not {frames.dtype}")
        height, width = frames.shape[1:3]
        images = frames.movedim(-1, 1)  # a view whose memory is channels-last, as convolutions like it
        size = network_size(height, width, self.pixels)
        if frames.device.type != "cpu":  # bytes are resized only by the CPU
            images = images.to(self.shift.dtype)
        if (height, width) != size:
            images = F.interpolate(images, size, mode="bilinear", antialias=True, align_corners=False)
        images = torch.addcmul(self.shift, images.to(self.shift.dtype), self.scale)
        return images.contiguous(memory_format=torch.channels_last)

    def score(self, images: Tensor) -> Tensor:
        """Give calibrated class scores, float32 (B, C, h, w), for what `prepare` gives."""
        return calibrate(self.network(images), self.decision.temperature)


def calibrate(scores: Tensor, temperature: float) -> Tensor:
    """Divide a network's class scores (B, C, h, w) by a temperature, in float32."""
    # Classes apart in memory, as all that follows takes them one by one or sums over pixels.
    return scores.to(torch.float32, memory_format=torch.contiguous_format) / temperature


def decide(scores: Tensor, size: tuple[int, int]) -> Tensor:
    """Enlarge class scores and take the best class of every pixel.

    One channel after another: an `argmax` over channels takes several times as long on a CPU.

    Args:
        scores: float (B, C, h, w).
        size: height and width to decide at.

    Returns:
        uint8 (B, *size).
    """

    def enlarge(channel: int) -> Tensor:
        return F.interpolate(scores[:, channel : channel + 1], size, mode="bilinear", align_corners=False)

    best = enlarge(0)
    classes = torch.zeros_like(best, dtype=torch.uint8)
    for channel in range(1, scores.shape[1]):
        score = enlarge(channel)
        classes.masked_fill_(score > best, channel)
        best = torch.maximum(best, score)
    return classes[:, 0]


def expected_dice_loss(scores: Tensor) -> Tensor:
    """Estimate from the scores alone how much Dice the mask will miss.

    If probabilities p are calibrated, a mask m has an expected overlap of sum(p m) with the truth and an expected
    size of truth of sum(p), so 1 - 2 sum(p m) / (sum(p) + sum(m)) is about the Dice that is lost. A faint
    suspicion spread over an empty frame hardly counts.

    Args:
        scores: float32 (B, C, h, w).

    Returns:
        float32 (B, C); column 0 for all instrument classes taken as one.
    """
    p = scores.softmax(dim=1)
    every = torch.arange(scores.shape[1], device=scores.device).view(1, -1, 1, 1)
    chosen = scores.argmax(dim=1, keepdim=True) == every
    expected, found, overlap = (each.sum(dim=(2, 3), dtype=torch.float32) for each in (p, chosen, p * chosen))
    pixels = scores.shape[2] * scores.shape[3]
    # What is not background, of which column 0 tells, is the rest of the picture.
    anything = (pixels - found[:, :1]) - (expected[:, :1] - overlap[:, :1])
    overlap = torch.cat([anything, overlap[:, 1:]], dim=1)
    sizes = expected + found
    sizes = torch.cat([2 * pixels - sizes[:, :1], sizes[:, 1:]], dim=1)
    negligible = NEGLIGIBLE * pixels
    return 1 - (2 * overlap + negligible) / (sizes + negligible)
