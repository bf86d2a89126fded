"""Lists of videos with the released weights: in this process, and on Ray with a worker that is killed."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from bars import write_bar_folder, write_bar_video

from rasnet.bundle import file_sha256, weights_path
from rasnet.case import Case
from rasnet.errors import RASNetError
from rasnet.inference import TorchBackend, many, segment_video
from rasnet.inference.archive import Job, Wishes, plan, read_list
from rasnet.inference.many import InThisProcess, SharedModel, segment_many
from rasnet.progress import SilentProgress
from rasnet.video import open_source

ON_CPU = Wishes(weights=weights_path(), device="cpu")


class Listener(SilentProgress):
    """Remembers what it was told, and plays Ctrl-C after so many frames."""

    def __init__(self, stop_after: int = -1) -> None:
        self.tasks: list[tuple[str, int]] = []
        self.notes: list[str] = []
        self.frames = 0
        self.result: dict[str, Any] = {}
        self.stop_after = stop_after

    def start(self, task: str, total: int) -> None:
        self.tasks.append((task, total))

    def advance(self, frame: int | None = None, count: int = 1) -> None:
        self.frames += count

    def note(self, message: str) -> None:
        self.notes.append(message)
        if self.stop_after >= 0 and message.endswith(".case"):
            raise KeyboardInterrupt

    def finish(self, **result: Any) -> None:
        self.result = result


def write_list(folder: Path, *names: str) -> Path:
    path = folder / "videos.txt"
    path.write_text("\n".join(names))
    return path


def masks(folder: Path) -> dict[int, list[np.ndarray]]:
    with Case.open(folder) as case:
        return {row.index: [case.mask(row.index), case.parts(row.index)] for row in case.frames()}


def predictions(folder: Path) -> list[int]:
    """Frames that a program has written, once for each time."""
    with Case.open(folder) as case:
        return sorted(entry.frame for entry in case.journal() if entry.what == "predict")


@pytest.fixture
def loads(backend: TorchBackend, monkeypatch: pytest.MonkeyPatch) -> list[Path | None]:
    """The models that were loaded; all are the released one, read already."""
    loaded: list[Path | None] = []

    def load(weights: Path | None, device: str) -> tuple[TorchBackend, str]:
        loaded.append(weights)
        return backend, "a test wants it"

    monkeypatch.setattr(many, "load_backend", load)
    return loaded


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three videos of 2, 3 and 4 frames, and a list of them."""
    folder = tmp_path_factory.mktemp("archive")
    for count in (2, 3, 4):
        write_bar_video(folder / f"{count}.mp4", count)
    write_list(folder, "2.mp4", "3.mp4", "4.mp4")
    return folder


class TestList:
    def test_paths_are_seen_from_the_list(self, tmp_path: Path) -> None:
        text = "\ufeffa.mp4\r\n\n# the second day\n  sub/b with blanks.mp4  \n/archive/c.mp4\n"
        (tmp_path / "list.txt").write_text(text, encoding="utf-8", newline="")
        assert read_list(tmp_path / "list.txt") == [
            tmp_path / "a.mp4",
            tmp_path / "sub" / "b with blanks.mp4",
            Path("/archive/c.mp4"),
        ]

    @pytest.mark.parametrize(
        ("content", "said"),
        [
            (None, "cannot be read"),
            (b"", "names no video"),
            (b"# a.mp4\n\n", "names no video"),
            (b"\x00\x00\x00\x18ftypmp42\xff\xfe", "no text"),
        ],
    )
    def test_what_is_no_list_is_one_sentence(self, content: bytes | None, said: str, tmp_path: Path) -> None:
        if content is not None:
            (tmp_path / "list.txt").write_bytes(content)
        with pytest.raises(RASNetError, match=said):
            read_list(tmp_path / "list.txt")

    def test_a_folder_of_videos_is_no_list(self, tmp_path: Path) -> None:
        with pytest.raises(RASNetError, match=r"find .* -type f > videos.txt"):
            read_list(tmp_path)


