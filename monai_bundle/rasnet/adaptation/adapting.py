"""Learning from a case: teach, judge, keep or drop, predict anew."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from pathlib import Path

import numpy as np
import torch

from rasnet.adaptation.holding_back import LEAST_GAIN, MOST_LOSS, divide, judge
from rasnet.adaptation.learning import fine_tune
from rasnet.adaptation.model_file import case_weights
from rasnet.adaptation.record import AdaptationRecord, write_model
from rasnet.adaptation.replay import Memory, ask_parent
from rasnet.adaptation.repredicting import check_nobody_writes, old_predictions, repredict
from rasnet.bundle import file_sha256, weights_path
from rasnet.case import Case, FrameRow, ModelInfo
from rasnet.case.journal import current_user
from rasnet.datasets.case_dataset import read_case, trusted_frames
from rasnet.datasets.example import Example
from rasnet.errors import RASNetError
from rasnet.inference.backend import Device
from rasnet.inference.network_input import network_size
from rasnet.inference.segmenter import Segmenter
from rasnet.inference.torch_backend import Model, TorchBackend, load_model, select_device
from rasnet.progress import Progress, SilentProgress
from rasnet.synthetic import random_frames

MOST_SECONDS = 150.0
"""That the learning itself may take, whatever the machine."""

_STILLS, _OWN, _TIMES = 24, 12, 3  # synthetic scenes, frames of the case and forms of each to keep the parent's word of
_EXAM_STILLS = 6  # other scenes, with their true masks, to see what was forgotten


@dataclass(frozen=True)
class Adaptation:
    """What came of learning.

    Attributes:
        kept: whether the case has a new model.
        why: in words.
        learnt: indices of the frames that the child learnt from.
        held_back: indices of the frames that judged it.
        before: mean Dice of the parent on the frames held back, 0 to 1.
        after: mean Dice of the child on them.
        elsewhere_before: mean Dice of the parent on synthetic scenes.
        elsewhere_after: mean Dice of the child on them.
        predicted: how many frames were predicted anew.
        weights: the case's model file; None where nothing was kept.
    """

    kept: bool
    why: str
    learnt: tuple[int, ...]
    held_back: tuple[int, ...]
    before: float
    after: float
    elsewhere_before: float
    elsewhere_after: float
    predicted: int = 0
    weights: Path | None = None


def adapt(
    case: Case,
    *,
    weights: str | Path | None = None,
    device: Device = "auto",
    who: str | None = None,
    progress: Progress | None = None,
) -> Adaptation:
    """Let the model of a case learn from the frames that a person corrected or accepted.

    A quarter of these frames is held back. The new weights are kept only if they segment the frames held back better
    than the old ones, and synthetic scenes not worse; then they are the case's model, and every ``predicted`` frame
    is predicted anew. If that is interrupted, the next `adapt`, or `rasnet.inference.segment_video`, finishes it.
    Otherwise nothing changes. Frames of a person stay as they are, always.

    Args:
        case: to learn from; its video must be where it was.
        weights: checkpoint to go on from; the case's own model, or the released one, by default.
        device: where to compute.
        who: asks for it; the user of this computer by default.
        progress: told of every step.

    Returns:
        What came of it.

    Raises:
        RASNetError: there is too little to learn from, the weights are not those that the case was segmented with,
            the video is gone, or another program is writing predictions into the case.
    """
    progress = progress or SilentProgress()
    who = who or current_user()
    check_nobody_writes(case)
    division = divide(_answered(case))
    parent = _parent_weights(case, weights)
    model = _load_parent(case, parent)
    segmenter = model.segmenter.to(select_device(device))
    learn = _read(case, division.learn)
    if not any((example.mask > 0).any() for example in learn):
        raise RASNetError(
            "no frame to learn from shows an instrument, which would teach that there are none; correct frames that do"
        )
    exam = _read(case, division.held_back)
    stills = _stills(_EXAM_STILLS, learn[0], segmenter, seed=1) if case.info.schema.name == "instrument_parts" else []
    old_scores = [judge(segmenter.network, asked, segmenter.pixels) for asked in (exam, stills)]
    network = fine_tune(
        segmenter, learn, _memory(case, segmenter, learn[0]), most_seconds=MOST_SECONDS, progress=progress
    )
    new_scores = [judge(network, asked, segmenter.pixels) for asked in (exam, stills)]
    (before, elsewhere_before), (after, elsewhere_after) = (
        [float(np.mean(scores)) if scores else 1.0 for scores in both] for both in (old_scores, new_scores)
    )
    kept, why = _verdict(before, after, elsewhere_before, elsewhere_after)
    learnt, held_back = (tuple(row.index for row in rows) for rows in division)
    outcome = Adaptation(kept, why, learnt, held_back, before, after, elsewhere_before, elsewhere_after)
    if not kept:
        predicted = _finish_earlier(case, parent, device, progress)
        progress.finish(kept=False, before=before, after=after, predicted=predicted)
        return replace(outcome, predicted=predicted)
    check_nobody_writes(case)
    now = datetime.now(timezone.utc).isoformat(timespec="seconds")
    record = AdaptationRecord(
        file_sha256(parent), case.info.source.fingerprint, learnt, held_back, before, after, who, now
    )
    path, sha256 = write_model(case.folder, network, record, model.description)
    backend = TorchBackend(path, device)
    case.remember_model(ModelInfo(_model_name(case), sha256, backend.name), who=who)
    for other in path.parent.glob("*.pt"):
        if other != path:
            other.unlink()
    predicted = repredict(case, backend, progress)
    progress.finish(kept=True, before=before, after=after, predicted=predicted)
    return replace(outcome, predicted=predicted, weights=path)


def _answered(case: Case) -> list[FrameRow]:
    """Frames that a person answered for, by time."""
    return sorted(trusted_frames(case), key=lambda row: row.pts)


def _model_name(case: Case) -> str:
    return case.info.model.name if case.info.model else f"rasnet_{case.info.schema.name}"


def _parent_weights(case: Case, weights: str | Path | None) -> Path:
    """The checkpoint that the case's predictions come from."""
    path = Path(weights) if weights else case_weights(case.folder) or weights_path()
    model = case.info.model
    if model is not None and path.is_file() and file_sha256(path) != model.sha256:
        raise RASNetError(
            f"{case.folder} was segmented with other weights ({model.sha256[:8]}) than {path}; "
            "give those with --weights"
        )
    return path


