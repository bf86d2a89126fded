"""`segment_video` with the released weights on videos of a few small frames."""

import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from bars import HEIGHT, WIDTH, bar, bar_mask, write_bar_folder, write_bar_video
from PIL import Image
from videos import RECIPES, write

from rasnet.bundle import file_sha256, weights_path
from rasnet.case import Case
from rasnet.errors import RASNetError
from rasnet.inference import TorchBackend, open_case, segment_video
from rasnet.progress import SilentProgress
from rasnet.video import RegionOfInterest, open_source

pytestmark = pytest.mark.usefixtures("loaded_once")


class Listener(SilentProgress):
    """Remembers what it was told, and plays Ctrl-C after so many frames."""

    def __init__(self, stop_after: int = -1) -> None:
        self.frames: list[int | None] = []
        self.count = 0
        self.notes: list[str] = []
        self.result: dict[str, Any] = {}
        self.stop_after = stop_after

    def advance(self, frame: int | None = None, count: int = 1) -> None:
        self.frames.append(frame)
        self.count += count
        if self.count == self.stop_after:
            raise KeyboardInterrupt

    def note(self, message: str) -> None:
        self.notes.append(message)

    def finish(self, **result: Any) -> None:
        self.result = result


def segment(path: Path, folder: Path, **wishes: Any) -> Case:
    with open_source(path) as source:
        return segment_video(source, folder, device="cpu", **wishes)


def masks(case: Case) -> dict[int, list[np.ndarray]]:
    return {row.index: [case.mask(row.index), case.parts(row.index)] for row in case.frames()}


def write_weights(path: Path, state: dict[str, Any]) -> Path:
    torch.save(state, path)
    return path


@pytest.mark.skipif(torch.cuda.is_available(), reason="needs a machine without a GPU")
def test_without_a_gpu_the_cpu_decodes(tmp_path: Path) -> None:
    listener = Listener()
    case = segment(write_bar_video(tmp_path / "video.mp4", 4), tmp_path / "case", progress=listener, gpu_decoder=True)
    assert [row.index for row in case.frames()] == [0, 1, 2, 3]
    assert "no GPU decodes this video, so the CPU does" in listener.notes


class TestWholeVideo:
    def test_every_frame_gets_what_the_network_sees(self, tmp_path: Path, backend: TorchBackend) -> None:
        video = write_bar_video(tmp_path / "bar.mp4", 4)
        listener = Listener()
        case = segment(video, tmp_path / "case", progress=listener)
        with open_source(video) as source:
            frames = list(source)
        expected, uncertainty = backend(np.stack([frame.rgb for frame in frames]))
        for row, frame in zip(case.frames(), frames, strict=True):
            assert (row.index, row.pts, row.status) == (frame.index, frame.pts, "predicted")
            np.testing.assert_array_equal(case.parts(row.index), expected[row.index])
            np.testing.assert_allclose(row.class_uncertainty, uncertainty[row.index], atol=1e-4)
            truth = bar_mask(row.index)
            found = case.mask(row.index) > 0
            assert 2 * (truth & found).sum() / (truth.sum() + found.sum()) > 0.7
        assert [layer.id for layer in case.layers()] == [1]
        assert listener.frames == [0, 1, 2, 3]
        assert listener.result == {"case": str(tmp_path / "case"), "frames": 4, "damaged": 0}

    def test_the_case_knows_its_model(self, tmp_path: Path) -> None:
        case = segment(write_bar_folder(tmp_path / "frames", 1), tmp_path / "case")
        model = case.info.model
        assert model is not None
        assert (model.name, model.backend) == ("rasnet_instrument_parts", "torch-cpu")
        assert model.sha256 == file_sha256(weights_path())

    def test_black_borders_are_left_out_and_the_masks_fit_the_frame(self, tmp_path: Path) -> None:
        # A picture of 96 x 64 in a frame of 136 x 100: what the network sees is the picture alone.
        bare, framed = write_bar_folder(tmp_path / "bare", 2), tmp_path / "framed"
        framed.mkdir()
        for index in range(2):
            rgb = np.zeros((100, 136, 3), np.uint8)
            rgb[16:80, 24:120] = bar(index)
            Image.fromarray(rgb).save(framed / f"frame{index}.png")
        inside, outside = segment(bare, tmp_path / "bare.case"), segment(framed, tmp_path / "framed.case")
        assert outside.info.roi == RegionOfInterest(16, 24, HEIGHT, WIDTH, 100, 136)
        assert outside.mask(1).any()
        for index in range(2):
            for part in ("mask", "parts"):
                full = getattr(outside, part)(index)
                np.testing.assert_array_equal(full, outside.info.roi.restore(getattr(inside, part)(index)))

    def test_a_range_in_steps(self, tmp_path: Path) -> None:
        video = write_bar_video(tmp_path / "bar.mp4", 9)
        case = segment(video, tmp_path / "case", start=1, stop=8, step=3, batch_size=2)
        assert [(row.index, row.pts) for row in case.frames()] == [
            (index, pytest.approx(index / 25)) for index in (1, 4, 7)
        ]
        assert case.missing() == []


