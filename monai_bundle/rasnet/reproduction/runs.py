"""One network on one split: trained, tested, its predictions kept. What is done is not done again."""

from __future__ import annotations

import gc
import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from ignite.engine import Engine, Events
from monai.apps import get_logger

from rasnet.datasets.split_frames import SplitFrames
from rasnet.errors import RASNetError
from rasnet.files import clear_errors, whole_file
from rasnet.inference.segmenter import decide
from rasnet.inference.torch_backend import load_weights
from rasnet.masks import Mask
from rasnet.progress import Progress, SilentProgress
from rasnet.reproduction.plan import Experiment, Plan
from rasnet.training.batches import ValidationBatches
from rasnet.training.workflow import clear_cause, make_training

Predictions = dict[str, Mask]
"""Class ids, uint8 (N, h, w), by the name of the sequence."""

UNIMPORTANT = ("output_dir", "cache_dir", "dataset_dir", "save_every_s", "log_every", "tensorboard")
"""Settings of places and paces, which change no result."""


def run(plan: Plan, experiment: Experiment, split: str, progress: Progress) -> Predictions:
    """Train a network, or go on with it, and segment the test frames; or read what an earlier run has found.

    Raises:
        RASNetError: the folder holds a run with other settings, or the training failed.
    """
    folder = plan.folder(experiment, split)
    settings = plan.run_settings(experiment, split)
    _check_settings(folder, settings)
    kept = folder / "predictions.npz"
    if not kept.is_file():
        predictions = _train_and_predict(plan, settings, f"{experiment.title}, {split}", progress)
        with clear_errors(kept), whole_file(kept) as making:
            np.savez_compressed(making, **predictions)  # type: ignore[arg-type]
    with np.load(kept) as archive:
        return {name: archive[name] for name in archive.files}


def load_test_frames(plan: Plan, split: str, progress: Progress | None = None) -> SplitFrames:
    """Load the test frames of a split, on the CPU, at the size of the training."""
    return SplitFrames(
        "test",
        plan.data,
        split,
        size=plan.settings.get("size", (256, 320)),
        cache=plan.settings.get("cache_dir"),
        progress=progress,
    )


def _check_settings(folder: Path, settings: dict[str, Any]) -> None:
    """Write down what a run is of, or see that it is the same."""
    file = folder / "settings.json"
    wanted = {name: value for name, value in settings.items() if name not in UNIMPORTANT}
    if not file.is_file():
        with clear_errors(file), whole_file(file) as making:
            making.write_text(json.dumps(wanted, indent=2) + "\n", encoding="utf-8")
        return
    there = json.loads(file.read_text(encoding="utf-8"))
    for name in sorted(there.keys() | wanted.keys()):
        # As JSON has it: tuples are lists there.
        if there.get(name) != json.loads(json.dumps(wanted.get(name))):
            raise RASNetError(
                f"{folder} holds a run with {name} {there.get(name)}, not {wanted.get(name)}; "
                "give the same settings, or another --out"
            )


def _train_and_predict(plan: Plan, settings: dict[str, Any], title: str, progress: Progress) -> Predictions:
    workflow = make_training(settings | {"display": SilentProgress()})
    try:
        with clear_cause():
            get = workflow.parser.get_parsed_content
            trainer, best = get("train::trainer"), get("best_model")
            _follow(trainer, get("batch_size"), f"train {title}", progress)
            with _log_file(Path(settings["output_dir"]) / "train.log"):
                workflow.run()
                workflow.finalize()
            network = get("model")
            load_weights(network, best.path)
            return predict(network.eval(), load_test_frames(plan, settings["split"]), get("prepare_batch"), trainer)
    finally:
        del workflow
        gc.collect()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()


@torch.inference_mode()
def predict(network: Any, frames: SplitFrames, prepare_batch: Any, trainer: Any) -> Predictions:
    """Segment frames.

    Args:
        network: in evaluation mode.
        frames: to segment.
        prepare_batch: as the training has it.
        trainer: whose device and precision are used.
    """
    device = trainer.state.device
    masks: dict[str, list[npt.NDArray[np.uint8]]] = {}
    height, width = frames.groups[0].images.shape[-2:]
    for batch in ValidationBatches(frames, batch_size=32, pixels=height * width):
        images, labels = prepare_batch(batch, device)
        with torch.autocast(device.type, enabled=trainer.amp, **trainer.amp_kwargs):
            scores = network(images)
        found = decide(scores.float(), (labels.shape[-2], labels.shape[-1]))
        masks.setdefault(batch["source"], []).append(found.cpu().numpy())
    return {name: np.concatenate(parts) for name, parts in masks.items()}


def _follow(trainer: Any, batch_size: int, task: str, progress: Progress) -> None:
    """Show the images that a trainer has seen."""

    def start(engine: Engine) -> None:
        progress.start(task, engine.state.max_epochs * engine.state.epoch_length * batch_size)
        if engine.state.iteration:
            progress.advance(count=engine.state.iteration * batch_size)

    trainer.add_event_handler(Events.STARTED, start)
    trainer.add_event_handler(Events.ITERATION_COMPLETED, lambda _: progress.advance(count=batch_size))
    trainer.add_event_handler(Events.COMPLETED, lambda engine: progress.finish(epochs=engine.state.epoch))


@contextmanager
def _log_file(path: Path) -> Iterator[None]:
    """Write what the training says of its epochs to a file, not into the progress on the terminal."""
    logger, handler = get_logger("train"), logging.FileHandler(path, encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s"))
    others, logger.handlers = logger.handlers, [handler]
    try:
        yield
    finally:
        logger.handlers = others
        handler.close()
