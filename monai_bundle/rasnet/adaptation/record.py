"""What the model file of a case says of itself."""

from __future__ import annotations

import os
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import nn

from rasnet.adaptation.model_file import weights_file
from rasnet.bundle import file_sha256
from rasnet.errors import RASNetError
from rasnet.files import clear_errors
from rasnet.networks import pack
from rasnet.networks.checkpoints import Description, checkpoint_content

_KEY = "adaptation"


@dataclass(frozen=True)
class AdaptationRecord:
    """Where an adapted model comes from.

    Attributes:
        parent_sha256: of the checkpoint that it learnt on from.
        video: fingerprint of the case's video.
        learnt: indices of the frames that it learnt from.
        held_back: indices of the frames that it was judged by.
        before: mean Dice of the parent on the frames held back, 0 to 1.
        after: its own.
        who: the person who asked for it.
        when: ISO 8601 in UTC.
    """

    parent_sha256: str
    video: str
    learnt: tuple[int, ...]
    held_back: tuple[int, ...]
    before: float
    after: float
    who: str
    when: str


def write_model(
    folder: Path, network: nn.Module, record: AdaptationRecord, description: Description | None
) -> tuple[Path, str]:
    """Write an adapted network, packed, into a case's folder; whole or not at all.

    Args:
        folder: of the case.
        network: what to write.
        record: where it comes from.
        description: of the network, as its parent's file gives it.

    Returns:
        The file and its SHA-256.
    """
    target = folder / "models"
    with clear_errors(target):
        target.mkdir(exist_ok=True)
        handle, name = tempfile.mkstemp(dir=target, prefix=".", suffix=".tmp")
        os.close(handle)
        making = Path(name)
        try:
            torch.save(checkpoint_content(pack(network), description) | {_KEY: asdict(record)}, making)
            sha256 = file_sha256(making)
            path = weights_file(folder, sha256)
            making.replace(path)
        except BaseException:
            making.unlink(missing_ok=True)
            raise
    return path, sha256


def read_record(path: str | Path) -> AdaptationRecord:
    """Read where an adapted model comes from.

    Raises:
        RASNetError: the file is no such model.
    """
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
        return AdaptationRecord(**content[_KEY])
    except Exception as error:  # bytes that are no weights can break the unpickler in any way
        raise RASNetError(f"{path} is not the model file of a case; give one of CASE/models") from error