class TestGoingOn:
    def test_a_stopped_run_ends_as_one_that_was_not(self, tmp_path: Path) -> None:
        video = write_bar_video(tmp_path / "bar.mp4", 6)
        whole = segment(video, tmp_path / "whole", batch_size=2)
        with pytest.raises(KeyboardInterrupt):
            segment(video, tmp_path / "parts", batch_size=3, progress=Listener(stop_after=3))
        assert [row.index for row in Case.open(tmp_path / "parts").frames()] == [0, 1, 2]
        gone_on = segment(video, tmp_path / "parts", batch_size=2)
        np.testing.assert_equal(masks(gone_on), masks(whole))
        assert gone_on.layers() == whole.layers()
        for after, before in zip(gone_on.frames(), whole.frames(), strict=True):  # batches were cut elsewhere
            assert after.class_uncertainty == pytest.approx(before.class_uncertainty, abs=1e-5)

    def test_a_persons_frame_stays_and_its_ids_are_followed(self, tmp_path: Path) -> None:
        frames = write_bar_folder(tmp_path / "frames", 4)
        with open_source(frames) as source:
            case = open_case(source, tmp_path / "case", weights_path(), backend="torch-cpu")
        human = np.where(bar_mask(1), 9, 0).astype(np.uint8)
        case.correct(1, human, who="A. Surgeon", tool="test")
        case = segment(frames, tmp_path / "case")
        assert [row.status for row in case.frames()] == ["predicted", "corrected", "predicted", "predicted"]
        np.testing.assert_array_equal(case.mask(1), human)
        for index in (2, 3):
            assert np.unique(case.mask(index)).tolist() == [0, 9]

    def test_where_nothing_is_missing_nothing_happens(self, tmp_path: Path) -> None:
        frames = write_bar_folder(tmp_path / "frames", 2)
        case = segment(frames, tmp_path / "case")
        journal, before = len(list(case.journal())), masks(case)
        listener = Listener()
        began = time.perf_counter()
        again = segment(frames, tmp_path / "case", progress=listener)
        assert time.perf_counter() - began < 2  # 0.1 s on an idle machine
        assert (listener.frames, listener.result["frames"]) == ([], 0)
        assert len(list(again.journal())) == journal
        np.testing.assert_equal(masks(again), before)

    def test_a_run_that_fails_leaves_no_thread_behind(self, tmp_path: Path) -> None:
        video = write_bar_video(tmp_path / "bar.mp4", 40)
        with pytest.raises(KeyboardInterrupt) as caught:
            segment(video, tmp_path / "case", batch_size=1, progress=Listener(stop_after=1))
        names = [thread.name for thread in threading.enumerate()]  # while the traceback holds on to the frames
        assert caught.traceback
        assert not [name for name in names if name.startswith(("decode", "encode-mask", "commit-masks"))]

    @pytest.mark.parametrize("size", [(HEIGHT, WIDTH), (80, 120)])
    def test_a_case_of_another_video_is_refused(self, size: tuple[int, int], tmp_path: Path) -> None:
        segment(write_bar_folder(tmp_path / "frames", 1), tmp_path / "case")
        other = tmp_path / "other.png"
        Image.fromarray(bar(3, *size)).save(other)
        with pytest.raises(
            RASNetError, match=r"case is a case of the video frames \(1 frames\), not .*other\.png; use"
        ):
            segment(other, tmp_path / "case")


