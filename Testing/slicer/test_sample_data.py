"""The sample clip in the Sample Data module, of which slicer-core has no part: its register is stood in for."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any
from urllib.parse import urlparse
from urllib.request import url2pathname

import pytest

pytest.importorskip("slicer_core", reason="the package slicer-core is not installed")

import numpy as np
from mrml import Mrml
from PIL import Image
from RASNetSlicerLib.bundle_path import extension_file
from RASNetSlicerLib.images import rgb_of
from RASNetSlicerLib.sample_data import CLIP, CLIP_SHA256, SAMPLE_NAME, register_sample_data
from RASNetSlicerLib.scene import CaseScene
from RASNetSlicerLib.window import plan_window

from rasnet.case import Case
from rasnet.labels import LabelSchema
from rasnet.video import RegionOfInterest, open_source


class Register:
    """A stand-in for ``SampleData.SampleDataLogic``: the same arguments, and sources are compared as text, as there."""

    def __init__(self) -> None:
        self.sources: dict[str, list[SimpleNamespace]] = {}

    def registerCustomSampleDataSource(  # noqa: N802 (Slicer's name)
        self,
        category: str = "Custom",
        sampleName: str | None = None,  # noqa: N803
        uris: str | None = None,
        fileNames: str | None = None,  # noqa: N803
        nodeNames: str | None = None,  # noqa: N803
        customDownloader: Any = None,  # noqa: N803
        thumbnailFileName: str | None = None,  # noqa: N803
        loadFileTypes: str | None = None,  # noqa: N803
        loadFiles: bool | None = None,  # noqa: N803
        loadFileProperties: Any = None,  # noqa: N803
        checksums: str | None = None,
        loadFileType: str | None = None,  # noqa: N803
    ) -> None:
        arguments = {name: value for name, value in locals().items() if name not in ("self", "category")}
        known = self.sources.setdefault(category, [])
        if not any(str(source) == str(SimpleNamespace(**arguments)) for source in known):
            known.append(SimpleNamespace(**arguments))


@pytest.fixture
def register(monkeypatch: pytest.MonkeyPatch) -> Iterator[Register]:
    module = ModuleType("SampleData")
    module.SampleDataLogic = Register()
    monkeypatch.setitem(sys.modules, "SampleData", module)
    return module.SampleDataLogic


def test_the_clip_has_a_button_of_its_own(register: Register) -> None:
    register_sample_data(pytest.fail)

    [source] = register.sources["RASNet"]
    assert source.sampleName == SAMPLE_NAME
    with Image.open(source.thumbnailFileName) as thumbnail:
        assert 200 <= thumbnail.width <= 400  # Slicer shows it at about 260 x 280


def test_a_script_gets_the_clip_without_the_network(register: Register) -> None:
    register_sample_data(pytest.fail)

    [source] = register.sources["RASNet"]
    address = urlparse(source.uris)
    assert address.scheme == "file"
    clip = Path(url2pathname(address.path)).read_bytes()
    assert source.checksums == f"SHA256:{hashlib.sha256(clip).hexdigest()}" == f"SHA256:{CLIP_SHA256}"
    assert source.loadFiles is False  # Slicer has no reader for it


def test_a_reloaded_module_adds_no_second_button(register: Register) -> None:
    for _ in range(2):
        register_sample_data(lambda path: None)

    assert len(register.sources["RASNet"]) == 1


def test_the_button_opens_the_clip_through_rasnet(register: Register, mrml: Mrml, tmp_path: Path) -> None:
    shown = []

    def open_video(path: Path) -> None:
        with open_source(path) as source:
            schema, roi = LabelSchema.load("endovis2017_types"), RegionOfInterest.whole(source.height, source.width)
            with Case.create(tmp_path / "clip", source=source, schema=schema, roi=roi, model=None) as case:
                shown.append(CaseScene.load(case, mrml.scene, plan_window(case.info, start=0, stop=2)))

    register_sample_data(open_video)
    [source] = register.sources["RASNet"]
    source.customDownloader(source)

    with open_source(extension_file(CLIP)) as clip:
        np.testing.assert_array_equal(rgb_of(shown[0].sequences.image_proxy), clip[0].rgb)
