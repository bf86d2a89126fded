"""Batch normalisations folded into the convolutions before them, for networks that only run."""

from __future__ import annotations

import copy

import torch
from torch import fx, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

_ROUNDING = 1e-3  # of the largest score; float32 stays a hundred times below it, and a GPU's TF32 within it


def fold_batch_norms(network: nn.Module) -> nn.Module:
    """Copy a network with every batch normalisation folded into its convolution.

    After training, a batch normalisation scales and shifts each channel, which the convolution's own weights can do:
    one pass less over the features for each of the network's 70 or so.

    Args:
        network: in evaluation mode, in float32; stays as it is.

    Returns:
        A network that gives the same up to rounding; a plain copy of one whose calls `torch.fx` cannot follow, as it
        cannot follow MONAI's U-Net.

    Raises:
        ValueError: the network is in training mode, where its normalisations depend on the batch.

    Examples:
        >>> network = nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4), nn.ReLU()).eval()
        >>> any(isinstance(module, nn.BatchNorm2d) for module in fold_batch_norms(network).modules())
        False
    """
    if network.training:
        raise ValueError("batch normalisations can be folded in evaluation mode only; call eval() first")
    network = copy.deepcopy(network)
    try:
        folded = _fold_all(fx.symbolic_trace(network))
        return folded if _agree(network, folded) else network
    except Exception:  # code that looks at its data fails in its own way when torch.fx shows it none
        return network


def _fold_all(traced: fx.GraphModule) -> fx.GraphModule:
    for node in list(traced.graph.nodes):
        _fold(traced, node)
    traced.delete_all_unused_submodules()
    traced.recompile()
    return traced


@torch.inference_mode()
def _agree(network: nn.Module, folded: nn.Module) -> bool:
    """Whether both give the same for one noise picture; torch.fx can take a wrong branch without a word."""
    generator = torch.Generator().manual_seed(0)
    noise = torch.randn(1, 3, 64, 96, generator=generator).to(next(network.parameters()))
    wanted, given = network(noise), folded(noise)
    return bool((wanted - given).abs().max() <= _ROUNDING * wanted.abs().max())


def _fold(traced: fx.GraphModule, node: fx.Node) -> None:
    """Fold a node into the one before it, if that is a convolution whose result goes nowhere else."""
    norm, before = _module(traced, node), node.args[0] if node.args else None
    if not isinstance(norm, nn.BatchNorm2d) or not isinstance(before, fx.Node) or len(before.users) > 1:
        return
    convolution = _module(traced, before)
    if not isinstance(convolution, nn.Conv2d | nn.ConvTranspose2d):
        return
    folded = fuse_conv_bn_eval(convolution, norm, transpose=isinstance(convolution, nn.ConvTranspose2d))
    traced.set_submodule(str(before.target), folded)
    node.replace_all_uses_with(before)
    traced.graph.erase_node(node)


def _module(traced: fx.GraphModule, node: fx.Node) -> nn.Module | None:
    return traced.get_submodule(str(node.target)) if node.op == "call_module" else None
