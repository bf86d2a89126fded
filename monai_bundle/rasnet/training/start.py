"""Where a training begins: at random, or at weights that were trained before."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

from torch import nn

from rasnet.inference.torch_backend import load_weights

Network = TypeVar("Network", bound=nn.Module)


def start_from(network: Network, weights: str | Path | None) -> Network:
    """Give a network back with weights of an earlier training, packed or not; with its own where there are none.

    Raises:
        RASNetError: the file cannot be read or holds weights of another network.
    """
    if weights is not None:
        load_weights(network, weights)
    return network
