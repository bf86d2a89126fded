"""The peak that the benchmark tells is the command's own, not that of the process which makes the videos."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "benchmarks"))

from memory import LAUNCHER, RSS_UNIT


@pytest.mark.parametrize(
    ("code", "least", "most"),  # MB
    [("pass", 4, 100), ("b'1' * 200_000_000", 200, 300)],
)
def test_a_peak_is_the_command_s_own(code: str, least: float, most: float) -> None:
    assert np.ones(500_000_000, np.uint8)[-1]  # half a GB here, freed before
    told = subprocess.run([*LAUNCHER, sys.executable, "-c", code], capture_output=True, text=True, check=True)
    event = json.loads(told.stdout)
    assert event["event"] == "peak"
    assert least < event["rss"] * RSS_UNIT / 1e6 < most


def test_a_command_that_fails_is_told(capfd: pytest.CaptureFixture[str]) -> None:
    done = subprocess.run([*LAUNCHER, sys.executable, "-c", "print('{}'); raise SystemExit('why')"], check=False)
    captured = capfd.readouterr()
    assert done.returncode == 1
    assert captured.err.strip() == "why"
    assert captured.out.splitlines()[0] == "{}"