def _read(case: Case, rows: list[FrameRow]) -> list[Example]:
    return [
        Example(np.ascontiguousarray(example.rgb), np.ascontiguousarray(example.mask))
        for example in read_case(case, case.info.schema, rows)
    ]


def _load_parent(case: Case, weights: Path) -> Model:
    """Load the parent, if it speaks of the same classes as the case."""
    model = load_model(weights)
    if model.schema != case.info.schema:
        raise RASNetError(
            f"{weights} knows the labels '{model.schema.name}', and {case.folder} is a case of the labels "
            f"'{case.info.schema.name}'; give weights of these with --weights"
        )
    return model


def _finish_earlier(case: Case, weights: Path, device: Device, progress: Progress) -> int:
    """Predict anew what an interrupted run has left to the case's model; how many frames it was."""
    left = old_predictions(case)
    return repredict(case, TorchBackend(weights, device), progress, left) if left else 0


def _memory(case: Case, segmenter: Segmenter, like: Example) -> Memory:
    """Synthetic scenes and frames of the case, changed by strong augmentation, and what the parent says of them."""
    scenes = [still.rgb for still in _stills(_STILLS, like, segmenter, seed=0)]
    rows = sorted((row for row in case.frames() if row.status == "predicted"), key=lambda row: row.pts)
    own = _pictures(case, rows[len(rows) // (2 * _OWN) :: max(1, len(rows) // _OWN)][:_OWN])
    height, width = like.rgb.shape[:2]
    size = network_size(height, width, segmenter.pixels)
    parts = [
        ask_parent(segmenter, pictures, size, times=times, seed=seed)
        for seed, (pictures, times) in enumerate(((own, _TIMES), (scenes, 1)))
        if pictures
    ]
    return Memory(*(torch.cat(tensors) for tensors in zip(*parts, strict=True)))


def _pictures(case: Case, rows: Sequence[FrameRow]) -> list[np.ndarray]:
    pictures = []
    with case.open_source() as source:
        for row in rows:
            try:
                pictures.append(case.info.roi.crop(source[row.index].rgb))
            except RASNetError:
                continue
    return pictures


def _stills(count: int, like: Example, segmenter: Segmenter, *, seed: int) -> list[Example]:
    """Synthetic scenes at the size of the network's input."""
    height, width = like.rgb.shape[:2]
    size = network_size(height, width, segmenter.pixels)
    device = next(segmenter.parameters()).device
    with torch.inference_mode():
        return [Example(still.rgb, still.parts) for still in random_frames(count, size=size, seed=seed, device=device)]


def _verdict(before: float, after: float, elsewhere_before: float, elsewhere_after: float) -> tuple[bool, str]:
    """Whether the child is kept, and why."""
    if after < before + LEAST_GAIN:
        return False, (
            f"the frames held back did not get better (Dice {before:.3f} before, {after:.3f} after), "
            "so the model stays as it was"
        )
    if elsewhere_after < elsewhere_before - MOST_LOSS:
        return False, (
            f"other scenes got worse (Dice {elsewhere_before:.3f} before, {elsewhere_after:.3f} after), "
            "so the model stays as it was"
        )
    return True, f"Dice of the frames held back rose from {before:.3f} to {after:.3f}"
