"""Networks rewritten by `torch.fx`, with a look at whether they still give the same."""

from __future__ import annotations

import copy
from collections.abc import Callable

import torch
from torch import fx, nn

_ROUNDING = 1e-3  # of the largest score; float32 stays a hundred times below it, and a GPU's TF32 within it


def rewritten(network: nn.Module, rewrite: Callable[[fx.GraphModule], None]) -> nn.Module:
    """Copy a network and rewrite the copy.

    Args:
        network: in evaluation mode, in float32; stays as it is.
        rewrite: changes the traced copy in place; what is then unused is deleted after it.

    Returns:
        The rewritten copy if it gives the same up to rounding; a plain copy of a network whose calls `torch.fx` cannot
        follow, as it cannot follow MONAI's U-Net.

    Raises:
        ValueError: the network is in training mode, where it may give something else at every call.
    """
    if network.training:
        raise ValueError("only a network that runs can be rewritten, not one in training; call eval() first")
    network = copy.deepcopy(network)
    try:
        traced = fx.symbolic_trace(network)
        rewrite(traced)
        traced.graph.eliminate_dead_code()
        traced.delete_all_unused_submodules()
        traced.recompile()
        return traced if agree(network, traced) else network
    except Exception:  # code that looks at its data fails in its own way when torch.fx shows it none
        return network


def module_of(traced: fx.GraphModule, node: object) -> nn.Module | None:
    """The module that a node of a traced network calls; None for anything else."""
    if isinstance(node, fx.Node) and node.op == "call_module":
        return traced.get_submodule(str(node.target))
    return None


@torch.inference_mode()
def agree(network: nn.Module, other: nn.Module) -> bool:
    """Whether both give the same for one noise picture; torch.fx can take a wrong branch without a word."""
    generator = torch.Generator().manual_seed(0)
    noise = torch.randn(1, 3, 64, 96, generator=generator).to(next(network.parameters()))
    wanted, given = network(noise), other(noise)
    return bool((wanted - given).abs().max() <= _ROUNDING * wanted.abs().max())
