"""Many videos over the machines of a Ray cluster: each worker takes one at a time, a worker that dies loses nothing.

Ray starts the video of a dead worker anew on another. There it goes on: what is in a case is not done twice. Only one
worker at a time writes into a case.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

from rasnet.errors import RASNetError
from rasnet.inference.archive import Job, Wishes
from rasnet.inference.backend import Device
from rasnet.inference.many import Outcome, SharedModel, outcome_of
from rasnet.inference.many_progress import ManyProgress, VideoProgress

LOCAL = "local"

# A video whose workers die this often is more likely the reason than their machines.
_RETRIES = 3

# One core a video: several networks on a core each do more frames than one network on several.
_CORES = 1

_POLL_S = 0.5
_LETTING_GO_S = 20.0


class OnRay:
    """Segments videos on a Ray cluster; see `rasnet.inference.many.Run`.

    Every machine reaches the videos and cases under the same paths, and has RASNet installed.

    Args:
        address: of the cluster, as Ray has it (``auto``, ``HOST:PORT``, ``ray://HOST:PORT``); ``local`` makes one of
            this machine's cores, for as long as it takes.
    """

    def __init__(self, address: str) -> None:
        self._address = address

    def __call__(
        self, jobs: Sequence[Job], wishes: Wishes, shown: ManyProgress
    ) -> Generator[tuple[Job, Outcome], None, None]:
        """Segment them.

        Raises:
            RASNetError: there is no such cluster.
        """
        with _cluster(self._address) as ray:
            resources = ray.cluster_resources()
            gpus = int(wishes.device != "cpu" and resources.get("GPU", 0) >= 1)
            shown.note(f"the videos go to a Ray cluster with {resources.get('CPU', 0):.0f} cores for work")
            mailbox = ray.remote(num_cpus=0)(Mailbox).remote()
            segment = ray.remote(num_cpus=_CORES, num_gpus=gpus, max_retries=_RETRIES)(_segment_there)
            everywhere = replace(wishes, weights=wishes.weights.absolute() if wishes.weights else None)
            running = {segment.remote(_absolute(job), everywhere, mailbox, at): at for at, job in enumerate(jobs)}
            try:
                while running:
                    over, _ = ray.wait(list(running), timeout=_POLL_S)
                    _show(ray.get(mailbox.collect.remote()), jobs, shown)
                    for task in over:
                        job = jobs[running.pop(task)]
                        shown.end(job)
                        yield job, _result(ray, task, job)
            finally:
                for task in running:
                    ray.cancel(task)
                if running:
                    ray.wait(list(running), num_returns=len(running), timeout=_LETTING_GO_S)


class Mailbox:
    """What workers have to tell, until somebody asks; lives in a process of its own."""

    def __init__(self) -> None:
        self._letters: list[tuple[int, str, Any]] = []

    def post(self, at: int, what: str, content: Any) -> None:
        """Leave a letter about the job with a number."""
        self._letters.append((at, what, content))

    def collect(self) -> list[tuple[int, str, Any]]:
        """Take all letters."""
        letters, self._letters = self._letters, []
        return letters


class PostedProgress(VideoProgress):
    """Tells a mailbox how far a video is, now and then.

    Args:
        mailbox: Ray's handle of a `Mailbox`.
        at: number of the job.
    """

    def __init__(self, mailbox: Any, at: int) -> None:
        self.done = 0
        self.damaged = 0
        self._mailbox = mailbox
        self._at = at
        self._untold = 0
        self._told_s = 0.0

    def start(self, task: str, total: int) -> None:
        """Tell how many frames there are to do."""
        self._post("start", total)

    def advance(self, frame: int | None = None, count: int = 1) -> None:
        """Count, and tell twice a second."""
        self.done += count
        self._untold += count
        if time.monotonic() - self._told_s >= _POLL_S:
            self._told_s = time.monotonic()
            self.end()

    def note(self, message: str) -> None:
        """Tell."""
        self._post("note", message)

    def end(self) -> None:
        """Tell what is not told yet."""
        if self._untold:
            self._post("frames", self._untold)
            self._untold = 0

    def _post(self, what: str, content: Any) -> None:
        self._mailbox.post.remote(self._at, what, content)  # nobody waits for it, and nothing depends on it


def _segment_there(job: Job, wishes: Wishes, mailbox: Any, at: int) -> Outcome:
    """Segment one video; runs in a worker of Ray, which keeps its model for the next."""
    return outcome_of(job, wishes, _model(wishes.weights, wishes.device), PostedProgress(mailbox, at))


@cache
def _model(weights: Path | None, device: Device) -> SharedModel:
    return SharedModel(weights, device)


def _show(letters: Sequence[tuple[int, str, Any]], jobs: Sequence[Job], shown: ManyProgress) -> None:
    for at, what, content in letters:
        if what == "start":
            shown.begin(jobs[at], content)
        elif what == "frames":
            shown.advance(jobs[at], None, content)
        else:
            shown.note(f"{jobs[at].video.name}: {content}")


def _result(ray: Any, task: Any, job: Job) -> Outcome:
    video, case = str(job.video), str(job.folder)
    try:
        return replace(ray.get(task), video=video, case=case)
    except ray.exceptions.RayError as error:
        reason = (
            f"the worker that had it died {_RETRIES + 1} times ({type(error).__name__}); "
            f"try it alone: `rasnet segment {video} {case}`"
        )
        return Outcome(video, case, "failed", reason=reason)


def _absolute(job: Job) -> Job:
    """The job as workers know it, who have other working directories."""
    return Job(job.video.absolute(), job.folder.absolute())


@contextmanager
def _cluster(address: str) -> Iterator[Any]:
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # Ray would tell its makers
    import ray

    wishes = {"logging_level": "ERROR", "log_to_driver": False}
    try:
        if address == LOCAL:
            ray.init(address="local", include_dashboard=False, **wishes)
        else:
            ray.init(address=address, **wishes)
    except (ConnectionError, RuntimeError, ValueError) as error:
        said = str(error).strip().splitlines()[0].partition(". ")[0] if str(error).strip() else type(error).__name__
        raise RASNetError(
            f"there is no Ray cluster at '{address}' ({said}); start one with "
            "`ray start --head`, or give --ray local to use this machine's cores"
        ) from error
    try:
        with redirect_stdout(sys.stderr):  # Ray prints that a worker died; programs read stdout
            yield ray
    finally:
        ray.shutdown()
