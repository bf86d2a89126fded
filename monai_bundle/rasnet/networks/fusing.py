"""Convolutions that add and rectify before they write, for networks that only run on a GPU.

A GPU computes faster than it reads and writes memory. What cuDNN can do with a convolution's results while it still
holds them - add the bias, add what goes around the block, rectify - costs nothing there, and a pass over the features
each where it is done for itself.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any, TypeGuard

import torch
import torch.nn.functional as F
from torch import Tensor, fx, nn

from rasnet.networks.rewriting import module_of, rewritten


def fuse_convolutions(network: nn.Module) -> nn.Module:
    """Copy a network with bias, sum and rectification done by the convolutions before them.

    Transposed convolutions that double the size become `DoublingConvolution`, which cuDNN can do the same with.

    Args:
        network: in evaluation mode, in float32, its batch normalisations folded (see `rasnet.networks.folding`);
            stays as it is.

    Returns:
        A network that gives the same up to rounding; a plain copy where `rewritten` finds no way.

    Raises:
        ValueError: the network is in training mode.

    Examples:
        >>> network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU()).eval()
        >>> [type(module).__name__ for module in fuse_convolutions(network).children()]
        ['RectifiedConvolution']
    """
    return rewritten(network, _fuse_all)


class RectifiedConvolution(nn.Module):
    """A convolution, plus something if wished, rectified; in one pass on a GPU.

    Args:
        convolution: see `can_rectify`; its weights become this module's own.
    """

    def __init__(self, convolution: nn.Conv2d) -> None:
        super().__init__()
        self.convolution = convolution
        if convolution.bias is None:
            convolution.bias = nn.Parameter(convolution.weight.new_zeros(convolution.out_channels))

    def forward(self, features: Tensor, added: Tensor | None = None) -> Tensor:
        """Map (B, in_channels, H, W) to (B, out_channels, H', W'); what is added has the latter shape."""
        own = self.convolution
        if not torch.backends.cudnn.is_acceptable(features):
            result = own(features)
            return F.relu(result if added is None else result + added)
        how: Any = own.stride, own.padding, own.dilation, own.groups
        if added is None:
            return torch.cudnn_convolution_relu(features, own.weight, own.bias, *how)
        return torch.cudnn_convolution_add_relu(features, own.weight, added, 1.0, own.bias, *how)


class DoublingConvolution(nn.Module):
    """A rectified transposed convolution of 4x4 at stride 2 as one convolution of 2x2 and a change of places.

    Each pixel of the doubled picture sees 2x2 pixels of the small one, by one of four kernels: the one for its row and
    column being even or odd. One convolution with four times the channels gives the results of all four kernels
    everywhere, and each goes to its pixel.

    Args:
        transposed: see `doubles`.
    """

    def __init__(self, transposed: nn.ConvTranspose2d) -> None:
        super().__init__()
        weight = transposed.weight.detach()  # (in, out, 4, 4)
        self.channels = transposed.out_channels
        self.kernels = nn.Conv2d(transposed.in_channels, 4 * self.channels, 2, padding=1)
        # Tap r of the kernel for rows of parity p is row 3 - p - 2 r of the transposed one; columns likewise.
        taps = [[3, 1], [2, 0]]
        kernels = [weight[:, :, rows][..., columns].transpose(0, 1) for rows in taps for columns in taps]
        bias = weight.new_zeros(self.channels) if transposed.bias is None else transposed.bias.detach()
        self.kernels.weight = nn.Parameter(torch.cat(kernels))
        self.kernels.bias = nn.Parameter(bias.repeat(4))
        self.rectified = RectifiedConvolution(self.kernels)

    def forward(self, features: Tensor) -> Tensor:
        """Map (B, in_channels, H, W) to (B, out_channels, 2H, 2W), channels last."""
        batch, _, height, width = features.shape
        every = self.rectified(features).permute(0, 2, 3, 1).contiguous().unflatten(3, (2, 2, self.channels))
        # Eight bytes at a time are moved faster than two.
        wide = every.view(torch.int64)
        image, row, column, down, right, _ = wide.stride()
        places = (batch, height, 2, width, 2, wide.shape[-1])
        doubled = wide.as_strided(places, (image, row, row + down, column, column + right, 1))
        return doubled.reshape(batch, 2 * height, 2 * width, -1).view(every.dtype).permute(0, 3, 1, 2)


def can_rectify(module: nn.Module | None) -> TypeGuard[nn.Conv2d]:
    """Whether a module is a convolution that `RectifiedConvolution` can do: cuDNN pads with zeros, as many as said."""
    return isinstance(module, nn.Conv2d) and module.padding_mode == "zeros" and not isinstance(module.padding, str)


def doubles(module: nn.Module | None) -> TypeGuard[nn.ConvTranspose2d]:
    """Whether a module is a transposed convolution that `DoublingConvolution` can do: 4x4, stride 2, padding 1."""
    return (
        isinstance(module, nn.ConvTranspose2d)
        and (module.kernel_size, module.stride, module.padding) == ((4, 4), (2, 2), (1, 1))
        and (module.dilation, module.output_padding, module.groups) == ((1, 1), (0, 0), 1)
        and module.out_channels % 4 == 0  # so that channels fill eight bytes
    )


_SUMS = operator.add, operator.iadd


def _fuse_all(traced: fx.GraphModule) -> None:
    for node in list(traced.graph.nodes):
        if isinstance(module_of(traced, node), nn.ReLU):
            _fuse(traced, node)
        elif _is_call(node, _SUMS):
            _fuse_product(traced, node)


def _fuse(traced: fx.GraphModule, rectification: fx.Node) -> None:
    """Fuse a rectification with what is before it, if that goes nowhere else."""
    before = rectification.args[0]
    if not isinstance(before, fx.Node) or len(before.users) > 1:
        return
    module = module_of(traced, before)
    if can_rectify(module):
        traced.set_submodule(str(before.target), RectifiedConvolution(module))
    elif doubles(module):
        traced.set_submodule(str(before.target), DoublingConvolution(module))
    elif _is_call(before, _SUMS) and (fused := _fuse_sum(traced, before)) is not None:
        before = fused
    else:
        return
    rectification.replace_all_uses_with(before)
    traced.graph.erase_node(rectification)


def _fuse_sum(traced: fx.GraphModule, total: fx.Node) -> fx.Node | None:
    """Let the last convolution of a block add what goes around it; None where there is no such convolution."""
    for last, around in (total.args, total.args[::-1]):
        module = module_of(traced, last)
        if isinstance(last, fx.Node) and can_rectify(module) and len(last.users) == 1:
            if isinstance(around, fx.Node) and len(around.users) == 1:
                _take_bias(module, module_of(traced, around))
            traced.set_submodule(str(last.target), RectifiedConvolution(module))
            with traced.graph.inserting_before(total):  # where both are known
                return traced.graph.call_module(str(last.target), (last.args[0], around))
    return None


def _fuse_product(traced: fx.GraphModule, total: fx.Node) -> None:
    """Multiply and add in one pass, as attention does."""
    for first, product in (total.args, total.args[::-1]):
        if _is_call(product, (operator.mul,)) and len(product.users) == 1:
            with traced.graph.inserting_before(total):
                total.replace_all_uses_with(traced.graph.call_function(torch.addcmul, (first, *product.args)))
            traced.graph.erase_node(total)
            return


def _is_call(node: object, functions: tuple[Callable[..., Any], ...]) -> TypeGuard[fx.Node]:
    return isinstance(node, fx.Node) and node.op == "call_function" and node.target in functions


def _take_bias(convolution: nn.Conv2d, around: nn.Module | None) -> None:
    """Take over the bias of a convolution that goes around, which would be a pass of its own there."""
    if isinstance(around, nn.Conv2d) and around.bias is not None and convolution.bias is not None:
        convolution.bias = nn.Parameter(convolution.bias.detach() + around.bias.detach())
        around.bias = None
