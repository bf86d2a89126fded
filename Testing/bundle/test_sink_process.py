"""A sink in processes of its own, as beside a GPU."""

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import BrokenExecutor, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from cases import HEIGHT, WIDTH, make_case

from rasnet.case import Case
from rasnet.errors import RASNetError
from rasnet.inference.frames import FrameBatch
from rasnet.inference.sink import CaseSink
from rasnet.inference.sink_process import SinkProcess, told_of_a_kill, worthwhile_workers
from rasnet.masks import Mask
from rasnet.progress import SilentProgress
from rasnet.video import RegionOfInterest


class Listener(SilentProgress):
    """Remembers what it was told."""

    def __init__(self) -> None:
        self.frames: list[int | None] = []

    def advance(self, frame: int | None = None, count: int = 1) -> None:
        self.frames.append(frame)


def classes(index: int, height: int = HEIGHT, width: int = WIDTH) -> Mask:
    """Class ids of a frame, uint8 (H, W): a bar from the left whose last four columns are of the second kind."""
    mask = np.zeros((height, width), np.uint8)
    mask[16:28, : 24 + index] = 1
    mask[16:28, 20 + index : 24 + index] = 2
    return mask


def write(sink: CaseSink | SinkProcess, indices: Sequence[int]) -> None:
    """Send frames in one batch."""
    roi = sink.case.info.roi
    batch = FrameBatch(tuple(indices), tuple(index / 25 for index in indices), np.zeros((0,), np.uint8))
    masks = np.stack([classes(index, roi.height, roi.width) for index in indices])
    sink.write(batch, masks, np.full((len(indices), 3), 0.25, np.float32))


def wait_until(done: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not done():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def children_of(parent: int | None) -> set[int]:
    """Processes that a process has started, where the system tells."""
    found = set()
    for status in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):  # it has ended
            if int(status.read_text().rsplit(")", 1)[1].split()[1]) == parent:
                found.add(int(status.parent.name))
    return found


def test_the_case_is_the_one_that_threads_make(tmp_path: Path) -> None:
    roi = RegionOfInterest(top=3, left=12, height=40, width=50, frame_height=HEIGHT, frame_width=WIDTH)
    by_threads, by_processes = (make_case(tmp_path / name, roi=roi) for name in ("threads", "processes"))
    listener = Listener()
    for sink in (CaseSink(by_threads), SinkProcess(by_processes, listener, workers=2)):
        with sink:
            for indices in (range(10), range(10, 12)):  # more than a task takes, and fewer
                write(sink, indices)
    assert listener.frames == [7, 9, 11]
    assert by_processes.missing() == []
    assert by_processes.frames() == by_threads.frames()
    assert by_processes.layers() == by_threads.layers()
    for index in range(12):
        for kind in ("masks", "parts"):
            name = f"{kind}/{index:08d}.png"
            assert (by_processes.folder / name).read_bytes() == (by_threads.folder / name).read_bytes()


def test_what_was_taken_before_an_error_is_kept(tmp_path: Path) -> None:
    case = make_case(tmp_path)

    def interrupted() -> None:
        with SinkProcess(case, workers=1) as sink:
            write(sink, [0])
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    np.testing.assert_array_equal(case.mask(0), classes(0) > 0)


def test_two_runs_into_one_case_are_one_too_many(tmp_path: Path) -> None:
    case = make_case(tmp_path)
    with (
        CaseSink(case),
        pytest.raises(RASNetError, match="another program is writing predictions"),
        SinkProcess(case, workers=1),
    ):
        pytest.fail("two programs write at the same time")


def test_a_mask_that_cannot_be_written_is_its_own_sentence(tmp_path: Path) -> None:
    case = make_case(tmp_path)

    def write_too_far() -> None:
        with SinkProcess(case, workers=1) as sink:
            write(sink, [0])
            write(sink, [1, 2, 99])

    with pytest.raises(RASNetError, match="has no frame 99; it has frames 0 to 11"):
        write_too_far()
    assert [row.index for row in case.frames()] == [0, 1, 2]


def test_a_process_that_is_killed_is_one_sentence_and_the_same_command_goes_on(tmp_path: Path) -> None:
    case, workers = make_case(tmp_path), set[int]()

    def killed() -> None:
        with SinkProcess(case, workers=1) as sink:
            write(sink, [0, 1])
            wait_until(lambda: len(case.frames()) == 2)
            for process in multiprocessing.active_children():
                workers.update(children_of(process.pid))
                process.kill()
            for index in range(2, 12):  # at once, and when it is known
                write(sink, [index])
                time.sleep(0.1)

    with pytest.raises(RASNetError, match="a process that draws masks was killed"):
        killed()
    assert [row.index for row in case.frames()][:2] == [0, 1]
    wait_until(lambda: not any(Path(f"/proc/{worker}").exists() for worker in workers))  # none stays
    with SinkProcess(case, workers=1) as sink:
        write(sink, case.missing())
    assert case.missing() == []


