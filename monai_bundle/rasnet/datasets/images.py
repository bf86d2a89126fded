"""Folders of images as the readers need them: checked, in natural order, with errors that name the file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from rasnet.errors import RASNetError
from rasnet.video.images import IMAGE_SUFFIXES, load_rgb, natural_key

_IMAGE_ERRORS = (OSError, ValueError, SyntaxError, Image.DecompressionBombError)


def need_folder(folder: Path) -> Path:
    """Give the folder back if there is one.

    Raises:
        RASNetError: there is none.
    """
    if not folder.is_dir():
        raise RASNetError(f"there is no folder {folder}; correct it in the data list, or download the data to it")
    return folder


def images_in(folder: Path) -> list[Path]:
    """List the images that lie in a folder, in natural order, without hidden files.

    Raises:
        RASNetError: no such folder, or no image in it.
    """
    files = [
        file
        for file in need_folder(folder).iterdir()
        if file.suffix.lower() in IMAGE_SUFFIXES and not file.name.startswith(".") and file.is_file()
    ]
    if not files:
        raise RASNetError(f"folder {folder} holds no PNG or JPEG images; correct it in the data list")
    return sorted(files, key=natural_key)


def read_rgb(file: Path) -> npt.NDArray[np.uint8]:
    """Read a picture, uint8 (H, W, 3).

    Raises:
        RASNetError: it is not a whole image.
    """
    try:
        return load_rgb(file)
    except _IMAGE_ERRORS as error:
        raise _broken(file, error) from error


def read_grey(file: Path) -> npt.NDArray[np.uint8]:
    """Read a mask of grey values, uint8 (H, W).

    Raises:
        RASNetError: it is not a whole image.
    """
    try:
        with Image.open(file) as image:
            return np.array(image.convert("L"))
    except _IMAGE_ERRORS as error:
        raise _broken(file, error) from error


def _broken(file: Path, error: Exception) -> RASNetError:
    return RASNetError(f"{file} is not a whole image ({error}); copy it again, or take it out of the folder")
