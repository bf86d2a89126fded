"""Planes to RGB on the device of a network, in the colours of FFmpeg's scaler."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from rasnet.video.yuv import ONE, YuvForm


class YuvToRgb(nn.Module):
    """Converts pictures of one form.

    FFmpeg's scaler (libswscale, its code for x86) drops what is below one of every product before it adds them, and
    gives all four pixels the colour of their place; so does this, and the colours are the same to the last bit.

    Args:
        form: of the pictures.

    Examples:
        >>> import numpy as np
        >>> from rasnet.video.yuv import YuvForm
        >>> from rasnet.video import RegionOfInterest
        >>> grey = YuvForm(4, 6, False, ((8192, 0, 0),) * 3, 0, RegionOfInterest(1, 0, 2, 6, 4, 6))
        >>> YuvToRgb(grey)(torch.full((1, 6, 6), 7, dtype=torch.uint8)).shape
        torch.Size([1, 2, 6, 3])
    """

    def __init__(self, form: YuvForm) -> None:
        super().__init__()
        self.form = form

    def forward(self, planes: Tensor) -> Tensor:
        """Map planes, uint8 (B, *form.shape), to the region of interest, uint8 (B, h, w, 3); a view."""
        form = self.form
        brightness = planes[:, : form.height].float() - form.black
        blue, red = (difference.float() - 128 for difference in self._differences(planes[:, form.height :]))
        luma = _product(brightness, form.coefficients[0][0])
        four = luma.unflatten(2, (-1, 2)).unflatten(1, (-1, 2))  # pixels that share their colour: (B, h, 2, w, 2)
        rgb = torch.empty(*luma.shape, 3, dtype=torch.uint8, device=planes.device)
        for channel, (_, by_blue, by_red) in enumerate(form.coefficients):
            colour = _product(blue, by_blue) + _product(red, by_red)
            rgb[..., channel] = (four + colour[:, :, None, :, None]).clamp_(0, 255).view_as(luma)
        roi = form.roi
        return rgb[:, roi.top : roi.top + roi.height, roi.left : roi.left + roi.width]

    def _differences(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """What colours differ by to blue and to red, (B, h, w) each."""
        if self.form.interleaved:
            return rows[..., 0::2], rows[..., 1::2]
        return rows[..., : self.form.width // 2], rows[..., self.form.width // 2 :]


def _product(values: Tensor, coefficient: int) -> Tensor:
    """Whole numbers times a coefficient in parts of `ONE`, rounded down; small enough for half precision."""
    return torch.floor(values * (coefficient / ONE)).half()
