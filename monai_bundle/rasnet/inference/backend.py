"""What runs the network, chosen for the machine that this is."""

from __future__ import annotations

import ctypes
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Literal, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from rasnet.bundle import file_sha256, openvino_path, weights_path
from rasnet.errors import RASNetError
from rasnet.inference.openvino_model import read_about
from rasnet.labels import LabelSchema
from rasnet.video.yuv import Pixels

Device = Literal["auto", "cpu", "cuda"]


class Backend(Protocol):
    """A model that is loaded and segments pictures.

    Attributes:
        name: of the engine and what it runs on or in, for example ``"torch-cuda"`` or ``"openvino-int8"``.
        batch_size: a good number of frames at once.
        weights: the file that it was loaded from.
        schema: the classes that it tells apart, in the order of their ids.
        reads_planes: whether it takes pictures as `YuvPixels`, too.
    """

    name: str
    batch_size: int
    weights: Path
    schema: LabelSchema
    reads_planes: bool

    def empty(self, shape: tuple[int, ...], /) -> npt.NDArray[np.uint8]:
        """Give new memory, with anything in it, from where pictures get into the model fastest."""
        ...

    def __call__(self, pixels: Pixels, /) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.float32]]:
        """Segment pictures, uint8 (B, H, W, 3): classes, uint8 (B, H, W), and uncertainty, float32 (B, C).

        Raises:
            TypeError: planes, where it does not read them, or another dtype.
        """
        ...


class Choice(NamedTuple):
    """A backend and why it is this one.

    Attributes:
        engine: the library.
        model: the file that it loads.
        reason: in words, to be read behind the engine's name.
    """

    engine: Literal["torch", "openvino"]
    model: Path
    reason: str


def load_backend(weights: str | Path | None = None, device: Device = "auto") -> tuple[Backend, str]:
    """Load a model into the fastest engine that this machine has for it.

    Args:
        weights: a checkpoint, or an OpenVINO model (``.xml``); the released one by default.
        device: where the network runs.

    Returns:
        The backend, and why it is this one, in words.

    Raises:
        RASNetError: the file is not there or not what it should be, there is no such device, or no engine.
    """
    choice = choose_backend(weights, device)
    if choice.engine == "openvino":
        from rasnet.inference.openvino_backend import OpenVinoBackend

        return OpenVinoBackend(choice.model), choice.reason
    from rasnet.inference.torch_backend import TorchBackend

    backend = TorchBackend(choice.model, device)
    prepares = "; it prepares itself at the first frames, for some seconds" if backend.device.type == "cuda" else ""
    return backend, choice.reason + prepares


def choose_backend(weights: str | Path | None = None, device: Device = "auto") -> Choice:
    """Choose without loading anything: a GPU with PyTorch, else OpenVINO, else PyTorch on the CPU.

    Args:
        weights: as for `load_backend`; whoever names a file gets the engine that reads it.
        device: where the network runs.

    Raises:
        RASNetError: neither engine is installed, or an OpenVINO model is to run on a GPU.
    """
    if weights is not None:
        return _choose_for_file(Path(weights), device)
    if device == "cuda":
        return Choice("torch", weights_path(), "a GPU was asked for")
    gpu = device == "auto" and has_cuda_gpu()
    if gpu and _torch_sees_gpu():
        return Choice("torch", weights_path(), "there is a CUDA GPU")
    why_cpu = {"cpu": "the CPU was asked for", "auto": "there is no CUDA GPU"}[device]
    if gpu:
        why_cpu = "the PyTorch that is installed, if any, cannot use the CUDA GPU"
    lacking = _lacking_for_openvino()
    if lacking is None:
        return Choice("openvino", openvino_path(), why_cpu)
    if find_spec("torch") is not None:
        return Choice("torch", weights_path(), f"{why_cpu}, and for OpenVINO, which is faster, {lacking}")
    raise RASNetError(
        f"nothing can run the network: PyTorch is not installed, and for OpenVINO {lacking}; "
        "install one with `pip install 'rasnet[cpu]'` or, for a GPU, `pip install 'rasnet[torch]'`"
    )


def checkpoint_sha256(weights: Path) -> str:
    """Hash of the checkpoint that a file is, or was made from: the same for one network on every engine."""
    return read_about(weights)["weights_sha256"] if weights.suffix == ".xml" else file_sha256(weights)


def has_cuda_gpu() -> bool:
    """Whether NVIDIA's driver knows a GPU; importing PyTorch to ask it would take longer than a frame's mask."""
    try:
        driver = ctypes.CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")
    except OSError:
        return False
    count = ctypes.c_int(0)
    return driver.cuInit(0) == 0 and driver.cuDeviceGetCount(ctypes.byref(count)) == 0 and count.value > 0


def _choose_for_file(weights: Path, device: Device) -> Choice:
    if weights.suffix != ".xml":
        return Choice("torch", weights, "the weights are a checkpoint of it")
    if device == "cuda":
        raise RASNetError(f"{weights.name} is an OpenVINO model, which runs on the CPU; leave --device cuda away")
    return Choice("openvino", weights, "the weights are a model of it")


def _torch_sees_gpu() -> bool:
    if find_spec("torch") is None:
        return False
    import torch

    return torch.cuda.is_available()


def _lacking_for_openvino() -> str | None:
    """Why the released weights cannot run on OpenVINO, in words; None where they can."""
    model, weights = openvino_path(), weights_path()
    if find_spec("openvino") is None:
        return "the package openvino is not installed"
    if not model.is_file():
        return f"there is no {model.name}"
    # With another model than the checkpoint's, a case begun on one engine could not go on with the other.
    if weights.is_file() and checkpoint_sha256(model) != file_sha256(weights):
        return f"{model.name} was made from other weights than {weights.name}"
    return None
