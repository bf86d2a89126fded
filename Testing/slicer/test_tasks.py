"""Commands that work on the case in the scene: what they write appears, and nothing of a person's is lost."""

from __future__ import annotations

import json
import shlex
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("slicer_core", reason="the package slicer-core is not installed")

from editor import Editor
from RASNetSlicerLib.process import Verb
from RASNetSlicerLib.scene import CaseScene
from RASNetSlicerLib.tasks import Tasks
from surgery import HEIGHT, WIDTH, predict, predicted_mask

from rasnet.case import Case

STROKE = slice(40, 46), slice(5, 20)


@pytest.fixture
def start(shown: CaseScene, tmp_path: Path) -> Callable[[str], Tasks]:
    """Tasks whose command is a shell script in the place of Python."""

    def start(script: str) -> Tasks:
        program = tmp_path / "program"
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)
        return Tasks(shown, lambda arguments: Verb(program, arguments))

    return start


def say(**event: object) -> str:
    return f"echo {shlex.quote(json.dumps(event))}"


def finish(tasks: Tasks) -> None:
    """Tick as Slicer's timer does."""
    deadline = time.monotonic() + 30
    while not tasks.settled:
        assert time.monotonic() < deadline
        began = time.perf_counter()
        tasks.tick()
        assert time.perf_counter() - began < 0.3  # it never waits
        time.sleep(0.01)


def test_a_command_gets_the_case_and_tells_how_far_it_is(shown: CaseScene) -> None:
    asked: list[Sequence[str]] = []
    events = [
        {"event": "start", "task": "learn", "total": 80},
        {"event": "progress", "done": 20, "total": 80, "seconds_left": 61.0, "frames_per_second": 1, "frame": None},
        {"event": "note", "message": "something to know"},
    ]
    code = f"import time; print({json.dumps(chr(10).join(map(json.dumps, events)))}, flush=True); time.sleep(60)"

    class Told(Verb):
        def __init__(self, arguments: Sequence[str]) -> None:
            asked.append(arguments)
            super(Verb, self).__init__(sys.executable, code, (), ends=True)

    tasks = Tasks(shown, Told)
    tasks.adapt()
    while not tasks.note:
        assert tasks.busy
        tasks.tick()

    folder = str(shown.case.folder)
    assert asked == [["adapt", folder, "--who", "A. Surgeon", "--progress", "json"]]
    assert (tasks.step, tasks.done, tasks.total, tasks.seconds_left) == ("learn", 20, 80, 61.0)
    tasks.close()
    assert not tasks.busy


@pytest.mark.parametrize(("frame", "words"), [(3, "3"), (None, "--all")])
def test_one_correction_or_all_are_carried_on(shown: CaseScene, frame: int | None, words: str) -> None:
    asked: list[Sequence[str]] = []
    tasks = Tasks(shown, lambda arguments: asked.append(arguments) or Verb("/nowhere/python", arguments))

    tasks.propagate(frame)
    finish(tasks)

    assert asked == [["propagate", str(shown.case.folder), words, "--progress", "json"]]
    assert "cannot be started" in tasks.problem


def test_masks_that_were_changed_appear_around_the_frame_and_the_stroke_of_a_person(
    shown: CaseScene, editor: Editor, start: Callable[[str], Tasks], case: Case
) -> None:
    shown.sequences.show(2)
    tasks = start(say(event="travels", travels=[]))
    editor.paint("Layer_3", *STROKE)  # nobody has saved it
    with Case.open(case.folder) as other:
        for index in (1, 2, 3):  # as another process does, between two ticks
            other.write_prediction(index, other.times[index], np.full((HEIGHT, WIDTH), 2, np.uint8))

    assert shown.outdated() == [1, 2, 3]
    tasks.propagate(None)
    finish(tasks)

    assert shown.shown == 2
    assert (shown.mask(2)[STROKE] == 3).all()
    assert case.frame(2).status == "corrected"
    assert (shown.mask(1) == 2).all()
    assert (shown.mask(3) == 2).all()
    np.testing.assert_array_equal(shown.mask(4), predicted_mask(4))
    assert shown.outdated() == []
    assert tasks.result == {"event": "travels", "travels": []}


def test_an_edit_is_in_the_case_before_the_command_begins(
    shown: CaseScene, editor: Editor, start: Callable[[str], Tasks], case: Case
) -> None:
    tasks = start("exit 0")
    editor.paint("Layer_3", *STROKE)

    tasks.queue()

    assert (case.mask(shown.shown)[STROKE] == 3).all()
    finish(tasks)


@pytest.mark.parametrize("trap", ["trap '' TERM INT", "true"])
def test_cancel_takes_less_than_two_seconds_and_is_no_failure(start: Callable[[str], Tasks], trap: str) -> None:
    tasks = start(f"{trap}\n{say(event='start', task='learn', total=9)}\nsleep 300\nsleep 300")
    tasks.adapt()
    while not tasks.step:
        tasks.tick()

    began = time.monotonic()
    tasks.cancel()
    assert time.monotonic() - began < 0.1  # a button does not hang
    finish(tasks)

    assert time.monotonic() - began < 2
    assert tasks.cancelled
    assert (tasks.problem, tasks.log, tasks.result) == ("", "", None)


def test_a_failure_is_one_sentence_with_a_log_and_the_next_begins_afresh(start: Callable[[str], Tasks]) -> None:
    tasks = start(f"echo Traceback >&2\n{say(event='error', message='frame 3 is predicted')}\nexit 2")
    tasks.propagate(3)
    finish(tasks)
    assert (tasks.problem, tasks.log) == ("frame 3 is predicted", "Traceback")

    start("exit 0")  # the same program, mended
    tasks.queue()
    assert (tasks.problem, tasks.log) == ("", "")
    finish(tasks)
    assert tasks.problem == ""


def test_a_crash_is_one_sentence(start: Callable[[str], Tasks]) -> None:
    tasks = start("kill -9 $$")
    tasks.adapt()
    finish(tasks)

    assert tasks.problem.startswith("the worker was killed (SIGKILL)")


def test_a_window_takes_only_its_own_frames(shown: CaseScene, start: Callable[[str], Tasks]) -> None:
    from RASNetSlicerLib.window import plan_window

    shown.move(plan_window(shown.case.info, start=4))
    with Case.open(shown.case.folder) as other:
        predict(other, range(6, 8))
    tasks = start("exit 0")
    tasks.queue()
    finish(tasks)

    assert [shown.mask(index).any() for index in (6, 7)] == [True, True]
    assert shown.sequences.indices == [4, 5, 6, 7]
