"""What an OpenVINO model file of RASNet says about itself, read without OpenVINO."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

from rasnet.errors import RASNetError
from rasnet.labels import LabelSchema

ABOUT = "rasnet"
"""Key of the model's runtime information under which this is written (see `rasnet.inference.export`)."""


def read_about(model: Path) -> dict[str, str]:
    """Read what a model was made from.

    Args:
        model: the ``.xml`` file.

    Returns:
        ``weights_sha256``, ``precision``, ``pixels`` and ``label_schema``, which models of earlier versions lack.

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


def schema_of(about: dict[str, str]) -> LabelSchema:
    """The classes of a model; models that do not say were made from the released weights, which know parts."""
    if "label_schema" not in about:
        return LabelSchema.load("instrument_parts")
    return LabelSchema.from_json(json.loads(about["label_schema"]))
