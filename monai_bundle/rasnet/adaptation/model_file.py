"""Where a case keeps the model that learnt from it."""

from __future__ import annotations

from pathlib import Path

from rasnet.case import CaseInfo


def case_weights(folder: str | Path) -> Path | None:
    """Find the model that the masks of a case come from, where the case has one of its own.

    Its name is its hash, so that ``case.json``, which is written last, decides which file counts.

    Args:
        folder: of a case, or one that is to become a case.

    Returns:
        The packed checkpoint; None where the case has none, or is none yet.
    """
    folder = Path(folder)
    if not (folder / "case.json").is_file():
        return None
    model = CaseInfo.read(folder).model
    path = weights_file(folder, model.sha256) if model else None
    return path if path is not None and path.is_file() else None


def weights_file(folder: Path, sha256: str) -> Path:
    """Path of a case's model with this hash."""
    return folder / "models" / f"{sha256[:16]}.pt"
