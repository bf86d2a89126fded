"""The worker as Slicer meets it: real `rasnet serve` processes, watched by polling as a timer does."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from rasnet.case import Case

LIBRARY = Path(__file__).resolve().parents[2] / "RASNetSlicer"
sys.path.insert(0, str(LIBRARY))

from bars import bar  # noqa: E402
from RASNetSlicerLib import process  # noqa: E402
from RASNetSlicerLib.process import Event, Process, Verb, Worker  # noqa: E402

pytestmark = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="processes are looked at through /proc")

PATIENCE_S = 60
ONE_CORE = {**os.environ, "OMP_NUM_THREADS": "1"}
CPU = ("--device", "cpu")
TICK_S = 0.02


def write_frames(folder: Path, count: int) -> Path:
    """A shaft from the left, 96 x 64 pixels, one PNG a frame; every fourth frame is the same."""
    folder.mkdir()
    for index in range(4):
        Image.fromarray(bar(index)).save(folder / f"frame{index}.png")
    for index in range(4, count):
        os.link(folder / f"frame{index % 4}.png", folder / f"frame{index}.png")
    return folder


def until(worker: Process, *last: str) -> list[Event]:
    """Poll as Slicer's timer does, up to an event of one of these kinds."""
    events: list[Event] = []
    deadline = time.monotonic() + PATIENCE_S
    while not any(event["event"] in last for event in events):
        assert time.monotonic() < deadline, (events, worker.log)
        began = time.perf_counter()
        events += worker.poll()
        assert time.perf_counter() - began < 0.1  # it never waits
        time.sleep(TICK_S)
    return events


def alive(pid: int) -> bool:
    """Whether a process is there and more than a zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def seconds_until(true: Callable[[], bool]) -> float:
    began = time.monotonic()
    while not true():
        assert time.monotonic() - began < PATIENCE_S
        time.sleep(TICK_S)
    return time.monotonic() - began


@pytest.fixture(scope="module")
def frames(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """More frames than any test waits for."""
    return write_frames(tmp_path_factory.mktemp("source") / "frames", 400)


@pytest.fixture
def start() -> Iterator[Callable[..., Worker]]:
    """Start workers; the test's end ends them."""
    workers: list[Worker] = []

    def start(python: str | Path, case: Path, **wishes: Any) -> Worker:
        wishes = {"options": CPU, "environment": ONE_CORE, **wishes}
        workers.append(Worker(python, case, **wishes))
        return workers[-1]

    yield start
    for worker in workers:
        worker.cancel()
    for worker in workers:
        assert seconds_until(lambda worker=worker: not worker.running) < 10


class TestWork:
    def test_frame_video_stop_and_cancel_of_one_worker(
        self, frames: Path, tmp_path: Path, start: Callable[..., Worker]
    ) -> None:
        worker = start(sys.executable, tmp_path / "case", source=frames)
        worker.segment_frame(7)  # before it is ready: the request waits
        ready, frame = (event for event in until(worker, "frame") if event["event"] != "note")
        assert (ready["event"], ready["frames"]) == ("ready", 400)
        assert (frame["index"], frame["written"]) == (7, True)
        case = Case.open(tmp_path / "case")
        assert case.mask(7).any()

        worker.segment_video(0, 4)
        begun, *progress, finish = until(worker, "finish")
        assert (begun["total"], finish["done"], finish["stopped"]) == (4, 4, False)
        assert progress[-1]["frame"] == 3
        assert progress[-1]["seconds_left"] == 0

        worker.segment_video()
        until(worker, "progress")
        worker.stop()
        assert until(worker, "finish")[-1]["stopped"]
        assert worker.running

        worker.segment_video()
        until(worker, "progress")
        began = time.monotonic()
        worker.cancel()
        assert time.monotonic() - began < 0.1  # a button does not hang
        assert until(worker, "end")[-1] == {"event": "end"}
        assert time.monotonic() - began < 2
        assert not worker.running
        assert 5 <= len(case.frames()) < 400
        assert all(case.mask(row.index).shape == (64, 96) for row in case.frames())
        worker.segment_frame(1)  # too late, and no harm
        assert worker.poll() == []


