"""A recording gives what its segmenter gives, for any number of frames; these tests need a CUDA GPU."""

from __future__ import annotations

import importlib.util
import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from test_choosing import PRODUCTS, favouring
from test_fusing import count
from torch import nn

from rasnet.bundle import weights_path
from rasnet.inference import RecordedSegmenter, TorchBackend, load_backend, place
from rasnet.inference import recorded as recorded_module
from rasnet.inference.one_pass_decision import OnePassDecision
from rasnet.inference.recorded import _Recording
from rasnet.inference.torch_backend import load_segmenter
from rasnet.inference.yuv_to_rgb import YuvToRgb
from rasnet.networks.choosing import choose_faster
from rasnet.networks.pooling import LeanMaxPool, MeanByProduct
from rasnet.networks.products import PointwiseProduct
from rasnet.networks.widening import WidenedConvolution
from rasnet.synthetic import random_frames
from rasnet.video import open_source
from rasnet.video.yuv import YuvPixels

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU")


@pytest.fixture(scope="module")
def frames() -> torch.Tensor:
    pictures = [frame.rgb for frame in random_frames(5, size=(256, 320), seed=3, device="cuda")]
    return torch.from_numpy(np.stack(pictures)).cuda()


@pytest.fixture
def recorded() -> RecordedSegmenter:
    return RecordedSegmenter(place(load_segmenter(weights_path()), "cuda"))


@torch.inference_mode()
def test_a_recording_gives_what_its_segmenter_gives(recorded: RecordedSegmenter, frames: torch.Tensor) -> None:
    wanted, given = recorded.segmenter(frames), recorded(frames)
    assert (wanted.classes > 0).any()
    assert (wanted.classes == given.classes).float().mean() > 0.999  # half precision, in another order
    assert torch.allclose(wanted.uncertainty, given.uncertainty, atol=0.01)


@pytest.mark.parametrize(
    ("kind", "many"),
    [(PointwiseProduct, PRODUCTS), (WidenedConvolution, 1), (LeanMaxPool, 1), (MeanByProduct, 3), (OnePassDecision, 1)],
    ids=["products", "widening", "pooling", "means", "decision"],
)
@pytest.mark.parametrize("batch", [1, 5])
@torch.inference_mode()
def test_every_way_gives_the_same(
    recorded: RecordedSegmenter,
    frames: torch.Tensor,
    kind: type[nn.Module],
    many: int,
    batch: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if kind in (LeanMaxPool, OnePassDecision) and importlib.util.find_spec("triton") is None:
        pytest.skip("needs Triton")
    monkeypatch.setattr(recorded_module, "_ALTERNATIVES", ())
    wanted = recorded(frames[:batch])
    monkeypatch.undo()
    taken = []

    def choose(*arguments: object) -> nn.Module:
        taken.append(choose_faster(*arguments, time_of=favouring(kind)))  # type: ignore[type-var, arg-type]
        return taken[0]

    monkeypatch.setattr(recorded_module, "choose_faster", choose)
    given = RecordedSegmenter(recorded.segmenter)(frames[:batch])
    assert count(taken[0], kind) == many
    assert (wanted.classes == given.classes).float().mean() > 0.999
    assert torch.allclose(wanted.uncertainty, given.uncertainty, atol=0.01)


@torch.inference_mode()
def test_fewer_frames_and_other_sizes(
    recorded: RecordedSegmenter, frames: torch.Tensor, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "rasnet.inference")
    whole = recorded(frames)
    assert "prepares itself for frames of 320x256" in caplog.text
    part = recorded(frames[:2])
    assert torch.equal(part.classes, whole.classes[:2])
    assert torch.equal(whole.classes, recorded(frames).classes)  # a caller's result is not overwritten
    other = recorded(frames[:, :200, :260].contiguous())
    assert other.classes.shape == (5, 200, 260)


@torch.inference_mode()
def test_a_gpu_that_is_too_small_takes_smaller_batches(
    recorded: RecordedSegmenter, frames: torch.Tensor, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    whole = recorded(frames).classes
    begin = _Recording.__init__

    def run_out_of_memory(self: _Recording, segmenter: Any, shape: tuple[int, ...], *others: Any) -> None:
        if shape[0] > 2:
            raise torch.OutOfMemoryError("CUDA out of memory")
        begin(self, segmenter, shape, *others)

    monkeypatch.setattr(_Recording, "__init__", run_out_of_memory)
    small = RecordedSegmenter(recorded.segmenter)
    assert (small(frames).classes == whole).float().mean() > 0.999
    assert "trying 2" in caplog.text


@pytest.mark.parametrize("gpu", [False, True], ids=["decoded by the CPU", "decoded by the GPU"])
def test_planes_give_what_rgb_gives(gpu: bool) -> None:
    clip = Path(__file__).parents[2] / "Resources" / "sample_clip.mp4"
    backend = TorchBackend(weights_path(), "cuda")
    with open_source(clip) as source:
        rgb = np.stack([frame.rgb for frame in source.read(0, 4)])
    with open_source(clip, gpu=gpu) as source:
        assert source.yuv is not None
        assert source.yuv.interleaved is gpu
        planes = np.empty((4, *source.yuv.shape), np.uint8)
        for place, taken in zip(planes, source.take(0, 4), strict=True):
            assert taken.copy_planes is not None
            taken.copy_planes(place)
    np.testing.assert_array_equal(YuvToRgb(source.yuv)(torch.from_numpy(planes).cuda()).cpu(), rgb)
    wanted, given = backend(rgb)[0], backend(YuvPixels(planes, source.yuv))[0]
    assert (wanted > 0).any()
    assert (wanted == given).mean() > 0.999


def test_it_is_said_that_the_first_frames_take_longer() -> None:
    _, reason = load_backend(weights_path(), "cuda")
    assert reason.endswith("it prepares itself at the first frames, for some seconds")


def test_the_backend_gives_arrays(frames: torch.Tensor) -> None:
    classes, uncertainty = TorchBackend(weights_path(), "cuda")(frames.cpu().numpy())
    assert classes.dtype == np.uint8
    assert classes.shape == (5, 256, 320)
    assert uncertainty.dtype == np.float32
    assert uncertainty.shape == (5, 3)
