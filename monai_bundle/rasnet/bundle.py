"""Where the MONAI bundle that belongs to this code lies: its configurations, weights and documents."""

from __future__ import annotations

import hashlib
from pathlib import Path

from rasnet.errors import RASNetError

_HERE = Path(__file__).parent


def bundle_root() -> Path:
    """Find the bundle's folder: beside the package in a checkout or a copied bundle, inside it in a wheel.

    Raises:
        RASNetError: neither is there.
    """
    for root in (_HERE.parent, _HERE / "_bundle"):
        if (root / "configs" / "metadata.json").is_file():
            return root
    raise RASNetError(f"the bundle's configs are neither in {_HERE.parent} nor in {_HERE}; install rasnet again")


def config_path(name: str = "inference.yaml") -> Path:
    """Path of one of the bundle's configurations."""
    return bundle_root() / "configs" / name


def weights_path() -> Path:
    """Path of the released weights, whether they are there or not."""
    return bundle_root() / "models" / "model.pt"


def openvino_path() -> Path:
    """Path of the released weights as an OpenVINO model in 8-bit integers, whether it is there or not."""
    return bundle_root() / "models" / "model_int8.xml"


def file_sha256(path: str | Path) -> str:
    """SHA-256 of a file, hexadecimal."""
    digest = hashlib.sha256()
    with Path(path).open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
