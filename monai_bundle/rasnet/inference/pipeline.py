"""A video in, a case out: decode, segment, track and write, with memory that does not grow with the video."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from rasnet.adaptation import case_weights
from rasnet.case import Case, CaseInfo, ModelInfo
from rasnet.errors import RASNetError
from rasnet.inference.backend import Backend, Device, checkpoint_sha256, load_backend
from rasnet.inference.frames import FrameBatches
from rasnet.inference.sink import CaseSink
from rasnet.inference.sink_process import SinkProcess, worthwhile_workers
from rasnet.labels import LabelSchema
from rasnet.progress import Progress, SilentProgress
from rasnet.video import RegionOfInterest, VideoSource, find_roi, open_source

RELEASED_SCHEMA = "instrument_parts"
"""The label schema of the released weights, which ``metadata.json`` describes as its output channels."""


def segment_video(
    source: VideoSource,
    folder: str | Path,
    *,
    weights: str | Path | None = None,
    device: Device = "auto",
    batch_size: int | None = None,
    start: int = 0,
    stop: int | None = None,
    step: int = 1,
    roi: RegionOfInterest | None = None,
    progress: Progress | None = None,
    gpu_decoder: bool = False,
) -> Case:
    """Segment a video into a case; a case that is there already is gone on with.

    Args:
        source: the video.
        folder: of the case.
        weights: a checkpoint or an OpenVINO model; the case's own (see `rasnet.adaptation`), else the released one, by
            default.
        device: where the network runs; what runs it there is chosen by `load_backend`, which the progress is told.
        batch_size: frames that go through the network at once; a good number for the device by default.
        start: first frame.
        stop: one past the last frame; None for the end.
        step: take every step-th frame.
        roi: what of the frame is picture; found from the video by default.
        progress: told of every frame.
        gpu_decoder: let an NVIDIA GPU decode, if it can: the same pictures, a ninth of the CPU's time, and no notice of
            frames that are damaged.

    Returns:
        The case; frames that could not be decoded are missing in it.

    Raises:
        RASNetError: the video, the weights or the case are not what they should be, or the disk is full.
    """
    progress = progress or SilentProgress()
    # Before the case: wrong weights must leave no folder behind.
    backend, reason = load_backend(weights or case_weights(folder), device)
    case = open_case_for(backend, source, folder, start=start, stop=stop, step=step, roi=roi)
    segment_missing(
        case,
        backend,
        batch_size=batch_size,
        progress=progress,
        note=f"the network runs on {backend.name}: {reason}",
        gpu_decoder=gpu_decoder,
    )
    return case


def segment_missing(
    case: Case,
    backend: Backend,
    *,
    batch_size: int | None,
    progress: Progress,
    note: str | None = None,
    stop: Callable[[], bool] = lambda: False,
    at_once: int = 1,
    gpu_decoder: bool = False,
) -> None:
    """Segment what a case lacks with a model that is loaded, and what `rasnet.adaptation` was killed at.

    Args:
        case: whose video is where it was.
        backend: the model.
        batch_size: frames that go through the network at once; None leaves it to the backend.
        progress: told of every frame.
        note: for the progress, behind the start.
        stop: asked after every batch; the rest is left when it says yes.
        at_once: videos that share the cores, this one included (see `worthwhile_workers`).
        gpu_decoder: as for `segment_video`.
    """
    from rasnet.adaptation.repredicting import old_predictions, repredict  # which needs this module

    frames = FrameBatches.of(backend, case, batch_size, gpu=gpu_decoder)
    try:
        progress.start("segment", frames.total)
        if note is not None:
            progress.note(note)
        if gpu_decoder and not frames.source.on_gpu:
            progress.note("no GPU decodes this video, so the CPU does")
        workers = worthwhile_workers(backend, frames.total, at_once)
        sink = SinkProcess(case, progress, workers=workers) if workers else CaseSink(case, progress)
        segment_frames(frames, sink, backend, stop=stop)
        if not stop() and (left := old_predictions(case)):
            progress.note(f"{len(left)} frames have masks from before the model learnt and are predicted anew")
            repredict(case, backend, progress, left)
        report_end(frames, progress)
    finally:
        frames.close()


def segment_frames(
    frames: FrameBatches, sink: CaseSink | SinkProcess, backend: Backend, *, stop: Callable[[], bool] = lambda: False
) -> None:
    """Take frames through a model into a case; when this returns or raises, everything taken is in the case.

    Args:
        frames: decoded ahead.
        sink: of the frames' case, not entered yet.
        backend: the model.
        stop: asked after every batch; the rest is left when it says yes.
    """
    with sink:
        for batch in frames:
            sink.write(batch, *backend(batch.pixels))
            if stop():
                break


def open_case_for(
    backend: Backend,
    source: VideoSource | str | Path,
    folder: str | Path,
    *,
    start: int = 0,
    stop: int | None = None,
    step: int = 1,
    roi: RegionOfInterest | None = None,
) -> Case:
    """Make or open the case that a model's predictions go into, where the model is loaded already; see `open_case`."""
    return open_case(
        source,
        folder,
        backend.weights,
        backend=backend.name,
        schema=backend.schema,
        start=start,
        stop=stop,
        step=step,
        roi=roi,
    )


