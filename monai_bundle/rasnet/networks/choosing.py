"""Modules replaced by others that compute the same, where those are faster on the GPU at hand.

Which of two ways is faster depends on the GPU, the layer and the shape; it is measured, as cuDNN measures its kernels.
What cannot run at all, for example because Triton or a C compiler is missing, is no faster way.
"""

from __future__ import annotations

import copy
import logging
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

_logger = logging.getLogger(__name__)

_Module = TypeVar("_Module", bound=nn.Module)

# Gives another module that computes the same as one does for such inputs, or None where it knows none.
Alternative = Callable[[nn.Module, tuple[Any, ...]], nn.Module | None]

# A measurement: the least of some repeats, of some calls each, that are queued while the GPU waits that many cycles,
# 2 ms or so; otherwise Python would be measured, which takes longer than a small kernel.
_REPEATS, _CALLS, _WAIT = 3, 10, 4_000_000

# Half precision rounds off a thousandth, which may turn the class of few pixels; a kernel that fails does more.
_ROUNDING, _OTHERWISE = 0.01, 0.01


def gpu_milliseconds(run: Callable[[], object]) -> float:
    """Measure calls on the current stream of the GPU, without the time that Python takes to start them."""
    times = []
    for _ in range(_REPEATS):
        first, last = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
        torch.cuda._sleep(_WAIT)
        first.record()
        for _ in range(_CALLS):
            run()
        last.record()
        last.synchronize()
        times.append(first.elapsed_time(last))
    return min(times) / _CALLS


def choose_faster(
    network: _Module,
    inputs: Tensor,
    alternatives: Sequence[Alternative],
    time_of: Callable[[Callable[[], object]], float] = gpu_milliseconds,
) -> _Module:
    """Copy a network with modules replaced by alternatives that give the same and are faster.

    Args:
        network: in evaluation mode, on the device that it will run on; stays as it is.
        inputs: of the shape that it will run on; each module is measured on what it gets from them.
        alternatives: to be tried on every module, in this order.
        time_of: measures a call.

    Returns:
        The copy, which shares its weights with the network.
    """
    faster: dict[str, nn.Module] = {}
    seen: set[str] = set()

    def look(name: str, module: nn.Module, given: tuple[Any, ...], result: Any) -> None:
        if name in seen:  # the calls that measure it, too
            return
        seen.add(name)
        for alternative in alternatives:
            other = _if_faster(alternative, name, module, given, result, time_of)
            if other is not None:
                faster[name] = other
                return

    hooks = [module.register_forward_hook(partial(look, name)) for name, module in network.named_modules() if name]
    try:
        with torch.inference_mode():
            network(inputs)
    finally:
        for hook in hooks:
            hook.remove()
    weights = (*network.parameters(), *network.buffers())
    chosen = copy.deepcopy(network, {id(each): each for each in weights})
    for name, other in faster.items():  # a module comes after those in it
        chosen.set_submodule(name, other)
    _logger.debug("%d modules are faster in another way: %s", len(faster), ", ".join(faster))
    return chosen


def _if_faster(
    alternative: Alternative,
    name: str,
    module: nn.Module,
    given: tuple[Any, ...],
    result: Any,
    time_of: Callable[[Callable[[], object]], float],
) -> nn.Module | None:
    """Another module for one that gave a result, if there is one that runs, gives the same and is faster."""
    try:
        other = alternative(module, given)
        if other is None:
            return None
        if not _same(other(*given), result):
            _logger.warning("%s gives something else as %s; it stays as it is", name, type(other).__name__)
            return None
        return other if time_of(partial(other, *given)) < time_of(partial(module, *given)) else None
    except Exception as error:  # compilers and drivers fail in many ways, and the module itself needs none of them
        _logger.info("%s stays as it is: %s: %s", name, type(error).__name__, str(error).partition("\n")[0])
        return None


def _same(given: Any, wanted: Any) -> bool:
    """Whether two results are the same up to rounding, judged by the last of a batch to save memory."""
    if isinstance(wanted, tuple):
        return all(map(_same, given, wanted))
    if given.shape != wanted.shape:
        return False
    given, wanted = given[-1].float(), wanted[-1].float()
    usual = float(wanted.abs().mean().clamp_min(1))  # small results may be sums of large ones
    close = torch.isclose(given, wanted, rtol=_ROUNDING, atol=_ROUNDING * usual)
    return float(close.float().mean()) >= 1 - _OTHERWISE
