"""Checkpoints that say what they are: beside the weights, the network, its classes and its input."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from rasnet.errors import RASNetError
from rasnet.labels import LabelSchema
from rasnet.networks.baselines import TernausNet, UNet
from rasnet.networks.rasnet import RASNet

# A file names a network; it must not be able to name anything else that Python can call.
_NETWORKS: dict[str, type[nn.Module]] = {"RASNet": RASNet, "TernausNet": TernausNet, "UNet": UNet}
_WEIGHTS, _DESCRIPTION = "model", "rasnet"


@dataclass(frozen=True)
class Description:
    """What it takes to run weights.

    Attributes:
        network: name of a class of `rasnet.networks`.
        arguments: that it is made with, by name: ``num_classes``, ``attention``.
        schema: the classes, in the order of the output channels.
        pixels: of the network's input.
        mean: of red, green and blue, 0 to 1, that pictures are normalised by.
        std: likewise.
        temperature: that class scores are divided by (see `rasnet.inference.Segmenter`).

    Raises:
        RASNetError: no such network, or it has another number of classes than the schema.
    """

    network: str
    arguments: Mapping[str, Any]
    schema: LabelSchema
    pixels: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    temperature: float = 1.0

    def __post_init__(self) -> None:
        if self.network not in _NETWORKS:
            raise RASNetError(f"there is no network '{self.network}'; use one of {', '.join(_NETWORKS)}")
        if (count := self.arguments["num_classes"]) != len(self.schema):
            raise RASNetError(
                f"the network tells {count} classes apart, and the label schema '{self.schema.name}' has "
                f"{len(self.schema)} with the background; give both the same number"
            )

    def make_network(self) -> nn.Module:
        """Build the network, with random weights."""
        return _NETWORKS[self.network](**self.arguments)

    def to_json(self) -> dict[str, Any]:
        """Give the description as an object that JSON can hold."""
        return {**asdict(self), "schema": self.schema.to_json()}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Description:
        """Build a description from the object that `to_json` gives."""
        mean, std = (tuple(float(value) for value in data[name]) for name in ("mean", "std"))
        return cls(**{**data, "schema": LabelSchema.from_json(data["schema"]), "mean": mean, "std": std})


class Checkpoint(NamedTuple):
    """What a weights file holds.

    Attributes:
        state: of the network, packed or not.
        description: None where the file says nothing of it, as the released weights: then the bundle's
            ``inference.yaml`` does.
    """

    state: dict[str, Tensor]
    description: Description | None


def describe(
    network: nn.Module, label_schema: str, size: Sequence[int], mean: Sequence[float], std: Sequence[float]
) -> Description | None:
    """Say what it will take to run a network that is being trained.

    Args:
        network: the network.
        label_schema: name or path of the schema of its classes.
        size: height and width of its input.
        mean: that its pictures are normalised by, as std.
        std: see mean.

    Returns:
        The description; None for a network of others, which only whoever defines it can build again.

    Raises:
        RASNetError: the network has another number of classes than the schema.
    """
    name = type(network).__name__
    if _NETWORKS.get(name) is not type(network):
        return None
    schema = LabelSchema.load(label_schema)
    return Description(name, dict(network.arguments), schema, size[0] * size[1], tuple(mean), tuple(std))  # type: ignore[arg-type]


def checkpoint_content(state: Mapping[str, Tensor], description: Description | None) -> dict[str, Any]:
    """Give what `torch.save` is to write for `read_checkpoint`: MONAI's form, weights under the key ``model``."""
    about = {} if description is None else {_DESCRIPTION: description.to_json()}
    return {_WEIGHTS: dict(state), **about}


def read_checkpoint(weights: str | Path) -> Checkpoint:
    """Read a weights file as MONAI saves it: a state dict, or one under the key ``model``.

    Raises:
        RASNetError: the file cannot be read, holds no weights, or describes what this RASNet does not know.
    """
    path = Path(weights)
    content = _load(path)
    state = content.get(_WEIGHTS, content) if isinstance(content, dict) else None
    if not isinstance(state, dict) or not all(isinstance(value, Tensor) for value in state.values()):
        best = path.with_name("best.pt")
        advice = f"give {best}" if path.name == "last.pt" and best.is_file() else "give a checkpoint that MONAI saved"
        raise RASNetError(f"{path} holds no network weights; {advice}")
    about = content.get(_DESCRIPTION) if state is not content else None
    if about is None:
        return Checkpoint(state, None)
    try:
        return Checkpoint(state, Description.from_json(about))
    except (AttributeError, KeyError, TypeError, ValueError, RASNetError) as error:
        raise RASNetError(
            f"{path} describes a network that this RASNet does not know ({error}); use the RASNet that wrote it"
        ) from error


def _load(path: Path) -> Any:
    if not path.is_file():
        raise RASNetError(f"there are no weights at {path}; give a weights file with --weights or install rasnet again")
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except PermissionError as error:
        raise RASNetError(f"{path} cannot be read ({error.strerror or error}); check its permissions") from error
    except Exception as error:  # bytes that are no weights can break the unpickler, or its reading, in any way
        raise RASNetError(f"{path} is not a PyTorch weights file or is damaged; copy it again") from error
