"""What the machine can do at most: arithmetic, memory, and what the network asks of them.

    python Testing/benchmarks/limits.py
    python Testing/benchmarks/limits.py --device cuda --json limits.json

Peaks are the fastest of many runs of what suits the machine best: products of large matrices, by all cores or the whole
GPU, and copies of more memory than its caches hold. No program that computes or moves as much can be faster.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import torch
import typer
from machine import describe_machine, repeat, show, write_json
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from rasnet.cores import available_cores
from rasnet.inference.network_input import network_size
from rasnet.inference.torch_backend import define_network

PICTURE = network_size(1024, 1280)
"""Height and width of the network's input in the paper, 256x320."""

# Products one after another, so that bringing the matrices in hardly counts.
_LAYERS = 4


def fastest(function: Callable[[], object], seconds: float) -> float:
    """Seconds of the fastest of several calls."""
    return repeat(function, seconds)["lowest"] / 1e3


def float_operations(device: str, side: int, seconds: float) -> float:
    """Operations a second of a matrix product in the precision that the network runs in there: float32 or float16.

    On a CPU the product is also tried as a convolution of 1x1, for which PyTorch has other code.
    """
    dtype = torch.float16 if device == "cuda" else torch.float32
    a, b = (torch.rand(side, side, device=device, dtype=dtype) for _ in range(2))
    ways: list[Callable[[], object]] = [lambda: a @ b]
    if device == "cpu":
        picture = a.t().reshape(1, side, 1, side).contiguous(memory_format=torch.channels_last)
        ways.append(lambda: nn.functional.conv2d(picture, b[:, :, None, None]))
    with torch.inference_mode():
        return 2 * side**3 / min(fastest(way, seconds) for way in ways)


def int8_operations(side: int, seconds: float) -> float:
    """Operations a second of matrix products of 8-bit integers on OpenVINO."""
    import openvino
    from openvino import opset13 as ops

    random = np.random.default_rng(0)
    numbers = ops.parameter([side, side], np.uint8)
    result = ops.convert(numbers, "f32")
    for _ in range(_LAYERS):
        # What OpenVINO recognises as quantised, and computes in integers where the CPU can.
        result = ops.fake_quantize(result, *(np.float32(value) for value in (0, 255, 0, 255)), 256)
        weights = ops.constant(random.integers(-127, 128, (side, side)).astype(np.int8))
        scaled = ops.multiply(ops.convert(weights, "f32"), np.float32(1 / 127))
        result = ops.matmul(result, scaled, False, True)
    model = openvino.Model([ops.reduce_max(result, np.array([0, 1]), False)], [numbers])
    settings = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": "f32"}
    request = openvino.Core().compile_model(model, "CPU", settings).create_infer_request()
    values = random.integers(0, 256, (side, side)).astype(np.uint8)
    return _LAYERS * 2 * side**3 / fastest(lambda: request.infer([values]), seconds)


def copied_bytes(source: torch.Tensor, target: torch.Tensor, seconds: float) -> float:
    """Bytes that a copy reads, a second."""
    return source.nbytes / fastest(lambda: target.copy_(source, non_blocking=True), seconds)


def network_demand() -> dict[str, float]:
    """Count what the network does for one picture, whatever its weights.

    Returns:
        ``operations``: a multiplication and an addition of its convolutions and products are two; ``parameters``.
    """
    network = define_network().eval()
    with FlopCounterMode(display=False) as counter, torch.inference_mode():
        network(torch.zeros(1, 3, *PICTURE))
    return {
        "operations": counter.get_total_flops(),
        "pixels": PICTURE[0] * PICTURE[1],
        "parameters": sum(parameter.numel() for parameter in network.parameters()),
    }


def measure_limits(device: str, seconds: float, side: int, megabytes: int) -> dict[str, Any]:
    """Measure peaks.

    Args:
        device: ``"cpu"`` or ``"cuda"``.
        seconds: about how long each.
        side: of the matrices.
        megabytes: of the copies.

    Returns:
        Operations a second by precision, bytes a second (reading and writing memory count apart), and CPU cores.
    """
    here = torch.zeros(2, megabytes * 10**6, dtype=torch.uint8)
    speeds = {"memory": 2 * copied_bytes(here[0], here[1], seconds)}
    peaks = {"float16" if device == "cuda" else "float32": float_operations(device, side, seconds)}
    if device == "cuda":
        there = here.cuda()
        speeds["GPU memory"] = 2 * copied_bytes(there[0], there[1], seconds)
        speeds["upload"] = copied_bytes(here[0].pin_memory(), there[0], seconds)
    elif find_spec("openvino") is not None:
        peaks["int8"] = int8_operations(side, seconds)
    return {"operations_per_second": peaks, "bytes_per_second": speeds, "cores": available_cores()}


def main(
    device: Annotated[Literal["cpu", "cuda"], typer.Option(help="What to measure.")] = "cpu",
    seconds: Annotated[float, typer.Option(min=0, help="About how long each peak is looked for.")] = 3,
    side: Annotated[
        int | None, typer.Option(min=64, help="Of the matrices.", show_default="2048, on a GPU 8192")
    ] = None,
    megabytes: Annotated[int, typer.Option(min=1, help="To copy.")] = 512,
    json: Annotated[Path | None, typer.Option(metavar="FILE", help="Write the figures here too.")] = None,
) -> None:
    """Measure what limits every program on this machine."""
    limits = measure_limits(device, seconds, side or (8192 if device == "cuda" else 2048), megabytes)
    demand = network_demand()
    machine = describe_machine(device)
    rows = [(f"{name} products, 10^9 operations/s", value) for name, value in limits["operations_per_second"].items()]
    rows += [(f"{name}, 10^9 bytes/s", value) for name, value in limits["bytes_per_second"].items()]
    rows.append(("network, 10^9 operations a picture", demand["operations"]))
    show(f"peaks, {device}", ("what", "at most"), [(name, f"{value / 1e9:.1f}") for name, value in rows], machine)
    write_json(json, {"machine": machine, "device": device, **limits, "network": demand})


if __name__ == "__main__":
    typer.run(main)
