"""The three parts of what a backend does with pictures, each by itself, to see where its time goes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch

from rasnet.inference import Backend, TorchBackend
from rasnet.inference.openvino_backend import Decision, shrink
from rasnet.inference.segmenter import decide, expected_dice_loss
from rasnet.inference.yuv_to_rgb import YuvToRgb
from rasnet.video.yuv import Pixels, YuvPixels, only_rgb

UInt8Array = npt.NDArray[np.uint8]


class Parts(NamedTuple):
    """Functions to be called one after another, each with what the one before it gave.

    Attributes:
        prepare: frames, RGB or planes, to the network's input; to a GPU, if the network runs there.
        network: the network's input to what `decide` takes.
        decide: to classes of full size, uint8 (B, H, W), and back from the GPU.
    """

    prepare: Callable[[Pixels], Any]
    network: Callable[[Any], Any]
    decide: Callable[[Any], UInt8Array]


def parts_of(backend: Backend, frame: tuple[int, int], picture: tuple[int, int]) -> Parts:
    """Take a backend apart.

    Args:
        backend: whose parts.
        frame: height and width of the frames.
        picture: height and width of the network's input.
    """
    return _torch_parts(backend, frame) if isinstance(backend, TorchBackend) else _cpu_parts(backend, frame, picture)


def _torch_parts(backend: TorchBackend, frame: tuple[int, int]) -> Parts:
    segmenter = backend.segmenter

    def prepare(pixels: Pixels) -> torch.Tensor:
        if isinstance(pixels, YuvPixels):
            frames = YuvToRgb(pixels.form)(torch.from_numpy(pixels.planes).to(backend.device))
        else:
            frames = torch.from_numpy(pixels).to(backend.device)
        images: torch.Tensor = segmenter.prepare(frames)
        return images

    def decided(scores: torch.Tensor) -> UInt8Array:
        classes: UInt8Array = decide(scores, frame).cpu().numpy()
        expected_dice_loss(scores).cpu()
        return classes

    return Parts(prepare, segmenter.score, decided)


def _cpu_parts(backend: Backend, frame: tuple[int, int], picture: tuple[int, int]) -> Parts:
    """Of OpenVINO, whose model takes pictures of its own size as bytes; deciding at this size hardly takes time."""
    enlarge = Decision(frame)

    def prepare(pixels: Pixels) -> UInt8Array:
        return np.stack([shrink(each, picture) for each in only_rgb(pixels)])

    def decided(given: tuple[UInt8Array, npt.NDArray[np.float32]]) -> UInt8Array:
        classes, uncertainty = given
        # As many maps to enlarge as the network has scores; how long it takes does not depend on what they show.
        number = np.arange(uncertainty.shape[1], dtype=np.uint8)[:, None, None]
        return np.stack([enlarge((each == number).astype(np.float32)) for each in classes])

    return Parts(prepare, backend, decided)
