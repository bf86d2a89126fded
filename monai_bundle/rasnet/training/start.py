"""Where a training begins: at random, or at weights that were trained before."""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeVar

from torch import nn

from rasnet.bundle import weights_path
from rasnet.inference.torch_backend import define_network, load_state
from rasnet.networks import RASNet, read_checkpoint

Network = TypeVar("Network", bound=nn.Module)


def start_from(network: Network, weights: str | Path | None) -> Network:
    """Give a network back with weights of an earlier training, packed or not; with its own where there are none.

    Where the earlier one knew another number of classes, the last layer stays the network's own.

    Raises:
        RASNetError: the file cannot be read or holds weights of another network.
    """
    if weights is None:
        return network
    state, own = dict(read_checkpoint(weights).state), network.state_dict()
    last = [name for name, module in network.named_modules() if isinstance(module, nn.Conv2d)][-1]
    for name in (f"{last}.weight", f"{last}.bias"):
        if name in state and state[name].shape != own[name].shape:
            state[name] = own[name]
    load_state(network, state, weights, "the network_def of this training")
    return network


def released_start() -> dict[str, Any]:
    """Settings of ``train.yaml`` that begin at the released weights: few videos teach types, not how to see.

    Returns:
        The settings; none where there are no released weights, or they are of a network of another kind.
    """
    network = define_network()
    if not weights_path().is_file() or not isinstance(network, RASNet):
        return {}
    attention = network.arguments["attention"]
    return {"pretrained": None, "weights": str(weights_path()), "network_def::attention": attention}
