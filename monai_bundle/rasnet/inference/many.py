"""Many videos, one model: each gets its case, one that fails does not keep the others from theirs."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import closing
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from rasnet.adaptation import case_weights
from rasnet.errors import RASNetError
from rasnet.inference.archive import Job, Wishes, is_finished, plan, read_list
from rasnet.inference.backend import Backend, Device, load_backend
from rasnet.inference.many_progress import ManyProgress, VideoProgress
from rasnet.inference.pipeline import open_case_for, segment_missing
from rasnet.progress import Progress, SilentProgress
from rasnet.video import open_source
from rasnet.video.yuv import Pixels

State = Literal["segmented", "finished before", "failed"]


@dataclass(frozen=True)
class Outcome:
    """How it went with one video.

    Attributes:
        video: its path.
        case: folder of its case.
        state: ``failed`` leaves what was segmented until then in the case.
        frames: that were segmented now.
        damaged: spans of frames that could not be decoded.
        seconds: that it took.
        reason: why it failed, in one sentence; empty otherwise.
    """

    video: str
    case: str
    state: State
    frames: int = 0
    damaged: int = 0
    seconds: float = 0.0
    reason: str = ""


Run = Callable[[Sequence[Job], Wishes, ManyProgress], "Generator[tuple[Job, Outcome], None, None]"]
"""Segments jobs in any order, and tells of each when it is over; when it is closed, every case is whole."""


def segment_many(
    videos: str | Path,
    folder: str | Path,
    wishes: Wishes | None = None,
    *,
    run: Run | None = None,
    progress: Progress | None = None,
) -> list[Outcome]:
    """Segment a list of videos into one case each; what is finished is skipped, what is half done is gone on with.

    Args:
        videos: a text file with the path of one video a line (see `read_list`).
        folder: of the cases, each of which is named after its video.
        wishes: how each is to be segmented.
        run: what does the work; one model in this process by default.
        progress: told of frames, and of every video that fails.

    Returns:
        What became of each video, in the order of the list. One that is in it twice is done once.

    Raises:
        RASNetError: the list or the weights are not what they should be; nothing is done then.
        KeyboardInterrupt: somebody stopped it; every case is whole.
    """
    wishes, progress, folder = wishes or Wishes(), progress or SilentProgress(), Path(folder)
    began = time.monotonic()
    jobs, repeated = plan(read_list(videos), folder)
    for video in repeated:
        progress.note(f"{video} is in the list twice, or is the same video as another; it is done once")
    done = {
        job: Outcome(str(job.video), str(job.folder), "finished before") for job in jobs if is_finished(job, wishes)
    }
    left = [job for job in jobs if job not in done]
    shown = ManyProgress(progress, len(left))
    if left:
        with closing((run or InThisProcess())(left, wishes, shown)) as over:
            for job, outcome in over:
                done[job] = outcome
                shown.note(_words(outcome))
    if not shown.begun:
        progress.start("segment", 0)
    ordered = [done[job] for job in jobs]
    progress.finish(
        done=sum(outcome.state != "failed" for outcome in ordered),
        total=len(ordered),
        seconds=round(time.monotonic() - began, 2),
        videos=[asdict(outcome) for outcome in ordered],
    )
    return ordered


def _words(outcome: Outcome) -> str:
    if outcome.state == "failed":
        return f"{outcome.video} failed: {outcome.reason}"
    return f"{outcome.video}: {outcome.frames} frames in {outcome.seconds:.1f} s, in {outcome.case}"


class SharedModel:
    """One model for many videos, which use it in turns; loaded once, when it is first needed.

    A case that has learnt a model of its own (see `rasnet.adaptation`) gets that, unless weights are wished for.

    Args:
        weights: a checkpoint or an OpenVINO model.
        device: where the network runs.
        note: is told what the network runs on.
    """

    def __init__(
        self, weights: Path | None, device: Device, note: Callable[[str], None] = lambda message: None
    ) -> None:
        self._weights = weights
        self._device = device
        self._note = note
        self._loading = threading.Lock()
        self._backend: Backend | None = None

    def load(self) -> Backend:
        """The model that is shared.

        Raises:
            RASNetError: there are no such weights, or nothing to run them.
        """
        with self._loading:
            backend = self._backend
            if backend is None:
                loaded, reason = load_backend(self._weights, self._device)
                backend = self._backend = _InTurns(loaded)
                self._note(f"the network runs on {loaded.name}: {reason}")
            return backend

    def of_case(self, folder: Path) -> Backend:
        """The model for one case."""
        own = None if self._weights else case_weights(folder)
        return self.load() if own is None else load_backend(own, self._device)[0]


class _InTurns:
    """A backend for several threads: an engine's request, or a captured graph, can do one thing at a time."""

    def __init__(self, backend: Backend) -> None:
        self.name, self.batch_size = backend.name, backend.batch_size
        self.weights, self.schema, self.empty = backend.weights, backend.schema, backend.empty
        self.reads_planes = backend.reads_planes
        self._backend = backend
        self._lock = threading.Lock()

    def __call__(self, pixels: Pixels) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.float32]]:
        with self._lock:
            return self._backend(pixels)


