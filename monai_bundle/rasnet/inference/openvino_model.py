"""What an OpenVINO model file of RASNet says about itself, read without OpenVINO."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

from rasnet.errors import RASNetError

ABOUT = "rasnet"
"""Key of the model's runtime information under which this is written (see `rasnet.inference.export`)."""


def read_about(model: Path) -> dict[str, str]:
    """Read what a model was made from.

    Args:
        model: the ``.xml`` file.

    Returns:
        ``weights_sha256``, ``precision`` and ``pixels``.

    Raises:
        RASNetError: the file is damaged or not one of RASNet's.
    """
    try:
        about = ElementTree.parse(model).find(f"rt_info/{ABOUT}")
    except (ElementTree.ParseError, OSError):
        about = None
    if about is None:
        raise RASNetError(
            f"{model} is not an OpenVINO model of RASNet or is damaged; make it with `rasnet convert {model}`"
        )
    return {entry.tag: entry.get("value", "") for entry in about}
