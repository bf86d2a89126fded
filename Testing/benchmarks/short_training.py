"""One short training of one network, from random initialisation, and its test on the sequence that was left out."""

from __future__ import annotations

import gc
import logging
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

import torch
from ignite.engine import Engine, Events
from machine import describe_machine, synchronize
from monai.engines import SupervisedTrainer
from monai.handlers import LrScheduleHandler
from monai.optimizers import WarmupCosineSchedule
from robotic_sequences import LabelledSequence, SequenceFrames, load_sequence
from torch import Tensor, nn

from rasnet.datasets import ShuffledBatches
from rasnet.datasets.light_augmentation import Strength, choose_augmentation
from rasnet.errors import RASNetError
from rasnet.inference.segmenter import decide
from rasnet.labels import LabelSchema
from rasnet.losses import CrossEntropyLogJaccard
from rasnet.metrics import write_json
from rasnet.networks import RASNet, TernausNet, UNet
from rasnet.training import GradientClipping, prepare_batch
from rasnet.training.ahead import Ahead
from rasnet.training.batches import normalize
from rasnet.training.finite_loss import FiniteLoss

CLASSES = len(LabelSchema.load("instrument_parts"))

NETWORKS: dict[str, Callable[[], nn.Module]] = {
    "rasnet_softmax": lambda: RASNet(CLASSES, attention="softmax"),
    "rasnet_sigmoid": lambda: RASNet(CLASSES, attention="sigmoid"),
    "rasnet_none": lambda: RASNet(CLASSES, attention="none"),
    "unet": lambda: UNet(CLASSES),
    "ternausnet": lambda: TernausNet(CLASSES),
}
"""What is compared, by name; the first is what the others are compared with."""

SPEED_ITERATIONS = 60
"""Of the training that measures images a second, of which a third is not counted: it chooses kernels."""


@dataclass(frozen=True)
class Recipe:
    """What is the same for all networks.

    Attributes:
        iterations: steps of the optimiser.
        batch_size: frames in a batch.
        size: height and width of the network's input.
        learning_rate: highest, of Adam; the paper's.
        warm_up: share of the iterations in which it rises from 0; it then falls to 0 along a cosine.
        alpha: weight of log Jaccard in the loss; the paper's.
        gradient_norm: gradients are clipped above it.
        augmentation: see `choose_augmentation`.
        every: every n-th frame trains and tests.
    """

    iterations: int = 900
    batch_size: int = 16
    size: tuple[int, int] = (256, 320)
    learning_rate: float = 3e-4
    warm_up: float = 0.05
    alpha: float = 0.3
    gradient_norm: float = 5.0
    augmentation: Strength = "light"
    every: int = 1


@dataclass(frozen=True)
class Run:
    """One training of one network.

    Attributes:
        network: a key of `NETWORKS`.
        left_out: the sequence that tests.
        seed: of weights, order and augmentation. Runs that differ in the network alone see the same frames in the
            same order in the same views.
    """

    network: str
    left_out: str
    seed: int

    @property
    def name(self) -> str:
        """Of its file."""
        return f"{self.network}-{self.left_out}-{self.seed}"


@cache
def _sequences(kept: Path, names: tuple[str, ...], device: torch.device) -> tuple[LabelledSequence, ...]:
    return tuple(load_sequence(kept, name, device) for name in names)


def execute(run: Run, recipe: Recipe, kept: Path, names: tuple[str, ...], device: str, file: Path) -> dict[str, Any]:
    """Train, test, and write the result.

    Args:
        run: which.
        recipe: how.
        kept: folder of the decoded sequences.
        names: of all sequences.
        device: ``"cuda"`` or ``"cpu"``.
        file: for the result.

    Returns:
        What was written.

    Raises:
        RASNetError: the loss became infinite or no number.
    """
    began = time.perf_counter()
    sequences = _sequences(kept, names, torch.device(device))
    left_out = next(sequence for sequence in sequences if sequence.name == run.left_out)
    others = [sequence for sequence in sequences if sequence is not left_out]
    network = _make(run.network, run.seed, device)
    speed, loss = train(network, others, recipe, run.seed, device)
    result = {
        **asdict(run),
        "recipe": asdict(recipe),
        "sequences": list(names),
        "frames": {"train": sum(len(sequence.group) for sequence in others), "test": len(left_out.group)},
        "test_size": list(left_out.truth.shape[1:]),
        "confusion": confusion(network, left_out, recipe, device).tolist(),
        "last_loss": loss,
        "parameters": sum(parameter.numel() for parameter in network.parameters()),
        "images_per_second_shared": speed,
    }
    return _keep(result, network, began, device, file)


