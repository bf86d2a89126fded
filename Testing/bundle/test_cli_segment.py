"""`rasnet segment` as people and programs meet it: exit codes, sentences, JSON lines, Ctrl-C."""

import json
import os
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from rasnet.case import Case

RASNET = [sys.executable, "-c", "from rasnet.cli import main; main()"]
ONE_CORE = {**os.environ, "OMP_NUM_THREADS": "1"}


def rasnet(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [*RASNET, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, env=ONE_CORE, check=False)


def events(output: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in output.splitlines()]


def write_frames(folder: Path, count: int) -> Path:
    """A grey bar that comes in from the left, 96 x 64 pixels, one PNG a frame."""
    folder.mkdir()
    for index in range(count):
        rgb = np.full((64, 96, 3), (150, 60, 50), np.uint8)
        rgb[24:40, : 8 * (index + 1)] = 180
        Image.fromarray(rgb).save(folder / f"frame{index}.png")
    return folder


class TestErrors:
    def test_a_missing_file_is_one_sentence_and_exit_2(self, tmp_path: Path) -> None:
        done = rasnet("segment", tmp_path / "nothing.mp4", tmp_path / "case")
        assert done.returncode == 2
        assert done.stdout == ""
        assert len(done.stderr.splitlines()) == 1
        assert done.stderr.startswith("error: ")
        assert "nothing.mp4" in done.stderr
        assert not (tmp_path / "case").exists()

    def test_for_programs_the_sentence_is_an_event_as_well(self, tmp_path: Path) -> None:
        done = rasnet("segment", tmp_path / "nothing.mp4", tmp_path / "case", "--progress", "json")
        assert done.returncode == 2
        (event,) = events(done.stdout)
        assert event["event"] == "error"
        assert done.stderr == f"error: {event['message']}\n"

    def test_a_traceback_comes_only_with_debug(self, tmp_path: Path) -> None:
        done = rasnet("--debug", "segment", tmp_path / "nothing.mp4", tmp_path / "case")
        assert done.returncode == 2
        assert "Traceback" in done.stderr
        assert done.stderr.splitlines()[-1].startswith("error: ")

    @pytest.mark.parametrize("roi", ["left", "1,2,3", "0,0,200,10", "0,0,0,0"])
    def test_a_region_that_makes_no_sense_is_refused(self, roi: str, tmp_path: Path) -> None:
        frames = write_frames(tmp_path / "frames", 1)
        done = rasnet("segment", frames, tmp_path / "case", "--roi", roi)
        assert done.returncode == 2
        assert len(done.stderr.splitlines()) == 1


class TestSegment:
    def test_every_wanted_frame_gets_a_mask_and_every_line_is_json(self, tmp_path: Path) -> None:
        frames = write_frames(tmp_path / "frames", 6)
        arguments = ("--start", "1", "--step", "2", "--roi", "full", "--device", "cpu", "--progress", "json")
        done = rasnet("segment", frames, tmp_path / "case", *arguments)
        assert done.returncode == 0, done.stderr
        told = events(done.stdout)
        assert told[0]["event"] == "start"
        assert told[-1]["event"] == "finish"
        assert [event["frame"] for event in told if event["event"] == "progress"][-1] == 5
        with Case.open(tmp_path / "case") as case:
            assert [row.index for row in case.frames()] == [1, 3, 5]
            assert case.mask(5).shape == (64, 96)  # (H, W) of the full frame

    def test_ctrl_c_keeps_what_is_done_and_the_same_command_goes_on(self, tmp_path: Path) -> None:
        frames = write_frames(tmp_path / "frames", 60)
        case = tmp_path / "case"
        command = [*RASNET, "segment", str(frames), str(case), "--batch-size", "1", "--progress", "json"]
        process = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=ONE_CORE,
            # A shell that starts the tests in the background lets its children ignore Ctrl-C.
            preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),
        )
        assert process.stdout is not None
        for line in process.stdout:  # let it do some work first
            if json.loads(line)["event"] == "progress":
                break
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
        assert process.returncode == 130
        assert f"of 60 frames are kept in {case}; run the same command again to go on" in errors
        assert len(Case.open(case).missing()) > 0

        done = rasnet("segment", frames, case, "--batch-size", "8")
        assert done.returncode == 0, done.stderr
        assert Case.open(case).missing() == []
