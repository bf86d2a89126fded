"""An archive of videos: which there are, which case each gets, and which cases are finished."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import count
from pathlib import Path

from rasnet.adaptation import case_weights
from rasnet.case import Case, CaseInfo
from rasnet.case.info import fingerprint
from rasnet.errors import RASNetError
from rasnet.inference.backend import Device, checkpoint_sha256, choose_backend
from rasnet.video import RegionOfInterest


def _leave_to_video(height: int, width: int) -> RegionOfInterest | None:
    return None


@dataclass(frozen=True)
class Wishes:
    """How every video of an archive is to be segmented; each as `segment_video` takes it.

    Attributes:
        weights: a checkpoint or an OpenVINO model; a case's own, else the released one, by default.
        device: where the network runs.
        batch_size: frames that go through the network at once; a good number for the device by default.
        start: first frame.
        stop: one past the last frame; None for the end of each video.
        step: take every step-th frame.
        region: gives the region of interest for frames of a height and width; None is found from the video.
        gpu_decoder: let a GPU decode.
    """

    weights: Path | None = None
    device: Device = "auto"
    batch_size: int | None = None
    start: int = 0
    stop: int | None = None
    step: int = 1
    region: Callable[[int, int], RegionOfInterest | None] = _leave_to_video
    gpu_decoder: bool = False


@dataclass(frozen=True)
class Job:
    """One video and the case that it gets.

    Attributes:
        video: its path.
        folder: of its case.
    """

    video: Path
    folder: Path


def read_list(path: str | Path) -> list[Path]:
    """Read which videos an archive holds.

    Args:
        path: of a text file in UTF-8: one path a line, relative ones from the folder of the list; empty lines and
            those that begin with ``#`` say nothing.

    Raises:
        RASNetError: there is no such file, it is no text, or it names no video.
    """
    path = Path(path)
    advice = "give a text file with the path of one video a line"
    if path.is_dir():
        raise RASNetError(f"{path} is a folder; {advice}, as `find {path} -type f > videos.txt` writes it")
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise RASNetError(f"{path} is no text in UTF-8; {advice}") from error
    except OSError as error:
        raise RASNetError(f"the list {path} cannot be read ({error.strerror or error}); {advice}") from error
    named = [line.strip() for line in lines if line.strip() and not line.lstrip().startswith("#")]
    if not named:
        raise RASNetError(f"{path} names no video; {advice}")
    return [path.parent / Path(name).expanduser() for name in named]


def plan(videos: Sequence[Path], folder: Path) -> tuple[list[Job], list[Path]]:
    """Decide which case each video gets: the one that it has, else one that is named after it.

    A video is known by its content, so that it keeps its case when it moves, when the list grows and when other
    videos have its name.

    Args:
        videos: paths, of files that need not be there.
        folder: of the cases.

    Returns:
        The jobs, in the order of the videos, and the videos left out because an earlier one is the same.
    """
    known = {info.source.fingerprint: case for case, info in _cases(folder)}
    taken = {path.parent.name for path in folder.glob("*/case.json")}
    jobs: list[Job] = []
    repeated: list[Path] = []
    seen: set[str] = set()
    for video in videos:
        content = _content(video)
        if content in seen:
            repeated.append(video)
            continue
        seen.add(content)
        case = known.get(content) or folder / next(name for name in _names(video) if name not in taken)
        taken.add(case.name)
        jobs.append(Job(video, case))
    return jobs, repeated


def is_finished(job: Job, wishes: Wishes) -> bool:
    """Whether a job's case has every frame that is wished for, by the model that is wished for.

    The video is not opened for it. Where anything differs the answer is no: to go on with such a case says what.
    """
    if not (job.folder / "case.json").is_file():
        return False
    try:
        info = CaseInfo.read(job.folder)
    except RASNetError:
        return False
    moved = info.source.path != str(job.video.resolve())
    if moved or info.model is None or info.disagreement(_wished(info, job, wishes)):
        return False
    with Case.open(job.folder) as case:
        return not case.missing()


def _wished(info: CaseInfo, job: Job, wishes: Wishes) -> CaseInfo:
    """What a case's description would be if it were made now."""
    assert info.model is not None
    weights = wishes.weights or case_weights(job.folder) or choose_backend(None, wishes.device).model
    return replace(
        info,
        start=wishes.start,
        stop=info.source.frame_count if wishes.stop is None else wishes.stop,
        step=wishes.step,
        roi=wishes.region(info.height, info.width) or info.roi,
        model=replace(info.model, sha256=_sha256(weights)),
    )


@cache
def _sha256(weights: Path) -> str:
    return checkpoint_sha256(weights)


def _cases(folder: Path) -> Iterator[tuple[Path, CaseInfo]]:
    for path in sorted(folder.glob("*/case.json")):
        try:
            yield path.parent, CaseInfo.read(path.parent)
        except RASNetError:  # damaged: its name stays taken
            continue


def _content(video: Path) -> str:
    """What tells a video from others: its content; its path where it cannot be read, which its turn will tell."""
    try:
        return fingerprint(video)
    except OSError:
        return str(video)


def _names(video: Path) -> Iterator[str]:
    """Names for a video's case, the plainest first; without end."""
    whole = video.resolve()
    stem = whole.name if whole.is_dir() else whole.stem
    longer = f"{whole.parent.name}_{stem}"
    yield f"{stem}.case"
    yield f"{longer}.case"
    yield from (f"{longer}-{number}.case" for number in count(2))
