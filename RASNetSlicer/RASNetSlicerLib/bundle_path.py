"""Where the extension's own `rasnet`, weights and sample clip lie, and how Python finds them.

Nothing in this file may import `rasnet`: it is what makes that possible.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path

_MODULE_FOLDER = Path(__file__).resolve().parents[1]


def extension_file(name: str, module_folder: Path = _MODULE_FOLDER) -> Path:
    """Path of a file or folder that the extension brings.

    An installed extension has everything beside ``RASNetSlicer.py``; in a checkout (Slicer's developers add its
    ``RASNetSlicer`` folder to the module paths) the bundle and ``Resources`` lie one folder up.

    Args:
        name: relative path, for example ``"monai_bundle"``.
        module_folder: the folder of ``RASNetSlicer.py``.

    Raises:
        ImportError: it is in neither place.
    """
    for folder in (module_folder, module_folder.parent):
        if (folder / name).exists():
            return folder / name
    raise ImportError(f"{name} is neither in {module_folder} nor beside it; install the RASNet extension again")


def make_rasnet_importable(module_folder: Path = _MODULE_FOLDER) -> Path:
    """Let this Python import the extension's `rasnet`, before any other that may be installed.

    Args:
        module_folder: the folder of ``RASNetSlicer.py``.

    Returns:
        The bundle's folder.

    Raises:
        ImportError: the extension lacks its bundle.
    """
    bundle = extension_file("monai_bundle", module_folder)
    if str(bundle) not in sys.path:
        sys.path.insert(0, str(bundle))
    return bundle


def worker_environment(
    environment: Mapping[str, str] | None = None, module_folder: Path = _MODULE_FOLDER
) -> dict[str, str]:
    """Environment in which another process of Slicer's Python imports the same `rasnet`.

    Args:
        environment: what to start from; None for this process's.
        module_folder: the folder of ``RASNetSlicer.py``.

    Raises:
        ImportError: the extension lacks its bundle.
    """
    changed = dict(os.environ if environment is None else environment)
    paths = (str(extension_file("monai_bundle", module_folder)), changed.get("PYTHONPATH", ""))
    changed["PYTHONPATH"] = os.pathsep.join(path for path in paths if path)
    return changed