class InThisProcess:
    """Segments videos here, some at once, with one model.

    On a GPU long videos get processes besides (see `SinkProcess`).

    Args:
        at_once: videos under way at the same time; chosen by the model's device where it is None.
    """

    def __init__(self, at_once: int | None = None) -> None:
        self._at_once = at_once

    def __call__(
        self, jobs: Sequence[Job], wishes: Wishes, shown: ManyProgress
    ) -> Generator[tuple[Job, Outcome], None, None]:
        """Segment them; `Run`."""
        model = SharedModel(wishes.weights, wishes.device, shown.note)
        at_once = self._at_once or default_at_once(model.load())
        stopped = threading.Event()
        waiting = iter(jobs)
        running: dict[Future[Outcome], Job] = {}
        with ThreadPoolExecutor(at_once, thread_name_prefix="video") as pool:
            try:
                while True:
                    for job in islice(waiting, at_once - len(running)):
                        video = shown.video(job)
                        running[pool.submit(outcome_of, job, wishes, model, video, stopped.is_set, at_once)] = job
                    if not running:
                        return
                    for future in wait(running, return_when=FIRST_COMPLETED).done:
                        yield running.pop(future), future.result()
            finally:
                stopped.set()  # each ends after its batch, with all of it in its case


def default_at_once(backend: Backend) -> int:
    """Videos at once that keep a model busy: a GPU waits for decoding and tracking, a CPU is busy with one."""
    return 4 if backend.name.endswith("cuda") else 1


def outcome_of(
    job: Job,
    wishes: Wishes,
    model: SharedModel,
    progress: VideoProgress,
    stop: Callable[[], bool] = lambda: False,
    at_once: int = 1,
) -> Outcome:
    """Segment one video, and say how it went, whatever happens.

    ``at_once`` is for `segment_missing`.
    """
    began = time.monotonic()

    def ended(state: State, **more: Any) -> Outcome:
        seconds = round(time.monotonic() - began, 2)
        return Outcome(str(job.video), str(job.folder), state, seconds=seconds, **more)

    try:
        _segment(job, wishes, model, progress, stop, at_once)
    except RASNetError as error:
        return ended("failed", frames=progress.done, reason=str(error))
    except Exception as error:
        bug = f"this is a bug in RASNet ({type(error).__name__}: {error}); report it"
        return ended("failed", frames=progress.done, reason=bug)
    finally:
        progress.end()
    return ended("segmented", frames=progress.done, damaged=progress.damaged)


def _segment(
    job: Job,
    wishes: Wishes,
    model: SharedModel,
    progress: VideoProgress,
    stop: Callable[[], bool],
    at_once: int,
) -> None:
    with open_source(job.video) as video:
        region = wishes.region(video.height, video.width)
        backend = model.of_case(job.folder)
        case = open_case_for(
            backend, video, job.folder, start=wishes.start, stop=wishes.stop, step=wishes.step, roi=region
        )
    with case:
        segment_missing(
            case,
            backend,
            batch_size=wishes.batch_size,
            progress=progress,
            stop=stop,
            at_once=at_once,
            gpu_decoder=wishes.gpu_decoder,
        )
