"""A type model that has learnt nothing: what it takes to test files and refusals."""

from __future__ import annotations

from pathlib import Path

import torch

from rasnet.inference.network_input import IMAGENET_MEAN, IMAGENET_STD
from rasnet.networks import RASNet, describe, pack
from rasnet.networks.checkpoints import checkpoint_content


def write_type_model(path: Path, *, size: tuple[int, int] = (64, 96)) -> Path:
    """Write a packed RASNet of random weights that tells the types of EndoVis 2017 apart, and says so."""
    torch.manual_seed(0)
    network = RASNet(8).eval()
    description = describe(network, "endovis2017_types", size, IMAGENET_MEAN, IMAGENET_STD)
    torch.save(checkpoint_content(pack(network), description), path)
    return path