class TestDamage:
    def test_frames_that_cannot_be_decoded_are_told_of_and_stay_missing(self, tmp_path: Path) -> None:
        frames = write_bar_folder(tmp_path / "frames", 4)
        broken = frames / "frame2.png"
        broken.write_bytes(broken.read_bytes()[:80])
        listener = Listener()
        case = segment(frames, tmp_path / "case", progress=listener)
        assert [row.index for row in case.frames()] == [0, 1, 3]
        assert case.missing() == [2]
        engine, note = listener.notes
        assert engine.startswith("the network runs on torch-cpu: ")
        assert note.startswith("frames 2 to 2 could not be decoded: frame2.png")
        assert listener.result["damaged"] == 1

    def test_a_video_that_ends_early_gives_what_it_has(self, tmp_path: Path) -> None:
        recipe = replace(RECIPES["mp4"], options={"g": "1"}, muxer={"movflags": "+faststart"})
        video = write(tmp_path / "bar.mp4", recipe, [bar(index) for index in range(6)])
        video.write_bytes(video.read_bytes()[: video.stat().st_size * 3 // 4])
        listener = Listener()
        case = segment(video, tmp_path / "case", progress=listener)
        done = len(case.frames())
        assert 0 < done < 6
        assert listener.notes[1].startswith(f"frames {done} to ")
        assert "ends early" in listener.notes[-1]
        assert listener.result["damaged"] == len(listener.notes[1:])


class TestWeights:
    """What is wrong with the weights is said before there is a case."""

    @pytest.fixture
    def state(self) -> dict[str, Any]:
        return torch.load(weights_path(), weights_only=True)

    def refuse(self, tmp_path: Path, weights: Path, message: str) -> None:
        frames = write_bar_folder(tmp_path / "frames", 1)
        with pytest.raises(RASNetError, match=message) as caught:
            segment(frames, tmp_path / "case", weights=weights)
        assert len(str(caught.value)) < 600
        assert len(str(caught.value).splitlines()) == 1
        assert not (tmp_path / "case").exists()

    def test_none(self, tmp_path: Path) -> None:
        self.refuse(tmp_path, tmp_path / "none.pt", r"there are no weights at .*none\.pt; give a weights file")

    def test_of_another_number_of_classes(self, tmp_path: Path, state: dict[str, Any]) -> None:
        for name in [name for name in state if name.startswith("head.7.")]:
            state[name] = torch.cat([state[name], state[name]])
        weights = write_weights(tmp_path / "six.pt", state)
        self.refuse(tmp_path, weights, r"six\.pt does not fit the network .*head\.7\.weight.*\[6, 32, 1, 1\]")

    def test_of_another_network(self, tmp_path: Path) -> None:
        weights = write_weights(tmp_path / "linear.pt", torch.nn.Linear(2, 2).state_dict())
        self.refuse(
            tmp_path, weights, r'does not fit .*Missing key.* "encoder\.conv1\.weight" and others\); give weights'
        )

    def test_that_are_no_tensors(self, tmp_path: Path) -> None:
        weights = write_weights(tmp_path / "words.pt", {"model": {"name": "RASNet"}})
        self.refuse(tmp_path, weights, "holds no network weights")

    @pytest.mark.parametrize("content", [b"", b"hello\n", b".", b"PK\x03\x04" + bytes(200), b"\x80\x02garbage"])
    def test_that_are_no_weights(self, content: bytes, tmp_path: Path) -> None:
        weights = tmp_path / "text.pt"
        weights.write_bytes(content)
        self.refuse(tmp_path, weights, r"text\.pt is not a PyTorch weights file or is damaged; copy it again")

    def test_that_were_cut_off(self, tmp_path: Path) -> None:
        weights = tmp_path / "half.pt"
        weights.write_bytes(weights_path().read_bytes()[:20_000_000])
        self.refuse(tmp_path, weights, r"half\.pt is not a PyTorch weights file or is damaged; copy it again")

    def test_under_the_key_that_monai_saves_them_under_are_taken(
        self, tmp_path: Path, state: dict[str, Any], backend: TorchBackend
    ) -> None:
        nested = TorchBackend(write_weights(tmp_path / "nested.pt", {"model": state, "epoch": 3}), "cpu")
        rgb = np.stack([bar(0)])
        np.testing.assert_array_equal(nested(rgb)[0], backend(rgb)[0])

    @pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
    def test_a_device_that_is_not_there(self, tmp_path: Path) -> None:
        frames = write_bar_folder(tmp_path / "frames", 1)
        with open_source(frames) as source, pytest.raises(RASNetError, match=r"no CUDA device .* choose --device cpu"):
            segment_video(source, tmp_path / "case", device="cuda")
        assert not (tmp_path / "case").exists()


def test_a_batch_gives_what_single_frames_give(backend: TorchBackend) -> None:
    rgb = np.stack([bar(index) for index in range(3)])
    classes, uncertainty = backend(rgb)
    assert (classes.dtype, classes.shape) == (np.uint8, (3, HEIGHT, WIDTH))
    assert (uncertainty.dtype, uncertainty.shape) == (np.float32, (3, 3))
    for index in range(3):
        alone, figures = backend(rgb[index : index + 1])
        np.testing.assert_array_equal(alone[0], classes[index])
        np.testing.assert_allclose(figures[0], uncertainty[index], atol=1e-5)
