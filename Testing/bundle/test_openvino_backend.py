"""OpenVINO gives the masks that PyTorch gives, is chosen where it should be, and needs neither torch nor MONAI."""

import json
import os
import platform
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from bars import bar, write_bar_folder
from hypothesis import given, settings
from hypothesis import strategies as st

from rasnet.bundle import bundle_root, file_sha256, weights_path
from rasnet.case import Case
from rasnet.errors import RASNetError
from rasnet.inference import OpenVinoBackend, TorchBackend, open_case
from rasnet.inference import backend as choosing
from rasnet.inference.openvino_backend import Decision, shrink
from rasnet.inference.segmenter import decide
from rasnet.inference.shared_weights import assemble
from rasnet.video import open_source

SAMPLE_CLIP = Path(__file__).resolve().parents[2] / "Resources" / "sample_clip.mp4"

# Runs the command line where importing torch, MONAI or Ignite fails, and tells at the end which modules were loaded.
WITHOUT_TORCH = """
import sys

class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("torch", "monai", "ignite"):
            raise ModuleNotFoundError(f"{name} is blocked", name=name)

sys.meta_path.insert(0, Blocker())
from rasnet.cli import main
main()
"""


@pytest.fixture(scope="session")
def float_model(openvino_fp32: Path) -> OpenVinoBackend:
    return OpenVinoBackend(openvino_fp32)


def sample_frames(step: int) -> list[np.ndarray]:
    with open_source(SAMPLE_CLIP) as clip:
        return [frame.rgb for frame in clip.read(step=step)]


def differing(first: np.ndarray, second: np.ndarray) -> float:
    """Share of pixels that differ."""
    return float(np.mean(first != second))


