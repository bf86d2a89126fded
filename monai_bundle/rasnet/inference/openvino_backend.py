"""The bundle's network on OpenVINO: the CPU's own instructions, without PyTorch or MONAI."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image

from rasnet.cores import thread_limit
from rasnet.errors import RASNetError
from rasnet.inference.buffers import Empty, empty
from rasnet.inference.network_input import network_size
from rasnet.inference.openvino_import import import_openvino
from rasnet.inference.openvino_model import read_about, schema_of
from rasnet.inference.shared_weights import REST, assemble
from rasnet.video.yuv import Pixels, only_rgb

if TYPE_CHECKING:
    import openvino


class OpenVinoBackend:
    """Runs a model file of `rasnet convert` on the CPU.

    The graph normalises, runs the network and states the uncertainty. The picture is shrunk before it by Pillow and
    its classes are decided after it by OpenCV, as `Segmenter` does with the same masks: for a picture of 1280x1024,
    OpenVINO's own antialiased resize takes 82 ms instead of 4, and its enlarging 18 ms instead of 1.

    Args:
        model: the ``.xml`` file, with its ``.bin`` file beside it, or what stands for that (`shared_weights`).

    Attributes:
        name: ``"openvino-"`` and the precision of the weights, for example ``"openvino-int8"``.
        batch_size: a good number of frames at once.
        weights: the model's path.
        schema: the classes that it tells apart.

    Raises:
        RASNetError: there is no such file, or OpenVINO cannot read it.
    """

    # More frames at once gain nothing: one already keeps every core busy.
    batch_size = 1
    reads_planes = False

    def __init__(self, model: str | Path) -> None:
        self.empty: Empty = empty
        openvino = import_openvino()
        self.weights = Path(model)
        self._core = openvino.Core()
        self._model, about = _read(self._core, self.weights)
        self.name = f"openvino-{about['precision']}"
        self.schema = schema_of(about)
        self._pixels = int(about["pixels"])
        self._size = (0, 0)
        self._decide = Decision((0, 0))

    def __call__(self, pixels: Pixels) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.float32]]:
        """Segment pictures of one size.

        Args:
            pixels: uint8 (B, H, W, 3).

        Returns:
            Classes, uint8 (B, H, W), and uncertainty, float32 (B, C), as `Segmenter` gives them.

        Raises:
            TypeError: planes, or frames of another dtype.
        """
        rgb = only_rgb(pixels)
        if rgb.dtype != np.uint8:
            raise TypeError(f"frames must be uint8, 0 to 255, not {rgb.dtype}")
        height, width = rgb.shape[1:3]
        size = network_size(height, width, self._pixels)
        if size != self._size:
            self._request, self._size = self._compile(*size), size
        if (height, width) != self._decide.size:
            self._decide = Decision((height, width))
        classes, uncertainty = zip(*(self._segment(picture) for picture in rgb), strict=True)
        return np.stack(classes), np.concatenate(uncertainty)

    def _segment(self, picture: npt.NDArray[np.uint8]) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.float32]]:
        results = self._request.infer([shrink(picture, self._size)[None]], share_inputs=True)
        return self._decide(results["scores"][0]), results["uncertainty"].copy()

    def _compile(self, height: int, width: int) -> openvino.InferRequest:
        """Prepare for pictures of one size, which the network runs faster with than with any size."""
        self._model.reshape([1, height, width, 3])
        # Left to itself, OpenVINO computes a float32 model in bfloat16 where the CPU can, and gives other masks.
        settings = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": "f32"}
        if (threads := thread_limit()) is not None:
            settings["INFERENCE_NUM_THREADS"] = str(threads)
        try:
            return self._core.compile_model(self._model, "CPU", settings).create_infer_request()
        except RuntimeError as error:  # a CPU without AVX2, say
            raise RASNetError(
                f"OpenVINO cannot run {self.weights} on this CPU ({str(error).splitlines()[-1]}); "
                "run the checkpoint on PyTorch instead: --weights model.pt"
            ) from error


def shrink(picture: npt.NDArray[np.uint8], size: tuple[int, int]) -> npt.NDArray[np.uint8]:
    """Resize a picture, antialiased, to the network's input, to within one grey value of how torch resizes bytes.

    Args:
        picture: uint8 (H, W, 3).
        size: height and width to resize to.

    Returns:
        uint8 (*size, 3).
    """
    if picture.shape[:2] == size:
        return picture
    return np.asarray(Image.fromarray(picture).resize(size[::-1], Image.Resampling.BILINEAR))


class Decision:
    """Enlarges class scores and takes the best class of every pixel; of equal scores the first wins.

    It keeps what it works in: pages that the system has to clear for every frame take longer than the work.

    Args:
        size: height and width to decide at.
    """

    def __init__(self, size: tuple[int, int]) -> None:
        self.size = size
        self._lead, self._best = np.empty(size, np.float32), np.empty(size, np.float32)
        self._wins = np.empty(size, np.uint8)

    def __call__(self, scores: npt.NDArray[np.float32]) -> npt.NDArray[np.uint8]:
        """Decide.

        Args:
            scores: float32 (C, h, w).

        Returns:
            uint8 (H, W).
        """
        height, width = self.size
        classes = np.zeros(self.size, np.uint8)
        self._best[:] = 0
        # What a class has above the background is enlarged, so that the background itself, a zero, need not be.
        for channel in range(1, len(scores)):
            cv2.resize(scores[channel] - scores[0], (width, height), self._lead, interpolation=cv2.INTER_LINEAR)
            cv2.compare(self._lead, self._best, cv2.CMP_GT, self._wins)  # 0 or 255
            self._wins &= np.uint8(channel)
            np.maximum(classes, self._wins, out=classes)  # a later class has the larger number
            np.maximum(self._best, self._lead, out=self._best)
        return classes


def _read(core: openvino.Core, path: Path) -> tuple[openvino.Model, dict[str, str]]:
    """Read a model, and what it says about itself."""
    advice = f"make it with `rasnet convert {path}`"
    shared = path.with_suffix(REST).is_file() and not path.with_suffix(".bin").exists()
    for file in (path, path.with_suffix(REST if shared else ".bin")):
        if not file.is_file():
            raise RASNetError(f"there is no model file {file}; {advice}")
    about = read_about(path)
    content = _assembled(path) if shared else (path,)
    try:
        return core.read_model(*content), about
    except Exception as error:  # damaged files raise whatever OpenVINO came across
        raise RASNetError(f"{path} or the .bin file beside it is damaged; {advice}") from error


def _assembled(path: Path) -> tuple[bytes, openvino.Tensor]:
    """A model whose weights lie in a checkpoint, as OpenVINO takes models from memory."""
    return path.read_bytes(), import_openvino().Tensor(assemble(path).view(np.uint8))
