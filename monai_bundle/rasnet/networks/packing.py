"""Small checkpoints: convolution weights as 8-bit integers with one scale a channel.

A ResNet-50 U-shape is 131 MB in float32 and 34 MB packed. Packing is a file format, not a way to compute: the
network unpacks the weights to its own dtype while it loads them.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

INTEGERS = ".int8"
SCALES = ".scale"
_STEPS = 127
# Convolutions with fewer weights keep 16-bit floats: the stem, the first stage and the classifier are 1 % of the
# weights, and rounding hurts most there.
_SMALL = 40_000
# Shares of the largest magnitude that are tried as the clipping point; a little clipping often rounds better.
_CLIPPING = (1.0, 0.95, 0.9, 0.85, 0.8)


def pack(model: nn.Module) -> dict[str, Tensor]:
    """Give a model's state with its convolution weights packed.

    Args:
        model: any module whose `load_state_dict` unpacks (see `unpack_on_load`).

    Returns:
        A state dict in which ``<name>.weight`` of every large (transposed) convolution is replaced by
        ``<name>.weight.int8``, int8 of the same shape, and ``<name>.weight.scale``, float32, one value an output
        channel, shaped so that their product is the weight. Small convolutions are float16. All other tensors are
        as they were.
    """
    state = {name: value.detach().cpu().contiguous() for name, value in model.state_dict().items()}
    for name, module in model.named_modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
            key = f"{name}.weight" if name else "weight"
            channel = 1 if isinstance(module, nn.ConvTranspose2d) else 0
            if module.weight.numel() < _SMALL:
                state[key] = state[key].half()
            else:
                state[key + INTEGERS], state[key + SCALES] = _quantize(state.pop(key).float(), channel)
    return state


def unpack(state: dict[str, Any], prefix: str = "") -> None:
    """Replace packed weights by float32 ones in a state dict, in place; unpacked entries stay."""
    for key in [key for key in state if key.startswith(prefix) and key.endswith(INTEGERS)]:
        name = key.removesuffix(INTEGERS)
        state[name] = state.pop(key).float() * state.pop(name + SCALES)


def unpack_on_load(module: nn.Module) -> None:
    """Make a module's `load_state_dict` take packed checkpoints, alone or inside a larger module."""
    module.register_load_state_dict_pre_hook(_unpack_hook)


def _unpack_hook(module: nn.Module, state: dict[str, Any], prefix: str, *_: object) -> None:
    unpack(state, prefix)


def _quantize(weight: Tensor, channel: int) -> tuple[Tensor, Tensor]:
    """Round to int8, choosing for each channel the clipping point that loses least."""
    others = [dim for dim in range(weight.ndim) if dim != channel]
    largest = weight.abs().amax(dim=others, keepdim=True).clamp_min(torch.finfo(torch.float32).tiny)
    candidates = [largest * share / _STEPS for share in _CLIPPING]
    errors = torch.stack(
        [(_round(weight, scale) * scale - weight).square().sum(dim=others, keepdim=True) for scale in candidates]
    )
    scale = torch.stack(candidates).gather(0, errors.argmin(dim=0, keepdim=True)).squeeze(0)
    return _round(weight, scale).to(torch.int8), scale


def _round(weight: Tensor, scale: Tensor) -> Tensor:
    return (weight / scale).round().clamp(-_STEPS, _STEPS)