class TestSameMasks:
    @pytest.mark.parametrize(
        "size",  # height and width
        [(512, 640), (1024, 1280), (576, 720), (256, 320), (200, 310), (333, 241), (70, 300)],
    )
    def test_as_torch_on_the_sample_clip(
        self, size: tuple[int, int], backend: TorchBackend, float_model: OpenVinoBackend
    ) -> None:
        for rgb in sample_frames(step=100):
            frame = cv2.resize(rgb, size[::-1], interpolation=cv2.INTER_AREA)[None]
            expected, doubt = backend(frame)
            classes, uncertainty = float_model(frame)
            assert (classes.dtype, classes.shape) == (np.uint8, (1, *size))
            assert differing(classes, expected) < 0.001
            assert uncertainty.dtype == np.float32
            np.testing.assert_allclose(uncertainty, doubt, atol=0.005)
        assert expected.any()

    @pytest.mark.real
    @pytest.mark.parametrize(
        "path", ["endovis2015_robotic/Dataset3/Video.avi", "endovis2015_rigid/OP3/Raw", "unlabelled/a00000.jpg"]
    )
    def test_as_torch_on_real_frames(
        self, path: str, shared_data: Path, backend: TorchBackend, float_model: OpenVinoBackend
    ) -> None:
        with open_source(shared_data / path) as source:
            for frame in source.read(step=max(1, len(source) // 2)):
                expected, _ = backend(frame.rgb[None])
                classes, _ = float_model(frame.rgb[None])
                assert differing(classes, expected) < 0.001

    def test_a_batch_gives_what_single_frames_give(self, float_model: OpenVinoBackend) -> None:
        rgb = np.stack([bar(index) for index in range(3)])
        classes, uncertainty = float_model(rgb)
        assert (classes.shape, uncertainty.shape) == ((3, *rgb.shape[1:3]), (3, 3))
        for index in range(3):
            alone, figures = float_model(rgb[index : index + 1])
            np.testing.assert_array_equal(alone[0], classes[index])
            np.testing.assert_array_equal(figures[0], uncertainty[index])

    def test_results_stay_when_the_next_picture_comes(self, float_model: OpenVinoBackend) -> None:
        classes, uncertainty = float_model(bar(0)[None])
        kept = classes.copy(), uncertainty.copy()
        float_model(bar(8)[None])
        np.testing.assert_array_equal(classes, kept[0])
        np.testing.assert_array_equal(uncertainty, kept[1])

    def test_a_view_of_a_frame_is_taken(self, float_model: OpenVinoBackend) -> None:
        frame = np.pad(bar(3), ((8, 8), (20, 4), (0, 0)))
        view = frame[None, 8:-8, 20:-4]
        np.testing.assert_array_equal(float_model(view)[0], float_model(view.copy())[0])

    def test_only_bytes_are_frames(self, float_model: OpenVinoBackend) -> None:
        with pytest.raises(TypeError, match="frames must be uint8, 0 to 255, not float32"):
            float_model(np.zeros((1, 64, 96, 3), np.float32))


class TestShrink:
    @pytest.mark.parametrize("size", [(1024, 1280), (576, 720), (300, 333), (64, 96), (40, 50), (1, 1)])
    def test_is_torchs_antialiased_resize(self, size: tuple[int, int]) -> None:
        rgb = np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8)
        images = torch.from_numpy(rgb)[None].movedim(-1, 1)
        expected = torch.nn.functional.interpolate(images, (64, 96), mode="bilinear", antialias=True)
        np.testing.assert_allclose(shrink(rgb, (64, 96)).astype(int), expected[0].movedim(0, -1).numpy(), atol=1)


class TestDecision:
    @settings(max_examples=100, deadline=None)
    @given(st.data())
    def test_is_what_the_segmenter_decides(self, data: st.DataObject) -> None:
        classes, *sides = (data.draw(st.integers(low, 8)) for low in (2, 1, 1))
        size = data.draw(st.tuples(st.integers(1, 40), st.integers(1, 40)))
        seed = data.draw(st.integers(0, 2**32))
        scores = torch.randn(1, classes, *sides, generator=torch.Generator().manual_seed(seed))
        expected = decide(scores, size)[0].numpy()
        decided = Decision(size)(scores[0].numpy())
        assert decided.dtype == np.uint8
        # Where scores meet within rounding, either may win.
        assert np.count_nonzero(decided != expected) <= 0.01 * decided.size + 1

    def test_of_equal_scores_the_first_wins(self) -> None:
        assert not Decision((5, 5))(np.zeros((4, 2, 2), np.float32)).any()
        assert (Decision((3, 2))(np.array([[[0.0]], [[1.0]], [[1.0]]], np.float32)) == 1).all()


class TestInt8:
    def test_is_small_enough_to_release(self, openvino_int8: Path) -> None:
        assert sum(path.stat().st_size for path in (openvino_int8, openvino_int8.with_suffix(".rest"))) <= 1_300_000
        assert openvino_int8.stat().st_size + assemble(openvino_int8).nbytes <= 34_000_000

    def test_finds_what_float32_finds(self, openvino_int8: Path, float_model: OpenVinoBackend) -> None:
        backend = OpenVinoBackend(openvino_int8)
        assert backend.name == "openvino-int8"
        overlap = size = 0
        for rgb in sample_frames(step=50):
            mine, expected = backend(rgb[None])[0] > 0, float_model(rgb[None])[0] > 0
            overlap += np.count_nonzero(mine & expected)
            size += np.count_nonzero(mine) + np.count_nonzero(expected)
        assert 2 * overlap / size > 0.95  # Dice


# Segments a picture, named by the second argument, with the model named by the first; keeps the mask as the third.
ONE_MASK = """
import sys
import numpy as np
from rasnet.inference import OpenVinoBackend
np.save(sys.argv[3], OpenVinoBackend(sys.argv[1])(np.load(sys.argv[2])[None])[0][0])
"""


@pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="these are kinds of x86 CPUs")
class TestOtherCpus:
    """A CPU that can do less than this one, as OpenVINO's kernels are told by an environment variable."""

    def segment(self, most: str, model: Path, folder: Path) -> subprocess.CompletedProcess[str]:
        np.save(folder / "rgb.npy", sample_frames(step=100)[1])
        command = [sys.executable, "-c", ONE_MASK, str(model), *(str(folder / name) for name in ("rgb.npy", most))]
        environment = {**os.environ, "ONEDNN_MAX_CPU_ISA": most}
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)

    @pytest.mark.parametrize("most", ["AVX512_CORE", "AVX2"])  # neither has VNNI
    def test_without_vnni_int8_finds_the_same(self, most: str, openvino_int8: Path, tmp_path: Path) -> None:
        assert self.segment(most, openvino_int8, tmp_path).returncode == 0
        rgb, mask = np.load(tmp_path / "rgb.npy"), np.load(tmp_path / f"{most}.npy")
        assert differing(mask, OpenVinoBackend(openvino_int8)(rgb[None])[0][0]) < 0.005

    def test_without_avx2_it_says_what_to_do(self, openvino_int8: Path, tmp_path: Path) -> None:
        done = self.segment("SSE41", openvino_int8, tmp_path)
        assert "RASNetError: OpenVINO cannot run" in done.stderr
        assert "run the checkpoint on PyTorch instead: --weights model.pt" in done.stderr