class TestCancel:
    @pytest.mark.parametrize("trap", ["trap '' TERM", "true"])
    def test_ends_children_and_what_ignores_everything_but_a_kill(
        self, trap: str, tmp_path: Path, start: Callable[..., Worker]
    ) -> None:
        # In the place of Python: a program that, as a launcher does, has a child which holds on to its pipes.
        stubborn = tmp_path / "stubborn"
        stubborn.write_text(f'#!/bin/sh\n{trap}\nsleep 300 &\necho "$! are child and parent $$" >&2\nwait\nwait\n')
        stubborn.chmod(0o755)
        worker = start(stubborn, tmp_path / "case")
        seconds_until(lambda: "child" in worker.log)
        child, *_, parent = worker.log.split()
        assert alive(int(child))
        worker.cancel()
        assert seconds_until(lambda: not (alive(int(child)) or alive(int(parent)))) < 2
        assert until(worker, "end") == [{"event": "end"}]

    def test_while_it_still_loads(self, frames: Path, tmp_path: Path, start: Callable[..., Worker]) -> None:
        worker = start(sys.executable, tmp_path / "case", source=frames)
        time.sleep(0.2)
        worker.cancel()
        worker.cancel()  # a second press
        assert seconds_until(lambda: not worker.running) < 2
        *before, end = until(worker, "end")
        assert "error" not in {event["event"] for event in before}
        assert end == {"event": "end"}


class TestFailure:
    def test_a_killed_worker_is_one_sentence(self, frames: Path, tmp_path: Path, start: Callable[..., Worker]) -> None:
        worker = start(sys.executable, tmp_path / "case", source=frames)
        seconds_until(lambda: worker.running)
        os.kill(worker._process.pid, signal.SIGKILL)
        error, end = until(worker, "end")
        assert error["message"].startswith("the worker was killed (SIGKILL), as happens when memory runs out; what it")
        assert end == {"event": "end"}

    def test_a_crash_leaves_its_last_words_and_a_log(self, tmp_path: Path, start: Callable[..., Worker]) -> None:
        crashing = tmp_path / "crashing"
        crashing.write_text("#!/bin/sh\necho no answer\necho first >&2\necho last >&2\nexit 3\n")
        crashing.chmod(0o755)
        worker = start(crashing, tmp_path / "case")
        error, _ = until(worker, "end")
        assert error["message"].startswith("the worker ended with code 3 (")
        assert sorted(worker.log.split("\n")) == ["first", "last", "no answer"]

    def test_a_crash_after_a_refused_request_is_told_of_too(self, tmp_path: Path, start: Callable[..., Worker]) -> None:
        crashing = tmp_path / "crashing"
        crashing.write_text("""#!/bin/sh\necho '{"event": "error", "message": "no", "do": "frame"}'\nexit 1\n""")
        crashing.chmod(0o755)
        refusal, error, _ = until(start(crashing, tmp_path / "case"), "end")
        assert refusal["do"] == "frame"
        assert error["message"].startswith("the worker ended with code 1 (it said nothing); what it had done is")

    def test_a_source_that_is_not_there_is_one_sentence(self, tmp_path: Path, start: Callable[..., Worker]) -> None:
        worker = start(sys.executable, tmp_path / "case", source=tmp_path / "nothing.mp4")
        error, _ = until(worker, "end")
        assert error["message"] == f"there is no file or folder {tmp_path / 'nothing.mp4'}; check the path"
        assert "Traceback" in worker.log
        assert not (tmp_path / "case").exists()

    def test_a_missing_package_is_one_sentence(
        self, frames: Path, tmp_path: Path, start: Callable[..., Worker]
    ) -> None:
        (tmp_path / "openvino.py").write_text("raise ModuleNotFoundError('No openvino', name='openvino')\n")
        environment = {**ONE_CORE, "PYTHONPATH": str(tmp_path)}
        worker = start(sys.executable, tmp_path / "case", source=frames, environment=environment)
        error, _ = until(worker, "end")
        assert error["message"] == "this needs the package openvino; install it with `pip install 'rasnet[cpu]'`"

    def test_an_interpreter_without_rasnet_says_so(self, tmp_path: Path, start: Callable[..., Worker]) -> None:
        (tmp_path / "rasnet.py").write_text("raise ModuleNotFoundError(\"No module named 'rasnet'\")\n")
        environment = {**ONE_CORE, "PYTHONPATH": str(tmp_path)}
        worker = start(sys.executable, tmp_path / "case", environment=environment)
        error, _ = until(worker, "end")
        assert "ended with code 1 (ModuleNotFoundError: No module named 'rasnet')" in error["message"]

    def test_an_interpreter_that_is_not_there_is_one_sentence(
        self, tmp_path: Path, start: Callable[..., Worker]
    ) -> None:
        worker = start(tmp_path / "python", tmp_path / "case")
        error, _ = until(worker, "end")
        assert "cannot be started" in error["message"]
        assert not worker.running
        worker.segment_frame(0)
        worker.cancel()
        assert worker.poll() == []


