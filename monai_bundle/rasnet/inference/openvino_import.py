"""OpenVINO, imported so that it tells nobody."""

from __future__ import annotations

import sys
from typing import Any


def import_openvino() -> Any:
    """Import OpenVINO without its usage reports.

    ``import openvino`` alone contacts an analytics service of the internet and writes an identifier to the user's
    home folder. Patients' computers must do neither without being asked, so the package that reports is kept out,
    for OpenVINO and for NNCF, which both work without it.
    """
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]  # None: not to be imported
    import openvino

    return openvino
