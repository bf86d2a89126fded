"""How fast configs/train.yaml trains, how long it waits for data, and what makes it faster.

    python Testing/benchmarks/training.py --device cuda --json training.json
    python Testing/benchmarks/training.py --device cuda --way "as configured" --kernels 25

Measures the steps of the configuration itself - its loader, augmentation, loss, optimizer and handlers - on as many
frames as an epoch of the paper's split has, made up, in the memory of the device. Every way runs one epoch that is not
counted, in which kernels are chosen or made, and then the ones that are.
"""

from __future__ import annotations

import gc
import logging
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import torch
import torch.nn.functional as F
import typer
from machine import describe_machine, repeat, show, summarize, write_json
from wording import number, spread

from rasnet.datasets import FrameDataset, Source
from rasnet.datasets.frames import FrameGroup
from rasnet.training.workflow import make_training

WAYS: dict[str, dict[str, Any]] = {
    "as configured": {},
    "batches not made ahead": {"train::trainer::train_data_loader": "@train::dataloader"},
    "float16": {"train::trainer::amp_kwargs::dtype": "$torch.float16"},
    "compiled": {"compile": True},
    "compiled, float16": {"compile": True, "train::trainer::amp_kwargs::dtype": "$torch.float16"},
}
"""Settings of train.yaml by what they are called."""

FRAMES = 1260
"""That train, of the paper's split: 8 sequences of 175 less a tenth for validation."""

GOAL = 1500
"""Training images a second at 320x256 on one H100, augmentation included."""


class MadeUpFrames(FrameDataset):
    """Smooth random pictures with blobs of every class, in eight sequences on a device."""

    def __init__(self, frames: int, size: tuple[int, int], classes: int, device: str) -> None:
        random = torch.Generator().manual_seed(0)
        self.groups, self._ends = [], []
        for number_ in range(8):
            count = frames // 8 + (number_ < frames % 8)
            pictures = F.interpolate(torch.rand(count, 3, 16, 20, generator=random), size, mode="bicubic").clamp(0, 1)
            blobs = F.interpolate(torch.rand(count, classes, 8, 10, generator=random), size, mode="bilinear")
            self.groups.append(
                FrameGroup(
                    Source("frames_with_masks", f"sequence {number_}"),
                    (255 * pictures).to(torch.uint8).to(device),
                    blobs.argmax(dim=1).to(torch.uint8).to(device),
                    torch.full((count,), size[1] / size[0], device=device),
                )
            )
            self._ends.append(sum(map(len, self.groups)))


def measure(
    settings: Mapping[str, Any], frames: MadeUpFrames, batch_size: int, epochs: int, kernels: int = 0
) -> dict[str, Any]:
    """Train with some settings.

    Args:
        settings: of ``train.yaml``, by id.
        frames: to train with.
        batch_size: frames in a batch.
        epochs: that are counted; one more goes before.
        kernels: of how many kernels to print the time.

    Returns:
        Of the epochs: images a second, share of the time spent waiting, and how busy the GPU was, where it is known;
        milliseconds a batch of making one alone, and of a step alone; seconds until the first epoch's end.
    """
    fixed = {
        "train::dataset": frames,
        "batch_size": batch_size,
        "epochs": 1 + epochs,
        "pretrained": None,
        "log_every": 10**9,
        # Without validation, and without writing weights.
        "train::trainer::train_handlers": "$[@train::dataloader, @train::handlers::0, @train::handlers::1]",
    }
    workflow = make_training(fixed | dict(settings))
    get = workflow.parser.get_parsed_content
    trainer, throughput = get("train::trainer"), get("train::handlers::1")
    trainer.logger.setLevel(logging.WARNING)
    logging.getLogger("train").setLevel(logging.WARNING)
    seen: list[tuple[float, float, float | None]] = []
    ended: list[float] = []

    def look(_: Any) -> None:
        seen.append((throughput.images_per_second, throughput.waiting, throughput.busy))
        ended.append(time.perf_counter())

    trainer.add_event_handler("EPOCH_COMPLETED", look)
    began = time.perf_counter()
    trainer.run()
    speeds, waits, busy = zip(*seen[1:], strict=True)
    known = [share for share in busy if share is not None]
    batches = iter(_endless(get("train::dataloader")))
    batch = next(batches)
    result = {
        "batch_size": batch_size,
        "images_per_second": summarize(speeds),
        "waiting": summarize(waits),
        "busy": summarize(known) if known else None,
        "batch_ms": repeat(lambda: next(batches), 0.5),
        "step_ms": repeat(lambda: trainer._iteration(trainer, batch), 1.0),
        "first_epoch_s": ended[0] - began,
        "memory_gb": torch.cuda.max_memory_allocated() / 1e9 if torch.cuda.is_available() else None,
    }
    if kernels:
        _print_kernels(trainer, batch, kernels)
    return result