def measure_speed(
    network: str, recipe: Recipe, kept: Path, names: tuple[str, ...], device: str, file: Path
) -> dict[str, Any]:
    """Measure how fast a network trains alone, augmentation included, and write the result."""
    began = time.perf_counter()
    model = _make(network, 0, device)
    short = Recipe(**(asdict(recipe) | {"iterations": min(SPEED_ITERATIONS, recipe.iterations)}))
    speed, _ = train(model, _sequences(kept, names, torch.device(device)), short, 0, device)
    result = {
        "network": network,
        "recipe": asdict(recipe),
        "iterations": short.iterations,
        "images_per_second": speed,
    }
    return _keep(result, model, began, device, file)


def train(
    network: nn.Module, sequences: Sequence[LabelledSequence], recipe: Recipe, seed: int, device: str
) -> tuple[float, float]:
    """Train a network.

    Returns:
        Images a second, without the first third of the iterations; and the last loss.

    Raises:
        RASNetError: the loss became infinite or no number.
    """
    logging.getLogger("ignite").setLevel(logging.WARNING)
    where = torch.device(device)
    batches = ShuffledBatches(
        SequenceFrames(sequences),
        choose_augmentation(recipe.augmentation, recipe.size),
        batch_size=recipe.batch_size,
        seed=seed,
    )
    optimizer = torch.optim.Adam(network.parameters(), lr=recipe.learning_rate, fused=where.type == "cuda")
    schedule = WarmupCosineSchedule(
        optimizer, warmup_steps=max(1, round(recipe.warm_up * recipe.iterations)), t_total=recipe.iterations
    )
    trainer = SupervisedTrainer(
        device=where,
        max_epochs=-(-recipe.iterations // len(batches)),
        train_data_loader=Ahead(batches, where),
        network=network,
        optimizer=optimizer,
        loss_function=CrossEntropyLogJaccard(recipe.alpha),
        prepare_batch=prepare_batch,
        train_handlers=[
            batches,
            GradientClipping(network, recipe.gradient_norm),
            FiniteLoss(recipe.learning_rate),
            LrScheduleHandler(schedule, epoch_level=False, print_lr=False),
        ],
        amp=where.type == "cuda",
        amp_kwargs={"dtype": torch.bfloat16},
        decollate=False,
        optim_set_to_none=True,
    )
    trainer.logger.setLevel(logging.WARNING)
    uncounted = max(1, recipe.iterations // 3)
    times: list[float] = []

    def look(_: Engine) -> None:
        synchronize()
        times.append(time.perf_counter())

    def end(engine: Any) -> None:
        engine.terminate()

    trainer.add_event_handler(Events.ITERATION_COMPLETED(once=uncounted), look)
    trainer.add_event_handler(Events.ITERATION_COMPLETED(once=recipe.iterations), end)
    trainer.add_event_handler(Events.ITERATION_COMPLETED(once=recipe.iterations), look)
    trainer.run()
    counted = (recipe.iterations - uncounted) * recipe.batch_size
    loss = float(trainer.state.output["loss"].detach())
    if not math.isfinite(loss):
        raise RASNetError(f"the loss of the last iteration is {loss}")
    return counted / max(times[-1] - times[0], 1e-9), loss


@torch.inference_mode()
def confusion(network: nn.Module, sequence: LabelledSequence, recipe: Recipe, device: str) -> Tensor:
    """Segment all frames of a sequence and count its pixels at the full size of the masks.

    What lies outside the region of interest is background to the prediction.

    Returns:
        int64 (C, C) on the CPU: pixels by true (row) and predicted class.
    """
    network.eval()
    roi, where = sequence.roi, torch.device(device)
    counts = torch.zeros(CLASSES**2, dtype=torch.int64, device=where)
    pictures, masks = (torch.split(frames, recipe.batch_size) for frames in (sequence.group.images, sequence.truth))
    for images, truth in zip(pictures, masks, strict=True):
        inputs = normalize(images.float() / 255).contiguous(memory_format=torch.channels_last)
        with torch.autocast(where.type, torch.bfloat16, enabled=where.type == "cuda"):
            scores = network(inputs)
        found = torch.zeros(truth.shape, dtype=torch.uint8, device=where)
        inside = decide(scores.float(), (roi.height, roi.width))
        found[:, roi.top : roi.top + roi.height, roi.left : roi.left + roi.width] = inside
        pairs = truth.to(where).long() * CLASSES + found
        counts += torch.bincount(pairs.flatten(), minlength=CLASSES**2)
    return counts.view(CLASSES, CLASSES).cpu()


def _make(network: str, seed: int, device: str) -> nn.Module:
    torch.backends.cudnn.benchmark = True  # every batch has the same size
    torch.manual_seed(seed)
    made: nn.Module = NETWORKS[network]().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return made.to(device)


def _keep(figures: dict[str, Any], network: nn.Module, began: float, device: str, file: Path) -> dict[str, Any]:
    """Write figures, with what they were measured on, and leave the GPU's memory to the processes beside this one."""
    result = {**figures, "seconds": time.perf_counter() - began, "machine": describe_machine(device)}
    write_json(file, result)
    network.cpu()
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    return result