class TestVerb:
    """A command that works through what it was given."""

    def test_ends_well_when_it_is_done(self, tmp_path: Path) -> None:
        arguments = ("synth", str(tmp_path / "clip.mp4"), "--seconds", "0.2", "--size", "96x64", "--progress", "json")
        verb = Verb(sys.executable, arguments, environment=ONE_CORE)
        events = until(verb, "end")
        assert [event["event"] for event in events if event["event"] != "progress"] == ["start", "finish", "end"]
        assert (tmp_path / "clip.mp4").stat().st_size > 0

    def test_cancelled_it_stops_as_by_ctrl_c(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(process, "_PATIENCE_S", PATIENCE_S)  # on a busy machine it would be killed first
        arguments = ("synth", str(tmp_path / "clip.mp4"), "--seconds", "600", "--size", "96x64", "--progress", "json")
        verb = Verb(sys.executable, arguments, environment=ONE_CORE)
        until(verb, "progress")
        verb.cancel()
        *_, error, end = until(verb, "end")
        assert (error["event"], end) == ("error", {"event": "end"})
        assert error["message"].startswith("stopped")

    def test_what_it_refuses_is_one_sentence(self, tmp_path: Path) -> None:
        arguments = ("queue", str(tmp_path / "nothing"), "--progress", "json")
        error, end = until(Verb(sys.executable, arguments, environment=ONE_CORE), "end")
        assert "nothing" in error["message"]
        assert end == {"event": "end"}


class TestOwner:
    """Whoever started the worker is gone: so is the worker."""

    PROGRAM = """
import sys, time
sys.path.insert(0, sys.argv[1])
from RASNetSlicerLib.process import Verb, Worker
if sys.argv[4] == "verb":
    worker = Verb(sys.executable, ("synth", sys.argv[2] + ".mp4", "--seconds", "600", "--progress", "json"))
else:
    worker = Worker(sys.executable, sys.argv[2], source=sys.argv[3], options=("--device", "cpu"))
if sys.argv[4] == "work":
    worker.segment_video()
    while not any(event["event"] == "progress" for event in worker.poll()):
        time.sleep(0.02)
if sys.argv[4] == "verb":
    while not any(event["event"] == "progress" for event in worker.poll()):
        time.sleep(0.02)
print(worker._process.pid, flush=True)
if sys.argv[4] in ("work", "verb"):
    time.sleep(300)
elif sys.argv[4] == "forget":
    del worker
    time.sleep(300)
"""

    @pytest.fixture
    def own(self, frames: Path, tmp_path: Path) -> Iterator[Callable[[str], tuple[subprocess.Popen[str], int]]]:
        """Run another Slicer, as it were, until its worker is there; gives both."""
        owners: list[subprocess.Popen[str]] = []

        def own(how: str) -> tuple[subprocess.Popen[str], int]:
            command = [sys.executable, "-c", self.PROGRAM, str(LIBRARY), str(tmp_path / "case"), str(frames), how]
            owners.append(subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=ONE_CORE))
            assert owners[-1].stdout is not None
            return owners[-1], int(owners[-1].stdout.readline())

        yield own
        for owner in owners:
            owner.kill()
            owner.communicate()

    def test_killed_in_the_middle_of_a_video(
        self, tmp_path: Path, own: Callable[[str], tuple[subprocess.Popen[str], int]]
    ) -> None:
        owner, worker = own("work")
        assert alive(worker)
        owner.kill()
        assert seconds_until(lambda: not alive(worker)) < 5
        with Case.open(tmp_path / "case") as case:
            assert 0 < len(case.frames()) < 400
            assert all(case.mask(row.index).any() for row in case.frames())

    def test_killed_while_a_verb_was_at_work(self, own: Callable[[str], tuple[subprocess.Popen[str], int]]) -> None:
        owner, verb = own("verb")
        assert alive(verb)
        owner.kill()
        assert seconds_until(lambda: not alive(verb)) < 5

    @pytest.mark.parametrize("how", ["exit", "forget"])
    def test_left_or_forgot_it(self, how: str, own: Callable[[str], tuple[subprocess.Popen[str], int]]) -> None:
        _, worker = own(how)
        assert seconds_until(lambda: not alive(worker)) < 5
