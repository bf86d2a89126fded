"""Files and folders that appear whole or not at all."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rasnet.errors import RASNetError


@contextmanager
def whole_folder(folder: Path) -> Iterator[Path]:
    """Give a temporary folder beside `folder` that takes its place at the end, and vanishes after an exception.

    Raises:
        RASNetError: `folder` exists and is not an empty folder.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise RASNetError(f"{folder} exists and is not an empty folder; choose a new one for the export")
    folder.parent.mkdir(parents=True, exist_ok=True)
    making = folder.with_name(f".{folder.name}.tmp")
    shutil.rmtree(making, ignore_errors=True)  # left by a run that was killed
    making.mkdir()
    try:
        yield making
        if folder.exists():
            folder.rmdir()
        making.rename(folder)
    except BaseException:
        shutil.rmtree(making, ignore_errors=True)
        raise


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Give a temporary name beside `path`, with its endings, that is renamed to it at the end."""
    path.parent.mkdir(parents=True, exist_ok=True)
    making = path.with_name(f".tmp.{path.name}")
    try:
        yield making
        making.replace(path)
    except BaseException:
        making.unlink(missing_ok=True)
        raise


@contextmanager
def clear_errors(target: Path) -> Iterator[None]:
    """Turn what the disk says into one sentence.

    Raises:
        RASNetError: `target` cannot be written; the message says why.
    """
    try:
        yield
    except OSError as error:
        raise RASNetError(
            f"{target} cannot be written ({error.strerror or error}); free space or choose another place, "
            "and export again"
        ) from error
