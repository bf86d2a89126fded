"""The metrics as a handler of a MONAI evaluator, which writes them into a folder."""

from __future__ import annotations

import csv
import math
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from ignite.engine import Engine, Events
from torch import Tensor

from rasnet.errors import RASNetError
from rasnet.files import clear_errors, whole_file
from rasnet.inference.segmenter import Segmenter, decide, expected_dice_loss
from rasnet.labels import LabelSchema
from rasnet.metrics.boundary import TOLERANCE
from rasnet.metrics.calibration import (
    PixelSample,
    Reliability,
    ReliabilityCurve,
    fit_temperature,
    rank_frames,
    softmax,
)
from rasnet.metrics.figures import INSTRUMENT, MEAN
from rasnet.metrics.results import Results, write_csv, write_json
from rasnet.metrics.segmentation import SegmentationMetrics

_PIXELS = 50_000
"""Of each source, for temperature and reliability."""


class PrepareFrames:
    """Gives an engine the segmenter's own input, and the truth, of a batch of `FullSizeFrames`.

    Args:
        segmenter: on the device of the engine.
    """

    def __init__(self, segmenter: Segmenter) -> None:
        self.segmenter = segmenter

    def __call__(
        self, batch: dict[str, Tensor], device: str | torch.device | None = None, non_blocking: bool = False, **_: Any
    ) -> tuple[Tensor, Tensor]:
        """Prepare ``image``, uint8 (B, H, W, 3), and pass ``label``, uint8 (B, H, W), on."""
        images = self.segmenter.prepare(batch["image"].to(device, non_blocking=non_blocking))
        return images.float(), batch["label"]


