"""`rasnet convert`: the ONNX file and the OpenVINO files that it writes."""

import hashlib
import json
import math
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnx
import onnxruntime
import openvino
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch import nn
from typer.testing import CliRunner

from rasnet.bundle import file_sha256, weights_path
from rasnet.cli import app
from rasnet.errors import RASNetError
from rasnet.inference import OpenVinoBackend, Segmenter, TorchBackend, export_model
from rasnet.inference.export import to_openvino
from rasnet.inference.network_input import NETWORK_STRIDE, network_size
from rasnet.inference.onnx_export import any_network_size, resampling_weights
from rasnet.inference.openvino_backend import shrink
from rasnet.inference.openvino_model import read_about
from rasnet.inference.quantization import calibration_pictures, quantize
from rasnet.labels import LabelSchema
from rasnet.progress import SilentProgress
from rasnet.video import open_source

SAMPLE_CLIP = Path(__file__).resolve().parents[2] / "Resources" / "sample_clip.mp4"

# Operations that need no opset beyond 18 of ONNX's own domain, and none of them an antialiased Resize.
PLAIN_DOMAINS = {""}


@pytest.fixture(scope="module")
def onnx_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("onnx") / "model.onnx"
    export_model(path)
    return path


@pytest.fixture(scope="module")
def session(onnx_file: Path) -> onnxruntime.InferenceSession:
    return onnxruntime.InferenceSession(onnx_file, providers=["CPUExecutionProvider"])


