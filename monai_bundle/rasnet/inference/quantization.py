"""8-bit integers instead of floats: NNCF's post-training quantisation of an OpenVINO model."""

from __future__ import annotations

import logging
import random
import sys
from collections.abc import Iterator, Sequence
from contextlib import redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from rasnet.errors import RASNetError
from rasnet.inference.network_input import network_size
from rasnet.inference.openvino_backend import shrink
from rasnet.inference.openvino_import import import_openvino
from rasnet.progress import Progress
from rasnet.video import find_roi, open_source
from rasnet.video.images import IMAGE_SUFFIXES

if TYPE_CHECKING:
    import openvino

UInt8Array = npt.NDArray[np.uint8]

CALIBRATION_FRAMES = 240
"""Pictures that show what values to expect; more change little and take longer."""

_OUTLIERS = 1e-4  # share of a layer's values at either end of their range

# Height and width in proportion: that of a da Vinci endoscope's picture.
_SCENE_SHAPE = (1024, 1280)


def quantize(model: openvino.Model, pictures: Sequence[UInt8Array]) -> openvino.Model:
    """Turn a model's convolutions into 8-bit integers.

    Args:
        model: of `rasnet.inference.export.to_openvino`.
        pictures: uint8 (h, w, 3) of the network's input size, like those that it will see.

    Returns:
        A model of the same inputs and outputs.
    """
    import_openvino()
    import nncf

    logging.getLogger("nncf").setLevel(logging.ERROR)  # it logs every layer that it leaves alone
    with redirect_stdout(sys.stderr):  # where its progress bars belong
        return nncf.quantize(
            model,
            nncf.Dataset(pictures, lambda picture: picture[None]),
            subset_size=len(pictures),
            preset=nncf.QuantizationPreset.MIXED,  # what leaves a sigmoid or a sum is not symmetric about 0
            ignored_scope=nncf.IgnoredScope(names=_delicate(model)),
            advanced_parameters=nncf.AdvancedQuantizationParameters(activations_range_estimator_params=_ranges()),
        )


def _ranges() -> Any:
    """How the range of a layer's values is found: without its outliers, for which 8 bits would be too coarse a scale.

    With every value inside the range, laparoscopic frames lost 0.55 Dice; with NNCF's default, the mean of the largest
    value of each picture, 0.02; without a ten-thousandth at both ends, nothing.
    """
    from nncf.quantization.range_estimator import (
        AggregatorType,
        RangeEstimatorParameters,
        StatisticsCollectorParameters,
        StatisticsType,
    )

    end = StatisticsCollectorParameters(
        statistics_type=StatisticsType.QUANTILE, aggregator_type=AggregatorType.MEAN, quantile_outlier_prob=_OUTLIERS
    )
    return RangeEstimatorParameters(min=end, max=end)


def _delicate(model: openvino.Model) -> list[str]:
    """Names of the layers that stay floats: they hurt most, and are 2 % of the work.

    NNCF leaves the first layer 7 bits, so that CPUs without VNNI do not overflow; that alone cost up to 0.01 Dice on
    laparoscopic frames. The last layer's scores are compared with each other, for which 8 bits are coarse.
    """
    kinds = ("Convolution", "ConvolutionBackpropData")
    convolutions = [node for node in model.get_ordered_ops() if node.get_type_name() in kinds]
    return [convolutions[place].get_friendly_name() for place in (0, -1)]


def calibration_pictures(
    sources: Sequence[str | Path], pixels: int, progress: Progress, count: int = CALIBRATION_FRAMES
) -> list[UInt8Array]:
    """Gather pictures from all over the sources, as the network gets to see them.

    Args:
        sources: videos, folders of frames or images; scenes of `rasnet.synthetic` where there are none.
        pixels: of the network's input.
        progress: told of every picture.
        count: of pictures at most.

    Raises:
        RASNetError: a source cannot be read, or holds no frame that can.
    """
    progress.start("calibrate", count)
    drawn = _from_sources(sources, pixels, count) if sources else _from_scenes(pixels, count)
    pictures = []
    for picture in drawn:
        pictures.append(picture)
        progress.advance()
    if not pictures:
        raise RASNetError("no frame of the calibration sources can be read; give others with --calibrate")
    random.Random(0).shuffle(pictures)  # the statistics of a part of them should be those of all
    return pictures


def _from_sources(sources: Sequence[str | Path], pixels: int, count: int) -> Iterator[UInt8Array]:
    share = max(1, count // len(sources))
    for source in map(Path, sources):
        if source.is_dir():  # its images may be of many operations and sizes, which one video's frames are not
            files = sorted(file for file in source.iterdir() if file.suffix.lower() in IMAGE_SUFFIXES)
            for file in files[:: max(1, -(-len(files) // share))]:
                yield from _frames(file, 1, pixels)
        else:
            yield from _frames(source, share, pixels)


def _frames(path: Path, count: int, pixels: int) -> Iterator[UInt8Array]:
    with open_source(path) as source:
        roi = find_roi(source)
        for frame in source.read(step=-(-len(source) // count)):
            yield shrink(np.ascontiguousarray(roi.crop(frame.rgb)), network_size(roi.height, roi.width, pixels))


def _from_scenes(pixels: int, count: int) -> Iterator[UInt8Array]:
    from rasnet.synthetic import random_frames

    for frame in random_frames(count, size=network_size(*_SCENE_SHAPE, pixels), seed=0):
        yield frame.rgb
