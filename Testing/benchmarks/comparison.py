"""RASNet's pipeline beside the usual way to run the same network with MONAI.

    python Testing/benchmarks/comparison.py --frames 24

The usual way takes PNG files through a chain of MONAI's dictionary transforms, `SimpleInferer`, the inverse transforms
and `SaveImaged`, as bundles do, and leaves class masks. `rasnet segment` takes the same frames as H.264 video and
leaves a case: classes, layers tracked over time, uncertainty and a journal. Both run in turns in this process, with the
same weights and threads; loading the weights is not counted.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import torch
import typer
from machine import describe_machine, show, summarize, write_json
from material import FULL_SIZE, Stopwatch, make_video
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
from PIL import Image
from rich.progress import track

from rasnet.bundle import weights_path
from rasnet.case import Case
from rasnet.inference import TorchBackend, segment_video
from rasnet.inference.segmenter import IMAGENET_MEAN, IMAGENET_STD, network_size
from rasnet.video import open_source


class UsualWay:
    """MONAI's dictionary transforms around a network.

    Args:
        backend: whose network is run, on its device.
        folder: for the class masks.
        size: height and width of the network's input.
        workers: processes that load frames beside the network; 0 loads them in this one.
    """

    def __init__(self, backend: TorchBackend, folder: Path, size: tuple[int, int], workers: int) -> None:
        self.network, self.device, self.workers = backend.segmenter.network, backend.device, workers
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
        dtype = next(self.network.parameters()).dtype
        with torch.inference_mode():
            for batch in loader:
                batch["pred"] = self.infer(batch["image"].to(self.device, dtype), self.network).float().cpu()
                for item in decollate_batch(batch):
                    self.after(item)
        return time.perf_counter() - began


def write_frames(video: Path, folder: Path) -> list[Path]:
    """Write a video's frames as PNG files, for those who do not read video."""
    files = []
    with open_source(video) as source:
        for frame in source:
            files.append(folder / f"{frame.index:06d}.png")
            Image.fromarray(frame.rgb).save(files[-1])
    return files


def agreement(case: Path, masks: Path, files: list[Path]) -> float:
    """Dice between the instruments that both ways find, pooled over all frames."""
    overlap = size = 0
    parts = Case.open(case)
    for index, file in enumerate(files):
        mine = parts.parts(index)
        assert mine is not None, "the released weights tell parts"
        with Image.open(masks / file.stem / f"{file.stem}.png") as image:
            usual = np.array(image)
        overlap += np.count_nonzero((mine > 0) & (usual > 0))
        size += np.count_nonzero(mine) + np.count_nonzero(usual)
    return 2 * overlap / size


def main(
    frames: Annotated[int, typer.Option(min=1, help="Frames to segment.")] = 24,
    device: Annotated[Literal["cpu", "cuda"], typer.Option(help="Where the network runs.")] = "cpu",
    repeat: Annotated[int, typer.Option(min=1, help="How often each way does its turn.")] = 3,
    workers: Annotated[int, typer.Option(min=0, metavar="N", help="MONAI's loader processes.")] = 0,
    size: Annotated[str, typer.Option(metavar="WIDTHxHEIGHT", help="Of the test video.")] = FULL_SIZE,
    json: Annotated[Path | None, typer.Option(metavar="FILE", help="Write the figures here too.")] = None,
) -> None:
    """Compare RASNet's pipeline with the usual way to run its network with MONAI."""
    backend = TorchBackend(weights_path(), device)
    usual, own = [], []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "png").mkdir()
        video = make_video(folder, size, frames)
        files = write_frames(video, folder / "png")
        with open_source(video) as source:
            shape = network_size(source.height, source.width)
        monai = UsualWay(backend, folder / "masks", shape, workers)
        for turn in track(range(repeat + 1), "comparing"):
            usual.append(monai(files))
            own.append(run_rasnet(video, folder / f"case_{turn}", device))
        dice = agreement(folder / "case_0", folder / "masks", files)
    # The first turn warms up.
    ways = {
        name: summarize([1e3 * seconds / frames for seconds in times[1:]])
        for name, times in (("MONAI transforms, PNG to PNG", usual), ("rasnet segment, video to case", own))
    }
    slow, fast = (way["median"] for way in ways.values())
    machine = describe_machine(device)
    show(
        f"{frames} frames of {size} on {device}: {slow / fast:.2f} times as fast; Dice between the two {dice:.3f}",
        ("way", "ms a frame", "lowest", "highest", "frames/s"),
        [
            (name, *(f"{value:.1f}" for value in way.values()), f"{1e3 / way['median']:.1f}")
            for name, way in ways.items()
        ],
        machine,
    )
    write_json(
        json,
        {
            "machine": machine,
            "device": device,
            "frames": frames,
            "size": size,
            "milliseconds_per_frame": ways,
            "ratio_of_medians": slow / fast,
            "dice_between_the_two": dice,
        },
    )


def run_rasnet(video: Path, case: Path, device: Literal["cpu", "cuda"]) -> float:
    """Segment a video into a case, and give the seconds that it took."""
    watch = Stopwatch()
    with open_source(video) as source:
        segment_video(source, case, device=device, progress=watch)
    return watch.seconds


if __name__ == "__main__":
    typer.run(main)