@pytest.fixture(scope="module")
def pictures() -> list[np.ndarray]:
    with open_source(SAMPLE_CLIP) as clip:
        return [clip[0].rgb, clip[len(clip) // 2].rgb]


class TestOnnx:
    def test_names_axes_and_types_are_as_documented(self, session: onnxruntime.InferenceSession) -> None:
        ports = [(port.name, port.type, port.shape) for port in (*session.get_inputs(), *session.get_outputs())]
        assert ports == [
            ("frames", "tensor(uint8)", ["batch", "height", "width", 3]),
            ("masks", "tensor(uint8)", ["batch", "height", "width"]),
            ("uncertainty", "tensor(float)", ["batch", "classes"]),
        ]

    def test_says_what_it_was_made_from(self, onnx_file: Path) -> None:
        properties = {entry.key: entry.value for entry in onnx.load(onnx_file).metadata_props}
        assert properties["weights_sha256"] == file_sha256(weights_path())

    def test_holds_no_operation_that_engines_lack(self, onnx_file: Path) -> None:
        model = onnx.load(onnx_file)
        onnx.checker.check_model(model)
        assert {node.domain for node in model.graph.node} == PLAIN_DOMAINS
        assert not {"If", "Loop", "Scan"} & {node.op_type for node in model.graph.node}
        for node in model.graph.node:
            assert "antialias" not in [attribute.name for attribute in node.attribute if attribute.i]

    @pytest.mark.parametrize("size", [(512, 640), (1024, 1280), (576, 720), (256, 320), (333, 241), (70, 300)])
    def test_gives_torchs_masks_at_any_size(
        self,
        size: tuple[int, int],
        session: onnxruntime.InferenceSession,
        backend: TorchBackend,
        pictures: list[np.ndarray],
    ) -> None:
        frame = cv2.resize(pictures[1], size[::-1], interpolation=cv2.INTER_AREA)[None]
        expected, doubt = backend(frame)
        masks, uncertainty = session.run(None, {"frames": frame})
        assert (masks.dtype, masks.shape, uncertainty.dtype) == (np.uint8, (1, *size), np.float32)
        assert np.mean(masks != expected) < 0.001
        np.testing.assert_allclose(uncertainty, doubt, atol=0.005)
        assert expected.any()

    def test_takes_batches(self, session: onnxruntime.InferenceSession, pictures: list[np.ndarray]) -> None:
        together, _ = session.run(["masks", "uncertainty"], {"frames": np.stack(pictures)})
        for picture, mask in zip(pictures, together, strict=True):
            alone, _ = session.run(None, {"frames": picture[None]})
            assert np.mean(alone[0] != mask) < 1e-5

    def test_openvino_reads_it_as_it_is(
        self, onnx_file: Path, session: onnxruntime.InferenceSession, pictures: list[np.ndarray]
    ) -> None:
        model = openvino.Core().compile_model(onnx_file, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
        masks = model([pictures[1][None]])["masks"]
        assert np.mean(masks != session.run(["masks"], {"frames": pictures[1][None]})[0]) < 1e-4


class TestSizesInTheGraph:
    @settings(max_examples=300, deadline=None)
    @given(st.integers(1, 4000), st.integers(1, 4000), st.sampled_from([81920, 128000, 64 * 96]))
    def test_are_the_segmenters(self, height: int, width: int, pixels: int) -> None:
        scale = math.sqrt(pixels / (height * width))
        assume(all(abs(side * scale / NETWORK_STRIDE % 1 - 0.5) > 1e-5 for side in (height, width)))  # float32 ties
        sides = torch.tensor([float(height), float(width)])
        assert tuple(int(side) for side in any_network_size(sides, pixels)) == network_size(height, width, pixels)

    @pytest.mark.parametrize(("length", "target"), [(1280, 320), (576, 256), (100, 96), (50, 96), (7, 32), (1, 32)])
    def test_resampling_is_torchs(self, length: int, target: int) -> None:
        signal = torch.rand(1, 1, length, 4, generator=torch.Generator().manual_seed(0))
        expected = torch.nn.functional.interpolate(signal, (target, 4), mode="bilinear", antialias=True)
        weights = resampling_weights(torch.tensor(float(length)), torch.tensor(float(target)))
        torch.testing.assert_close(weights @ signal[0, 0], expected[0, 0])


class TestOpenVino:
    @pytest.mark.parametrize("precision", ["fp32", "int8"])
    def test_says_what_it_was_made_from(self, precision: str, request: pytest.FixtureRequest) -> None:
        about = read_about(request.getfixturevalue(f"openvino_{precision}"))
        schema = LabelSchema.from_json(json.loads(about.pop("label_schema")))
        assert schema == LabelSchema.load("instrument_parts")
        assert about == {"weights_sha256": file_sha256(weights_path()), "precision": precision, "pixels": "81920"}

    def test_fp16_is_half_as_large_and_gives_the_same(
        self, openvino_fp32: Path, tmp_path: Path, pictures: list[np.ndarray]
    ) -> None:
        export_model(tmp_path / "half.xml", precision="fp16")
        whole, half = (path.with_suffix(".bin").stat().st_size for path in (openvino_fp32, tmp_path / "half.xml"))
        assert half < 0.51 * whole
        frame = pictures[1][None]
        masks = [OpenVinoBackend(path)(frame)[0] for path in (openvino_fp32, tmp_path / "half.xml")]
        assert np.mean(masks[0] != masks[1]) < 0.001

    def test_int8_is_integers_but_for_the_first_and_last_layer(self, pictures: list[np.ndarray]) -> None:
        torch.manual_seed(0)
        layers = [nn.Conv2d(3, 16, 3, stride=2, padding=1), nn.ReLU(), nn.Conv2d(16, 16, 3, padding=1), nn.ReLU()]
        network = nn.Sequential(*layers, nn.Conv2d(16, 3, 1), nn.Upsample(scale_factor=2))
        float_model = to_openvino(Segmenter(network).eval())
        few = [shrink(picture, (64, 96)) for picture in pictures]
        model = quantize(float_model.clone(), few)
        kinds = {
            tuple(node.data.shape): node.get_element_type().to_string()
            for node in model.get_ops()
            if node.get_type_name() == "Constant" and node.data.ndim == 4 and node.data.size > 16
        }
        assert kinds == {(16, 3, 3, 3): "f32", (16, 16, 3, 3): "i8", (3, 16, 1, 1): "f32"}
        expected, scores = (
            openvino.Core().compile_model(each, "CPU")(few[1][None])[0] for each in (float_model, model)
        )
        assert np.abs(scores - expected).max() < 0.05 * np.ptp(expected)

    def test_what_was_there_stays_until_the_new_file_is_whole(self, tmp_path: Path) -> None:
        (tmp_path / "model.onnx").write_bytes(b"old")
        damaged = tmp_path / "damaged.pt"
        damaged.write_bytes(b"no weights")
        with pytest.raises(RASNetError, match="is not a PyTorch weights file"):
            export_model(tmp_path / "model.onnx", weights=damaged)
        assert sorted(path.name for path in tmp_path.iterdir()) == ["damaged.pt", "model.onnx"]
        assert (tmp_path / "model.onnx").read_bytes() == b"old"


class TestCalibration:
    def test_pictures_come_from_all_over_the_sources_at_the_networks_size(self, tmp_path: Path) -> None:
        pictures = calibration_pictures([SAMPLE_CLIP], 64 * 96, SilentProgress(), count=10)
        assert len(pictures) == 10
        assert {picture.shape for picture in pictures} == {(*network_size(512, 640, 64 * 96), 3)}
        assert len({hashlib.sha256(picture.tobytes()).digest() for picture in pictures}) == 10

    def test_without_a_source_scenes_are_drawn(self) -> None:
        pictures = calibration_pictures([], 64 * 96, SilentProgress(), count=2)
        assert [picture.dtype for picture in pictures] == [np.uint8, np.uint8]
        assert all(picture.std() > 5 for picture in pictures)


class TestBadWishes:
    @pytest.mark.parametrize(
        ("name", "wishes", "words"),
        [
            ("model.pt", {}, r"model\.pt should end in \.xml, for OpenVINO, or in \.onnx"),
            ("model.onnx", {"precision": "int8"}, "an ONNX file is float32"),
            ("model.onnx", {"calibration": [SAMPLE_CLIP]}, "an ONNX file is float32"),
            ("model.xml", {"precision": "fp16", "calibration": [SAMPLE_CLIP]}, "only int8 needs frames"),
            ("model.xml", {"precision": "fp32", "shared": True}, "only an int8 model of OpenVINO can share weights"),
            ("model.onnx", {"shared": True}, "only an int8 model of OpenVINO can share weights"),
            ("model.xml", {"shared": True}, "only in the folder where those lie"),
            ("model.xml", {"calibration": ["nothing.mp4"]}, "there is no file or folder nothing.mp4"),
        ],
    )
    def test_are_one_sentence_and_leave_no_file(
        self, name: str, wishes: dict[str, Any], words: str, tmp_path: Path
    ) -> None:
        with pytest.raises(RASNetError, match=words):
            export_model(tmp_path / name, **wishes)
        assert list(tmp_path.iterdir()) == []

    def test_on_the_command_line_too(self, tmp_path: Path) -> None:
        done = CliRunner().invoke(app, ["convert", str(tmp_path / "model.engine")])
        assert done.exit_code == 2
        assert "should end in .xml" in done.stderr
