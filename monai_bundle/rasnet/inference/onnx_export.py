"""From frames of any size to masks as one ONNX file, in operations that every engine has."""

from __future__ import annotations

import warnings
from pathlib import Path

import torch
from torch import Tensor, nn

from rasnet.files import clear_errors, whole_file
from rasnet.inference.network_input import NETWORK_STRIDE
from rasnet.inference.segmenter import Prediction, Segmenter, decide, expected_dice_loss

# Operator set: the newest that torch's exporter by tracing writes without adapters.
_OPSET = 18


class AnySizeSegmenter(nn.Module):
    """A `Segmenter` in operations that every engine has, for frames whose size is known only when it runs.

    The antialiased resize, which few engines know, is written as what it is: a product with a matrix of weights for
    the rows, and one for the columns.

    Args:
        segmenter: to do the same as.
    """

    def __init__(self, segmenter: Segmenter) -> None:
        super().__init__()
        self.segmenter = segmenter

    def forward(self, frames: Tensor) -> Prediction:
        """Segment frames, uint8 (B, H, W, 3), as `Segmenter` does."""
        batch, height, width, _ = frames.shape
        sides = torch._shape_as_tensor(frames)[1:3].float()
        rows, columns = any_network_size(sides, self.segmenter.pixels).unbind()
        # Rows first, while a row's pixels lie side by side in memory.
        shrunk = resampling_weights(sides[0], rows) @ frames.float().reshape(batch, height, -1)
        images = shrunk.reshape(batch, -1, width, 3).permute(0, 3, 1, 2) @ resampling_weights(sides[1], columns).T
        scores = self.segmenter.score((images - self.segmenter.mean) / self.segmenter.std)
        return Prediction(decide(scores, (height, width)), expected_dice_loss(scores))


def any_network_size(sides: Tensor, pixels: int) -> Tensor:
    """Do what `network_size` does with tensors: float (2,) of a picture's height and width to that of the input's.

    A side that lies half-way between two multiples of the stride may be rounded to the other one, as float32 has it.
    """
    scale = torch.sqrt(pixels / (sides[0] * sides[1]))
    return torch.round(sides * scale / NETWORK_STRIDE).clamp(min=1) * NETWORK_STRIDE


def resampling_weights(length: Tensor, target: Tensor) -> Tensor:
    """What each sample counts for in each sample of an antialiased, bilinear resize along one axis.

    A triangle around the target's place, as wide as the samples are dense, so that none is skipped.

    Args:
        length: samples that there are, a whole number in a float scalar.
        target: samples wanted, likewise.

    Returns:
        Float (target, length), each row adding up to 1.
    """
    ratio = length / target
    # Ranges as long as tensors say, so that the exporter sees where the length comes from; torch's stubs know no such.
    centers = (torch.arange(target) + 0.5) * ratio  # type: ignore[call-overload]
    places = torch.arange(length) + 0.5  # type: ignore[call-overload]
    weights = (1 - ((places - centers[:, None]) / ratio.clamp(min=1)).abs()).clamp(min=0)
    return weights / weights.sum(dim=1, keepdim=True)


def write_onnx(segmenter: Segmenter, output: Path, about: dict[str, str]) -> None:
    """Write frames-to-masks as one ONNX file.

    Args:
        segmenter: on the CPU, in float32.
        output: the file; one that exists is replaced.
        about: what the file remembers as metadata.
    """
    import onnx

    axes = {0: "batch", 1: "height", 2: "width"}
    frames = torch.zeros(2, 64, 96, 3, dtype=torch.uint8)
    with clear_errors(output), whole_file(output) as making, warnings.catch_warnings():
        # The exporter of torch.export takes no size that is the rounded root of another.
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.onnx.export(
            AnySizeSegmenter(segmenter).eval(),
            (frames,),
            making,
            dynamo=False,
            opset_version=_OPSET,
            input_names=["frames"],
            output_names=["masks", "uncertainty"],
            dynamic_axes={"frames": axes, "masks": axes, "uncertainty": {0: "batch", 1: "classes"}},
        )
        model = onnx.load(making)
        onnx.helper.set_model_props(model, about)
        onnx.save(model, making)
