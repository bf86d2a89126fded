"""Two usual ways to run a network on endoscopic frames, to compare RASNet's pipeline with."""

from __future__ import annotations

import time
from contextlib import AbstractContextManager
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from monai.data import DataLoader, Dataset, PILReader, decollate_batch
from monai.inferers import SimpleInferer
from monai.transforms import (
    AsDiscreted,
    Compose,
    EnsureChannelFirstd,
    Invertd,
    LoadImaged,
    NormalizeIntensityd,
    Resized,
    SaveImaged,
    ScaleIntensityRanged,
)
from torch import nn

from rasnet.inference import Segmenter
from rasnet.inference.network_input import IMAGENET_MEAN, IMAGENET_STD
from rasnet.inference.pipeline import RELEASED_SCHEMA
from rasnet.labels import LabelSchema
from rasnet.masks import write_mask
from rasnet.tracking import Tracker
from rasnet.video import find_roi, open_source


class MonaiTransforms:
    """MONAI's dictionary transforms around a network, from PNG files to PNG files.

    On a GPU the network runs in mixed precision, as MONAI's evaluators do with ``amp``.

    Args:
        network: in float32.
        device: where it is.
        folder: for the class masks.
        size: height and width of the network's input.
        workers: processes that load frames beside the network; 0 loads them in this one.
    """

    def __init__(
        self, network: nn.Module, device: torch.device, folder: Path, size: tuple[int, int], workers: int
    ) -> None:
        self.network, self.device, self.workers = network, device, workers
        self.before = Compose(
            [
                LoadImaged("image", reader=PILReader(reverse_indexing=False)),
                EnsureChannelFirstd("image"),
                Resized("image", spatial_size=size, mode="bilinear", anti_aliasing=True),
                ScaleIntensityRanged("image", a_min=0, a_max=255, b_min=0, b_max=1),
                NormalizeIntensityd("image", subtrahend=IMAGENET_MEAN, divisor=IMAGENET_STD, channel_wise=True),
            ]
        )
        save = SaveImaged(
            "pred", output_dir=folder, output_ext=".png", output_postfix="", output_dtype=np.uint8, print_log=False
        )
        save.set_options(write_kwargs={"reverse_indexing": False})
        self.after = Compose(
            [
                Invertd("pred", transform=self.before, orig_keys="image", nearest_interp=False),
                AsDiscreted("pred", argmax=True),
                save,
            ]
        )
        self.infer = SimpleInferer()

    def __call__(self, files: list[Path]) -> float:
        """Segment image files, and give the seconds that it took."""
        began = time.perf_counter()
        loader = DataLoader(
            Dataset([{"image": str(file)} for file in files], self.before), batch_size=1, num_workers=self.workers
        )
        with torch.inference_mode():
            for batch in loader:
                with self._precision():
                    scores = self.infer(batch["image"].to(self.device), self.network)
                batch["pred"] = scores.float().cpu()
                for item in decollate_batch(batch):
                    self.after(item)
        return time.perf_counter() - began

    def _precision(self) -> AbstractContextManager[object]:
        return torch.autocast(self.device.type, enabled=self.device.type == "cuda")


class PlainLoop:
    """This bundle's network run eagerly, one frame and one step after another, from a video to PNG files.

    Args:
        segmenter: in float32.
        device: where it is.
    """

    def __init__(self, segmenter: Segmenter, device: torch.device) -> None:
        self.segmenter, self.device = segmenter, device

    def __call__(self, video: Path, folder: Path) -> float:
        """Segment a video into masks of layers and parts, and give the seconds that it took."""
        began = time.perf_counter()
        palette = np.zeros((256, 3), np.uint8)
        with open_source(video) as source, torch.inference_mode():
            roi = find_roi(source)
            tracker = Tracker(LabelSchema.load(RELEASED_SCHEMA), roi=roi)
            for frame in source:
                rgb = torch.from_numpy(np.ascontiguousarray(roi.crop(frame.rgb))).to(self.device)
                scores = self.segmenter.score(self.segmenter.prepare(rgb[None]).contiguous())
                scores = F.interpolate(scores, (roi.height, roi.width), mode="bilinear", align_corners=False)
                parts = roi.restore(scores.argmax(dim=1)[0].to(torch.uint8).cpu().numpy())
                write_mask(folder / f"{frame.index:08d}_parts.png", parts, palette)
                write_mask(folder / f"{frame.index:08d}.png", tracker.update(frame.pts, parts), palette)
        return time.perf_counter() - began
