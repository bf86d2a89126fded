"""Where the module finds what the extension brings: installed, in a checkout, or not at all."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from RASNetSlicerLib.bundle_path import extension_file, make_rasnet_importable, worker_environment

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(params=["installed", "checkout"])
def module_folder(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """The folder of ``RASNetSlicer.py``: with the bundle in it, as installed, or beside it, as in a checkout."""
    folder = tmp_path / "RASNetSlicer"
    bundle = (folder if request.param == "installed" else tmp_path) / "monai_bundle"
    folder.mkdir()
    bundle.mkdir()
    return folder


def test_in_this_checkout_everything_is_found() -> None:
    assert extension_file("monai_bundle") == ROOT / "monai_bundle"
    assert extension_file("Resources/sample_clip.mp4") == ROOT / "Resources" / "sample_clip.mp4"
    assert extension_file("Resources/instruments.term.json").parent == ROOT / "RASNetSlicer" / "Resources"


def test_rasnet_of_the_extension_comes_before_any_other(module_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", ["/elsewhere"])

    for _ in range(2):
        bundle = make_rasnet_importable(module_folder)

    assert bundle.is_dir()
    assert sys.path == [str(bundle), "/elsewhere"]


@pytest.mark.parametrize("environment", [{}, {"PYTHONPATH": ""}, {"PYTHONPATH": "/a"}, {"HOME": "/b"}])
def test_the_worker_finds_the_same_rasnet(module_folder: Path, environment: dict[str, str]) -> None:
    bundle = str(extension_file("monai_bundle", module_folder))
    before = dict(environment)

    changed = worker_environment(environment, module_folder)

    own, *others = changed.pop("PYTHONPATH").split(os.pathsep)
    assert own == bundle
    assert others == [path for path in [environment.get("PYTHONPATH")] if path]
    assert changed == {name: value for name, value in environment.items() if name != "PYTHONPATH"}
    assert environment == before


def test_without_a_bundle_one_sentence_says_what_to_do(tmp_path: Path) -> None:
    for ask in (make_rasnet_importable, lambda folder: worker_environment({}, folder)):
        with pytest.raises(ImportError, match=r"^monai_bundle is neither in .* install the RASNet extension again$"):
            ask(tmp_path)