@pytest.mark.skipif(not Path("/proc").exists(), reason="needs a system that tells whose child a process is")
@pytest.mark.parametrize("number", range(2))  # the one that tracks, and the one that draws
def test_any_of_its_processes_may_be_killed(number: int, tmp_path: Path) -> None:
    case, said = make_case(tmp_path), None
    try:
        with SinkProcess(case, workers=1) as sink:
            write(sink, [0, 1])
            wait_until(lambda: len(case.frames()) == 2)
            (process,) = multiprocessing.active_children()
            children = sorted(children_of(process.pid))
            assert len(children) == 2
            os.kill(children[number], signal.SIGKILL)
            write(sink, range(2, 12))
    except RASNetError as error:
        said = str(error)
    if said is None:
        assert case.missing() == []
    else:
        assert said == str(told_of_a_kill(BrokenExecutor()))
    assert [row.index for row in case.frames()][:2] == [0, 1]


@pytest.mark.skipif(not Path("/proc").exists(), reason="needs a system that tells whose child a process is")
@pytest.mark.parametrize("wanted", [1, 2])  # the one that draws alone, as it begins first; or both
def test_a_process_that_is_killed_while_it_begins_is_one_sentence(wanted: int, tmp_path: Path) -> None:
    case = make_case(tmp_path)

    def kill() -> None:
        def begun() -> set[int]:
            return {child for process in multiprocessing.active_children() for child in children_of(process.pid)}

        wait_until(lambda: len(begun()) >= wanted)
        for child in begun():
            os.kill(child, signal.SIGKILL)

    with ThreadPoolExecutor(1) as killer:
        killed = killer.submit(kill)
        with (
            pytest.raises(RASNetError, match="a process that draws masks was killed"),
            SinkProcess(case, workers=1),
        ):
            pytest.fail("it began without the process that was killed")
        killed.result()
    with SinkProcess(case, workers=1) as again:
        write(again, case.missing())
    assert case.missing() == []


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
def test_what_was_taken_by_a_program_that_is_killed_is_written_and_no_process_stays(tmp_path: Path) -> None:
    case = make_case(tmp_path)
    program = tmp_path / "program.py"
    program.write_text(
        "import sys, time\n"
        "from rasnet.case import Case\n"
        "from rasnet.inference.sink_process import SinkProcess\n"
        "from test_sink_process import write\n"
        "if __name__ == '__main__':\n"
        f"    with SinkProcess(Case.open({str(case.folder)!r}), workers=1) as sink:\n"
        "        write(sink, range(8))\n"
        "        print('written', flush=True)\n"
        "        time.sleep(600)\n"
    )
    path = os.pathsep.join([str(Path(__file__).parent), *sys.path])
    running = subprocess.Popen(
        [sys.executable, program], stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": path}
    )
    assert running.stdout is not None
    assert running.stdout.readline() == b"written\n"
    running.send_signal(signal.SIGKILL)
    running.stdout.read()  # which ends with the last process that inherited it
    running.stdout.close()
    running.wait()
    with Case.open(case.folder) as left:
        assert left.missing() == [8, 9, 10, 11]


@pytest.mark.parametrize(
    ("backend", "frames", "cores", "limit", "workers"),
    [
        ("torch-cuda", 90_000, 16, None, 8),
        ("torch-cuda", 90_000, 8, None, 4),
        ("torch-cuda", 90_000, 128, None, 8),  # one process tracks
        ("torch-cuda", 90_000, 4, None, 0),  # decoding takes them all
        ("torch-cuda", 90_000, 16, "2", 0),  # the user wants few threads
        ("torch-cuda", 250, 16, None, 0),  # done before processes have begun
        ("torch-cpu", 90_000, 16, None, 0),  # the network takes them all
        ("openvino-int8", 90_000, 16, None, 0),
    ],
)
@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="needs a system that binds processes to cores")
def test_processes_are_for_long_videos_on_a_gpu_beside_many_cores(
    backend: str, frames: int, cores: int, limit: str | None, workers: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(cores)))
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    if limit is not None:
        monkeypatch.setenv("OMP_NUM_THREADS", limit)
    assert worthwhile_workers(SimpleNamespace(name=backend), frames) == workers  # type: ignore[arg-type]


def test_other_errors_are_told_as_they_are() -> None:
    error = RASNetError("the disk is full")
    assert told_of_a_kill(error) is error