class TestNames:
    def test_a_case_is_named_after_its_video(self, tmp_path: Path) -> None:
        videos = [tmp_path / name for name in ("day1/op.mp4", "day2/op.mp4", "day2/op.avi", "x.y.mp4", "gone.mp4")]
        (tmp_path / "day1").mkdir()
        (tmp_path / "day2").mkdir()
        for number, video in enumerate(videos[:-1]):
            video.write_bytes(bytes([number]))
        videos.append(write_bar_folder(tmp_path / "frames.d", 1))
        jobs, repeated = plan(videos, tmp_path / "cases")
        names = ["op.case", "day2_op.case", "day2_op-2.case", "x.y.case", "gone.case", "frames.d.case"]
        assert [job.folder.name for job in jobs] == names
        assert repeated == []

    def test_the_same_video_twice_is_one_job(self, tmp_path: Path) -> None:
        for name in ("a.mp4", "copy.mp4"):
            (tmp_path / name).write_bytes(b"the same")
        videos = [tmp_path / "a.mp4", tmp_path / "copy.mp4", tmp_path / "a.mp4"]
        jobs, repeated = plan(videos, tmp_path / "cases")
        assert jobs == [Job(tmp_path / "a.mp4", tmp_path / "cases" / "a.case")]
        assert repeated == videos[1:]

    def test_a_video_keeps_its_case_when_it_moves_and_the_list_grows(
        self, tmp_path: Path, loads: list[Path | None]
    ) -> None:
        before = write_bar_video(tmp_path / "op.mp4", 1)
        segment_many(write_list(tmp_path, "op.mp4"), tmp_path / "cases", ON_CPU)
        (tmp_path / "day1").mkdir()
        before.rename(tmp_path / "day1" / "op.mp4")
        write_bar_video(tmp_path / "op.mp4", 2)
        outcomes = segment_many(write_list(tmp_path, "op.mp4", "day1/op.mp4"), tmp_path / "cases", ON_CPU)
        assert [Path(outcome.case).name.startswith("op") for outcome in outcomes] == [False, True]
        assert predictions(tmp_path / "cases" / "op.case") == [0]
        with Case.open(tmp_path / "cases" / "op.case") as case:
            assert Path(case.info.source.path) == tmp_path / "day1" / "op.mp4"


