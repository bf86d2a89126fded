"""The bundle's network on PyTorch."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch

from rasnet.bundle import config_path
from rasnet.errors import RASNetError
from rasnet.inference.backend import Device
from rasnet.inference.network_input import IMAGENET_MEAN, IMAGENET_STD
from rasnet.inference.recorded import RecordedSegmenter
from rasnet.inference.segmenter import Segmenter
from rasnet.inference.transfer import download, memory_for, upload
from rasnet.labels import LabelSchema
from rasnet.networks.checkpoints import Description, read_checkpoint
from rasnet.video.yuv import Pixels, YuvPixels, only_rgb

# Frames that go through the network at once. A GPU must have enough to do, and has with so many; more only take more
# memory: of 1920x1080 each takes 6 MB in every batch that waits. A CPU gains nothing from more than one: the
# features of two no longer fit in memory that the allocator keeps, and the system clears new pages for every layer.
_BATCH_SIZES = {"cpu": 1, "cuda": 16}


class TorchBackend:
    """Runs a `Segmenter` on a device; on a GPU in half precision, from a recording (see `RecordedSegmenter`).

    Args:
        weights: a checkpoint that describes its network (see `rasnet.networks.checkpoints`), or one of the network
            that the bundle's ``inference.yaml`` defines.
        device: ``"auto"`` takes a GPU if there is one.

    Attributes:
        name: for example ``"torch-cuda"``.
        batch_size: a good number of frames at once.
        weights: the checkpoint's path.
        schema: the classes that it tells apart.
        reads_planes: a GPU converts pictures itself.

    Raises:
        RASNetError: no such device, no such weights, or weights of another network.
    """

    def __init__(self, weights: str | Path, device: Device = "auto") -> None:
        self.device = select_device(device)
        self.weights = Path(weights)
        self.name = f"torch-{self.device.type}"
        self.batch_size = _BATCH_SIZES[self.device.type]
        self.empty = memory_for(self.device)
        model = load_model(weights)
        self.schema = model.schema
        self.segmenter = place(model.segmenter, self.device)
        self.reads_planes = self.device.type == "cuda"
        self._recorded = RecordedSegmenter(self.segmenter) if self.reads_planes else None

    def __call__(self, pixels: Pixels) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.float32]]:
        """Segment pictures of one size.

        Args:
            pixels: uint8 (B, H, W, 3), or, on a GPU, planes.

        Returns:
            Classes, uint8 (B, H, W), and uncertainty, float32 (B, C), as `Segmenter` gives them.

        Raises:
            TypeError: planes on a CPU, or another dtype.
        """
        with torch.inference_mode():
            if self._recorded is None:
                classes, uncertainty = self.segmenter(upload(only_rgb(pixels), self.device))
            elif isinstance(pixels, YuvPixels):
                classes, uncertainty = self._recorded(upload(pixels.planes, self.device), pixels.form)
            else:
                classes, uncertainty = self._recorded(upload(pixels, self.device))
        return download(classes), download(uncertainty)


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


class Model(NamedTuple):
    """A network that is ready to run, and what is known of it.

    Attributes:
        segmenter: on the CPU, in float32, in evaluation mode.
        schema: the classes that it tells apart.
        description: that its file gives; None where the bundle's ``inference.yaml`` says what it is.
    """

    segmenter: Segmenter
    schema: LabelSchema
    description: Description | None


def load_model(weights: str | Path) -> Model:
    """Build what a checkpoint describes, or else what the bundle's ``inference.yaml`` defines, with its weights.

    Raises:
        RASNetError: no such weights, or weights of another network.
    """
    state, about = read_checkpoint(weights)
    if about is None:
        network = define_network()
        load_state(network, state, weights)
        config = _read_config()
        settings = [config.get_parsed_content(name) for name in ("pixels", "temperature")]
        return Model(Segmenter(network, *settings).eval(), LabelSchema.load(config["label_schema"]), None)
    if (about.mean, about.std) != (IMAGENET_MEAN, IMAGENET_STD):
        raise RASNetError(
            f"{weights} wants pictures normalised by {about.mean} and {about.std}, and RASNet runs networks on "
            f"ImageNet's {IMAGENET_MEAN} and {IMAGENET_STD}; train with these"
        )
    network = about.make_network()
    load_state(network, state, weights, f"the {about.network} that it describes")
    return Model(Segmenter(network, about.pixels, about.temperature).eval(), about.schema, about)


def load_segmenter(weights: str | Path) -> Segmenter:
    """Build the segmenter of a checkpoint, on the CPU in float32; see `load_model`."""
    return load_model(weights).segmenter


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
    load_state(network, read_checkpoint(weights).state, weights)


def load_state(
    network: torch.nn.Module, state: dict[str, torch.Tensor], weights: str | Path, defined: str | None = None
) -> None:
    """Load a state dict, packed or not.

    Args:
        network: to load it into.
        state: what to load.
        weights: the file that it comes from, for the sentence of an error.
        defined: which network this is, for the same; that of ``inference.yaml`` by default.

    Raises:
        RASNetError: it is of another network.
    """
    try:
        network.load_state_dict(state)
    except RuntimeError as error:
        raise RASNetError(
            f"{weights} does not fit {defined or f'the network in {config_path()}'} ({_first_misfit(error)}); "
            "give weights that were trained with this network_def"
        ) from error


def _first_misfit(error: RuntimeError) -> str:
    """Take the first complaint of `load_state_dict`, which lists every tensor that is missing, unknown or too large."""
    complaint = str(error).splitlines()[1:2] or [str(error)]
    first, comma, _ = complaint[0].strip(" \t.").partition('", "')
    return f'{first}" and others' if comma else first
