"""The released network, loaded once for all tests of a process."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from rasnet.inference import TorchBackend
    from rasnet.inference.backend import Backend, Device

SAMPLE_CLIP = Path(__file__).resolve().parents[2] / "Resources" / "sample_clip.mp4"


@pytest.fixture(scope="session")
def backend() -> TorchBackend:
    """The released weights on the CPU."""
    from rasnet.bundle import weights_path
    from rasnet.inference import TorchBackend

    return TorchBackend(weights_path(), "cpu")


@pytest.fixture(scope="session")
def openvino_fp32(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The released weights as an OpenVINO model in float32."""
    from rasnet.inference import export_model

    path = tmp_path_factory.mktemp("fp32") / "model_fp32.xml"
    export_model(path, precision="fp32")
    return path


@pytest.fixture(scope="session")
def openvino_int8(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The released weights in 8-bit integers: as they are released, or made now from frames of the sample clip."""
    from PIL import Image

    from rasnet.bundle import file_sha256, openvino_path, weights_path
    from rasnet.inference import export_model
    from rasnet.inference.backend import checkpoint_sha256
    from rasnet.video import open_source

    if openvino_path().is_file() and checkpoint_sha256(openvino_path()) == file_sha256(weights_path()):
        return openvino_path()
    folder = tmp_path_factory.mktemp("int8")
    (folder / "frames").mkdir()
    with open_source(SAMPLE_CLIP) as clip:
        for frame in clip.read(step=len(clip) // 5):
            Image.fromarray(frame.rgb).save(folder / "frames" / f"{frame.index}.png")
    weights = folder / weights_path().name
    weights.symlink_to(weights_path())
    export_model(folder / "model_int8.xml", weights=weights, calibration=[folder / "frames"], shared=True)
    return folder / "model_int8.xml"


@pytest.fixture
def loaded_once(backend: TorchBackend, monkeypatch: pytest.MonkeyPatch) -> None:
    """Give `segment_video` the released weights on PyTorch, read already; any other weights it reads as ever."""
    from rasnet.inference import pipeline

    load = pipeline.load_backend

    def load_once(weights: Path | None, device: Device) -> tuple[Backend, str]:
        return (backend, "a test wants it") if weights is None and device != "cuda" else load(weights, device)

    monkeypatch.setattr(pipeline, "load_backend", load_once)
