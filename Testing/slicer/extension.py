"""The extension's files, and what its CMake lists say of them."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
MODULE = ROOT / "RASNetSlicer"
LIBRARY = MODULE / "RASNetSlicerLib"
SCRIPT = MODULE / "RASNetSlicer.py"
UI = MODULE / "Resources" / "UI" / "RASNetSlicer.ui"

TOP = (ROOT / "CMakeLists.txt").read_text(encoding="utf-8")
LISTS = (MODULE / "CMakeLists.txt").read_text(encoding="utf-8")


def cmake_list(text: str, name: str) -> list[str]:
    """The words of ``set(name ...)``."""
    found = re.search(rf"^set\({name}\s+(.*?)\)", text, re.MULTILINE | re.DOTALL)
    assert found, f"no set({name} ...)"
    return re.sub(r"#.*", "", found[1]).replace("${MODULE_NAME}", "RASNetSlicer").split()


def cmake_value(name: str) -> str:
    found = re.search(rf'^set\({name} "([^"]+)"\)', TOP, re.MULTILINE)
    assert found, f"no set({name} ...)"
    return found[1]


def files(folder: Path, pattern: str = "*") -> list[str]:
    """What is in a folder of the module, as CMake's lists name it."""
    return sorted(
        path.relative_to(MODULE).as_posix()
        for path in folder.rglob(pattern)
        if path.is_file() and "__pycache__" not in path.parts and not path.name.startswith(".")
    )
