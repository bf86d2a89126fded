"""ImageNet weights for encoders: torchvision's published files, downloaded or local."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple
from urllib.error import URLError

import torch
from torch import Tensor

from rasnet.errors import RASNetError

# IMAGENET1K_V1; the digits in a file's name begin its SHA-256, which the download checks.
IMAGENET_URL = "https://download.pytorch.org/models/resnet50-0676ba61.pth"
VGG11_URL = "https://download.pytorch.org/models/vgg11-8a719046.pth"
_COUNTER = "num_batches_tracked"


class _Published(NamedTuple):
    """A network whose ImageNet weights torchvision has published: its name, where, and what of it is no encoder."""

    name: str
    url: str
    classifier: str


_RESNET50 = _Published("ResNet-50", IMAGENET_URL, "fc.")
_VGG11 = _Published("VGG-11", VGG11_URL, "classifier.")


def load_resnet50(source: str | Path, expected: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Read a ResNet-50's weights, without its classifier.

    Args:
        source: ``"imagenet"`` to download torchvision's file (98 MB, kept in torch's hub cache), or the path of a
            file that holds such a state dict.
        expected: the encoder's own state dict: the names and shapes that the weights must have.

    Returns:
        A state dict with the names of `expected`.

    Raises:
        RASNetError: no such file, no connection, a damaged file, or weights of another network.
    """
    return _load(_RESNET50, source, expected)


def load_vgg11(source: str | Path, expected: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Read a VGG-11's weights (507 MB with the classifier) without its classifier; see `load_resnet50`."""
    return _load(_VGG11, source, expected)


def _load(network: _Published, source: str | Path, expected: Mapping[str, Tensor]) -> dict[str, Tensor]:
    state = _download(network) if str(source) == "imagenet" else _read(network, Path(source))
    state = {name: value for name, value in state.items() if not name.startswith(network.classifier)}
    # Files from before 2018 have no batch counters; they matter to no result.
    counters = {name: value for name, value in expected.items() if name.endswith(_COUNTER)}
    state = counters | state
    _check(network, state, expected, source)
    return state


def _download(network: _Published) -> dict[str, Tensor]:
    try:
        state: dict[str, Tensor] = torch.hub.load_state_dict_from_url(
            network.url, map_location="cpu", check_hash=True, weights_only=True
        )
    except (URLError, OSError, RuntimeError) as error:
        raise RASNetError(
            f"the ImageNet weights could not be downloaded ({error}); download {network.url} elsewhere and give the "
            "file's path as pretrained"
        ) from error
    return state


def _read(network: _Published, path: Path) -> dict[str, Tensor]:
    if not path.is_file():
        raise RASNetError(f"there is no weights file {path}; give the path of torchvision's {network.name} file")
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except (RuntimeError, EOFError, pickle.UnpicklingError) as error:
        raise RASNetError(f"{path} is not a PyTorch weights file or is damaged; download it again") from error
    if not isinstance(state, Mapping) or not all(isinstance(value, Tensor) for value in state.values()):
        raise RASNetError(f"{path} does not hold a state dict; save model.state_dict() of a {network.name} to it")
    return dict(state)


def _check(
    network: _Published, state: Mapping[str, Tensor], expected: Mapping[str, Tensor], source: str | Path
) -> None:
    missing = sorted(expected.keys() - state.keys())
    unknown = sorted(state.keys() - expected.keys())
    if missing or unknown:
        detail = f"'{missing[0]}' is missing" if missing else f"'{unknown[0]}' is not part of one"
        raise RASNetError(f"{source} does not fit a {network.name}: {detail}; use torchvision's {network.name} file")
    for name, value in state.items():
        if value.shape != expected[name].shape:
            raise RASNetError(
                f"{source} does not fit a {network.name}: '{name}' has shape {tuple(value.shape)} instead of "
                f"{tuple(expected[name].shape)}; use torchvision's {network.name} file"
            )
