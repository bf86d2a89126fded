"""The released network as a file for other engines: an OpenVINO model, or one ONNX file."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
import torch
from torch import Tensor, nn

from rasnet.bundle import file_sha256, weights_path
from rasnet.errors import RASNetError
from rasnet.files import clear_errors
from rasnet.inference.onnx_export import write_onnx
from rasnet.inference.openvino_import import import_openvino
from rasnet.inference.openvino_model import ABOUT
from rasnet.inference.segmenter import Segmenter, expected_dice_loss
from rasnet.inference.shared_weights import REST, share_weights
from rasnet.inference.torch_backend import load_model
from rasnet.progress import Progress, SilentProgress

if TYPE_CHECKING:
    import openvino

Precision = Literal["int8", "fp16", "fp32"]


def export_model(
    output: str | Path,
    *,
    weights: str | Path | None = None,
    precision: Precision | None = None,
    calibration: Sequence[str | Path] = (),
    shared: bool = False,
    progress: Progress | None = None,
) -> None:
    """Write a network for another engine; the file's ending says which.

    Args:
        output: ``.xml`` for OpenVINO, whose weights go into a ``.bin`` file beside it, or ``.onnx``.
        weights: checkpoint; the released one by default.
        precision: of an OpenVINO model's weights; int8 by default. An ONNX file is float32.
        calibration: videos, folders of frames or images whose frames show int8 what values to expect; scenes of
            `rasnet.synthetic` by default.
        shared: leave out of an int8 model what the checkpoint in the same folder holds too (see `shared_weights`).
        progress: told of the steps.

    Raises:
        RASNetError: another ending, weights that cannot be loaded, or a disk that is full.
    """
    output, weights = Path(output), Path(weights or weights_path())
    progress = progress or SilentProgress()
    if output.suffix not in (".xml", ".onnx"):
        raise RASNetError(f"{output.name} should end in .xml, for OpenVINO, or in .onnx")
    if output.suffix == ".onnx" and (precision not in (None, "fp32") or calibration):
        raise RASNetError("an ONNX file is float32; leave --precision and --calibrate away")
    if calibration and precision not in (None, "int8"):
        raise RASNetError("only int8 needs frames to calibrate with; leave --calibrate away")
    if shared:
        if output.suffix == ".onnx" or precision not in (None, "int8"):
            raise RASNetError("only an int8 model of OpenVINO can share weights; leave --shared away")
        if output.resolve().parent != weights.resolve().parent:
            raise RASNetError(f"a model can share the weights of {weights} only in the folder where those lie")
    segmenter, schema, _ = load_model(weights)
    about = {"weights_sha256": file_sha256(weights), "label_schema": json.dumps(schema.to_json())}
    if output.suffix == ".onnx":
        write_onnx(segmenter, output, about)
        return
    precision = precision or "int8"
    model = to_openvino(segmenter)
    if precision == "fp16":
        _halve(model)
    if precision == "int8":
        from rasnet.inference.quantization import calibration_pictures, quantize

        model = quantize(model, calibration_pictures(calibration, segmenter.pixels, progress))
    about |= {"precision": precision, "pixels": str(segmenter.pixels)}
    write_openvino(model, output, about, share_with=weights if shared else None)


class NetworkOnBytes(nn.Module):
    """The part of a `Segmenter` that an OpenVINO model holds: normalise, network, uncertainty.

    Args:
        segmenter: whose.
    """

    def __init__(self, segmenter: Segmenter) -> None:
        super().__init__()
        self.segmenter = segmenter

    def forward(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        """Score pictures of the network's input size, uint8 (B, h, w, 3).

        Returns:
            Class scores (B, C, h, w), and uncertainty (B, C).
        """
        images = pictures.permute(0, 3, 1, 2).float()
        scores = self.segmenter.score((images - self.segmenter.mean) / self.segmenter.std)
        return scores, expected_dice_loss(scores)


def to_openvino(segmenter: Segmenter) -> openvino.Model:
    """Turn normalisation, network and uncertainty into an OpenVINO model of any batch, height and width.

    Args:
        segmenter: on the CPU, in float32.

    Returns:
        A model with the input ``pictures`` and the outputs ``scores`` and ``uncertainty`` (see `NetworkOnBytes`).
    """
    openvino = import_openvino()
    example = torch.zeros(1, 64, 96, 3, dtype=torch.uint8)
    any_size = openvino.PartialShape([-1, -1, -1, 3])
    model = openvino.convert_model(NetworkOnBytes(segmenter).eval(), example_input=example, input=[any_size])
    for output, name in zip(model.outputs, ("scores", "uncertainty"), strict=True):
        output.set_names({name})
    return model


def _halve(model: openvino.Model) -> None:
    """Keep the weights of convolutions in 16-bit floats.

    `openvino.save_model` would do so too, but leaves a network alone whose output runs into a softmax and a sum.
    """
    openvino = import_openvino()
    from openvino import opset13 as ops

    for node in model.get_ordered_ops():
        if node.get_type_name() == "Constant" and node.get_element_type() == openvino.Type.f32:
            values = node.data
            if values.ndim == 4:
                half = ops.convert(ops.constant(values.astype(np.float16)), "f32")
                node.output(0).replace(half.output(0))


def write_openvino(
    model: openvino.Model, output: Path, about: dict[str, str], *, share_with: Path | None = None
) -> None:
    """Write the files of a model whole; the ``.xml`` file, by which a model is found, comes last."""
    openvino = import_openvino()
    for key, value in about.items():
        model.set_rt_info(value, [ABOUT, key])
    with clear_errors(output):
        output.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=output.parent) as folder:
            making = Path(folder) / output.name
            openvino.save_model(model, making, compress_to_fp16=False)
            if share_with:
                share_weights(making, share_with)
            weights, other = (".bin", REST)[:: -1 if share_with else 1]
            making.with_suffix(weights).replace(output.with_suffix(weights))
            making.replace(output)
            output.with_suffix(other).unlink(missing_ok=True)
