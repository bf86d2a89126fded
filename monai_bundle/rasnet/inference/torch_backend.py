"""The bundle's network on PyTorch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from rasnet.bundle import config_path
from rasnet.errors import RASNetError
from rasnet.inference.backend import Device
from rasnet.inference.segmenter import Segmenter

# Frames that go through the network at once. A GPU must have enough to do. A CPU gains nothing from more than one: the
# features of two no longer fit in memory that the allocator keeps, and the system clears new pages for every layer.
_BATCH_SIZES = {"cpu": 1, "cuda": 32}


class TorchBackend:
    """Runs a `Segmenter` on a device; half precision and channels-last memory where that is faster.

    Args:
        weights: a checkpoint of the network that the bundle's ``inference.yaml`` defines.
        device: ``"auto"`` takes a GPU if there is one.

    Attributes:
        name: for example ``"torch-cuda"``.
        batch_size: a good number of frames at once.
        weights: the checkpoint's path.

    Raises:
        RASNetError: no such device, no such weights, or weights of another network.
    """

    def __init__(self, weights: str | Path, device: Device = "auto") -> None:
        self.device = select_device(device)
        self.weights = Path(weights)
        self.name = f"torch-{self.device.type}"
        self.batch_size = _BATCH_SIZES[self.device.type]
        self.segmenter = place(load_segmenter(weights), self.device)

    def __call__(self, rgb: npt.NDArray[np.uint8]) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.float32]]:
        """Segment pictures of one size.

        Args:
            rgb: uint8 (B, H, W, 3).

        Returns:
            Classes, uint8 (B, H, W), and uncertainty, float32 (B, C), as `Segmenter` gives them.
        """
        with torch.inference_mode():
            classes, uncertainty = self.segmenter(torch.from_numpy(rgb).to(self.device))
        return classes.cpu().numpy(), uncertainty.cpu().numpy()


def select_device(device: Device) -> torch.device:
    """Resolve a device's name.

    Raises:
        RASNetError: ``"cuda"`` is wished for and there is none.
    """
    if device == "cuda" and not torch.cuda.is_available():
        raise RASNetError("there is no CUDA device that PyTorch can use; choose --device cpu, or see `rasnet doctor`")
    return torch.device("cuda" if device != "cpu" and torch.cuda.is_available() else "cpu")


def place(segmenter: Segmenter, device: torch.device | str) -> Segmenter:
    """Move a segmenter to a device, in the precision and memory format that it is fastest in there."""
    device = torch.device(device)
    # torch documents the keyword, its type stubs do not
    segmenter = segmenter.eval().to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    return segmenter.half() if device.type == "cuda" else segmenter


def load_segmenter(weights: str | Path) -> Segmenter:
    """Build the segmenter that the bundle's ``inference.yaml`` defines, with weights, on the CPU in float32.

    Raises:
        RASNetError: no such weights, or weights of another network.
    """
    network = define_network()
    load_weights(network, weights)
    config = _read_config()
    return Segmenter(network, *(config.get_parsed_content(name) for name in ("pixels", "temperature"))).eval()


def define_network() -> torch.nn.Module:
    """Build the network that the bundle's ``inference.yaml`` defines, so that it is written down in one place."""
    network: torch.nn.Module = _read_config().get_parsed_content("network_def")
    return network


def _read_config() -> Any:
    from monai.bundle import ConfigParser

    parser = ConfigParser()
    parser.read_config(str(config_path("inference.yaml")))
    return parser


def load_weights(network: torch.nn.Module, weights: str | Path) -> None:
    """Load a checkpoint, packed or not, as MONAI saves it: a state dict, or one under the key ``model``.

    Raises:
        RASNetError: the file cannot be read or holds weights of another network.
    """
    path = Path(weights)
    if not path.is_file():
        raise RASNetError(f"there are no weights at {path}; give a weights file with --weights or install rasnet again")
    try:
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except PermissionError as error:
        raise RASNetError(f"{path} cannot be read ({error.strerror or error}); check its permissions") from error
    except Exception as error:  # bytes that are no weights can break the unpickler, or its reading, in any way
        raise RASNetError(f"{path} is not a PyTorch weights file or is damaged; copy it again") from error
    if isinstance(state, dict) and isinstance(state.get("model"), dict):
        state = state["model"]
    if not isinstance(state, dict) or not all(isinstance(value, Tensor) for value in state.values()):
        raise RASNetError(f"{path} holds no network weights; give a checkpoint that MONAI saved")
    try:
        network.load_state_dict(state)
    except RuntimeError as error:
        raise RASNetError(
            f"{path} does not fit the network in {config_path('inference.yaml')} ({_first_misfit(error)}); "
            "give weights that were trained with this network_def"
        ) from error


def _first_misfit(error: RuntimeError) -> str:
    """Take the first complaint of `load_state_dict`, which lists every tensor that is missing, unknown or too large."""
    complaint = str(error).splitlines()[1:2] or [str(error)]
    first, comma, _ = complaint[0].strip(" \t.").partition('", "')
    return f'{first}" and others' if comma else first
