"""Fixtures of the tests on real MRML, which comes with the package slicer-core."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from editor import Editor
    from mrml import Mrml
    from RASNetSlicerLib.scene import CaseScene
    from RASNetSlicerLib.window import Window

    from rasnet.case import Case

_FOLDER = Path(__file__).resolve().parent
sys.path += [str(_FOLDER.parents[1] / "RASNetSlicer"), str(_FOLDER.parent / "bundle")]

if importlib.util.find_spec("slicer_core") is not None:
    # slicer-core takes every folder named "slicer" on the path for a part of itself, and this one is no part of it.
    _path = sys.path
    sys.path = [entry for entry in _path if Path(entry or ".").resolve() != _FOLDER.parent]
    importlib.import_module("slicer")
    sys.path = _path


@pytest.fixture
def start_mrml(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[], Mrml]]:
    """Start Slicer's scene and logics, as often as a test needs."""
    from mrml import Mrml

    started: list[Mrml] = []

    def start() -> Mrml:
        started.append(Mrml(str(tmp_path_factory.mktemp("cache"))))
        return started[-1]

    yield start
    for one in started:
        one.stop()


@pytest.fixture
def mrml(start_mrml: Callable[[], Mrml]) -> Mrml:
    """A scene with its logics."""
    return start_mrml()


@pytest.fixture
def case(tmp_path: Path) -> Iterator[Case]:
    """Eight frames of which 0 to 5 have masks; see `surgery`."""
    from surgery import make_surgery

    with make_surgery(tmp_path / "surgery") as case:
        yield case


@pytest.fixture
def load(mrml: Mrml, case: Case) -> Callable[..., CaseScene]:
    """Put the case into the scene; errors that Slicer would swallow fail the test."""
    from RASNetSlicerLib.scene import CaseScene

    def load(window: Window | None = None) -> CaseScene:
        shown = CaseScene.load(case, mrml.scene, window, who="A. Surgeon", tool="3D Slicer 5.12")
        shown.on_error = _fail
        return shown

    return load


@pytest.fixture
def shown(load: Callable[..., CaseScene]) -> CaseScene:
    """The whole case in the scene."""
    return load()


@pytest.fixture
def editor(mrml: Mrml, shown: CaseScene) -> Editor:
    """The Segment Editor on the case in the scene."""
    from editor import Editor

    return Editor(mrml, shown)


def _fail(error: Exception) -> None:
    raise AssertionError(f"unexpected: {error}") from error
