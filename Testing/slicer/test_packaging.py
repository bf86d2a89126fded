"""What CMake installs: everything, and by itself enough."""

from __future__ import annotations

import ast
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path, PurePosixPath

import pytest
from extension import LIBRARY, LISTS, MODULE, ROOT, SCRIPT, cmake_list, files

STAND_IN = Path(__file__).parent / "cmake"
MODULE_FOLDER = PurePosixPath("lib/Slicer-5.12/qt-scripted-modules")

# What is not listed is not installed


def test_every_script_is_listed() -> None:
    scripts = ["RASNetSlicer.py", *files(LIBRARY, "*.py")]

    assert sorted(cmake_list(LISTS, "MODULE_PYTHON_SCRIPTS")) == scripts


def test_every_resource_is_listed() -> None:
    assert sorted(cmake_list(LISTS, "MODULE_PYTHON_RESOURCES")) == files(MODULE / "Resources")


def test_every_test_of_desktop_slicer_runs() -> None:
    folder = MODULE / "Testing" / "Python"
    listed = re.findall(r"SCRIPT (\S+?)\)", (folder / "CMakeLists.txt").read_text(encoding="utf-8"))

    assert [f"Testing/Python/{name}" for name in sorted(listed)] == files(folder, "*.py")
    assert "slicer_add_python_unittest(SCRIPT ${MODULE_NAME}.py)" in LISTS
    classes = [node.name for node in ast.parse(SCRIPT.read_text("utf-8")).body if isinstance(node, ast.ClassDef)]
    assert "RASNetSlicerTest" in classes


# Built and installed by a stand-in for Slicer's macros


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of the module in an installed extension."""
    tools = [tool for tool in ("cmake", "make", "cc") if shutil.which(tool) is None]
    if tools:
        pytest.skip(f"{', '.join(tools)} not found")
    build, prefix = tmp_path_factory.mktemp("build"), tmp_path_factory.mktemp("extension")
    # Nothing is compiled, so the compilers need no trial.
    trusted = ["-DCMAKE_C_COMPILER_WORKS=ON", "-DCMAKE_CXX_COMPILER_WORKS=ON"]
    for arguments in (
        ["-S", ROOT, "-B", build, "-G", "Unix Makefiles", f"-DSlicer_DIR={STAND_IN}", "-DBUILD_TESTING=ON", *trusted],
        ["--build", build],
        ["--install", build, "--prefix", prefix],
    ):
        done = subprocess.run(["cmake", *map(str, arguments)], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
    return prefix / MODULE_FOLDER


def test_everything_is_installed(installed: Path) -> None:
    found = {path.relative_to(installed).as_posix() for path in installed.rglob("*") if path.is_file()}
    bundle = {
        path.relative_to(ROOT).as_posix()
        for folder in ("configs", "docs", "models", "rasnet")
        for path in (ROOT / "monai_bundle" / folder).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    module = {"RASNetSlicer.py", *files(LIBRARY, "*.py"), *files(MODULE / "Resources")}

    assert found == module | bundle | {"Resources/sample_clip.mp4"}


def test_the_installed_extension_is_whole_by_itself(installed: Path) -> None:
    """A Python that has not so much as seen the checkout finds code, weights and clip in what was installed."""
    code = """
import sys
sys.path.insert(0, sys.argv[1])
from RASNetSlicerLib.bundle_path import extension_file, make_rasnet_importable, worker_environment
bundle = make_rasnet_importable()
import json, rasnet.bundle
from rasnet.labels import LabelSchema
print(json.dumps([rasnet.bundle.__file__, str(rasnet.bundle.weights_path()), LabelSchema.available(),
                  str(extension_file("Resources/sample_clip.mp4")), worker_environment({})["PYTHONPATH"]]))
"""
    done = subprocess.run([sys.executable, "-I", "-c", code, installed], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    package, weights, schemas, clip, path = json.loads(done.stdout)

    assert Path(package) == installed / "monai_bundle" / "rasnet" / "bundle.py"
    assert Path(weights).read_bytes()[:2] == b"PK"  # a PyTorch file is a ZIP archive
    assert schemas == ["endovis2017_types", "instrument_parts"]
    assert Path(clip) == installed / "Resources" / "sample_clip.mp4"
    assert Path(path) == installed / "monai_bundle"


def test_the_worker_starts_in_an_installed_extension(installed: Path) -> None:
    code = "import sys; sys.path.insert(0, sys.argv[1]); from RASNetSlicerLib.bundle_path import worker_environment; "
    code += "import os, subprocess; exit(subprocess.run([sys.executable, '-c', sys.argv[2]], "
    code += "env=worker_environment()).returncode)"
    worker = "import rasnet.cli; print(rasnet.cli.__file__)"
    done = subprocess.run(
        [sys.executable, "-I", "-c", code, installed, worker], capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stderr
    assert Path(done.stdout.strip()).is_relative_to(installed)