def open_case(
    source: VideoSource | str | Path,
    folder: str | Path,
    weights: str | Path,
    *,
    backend: str,
    schema: LabelSchema | str = RELEASED_SCHEMA,
    start: int = 0,
    stop: int | None = None,
    step: int = 1,
    roi: RegionOfInterest | None = None,
) -> Case:
    """Make the case that a model's predictions go into, or open it to go on.

    Args:
        source: a video, or its path.
        folder: of the case.
        weights: the model's file; the case remembers the hash of the checkpoint that it is or was made from.
        backend: what runs the model.
        schema: the model's label schema, or its name or path.
        start: first frame.
        stop: one past the last frame; None for the end.
        step: take every step-th frame.
        roi: what of the frame is picture; an existing case's own, or found from the video, by default.

    Raises:
        RASNetError: there are no weights or no video, or the folder holds something else.
    """
    weights = Path(weights)
    if not weights.is_file():
        raise RASNetError(f"there are no weights at {weights}; give the path of a checkpoint")
    video = source if isinstance(source, VideoSource) else open_source(source)
    try:
        labels = schema if isinstance(schema, LabelSchema) else LabelSchema.load(schema)
        return Case.create_or_resume(
            folder,
            source=video,
            schema=labels,
            roi=roi or _region(Path(folder), video),
            model=model_info(weights, labels, backend),
            start=start,
            stop=stop,
            step=step,
        )
    finally:
        if video is not source:
            video.close()


def model_info(weights: Path, schema: LabelSchema, backend: str) -> ModelInfo:
    """What a case remembers of the model that segments it; as for `open_case`."""
    return ModelInfo(name=f"rasnet_{schema.name}", sha256=checkpoint_sha256(weights), backend=backend)


def _region(folder: Path, video: VideoSource) -> RegionOfInterest:
    """The region of the case in a folder, if it can be one of this video; otherwise the video's own."""
    if (folder / "case.json").exists():
        known = CaseInfo.read(folder).roi
        if (known.frame_height, known.frame_width) == (video.height, video.width):
            return known
    return find_roi(video)


def report_end(frames: FrameBatches, progress: Progress, **more: Any) -> None:
    """Tell which frames could not be decoded, and end the task; ``more`` goes into its result."""
    for damage in frames.source.damage:
        progress.note(f"frames {damage.first} to {damage.last} could not be decoded: {damage.reason}")
    damaged = len(frames.source.damage)
    progress.finish(case=str(frames.case.folder.resolve()), frames=frames.total, damaged=damaged, **more)
