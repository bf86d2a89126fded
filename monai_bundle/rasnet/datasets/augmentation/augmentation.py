"""The augmentation of the released weights: which transforms, in which order."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from rasnet.datasets.augmentation import color, optics
from rasnet.datasets.augmentation.bands import tissue_bands
from rasnet.datasets.augmentation.copy_paste import copy_paste
from rasnet.datasets.augmentation.draw import Draw
from rasnet.datasets.augmentation.geometry import reframe

# As light takes its way: the tissue, what is in the air, the lens, the camera.
APPEARANCE: tuple[Callable[[Tensor, Draw], Tensor], ...] = (
    color.saturation,
    color.hue,
    color.white_balance,
    color.gamma,
    color.contrast,
    color.uneven_light,
    color.blood,
    optics.smoke,
    optics.highlights,
    optics.blur,
    optics.low_resolution,
    optics.interlacing,
    optics.noise,
    optics.compression,
)


class Augmentation:
    """Augments batches on their device: a new view, tissue bands, pasted instruments, appearance, the lens' border.

    Args:
        size: height and width of the output.

    Examples:
        >>> augment = Augmentation(size=(64, 96))
        >>> images = torch.zeros(2, 3, 80, 100, dtype=torch.uint8)
        >>> masks = torch.zeros(2, 80, 100, dtype=torch.uint8)
        >>> pictures, labels = augment(images, masks, torch.tensor([1.25, 1.78]), torch.Generator().manual_seed(0))
        >>> pictures.shape, labels.shape
        (torch.Size([2, 3, 64, 96]), torch.Size([2, 64, 96]))
    """

    def __init__(self, size: Sequence[int] = (256, 320)) -> None:
        height, width = size
        self.size = (height, width)

    @torch.no_grad()
    def __call__(
        self,
        images: Tensor,
        masks: Tensor,
        aspects: Tensor,
        generator: torch.Generator,
        complete: Callable[[Tensor, Tensor], Tensor] | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Augment a batch.

        Args:
            images: uint8 (B, 3, h, w), pictures squeezed to one canvas.
            masks: uint8 (B, h, w): class ids, `rasnet.labels.ANY_INSTRUMENT` or `rasnet.labels.IGNORE`.
            aspects: float (B,), width over height before the pictures were squeezed.
            generator: source of randomness, on the device of the images; the same seed gives the same batch.
            complete: gives labels for pictures in their new view, float (B, 3, *size), 0 to 1, and their labels so
                far, uint8 (B, *size), before the pictures are made harder to see.

        Returns:
            float32 (B, 3, *size), 0 to 1, in channels-last memory, and uint8 (B, *size) with the mask's values;
            outside a picture both are 0.
        """
        draw = Draw(len(images), generator)
        pictures, labels = reframe(images.float() / 255, masks, aspects, self.size, draw)
        if complete is not None:
            labels = complete(pictures, labels)
        pictures = tissue_bands(pictures, labels, draw)
        pictures, labels = copy_paste(pictures, labels, draw)
        for transform in APPEARANCE:
            pictures = transform(pictures, draw)
        pictures, labels = optics.lens_border(pictures, labels, draw)
        return pictures.clamp(0, 1).contiguous(memory_format=torch.channels_last), labels