class TestRun:
    @pytest.mark.parametrize("at_once", [1, 2])
    def test_each_video_gets_what_it_gets_alone(
        self, at_once: int, archive: Path, tmp_path: Path, loads: list[Path | None]
    ) -> None:
        listener = Listener()
        outcomes = segment_many(
            archive / "videos.txt", tmp_path / "cases", ON_CPU, run=InThisProcess(at_once), progress=listener
        )
        assert [(Path(o.case).name, o.state, o.frames) for o in outcomes] == [
            ("2.case", "segmented", 2),
            ("3.case", "segmented", 3),
            ("4.case", "segmented", 4),
        ]
        assert len(loads) == 1
        assert listener.frames == 9
        first = {1: ["2.mp4"], 2: ["2.mp4", "3.mp4"]}[at_once]  # two begin together, and either may be told first
        assert listener.tasks[0] in [(f"{name} (1 of 3)", int(name[0])) for name in first]
        assert [video["frames"] for video in listener.result["videos"]] == [2, 3, 4]
        with open_source(archive / "3.mp4") as video:
            segment_video(video, tmp_path / "alone", weights=weights_path(), device="cpu")
        np.testing.assert_equal(masks(tmp_path / "cases" / "3.case"), masks(tmp_path / "alone"))

    def test_one_that_fails_does_not_keep_the_others(
        self, archive: Path, tmp_path: Path, loads: list[Path | None]
    ) -> None:
        (tmp_path / "broken.mp4").write_bytes(b"no video at all")
        (tmp_path / "cases" / "4.case").mkdir(parents=True)
        (tmp_path / "cases" / "4.case" / "letter.txt").write_text("mine")
        videos = write_list(tmp_path, "broken.mp4", "gone.mp4", str(archive / "4.mp4"), str(archive / "3.mp4"))
        listener = Listener()
        outcomes = segment_many(videos, tmp_path / "cases", ON_CPU, progress=listener)
        assert [outcome.state for outcome in outcomes] == ["failed", "failed", "failed", "segmented"]
        for outcome, said in zip(outcomes, ("not a video", "no file", "not empty and not a case"), strict=False):
            assert said in outcome.reason
            assert f"{outcome.video} failed: {outcome.reason}" in listener.notes
        assert (tmp_path / "cases" / "4.case" / "letter.txt").read_text() == "mine"

    def test_what_is_finished_is_skipped_without_a_model(
        self, archive: Path, tmp_path: Path, loads: list[Path | None]
    ) -> None:
        segment_many(archive / "videos.txt", tmp_path / "cases", ON_CPU)
        loads.clear()
        (tmp_path / "cases" / "3.case" / "masks" / "00000001.png").unlink()
        outcomes = segment_many(archive / "videos.txt", tmp_path / "cases", ON_CPU)
        states = [(outcome.state, outcome.frames) for outcome in outcomes]
        assert states == [("finished before", 0), ("segmented", 1), ("finished before", 0)]
        loads.clear()
        assert {o.state for o in segment_many(archive / "videos.txt", tmp_path / "cases", ON_CPU)} == {
            "finished before"
        }
        assert loads == []

    def test_a_case_of_other_wishes_is_not_taken_for_finished(
        self, archive: Path, tmp_path: Path, loads: list[Path | None]
    ) -> None:
        videos = write_list(tmp_path, str(archive / "4.mp4"))
        segment_many(videos, tmp_path / "cases", ON_CPU)
        (outcome,) = segment_many(videos, tmp_path / "cases", Wishes(weights_path(), "cpu", step=2))
        assert outcome.state == "failed"
        assert "is a case of frames 0 to 4 in steps of 1, not 0 to 4 in steps of 2" in outcome.reason

    def test_a_stopped_run_goes_on(self, archive: Path, tmp_path: Path, loads: list[Path | None]) -> None:
        with pytest.raises(KeyboardInterrupt):
            segment_many(archive / "videos.txt", tmp_path / "cases", ON_CPU, progress=Listener(stop_after=0))
        assert not [thread for thread in threading.enumerate() if thread.name.startswith("video")]
        outcomes = segment_many(archive / "videos.txt", tmp_path / "cases", ON_CPU)
        assert outcomes[0].state == "finished before"
        for outcome, count in zip(outcomes, (2, 3, 4), strict=True):
            assert predictions(Path(outcome.case)) == list(range(count))

    def test_wrong_weights_stop_everything(self, archive: Path, tmp_path: Path) -> None:
        with pytest.raises(RASNetError, match=r"nothing\.pt"):
            segment_many(archive / "videos.txt", tmp_path / "cases", Wishes(tmp_path / "nothing.pt"))
        assert not (tmp_path / "cases").exists()

    def test_a_case_with_a_model_of_its_own_gets_it(
        self, archive: Path, tmp_path: Path, loads: list[Path | None]
    ) -> None:
        own = tmp_path / "models" / f"{file_sha256(weights_path())[:16]}.pt"
        model = SharedModel(None, "cpu")
        with open_source(archive / "4.mp4") as video:
            segment_video(video, tmp_path, weights=weights_path(), device="cpu", stop=1)
        model.of_case(tmp_path)
        own.parent.mkdir()
        own.symlink_to(weights_path())
        model.of_case(tmp_path)
        model.of_case(tmp_path / "another")
        assert loads == [None, own]


