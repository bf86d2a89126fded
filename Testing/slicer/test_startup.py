"""What is loaded when Slicer starts, which must need nothing that Slicer lacks."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from extension import LIBRARY, MODULE, ROOT, SCRIPT
from file_scope import imported_at_file_scope, reached_at_file_scope

# What Slicer 5.12 has in its Python; see SuperBuild/External_python-*.cmake in its sources.
IN_SLICER = {
    "slicer", "vtk", "qt", "ctk", "SampleData", "SegmentEditor",
    "numpy", "scipy", "SimpleITK", "pydicom", "PIL", "requests", "packaging",
}  # fmt: skip


@pytest.mark.parametrize(
    ("code", "found"),
    [
        ("import a.b, c", ["a.b", "c"]),
        ("from a import b as d", ["a.b"]),
        ("try:\n import a\nexcept ImportError:\n import b\nfinally:\n import c", ["a", "c", "b"]),
        ("if x:\n import a\nelse:\n import b", ["a", "b"]),
        ("class A:\n import a", ["a"]),
        ("def f():\n import a\nclass A:\n def f(self):\n  import b", []),
        ("if TYPE_CHECKING:\n import a\nelse:\n import b", ["b"]),
    ],
)
def test_what_counts_as_file_scope(tmp_path: Path, code: str, found: list[str]) -> None:
    (tmp_path / "code.py").write_text(code, encoding="utf-8")

    assert imported_at_file_scope(tmp_path / "code.py") == found


def test_imports_are_followed_through_packages(tmp_path: Path) -> None:
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "__init__.py").write_text("import one", encoding="utf-8")
    (tmp_path / "own" / "two.py").write_text("from own.three import name", encoding="utf-8")
    (tmp_path / "own" / "three.py").write_text("import four", encoding="utf-8")
    (tmp_path / "start.py").write_text("from own import two", encoding="utf-8")

    assert reached_at_file_scope(tmp_path / "start.py", {"own": tmp_path}) == {
        "one": ["start.py", "own/__init__.py"],
        "four": ["start.py", "own/two.py", "own/three.py"],
    }


def test_no_file_imports_at_file_scope_what_slicer_lacks() -> None:
    own = {"rasnet", "RASNetSlicerLib"}
    wrong = [
        f"{path.relative_to(ROOT)}: {name}"
        for path in MODULE.rglob("*.py")
        for name in imported_at_file_scope(path)
        if name.partition(".")[0] not in IN_SLICER | own | sys.stdlib_module_names
    ]

    assert not wrong


AT_START = [
    SCRIPT,
    *sorted((MODULE / "Testing").rglob("*.py")),
    *sorted(LIBRARY.glob("panel*.py")),
    *(LIBRARY / f"{name}.py" for name in ("installation", "sample_data", "terminology")),
]


@pytest.mark.parametrize("path", AT_START, ids=lambda path: path.name)
def test_the_panel_builds_before_anything_was_installed(path: Path) -> None:
    """What is loaded at start, and all that it loads, needs nothing but Slicer."""
    reached = reached_at_file_scope(path, {"rasnet": ROOT / "monai_bundle", "RASNetSlicerLib": MODULE})
    wrong = {
        name: " > ".join(by)
        for name, by in reached.items()
        if name.partition(".")[0] not in IN_SLICER | sys.stdlib_module_names
    }

    assert not wrong
