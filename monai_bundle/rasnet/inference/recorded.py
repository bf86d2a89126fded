"""The segmenter on a GPU as a CUDA graph: some 200 kernels that one call starts."""

from __future__ import annotations

import copy
import logging

import torch
from torch import Tensor, nn

from rasnet.errors import RASNetError
from rasnet.inference.one_pass_decision import one_pass_decision_for
from rasnet.inference.segmenter import Decision, Prediction, Segmenter
from rasnet.inference.yuv_to_rgb import YuvToRgb
from rasnet.networks.choosing import choose_faster
from rasnet.networks.classifier import split_classifier
from rasnet.networks.folding import fold_batch_norms
from rasnet.networks.fusing import fuse_convolutions
from rasnet.networks.pooling import lean_pooling_for, mean_by_product_for
from rasnet.networks.products import product_for
from rasnet.networks.widening import widened_for
from rasnet.video.yuv import YuvForm

_logger = logging.getLogger(__name__)

# Runs before a recording, in which cuDNN measures its kernels for these shapes and the allocator finds its memory.
_WARM_UP = 3

# Other ways to compute what some modules do; which is faster depends on the shape and on the GPU.
_ALTERNATIVES = product_for, widened_for, lean_pooling_for, mean_by_product_for, one_pass_decision_for


class RecordedSegmenter(nn.Module):
    """Runs a segmenter on a CUDA device from a recording of its kernels, in half precision.

    The first frames of a size are recorded, which takes a second or so; from then on Python starts one graph instead
    of every kernel. What can be computed in several ways is recorded in the one that is the fastest for these frames on
    this GPU. Fewer frames than were recorded run in a part of the same buffers. If the device's memory does not hold a
    batch, smaller batches are recorded, and a warning is logged. Its buffers belong to one caller at a time, as an
    OpenVINO request does; `rasnet.inference.many` sees to that where threads share a model.

    Args:
        segmenter: on a CUDA device, in evaluation mode. Its weights may still be loaded after this; they are read, and
            its network rewritten for speed, at the first call.

    Examples:
        >>> segmenter = RecordedSegmenter(place(Segmenter(RASNet(3)), "cuda"))  # doctest: +SKIP
    """

    def __init__(self, segmenter: Segmenter) -> None:
        super().__init__()
        self.segmenter = segmenter
        self._rewritten: Segmenter | None = None
        self._recording: _Recording | None = None

    def forward(self, frames: Tensor, form: YuvForm | None = None) -> Prediction:
        """Segment pictures of one size.

        Args:
            frames: uint8 (B, H, W, 3), or planes, (B, *form.shape); on the device or in pinned memory.
            form: of planes.

        Returns:
            Classes and uncertainty, as `Segmenter` gives them, on the device; the caller's own.

        Raises:
            RASNetError: not even one frame fits into the device's memory.
        """
        if self._recording is None or not self._recording.takes(frames, form):
            self._recording = None  # first, so that its memory can be used again
            self._recording = self._record(frames, form)
        if len(frames) <= self._recording.batch_size:
            return self._recording(frames)
        predictions = [self._recording(chunk) for chunk in frames.split(self._recording.batch_size)]
        return Prediction(*map(torch.cat, zip(*predictions, strict=True)))

    def _record(self, frames: Tensor, form: YuvForm | None) -> _Recording:
        if self._rewritten is None:
            self._rewritten = _rewrite(self.segmenter)
        batch_size = wished = len(frames)
        height, width = frames.shape[1:3] if form is None else (form.height, form.width)
        _logger.info("the network prepares itself for frames of %dx%d on this GPU, for some seconds", width, height)
        while True:
            try:
                return _Recording(self._rewritten, (batch_size, *frames.shape[1:]), wished, form)
            except torch.OutOfMemoryError as error:
                torch.cuda.empty_cache()
                if batch_size == 1:
                    raise RASNetError(
                        f"the GPU's free memory does not hold one frame of {width}x{height}; "
                        "end other programs that use the GPU, or choose --device cpu"
                    ) from error
                batch_size //= 2
                _logger.warning(
                    "the GPU's memory does not hold that many frames of %dx%d at once; trying %d",
                    width,
                    height,
                    batch_size,
                )


class _Recording:
    """The kernels for one shape of frames, with the memory that they read and write.

    Attributes:
        batch_size: most frames that fit.
    """

    def __init__(self, segmenter: Segmenter, shape: tuple[int, ...], wished: int, form: YuvForm | None) -> None:
        self.batch_size = shape[0]
        self._wished = wished
        self._form = form
        device = segmenter.mean.device
        # Noise, on which alternatives are compared; its own generator leaves the one of trainings alone.
        noise = torch.Generator(device).manual_seed(0)
        self._frames = torch.randint(256, shape, dtype=torch.uint8, device=device, generator=noise)
        self._graph = torch.cuda.CUDAGraph()
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.inference_mode(), torch.backends.cudnn.flags(enabled=True, benchmark=True):
            with torch.cuda.stream(stream):
                # Kept, as the graph reads its weights.
                whole = segmenter if form is None else nn.Sequential(YuvToRgb(form), segmenter)
                self._segmenter = choose_faster(whole, self._frames, _ALTERNATIVES)
                for _ in range(_WARM_UP):
                    self._segmenter(self._frames)
            torch.cuda.current_stream().wait_stream(stream)
            with torch.cuda.graph(self._graph):
                self._prediction: Prediction = self._segmenter(self._frames)

    def takes(self, frames: Tensor, form: YuvForm | None) -> bool:
        """Whether frames have the recorded size and form, and are not more than were wished for then."""
        return (frames.shape[1:], form) == (self._frames.shape[1:], self._form) and len(frames) <= self._wished

    def __call__(self, frames: Tensor) -> Prediction:
        count = len(frames)
        self._frames[:count].copy_(frames, non_blocking=True)
        self._graph.replay()
        # The next replay writes into the same memory.
        return Prediction(*(figure[:count].clone() for figure in self._prediction))


def _rewrite(segmenter: Segmenter) -> Segmenter:
    """Copy a segmenter with fewer passes over its features: rewritten in float32, to run in half precision."""
    device = segmenter.mean.device
    fast = copy.deepcopy(segmenter).cpu().float()  # a GPU would first look for kernels for what runs only once
    fast.network, classifier = split_classifier(fuse_convolutions(fold_batch_norms(fast.network)))
    fast.decision = Decision(segmenter.decision.temperature, classifier)
    # torch documents the keyword, its type stubs do not
    return fast.half().to(device, memory_format=torch.channels_last)  # type: ignore[call-overload,no-any-return]