class WriteMetrics:
    """Measures every frame of an evaluator, source by source, and writes what it has found at the end.

    The folder then holds ``figures.csv`` and ``figures.json`` (all of `rasnet.metrics.METRICS`, a source being a
    sequence), ``calibration.csv``, ``frames.csv`` (Dice and uncertainty of each frame, to find the bad ones by), and,
    if matplotlib is installed, ``confusion.png``, ``classes.png`` and ``reliability.png``.

    Masks are decided at the full size of the frame. Calibration is measured at the network's own size, on an even
    sample of 50,000 pixels of each source.

    Args:
        folder: to write into; it is made.
        schema: names the network's channels.
        tolerance: of the normalised surface Dice, as a share of the picture's diagonal.
        temperature: to measure calibration at, beside that of the model as it is; None to fit it on the same frames.

    Attributes:
        results: of the last run; None before.

    Raises:
        RASNetError: the folder cannot be made. At the end of a run: a file cannot be written.
    """

    def __init__(
        self,
        folder: str | Path,
        schema: str = "instrument_parts",
        tolerance: float = TOLERANCE,
        temperature: float | None = None,
    ) -> None:
        if temperature is not None and temperature <= 0:
            raise RASNetError(f"the temperature {temperature} is not above 0; give one, or null to fit it")
        self.folder = Path(folder)
        self.schema = LabelSchema.load(schema)
        self.tolerance = tolerance
        self.temperature = temperature
        self.results: Results | None = None
        with clear_errors(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
        self._reset()

    def attach(self, engine: Engine) -> None:
        """Follow an evaluator whose batches hold ``source``, and whose output holds ``pred`` and ``label``."""
        engine.add_event_handler(Events.EPOCH_STARTED, self._reset)
        engine.add_event_handler(Events.ITERATION_COMPLETED, self._add)
        engine.add_event_handler(Events.EPOCH_COMPLETED, self._finish)

    def update(self, source: str, scores: Tensor, label: Tensor) -> None:
        """Measure a batch of one source.

        Args:
            source: its name.
            scores: class scores, (B, C, h, w).
            label: class ids, `ANY_INSTRUMENT` or `IGNORE`, uint8 (B, H, W).
        """
        scores = scores.float()
        found = decide(scores, (label.shape[-2], label.shape[-1])).cpu().numpy()
        uncertainty = expected_dice_loss(scores)[:, 0].cpu().numpy()
        small = F.interpolate(label[:, None].float(), scores.shape[-2:], mode="nearest-exact")[:, 0]
        sample = self._samples.setdefault(source, PixelSample(_PIXELS))
        frames = self._frames.setdefault(source, [])
        for frame, mask in enumerate(found):
            dice = self._metrics.add(source, mask, label[frame].cpu().numpy())
            frames.append((dice, float(uncertainty[frame])))
            sample.add(scores[frame].cpu().numpy(), small[frame].cpu().numpy().astype(np.uint8))

    def write(self) -> dict[str, float]:
        """Write the files.

        Returns:
            The figures that a log wants to see.
        """
        self.results = results = self._metrics.results()
        temperature = self._temperature()
        curves = {source: self._curves(sample, temperature) for source, sample in self._samples.items()}
        calibration = {source: self._calibration(source, pair) for source, pair in curves.items()}
        write_csv(self.folder / "figures.csv", {"model": results})
        data = {"temperature": temperature, "temperature_fitted_here": self.temperature is None, "sources": calibration}
        write_json(self.folder / "figures.json", {"model": results.to_json(), "calibration": data})
        self._table("calibration.csv", [{"source": source, **figures} for source, figures in calibration.items()])
        self._table(
            "frames.csv",
            [
                {"source": source, "frame": number, "dice": dice, "uncertainty": uncertainty}
                for source, frames in self._frames.items()
                for number, (dice, uncertainty) in enumerate(frames)
            ],
        )
        self._draw(results, temperature)
        return {
            "instrument_dice": results.value("pooled_dice", INSTRUMENT),
            "mean_dice": results.value("pooled_dice", MEAN),
            "instrument_nsd": results.value("nsd", INSTRUMENT),
            "temperature": temperature,
        }

    def _reset(self, _: Engine | None = None) -> None:
        self._metrics = SegmentationMetrics(self.schema, tolerance=self.tolerance)
        self._samples: dict[str, PixelSample] = {}
        self._frames: dict[str, list[tuple[float, float]]] = {}

    def _add(self, engine: Any) -> None:
        self.update(engine.state.batch["source"], engine.state.output["pred"], engine.state.output["label"])

    def _finish(self, engine: Any) -> None:
        engine.state.metrics.update(self.write())

    def _temperature(self) -> float:
        if self.temperature is not None:
            return self.temperature
        logits = np.concatenate([sample.logits for sample in self._samples.values()])
        return fit_temperature(logits, np.concatenate([sample.truth for sample in self._samples.values()]))

    @staticmethod
    def _curves(sample: PixelSample, temperature: float) -> list[ReliabilityCurve]:
        """Of the model as it is, and at the temperature."""
        return [_reliability([sample], t) for t in (1.0, temperature)]

    def _calibration(self, source: str, curves: list[ReliabilityCurve]) -> dict[str, float | int | None]:
        dice, uncertainty = zip(*self._frames[source], strict=True)
        ranking = rank_frames(uncertainty, dice)
        return {
            "frames": ranking.frames,
            "ece": curves[0].ece,
            "ece_at_temperature": curves[1].ece,
            "spearman_uncertainty_missed_dice": None if math.isnan(ranking.spearman) else ranking.spearman,
            "worst_10_percent_found_in_first_20_percent": ranking.found,
        }

    def _draw(self, results: Results, temperature: float) -> None:
        try:
            import matplotlib  # noqa: F401
        except ImportError:
            return
        from rasnet.report.metric_plots import write_class_bars, write_confusion, write_reliability

        write_confusion(results, self.folder / "confusion.png")
        write_class_bars({"model": results}, self.folder / "classes.png")
        samples = list(self._samples.values())
        curves = {f"temperature {t:.3g}": _reliability(samples, t) for t in (1.0, temperature)}
        write_reliability(curves, self.folder / "reliability.png")

    def _table(self, name: str, rows: list[dict[str, Any]]) -> None:
        path = self.folder / name
        with clear_errors(path), whole_file(path) as making, making.open("w", newline="") as file:
            table = csv.DictWriter(file, list(rows[0]))
            table.writeheader()
            table.writerows(rows)


def _reliability(samples: list[PixelSample], temperature: float) -> ReliabilityCurve:
    reliability = Reliability()
    for sample in samples:  # one by one: some know classes and some do not
        probabilities: npt.NDArray[np.float64] = softmax(sample.logits.T, temperature)
        reliability.add(probabilities, sample.truth)
    return reliability.curve()