def main(
    device: Annotated[Literal["cpu", "cuda"], typer.Option(help="Where the network is trained.")] = "cpu",
    way: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help=f"Of: {'; '.join(WAYS)}.", show_default="all")
    ] = None,
    batch_size: Annotated[
        list[int] | None,
        typer.Option(min=2, metavar="N", help="Frames in a batch; may be given again.", show_default="64, and 8 once"),
    ] = None,
    frames: Annotated[int, typer.Option(min=8, metavar="N", help="In an epoch.")] = FRAMES,
    epochs: Annotated[int, typer.Option(min=1, metavar="N", help="That are counted.")] = 3,
    size: Annotated[str, typer.Option(metavar="WIDTHxHEIGHT", help="Of the network's input.")] = "320x256",
    augmentation: Annotated[Literal["none", "light", "strong"], typer.Option(help="See train.yaml.")] = "light",
    kernels: Annotated[int, typer.Option(min=0, metavar="N", help="Print the N slowest kernels of a step.")] = 0,
    json: Annotated[Path | None, typer.Option(metavar="FILE", help="Write the figures here too.")] = None,
) -> None:
    """Measure training images a second."""
    ways = way or list(WAYS)
    for name in ways:
        if name not in WAYS:
            raise SystemExit(f"there is no way '{name}'; choose of: {'; '.join(WAYS)}")
    # The paper's batch, which is small for a GPU, as configured only.
    plan = [(name, batch) for batch in batch_size or [64] for name in ways]
    plan += [] if batch_size or way else [("as configured", 8)]
    width, height = (int(side) for side in size.split("x"))
    made_up = MadeUpFrames(frames, (height, width), 8, device)
    common = {"device": torch.device(device), "amp": device == "cuda", "size": [height, width]}
    machine = describe_machine(device)
    results: list[dict[str, Any]] = []
    for name, batch in plan:
        settings = common | {"augmentation": augmentation} | WAYS[name]
        try:
            results.append({"way": name} | measure(settings, made_up, batch, epochs, kernels))
        except torch.OutOfMemoryError:
            print(f"{name}: too little memory for batches of {batch}")
            continue
        finally:
            _free()
        # At once, so that what is cut short has still said something.
        print(f"{name}, batch {batch}: {spread(results[-1]['images_per_second'])} images/s", flush=True)
        write_json(json, {"machine": machine, "size": size, "augmentation": augmentation, "results": results})
    show(
        f"Training images a second, RASNet, {size}, augmentation {augmentation}; goal on an H100: {GOAL:,}",
        ("way", "batch", "images/s", "waiting", "GPU busy", "ms a batch made", "ms a step", "first epoch, s", "GB"),
        [_row(result) for result in results],
        machine,
    )


def _free() -> None:
    """Leave the next way the memory, and nothing that was made for this one."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
        torch.compiler.reset()


def _endless(batches: Any) -> Any:
    while True:
        yield from batches


def _row(result: Mapping[str, Any]) -> list[str]:
    return [
        result["way"],
        str(result["batch_size"]),
        spread(result["images_per_second"]),
        f"{result['waiting']['median']:.1%}",
        "" if result["busy"] is None else f"{result['busy']['median']:.0%}",
        number(result["batch_ms"]["median"]),
        number(result["step_ms"]["median"]),
        number(result["first_epoch_s"]),
        number(result["memory_gb"]),
    ]


def _print_kernels(trainer: Any, batch: dict[str, torch.Tensor], count: int) -> None:
    """Print which kernels a step spends its time in."""
    from torch.profiler import ProfilerActivity, profile

    cuda = torch.cuda.is_available()
    with profile(activities=[ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if cuda else [])]) as profiled:
        for _ in range(3):
            trainer._iteration(trainer, batch)
        if cuda:
            torch.cuda.synchronize()
    order = "self_device_time_total" if cuda else "self_cpu_time_total"
    print(profiled.key_averages().table(sort_by=order, row_limit=count, max_name_column_width=70))


if __name__ == "__main__":
    typer.run(main)
