import io
import json
import subprocess
import sys
from contextlib import suppress
from typing import Any

import pytest
from rich.console import Console

from rasnet.progress import (
    JsonProgress,
    LineProgress,
    Progress,
    RichProgress,
    SilentProgress,
    make_progress,
)


class Clock:
    """Seconds that pass only when told to."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def run(progress: Progress, clock: Clock, frames: int, seconds_a_frame: float) -> None:
    progress.start("segment", frames)
    for frame in range(frames):
        clock.now += seconds_a_frame
        progress.advance(frame=frame)


def events(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


class TestJsonProgress:
    def test_events_tell_what_is_done_and_how_long_it_will_take(self) -> None:
        clock, stream = Clock(), io.StringIO()
        progress = JsonProgress(stream, clock=clock)
        progress.start("segment", 4)
        clock.now += 0.5
        progress.advance(frame=10)
        progress.note("the picture is 320 x 256")
        clock.now += 0.5
        progress.advance(frame=13, count=3)
        progress.finish(case="clip.case")
        assert events(stream) == [
            {"event": "start", "task": "segment", "total": 4},
            # 1 frame in 0.5 s: 2 frames/s; 3 frames are left: 1.5 s
            {
                "event": "progress",
                "done": 1,
                "total": 4,
                "frames_per_second": 2.0,
                "seconds_left": 1.5,
                "frame": 10,
            },
            {"event": "note", "message": "the picture is 320 x 256"},
            {
                "event": "progress",
                "done": 4,
                "total": 4,
                "frames_per_second": 4.0,
                "seconds_left": 0.0,
                "frame": 13,
            },
            {"event": "finish", "done": 4, "total": 4, "seconds": 1.0, "case": "clip.case"},
        ]

    def test_fast_work_writes_few_lines_but_always_the_last(self) -> None:
        clock, stream = Clock(), io.StringIO()
        run(JsonProgress(stream, interval_s=0.1, clock=clock), clock, frames=1000, seconds_a_frame=0.001)
        done = [event["done"] for event in events(stream) if event["event"] == "progress"]
        assert 10 <= len(done) <= 12  # 1000 frames in 1 s, a line each 0.1 s
        assert done[-1] == 1000

    def test_speed_and_time_left_are_null_before_anything_is_measured(self) -> None:
        clock, stream = Clock(), io.StringIO()
        run(JsonProgress(stream, clock=clock), clock, frames=1, seconds_a_frame=0.0)
        assert events(stream)[1]["frames_per_second"] is None
        assert events(stream)[1]["seconds_left"] is None

    def test_speed_follows_the_last_seconds_and_forgets_the_warm_up(self) -> None:
        clock, stream = Clock(), io.StringIO()
        progress = JsonProgress(stream, interval_s=0.0, clock=clock)
        progress.start("segment", 1000)
        clock.now += 60.0  # the first frame waits for the model to load
        progress.advance(frame=0)
        for frame in range(1, 500):
            clock.now += 0.1
            progress.advance(frame=frame)
        assert events(stream)[-1]["frames_per_second"] == pytest.approx(10.0, abs=0.01)

    def test_a_hiccup_in_slow_work_does_not_upset_the_speed(self) -> None:
        clock, stream = Clock(), io.StringIO()
        progress = JsonProgress(stream, clock=clock)
        progress.start("render", 1000)
        for frame in range(100):
            clock.now += 30.0 if frame == 99 else 10.0
            progress.advance(frame=frame)
        # The last 20 steps took 19 x 10 s + 30 s = 220 s.
        assert events(stream)[-1]["frames_per_second"] == pytest.approx(20 / 220, abs=0.01)

    def test_an_error_is_an_event_too(self) -> None:
        stream = io.StringIO()
        JsonProgress(stream).error("clip.mp4 does not exist; check the path")
        assert events(stream) == [{"event": "error", "message": "clip.mp4 does not exist; check the path"}]

    def test_every_line_is_flushed_at_once(self) -> None:
        program = "import os; from rasnet.progress import JsonProgress; JsonProgress().start('a', 1); os._exit(0)"
        output = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
        assert json.loads(output.stdout) == {"event": "start", "task": "a", "total": 1}


class TestLineProgress:
    def test_a_log_gets_a_line_now_and_then(self) -> None:
        clock, stream = Clock(), io.StringIO()
        progress = LineProgress(stream, interval_s=15, clock=clock)
        run(progress, clock, frames=160, seconds_a_frame=0.25)  # 40 s: lines at 0, 15 and 30 s
        progress.finish(case="clip.case")
        assert stream.getvalue().splitlines() == [
            "segment: 0 of 160",
            "segment: 60 of 160, 4.0 frames/s, 25 s left",
            "segment: 120 of 160, 4.0 frames/s, 10 s left",
            "segment: 160 of 160 in 40 s",
        ]

    @pytest.mark.parametrize(("seconds", "text"), [(4.21, "4.2 s"), (59.4, "59 s"), (187, "3:07"), (3729, "1:02:09")])
    def test_durations_read_like_a_clock(self, seconds: float, text: str) -> None:
        clock, stream = Clock(), io.StringIO()
        progress = LineProgress(stream, clock=clock)
        progress.start("train", 1)
        clock.now += seconds
        progress.finish()
        assert stream.getvalue().splitlines()[-1] == f"train: 0 of 1 in {text}"


class TestRichProgress:
    def test_the_bar_shows_count_speed_and_time_left(self) -> None:
        clock, stream = Clock(), io.StringIO()
        console = Console(file=stream, force_terminal=True, width=100)
        with RichProgress(console, clock=clock) as progress:
            progress.start("segment", 100)
            clock.now += 2.0
            progress.advance(frame=49, count=50)
            progress.note("frames 3 to 5 are damaged")
            progress.finish()
        shown = stream.getvalue()
        for text in ("segment", " 50/100", "25.0 frames/s", "frames 3 to 5 are damaged"):
            assert text in shown

    def test_a_failure_gives_the_cursor_back(self) -> None:
        stream = io.StringIO()
        console = Console(file=stream, force_terminal=True)
        with suppress(RuntimeError), RichProgress(console) as progress:
            progress.start("segment", 10)
            raise RuntimeError
        hide, show = "\x1b[?25l", "\x1b[?25h"
        assert stream.getvalue().rfind(show) > stream.getvalue().rfind(hide) >= 0

    def test_a_new_task_replaces_the_last(self) -> None:
        stream = io.StringIO()
        with RichProgress(Console(file=stream, width=100)) as progress:
            progress.start("look for the picture", 12)
            progress.start("segment", 5)
            progress.advance(count=5)
            progress.finish()
        assert "5/5" in stream.getvalue()
        assert "look for the picture" not in stream.getvalue().splitlines()[-1]


class TestMakeProgress:
    @pytest.mark.parametrize(
        ("mode", "terminal", "kind"),
        [
            ("auto", True, RichProgress),
            ("auto", False, LineProgress),
            ("bar", False, RichProgress),
            ("json", True, JsonProgress),
            ("none", True, SilentProgress),
        ],
    )
    def test_mode_and_terminal_choose(
        self, mode: Any, terminal: bool, kind: type, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(sys.stderr, "isatty", lambda: terminal, raising=False)
        assert isinstance(make_progress(mode), kind)

    @pytest.mark.parametrize("mode", ["auto", "bar", "none"])
    def test_only_json_writes_to_stdout(self, mode: Any, capsys: pytest.CaptureFixture[str]) -> None:
        with make_progress(mode) as progress:
            progress.start("segment", 1)
            progress.advance(frame=0)
            progress.note("done")
            progress.finish()
        assert capsys.readouterr().out == ""

    def test_none_says_nothing_at_all(self, capsys: pytest.CaptureFixture[str]) -> None:
        with make_progress("none") as progress:
            run(progress, Clock(), frames=3, seconds_a_frame=1.0)
            progress.note("hello")
            progress.finish()
        assert capsys.readouterr() == ("", "")