@pytest.fixture
def bundle(openvino_int8: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the bundle that has an OpenVINO model, and which `rasnet` takes for its own in this test."""
    root = tmp_path / "bundle"
    shutil.copytree(bundle_root() / "configs", root / "configs")
    (root / "models").mkdir()
    (root / "models" / "model.pt").symlink_to(weights_path())
    for ending in (".xml", ".rest"):
        shutil.copy(openvino_int8.with_suffix(ending), root / "models" / f"model_int8{ending}")
    monkeypatch.setattr("rasnet.bundle.bundle_root", lambda: root)
    return root


def hide(monkeypatch: pytest.MonkeyPatch, *packages: str) -> None:
    """Make packages look as if they were not installed."""
    for package in packages:
        monkeypatch.setitem(sys.modules, package, None)


class TestChoice:
    @pytest.fixture(autouse=True)
    def no_gpu(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(choosing, "has_cuda_gpu", lambda: False)

    def test_a_cpu_gets_openvino(self, bundle: Path) -> None:
        assert choosing.choose_backend() == ("openvino", bundle / "models/model_int8.xml", "there is no CUDA GPU")
        assert choosing.choose_backend(device="cpu").reason == "the CPU was asked for"

    def test_a_gpu_gets_torch(self, bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(choosing, "has_cuda_gpu", lambda: True)
        monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
        assert choosing.choose_backend() == ("torch", bundle / "models/model.pt", "there is a CUDA GPU")

    def test_a_gpu_that_torch_cannot_use_is_told_of(self, bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(choosing, "has_cuda_gpu", lambda: True)
        monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
        engine, _, reason = choosing.choose_backend()
        assert engine == "openvino"
        assert "cannot use the CUDA GPU" in reason

    def test_whoever_asks_for_a_gpu_never_gets_a_cpu_silently(self, bundle: Path) -> None:
        assert choosing.choose_backend(device="cuda").engine == "torch"

    def test_without_openvino_torch_does_it_and_says_what_is_missing(
        self, bundle: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        hide(monkeypatch, "openvino")
        engine, model, reason = choosing.choose_backend()
        assert (engine, model) == ("torch", bundle / "models/model.pt")
        assert "the package openvino is not installed" in reason

    def test_without_either_the_sentence_says_what_to_install(
        self, bundle: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        hide(monkeypatch, "openvino", "torch")
        with pytest.raises(RASNetError, match=r"nothing can run the network.*rasnet\[cpu\].*rasnet\[torch\]"):
            choosing.choose_backend()

    def test_a_model_of_other_weights_is_passed_over(self, bundle: Path) -> None:
        checkpoint = bundle / "models/model.pt"
        checkpoint.unlink()
        torch.save({}, checkpoint)
        engine, _, reason = choosing.choose_backend()
        assert engine == "torch"
        assert "model_int8.xml was made from other weights than model.pt" in reason

    def test_a_file_that_is_named_decides(self, openvino_fp32: Path) -> None:
        assert choosing.choose_backend(openvino_fp32).engine == "openvino"
        assert choosing.choose_backend(weights_path()).engine == "torch"
        with pytest.raises(RASNetError, match="runs on the CPU; leave --device cuda away"):
            choosing.choose_backend(openvino_fp32, "cuda")

    def test_doctor_says_what_was_chosen_and_why(self, bundle: Path) -> None:
        from rasnet.doctor import examine

        checks = {check.name: check for check in examine()}
        assert checks["the network runs on"].found == "openvino with model_int8.xml: there is no CUDA GPU"
        assert checks["OpenVINO"].advice is None


class TestOneNetworkOnEveryEngine:
    def test_has_one_hash(self, openvino_fp32: Path) -> None:
        assert choosing.checkpoint_sha256(openvino_fp32) == file_sha256(weights_path())

    def test_a_case_begun_on_one_goes_on_with_the_other(self, openvino_fp32: Path, tmp_path: Path) -> None:
        frames = write_bar_folder(tmp_path / "frames", 2)
        open_case(frames, tmp_path / "case", weights_path(), backend="torch-cpu").close()
        case = open_case(frames, tmp_path / "case", openvino_fp32, backend="openvino-fp32")
        assert case.missing() == [0, 1]


class TestBadModels:
    def copy(self, model: Path, folder: Path) -> Path:
        for ending in (".xml", ".bin"):
            shutil.copy(model.with_suffix(ending), folder / f"model{ending}")
        return folder / "model.xml"

    def test_that_are_not_there(self, tmp_path: Path) -> None:
        with pytest.raises(RASNetError, match=r"there is no model file .*none\.xml; make it with `rasnet convert"):
            OpenVinoBackend(tmp_path / "none.xml")

    def test_without_their_weights(self, openvino_fp32: Path, tmp_path: Path) -> None:
        shutil.copy(openvino_fp32, tmp_path / "model.xml")
        with pytest.raises(RASNetError, match=r"there is no model file .*model\.bin"):
            OpenVinoBackend(tmp_path / "model.xml")

    @pytest.mark.parametrize("content", [b"", b"<net>", b"<net></net>", b"\x00\x01"])
    def test_that_are_no_models(self, content: bytes, openvino_fp32: Path, tmp_path: Path) -> None:
        model = self.copy(openvino_fp32, tmp_path)
        model.write_bytes(content)
        with pytest.raises(RASNetError, match=r"is not an OpenVINO model of RASNet or is damaged; make it"):
            OpenVinoBackend(model)

    def test_that_were_cut_off(self, openvino_fp32: Path, tmp_path: Path) -> None:
        model = self.copy(openvino_fp32, tmp_path)
        os.truncate(model.with_suffix(".bin"), 1_000_000)
        with pytest.raises(RASNetError, match=r"or the \.bin file beside it is damaged"):
            OpenVinoBackend(model)


class TestWithoutTorch:
    def rasnet(self, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", WITHOUT_TORCH, *map(str, arguments)]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    def test_a_video_becomes_a_case(self, openvino_int8: Path, tmp_path: Path) -> None:
        frames = write_bar_folder(tmp_path / "frames", 3)
        done = self.rasnet("segment", frames, tmp_path / "case", "--weights", openvino_int8, "--progress", "json")
        assert done.returncode == 0, done.stderr
        told: list[dict[str, Any]] = [json.loads(line) for line in done.stdout.splitlines()]
        assert "the network runs on openvino-int8: " in next(e["message"] for e in told if e["event"] == "note")
        with Case.open(tmp_path / "case") as case:
            assert case.missing() == []
            assert case.mask(2).any()
            assert case.info.model is not None
            assert case.info.model.backend == "openvino-int8"

    def test_a_server_answers(self, openvino_int8: Path, tmp_path: Path) -> None:
        frames = write_bar_folder(tmp_path / "frames", 2)
        command = [sys.executable, "-c", WITHOUT_TORCH, "serve", str(tmp_path / "case")]
        command += ["--source", str(frames), "--weights", str(openvino_int8)]
        asked = '{"do": "frame", "index": 1}\n'
        done = subprocess.run(command, input=asked, capture_output=True, text=True, check=False)
        told = [json.loads(line) for line in done.stdout.splitlines()]
        assert done.returncode == 0, done.stderr
        assert next(event["backend"] for event in told if event["event"] == "ready") == "openvino-int8"
        assert [event["index"] for event in told if event["event"] == "frame"] == [1]

    def test_the_first_mask_comes_soon(self, openvino_int8: Path, tmp_path: Path) -> None:
        image = write_bar_folder(tmp_path / "frames", 1) / "frame0.png"
        took = []
        for turn in range(2):
            began = time.perf_counter()
            done = self.rasnet("segment", image, tmp_path / f"case{turn}", "--weights", openvino_int8)
            took.append(time.perf_counter() - began)
            assert done.returncode == 0, done.stderr
        assert min(took) < 10  # 1 to 2 s on an idle machine

    def test_a_checkpoint_is_one_sentence(self, tmp_path: Path) -> None:
        image = write_bar_folder(tmp_path / "frames", 1) / "frame0.png"
        done = self.rasnet("segment", image, tmp_path / "case", "--weights", weights_path())
        assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)
        assert "pip install 'rasnet[torch]'" in done.stderr
