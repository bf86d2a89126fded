"""Fixtures of the tests of the panel, on a stand-in for Slicer's desktop (see README.md)."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from mrml import Mrml
    from standin.application import Desk

_FOLDER = Path(__file__).resolve().parent
_MODULE = _FOLDER.parents[1] / "RASNetSlicer" / "RASNetSlicer.py"
# Slicer has a module's folder on its path; the tests on MRML have the scene and the small case, those of the bundle a
# picture in which something moves.
sys.path += [str(_FOLDER.parent / "slicer"), str(_MODULE.parent), str(_FOLDER), str(_FOLDER.parent / "bundle")]

_HERE = importlib.util.find_spec("slicer_core") is not None and importlib.util.find_spec("PySide6") is not None
if _HERE and "slicer" not in sys.modules:
    # slicer-core takes every folder named "slicer" on the path for a part of itself; Testing/slicer is none.
    _path = sys.path
    sys.path = [entry for entry in _path if Path(entry or ".").resolve() != _FOLDER.parent]
    importlib.import_module("slicer")
    sys.path = _path


@pytest.fixture
def mrml(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mrml]:
    """A scene with its logics."""
    from mrml import Mrml

    started = Mrml(str(tmp_path_factory.mktemp("cache")))
    yield started
    started.stop()


@pytest.fixture
def desk(mrml: Mrml, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    """The stand-in desktop with the panel on it; whatever the panel said must have been looked at by the test."""
    from standin.application import Desk

    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    started = Desk(mrml, str(tmp_path_factory.mktemp("slicer")), monkeypatch, _MODULE)
    yield started
    started.close()
    assert started.said == []


@pytest.fixture
def small_case(tmp_path: Path) -> Path:
    """A case of eight frames of which 0 to 5 have masks; see `surgery`."""
    from surgery import make_surgery

    with make_surgery(tmp_path / "surgery") as case:
        return case.folder


@pytest.fixture
def opened(desk: Desk, small_case: Path) -> Desk:
    """The panel with the small case open in it, by its own buttons."""
    desk.files.append(str(small_case))
    desk.ui.caseButton.click()
    desk.ui.openButton.click()
    assert desk.widget.session is not None, (desk.said, desk.ui.planLabel.text)
    return desk


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    """The first frames of the sample clip, as a folder of images: enough to see the worker at work."""
    return write_clip(tmp_path / "clip", 12)


def write_clip(folder: Path, count: int) -> Path:
    """Write frames of the sample clip, 640x512, one PNG a frame."""
    from PIL import Image

    from rasnet.video import open_source

    folder.mkdir()
    with open_source(_FOLDER.parents[1] / "Resources" / "sample_clip.mp4") as source:
        for frame in source.read(0, count, 1):
            Image.fromarray(frame.rgb).save(folder / f"{frame.index:04d}.png", compress_level=1)
    return folder


@pytest.fixture
def until(desk: Desk) -> Callable[[Callable[[], bool]], float]:
    """Let the event loop run until something is true; returns how many seconds that took."""
    import time

    def until(true: Callable[[], object], patience_s: float = 60) -> float:
        began = time.monotonic()
        while not true():
            assert time.monotonic() - began < patience_s, (desk.said, desk.ui.progressLabel.text)
            desk.app.processEvents()
            time.sleep(0.005)
        return time.monotonic() - began

    return until