class TestCommand:
    def rasnet(self, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", "from rasnet.cli import main; main()", "segment", *map(str, arguments)]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    def test_says_how_it_ended_and_fails_if_a_video_failed(self, archive: Path, tmp_path: Path) -> None:
        videos = write_list(tmp_path, str(archive / "4.mp4"), "gone.mp4")
        done = self.rasnet("--many", videos, tmp_path / "cases", "--device", "cpu", "--roi", "full", "--stop", "2")
        assert done.returncode == 2
        last = done.stderr.splitlines()[-1]
        assert last.startswith(
            f"error: 2 videos in {tmp_path / 'cases'}: 1 segmented (2 frames), 1 failed (gone.mp4); mend"
        )
        videos.write_text(f"{archive / '4.mp4'}\n")
        wishes = ("--device", "cpu", "--roi", "full", "--stop", "2", "--progress", "json")
        done = self.rasnet("--many", videos, tmp_path / "cases", *wishes)
        assert (done.returncode, done.stderr) == (0, "")
        events = [json.loads(line) for line in done.stdout.splitlines()]
        assert [event["event"] for event in events] == ["start", "finish"]
        assert events[-1]["videos"][0]["state"] == "finished before"

    @pytest.mark.parametrize("options", [("--at-once", "2"), ("--ray", "local")])
    def test_options_of_lists_are_refused_for_one_video(self, options: tuple[str, ...], tmp_path: Path) -> None:
        done = self.rasnet(tmp_path / "op.mp4", tmp_path / "case", *options)
        assert done.returncode == 2
        assert done.stderr == "error: --at-once and --ray are for lists of videos; add --many\n"


def workers() -> dict[int, list[str]]:
    """Processes of Ray, started by this one, that are segmenting now, and the files that each has open."""
    parents, working = {}, {}
    for process in Path("/proc").glob("[0-9]*"):
        try:
            parents[int(process.name)] = int((process / "stat").read_text().rpartition(")")[2].split()[1])
            if (process / "cmdline").read_bytes().startswith(b"ray::_segment_there"):
                working[int(process.name)] = [str(file.readlink()) for file in (process / "fd").iterdir()]
        except OSError:  # it has just ended, or has closed a file
            continue

    def is_ours(process: int) -> bool:
        while process := parents.get(process, 0):
            if process == os.getpid():
                return True
        return False

    return {process: files for process, files in working.items() if is_ours(process)}


class Assassin:
    """Kills the worker of the first case that holds frames."""

    def __init__(self, cases: Path) -> None:
        self.victim: Path | None = None
        self._cases = cases
        threading.Thread(target=self._lie_in_wait, daemon=True).start()

    def _lie_in_wait(self) -> None:
        while self.victim is None:
            time.sleep(0.02)
            started = {path.parent.parent for path in self._cases.glob("*/masks/*.png")}
            self.victim = next(filter(self._killed, started), None)

    def _killed(self, case: Path) -> bool:
        for process, files in workers().items():
            if str(case / "case.db") in files:
                os.kill(process, signal.SIGKILL)
                return True
        return False


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="looks for the workers in /proc")
def test_ray_loses_nothing_and_does_nothing_twice_when_a_worker_is_killed(tmp_path: Path) -> None:
    pytest.importorskip("ray", reason="Ray is not installed; `pip install 'rasnet[ray]'`")
    from rasnet.inference.ray_cluster import OnRay

    counts = {"a.mp4": 14, "b.mp4": 15, "c.mp4": 2}
    for name, count in counts.items():
        write_bar_video(tmp_path / name, count)
    videos = write_list(tmp_path, *counts, "gone.mp4")
    assassin, listener = Assassin(tmp_path / "cases"), Listener()
    outcomes = segment_many(videos, tmp_path / "cases", Wishes(device="cpu"), run=OnRay("local"), progress=listener)
    assert assassin.victim is not None
    assert not workers()
    assert [outcome.state for outcome in outcomes] == ["segmented", "segmented", "segmented", "failed"]
    assert "no file" in outcomes[3].reason
    for outcome, count in zip(outcomes, counts.values(), strict=False):
        assert predictions(Path(outcome.case)) == list(range(count))
        with Case.open(outcome.case) as case:
            assert [entry.what for entry in case.journal()].count("create") == 1
            assert case.missing() == []
        # What the one that was killed had saved, its successor did not do again.
        assert outcome.frames < count if Path(outcome.case) == assassin.victim else outcome.frames == count
    # What workers do is told on the way; a short video may be done between two looks at it.
    told = {task.split(" ")[0].strip(",") for task, _ in listener.tasks}
    assert told
    assert told <= counts.keys()
