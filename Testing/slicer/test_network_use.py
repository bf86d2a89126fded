"""Nothing is sent anywhere: what the worker does must not so much as look for another computer."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

# Python tells of every attempt before it is made; this one ends the process, and a child's too.
WATCH = """
import os, sys

def watch(event, arguments):
    if event in ("socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto", "socket.sendmsg"):
        os.write(2, f"network: {event} {arguments[-4:]}\\n".encode())
        os._exit(99)

sys.addaudithook(watch)
"""


@pytest.fixture
def watched(tmp_path: Path) -> dict[str, str]:
    """Environment of a computer that never ran OpenVINO, in which any use of the network ends a process."""
    (tmp_path / "sitecustomize.py").write_text(WATCH, encoding="utf-8")
    # OpenVINO's usage reports are off on computers that test software.
    changed = {name: value for name, value in os.environ.items() if name not in ("CI", "TF_BUILD", "JENKINS_URL")}
    for home in ("HOME", "USERPROFILE"):
        changed[home] = str(tmp_path)
    changed["PYTHONPATH"] = os.pathsep.join((str(tmp_path), str(ROOT / "monai_bundle")))
    return {**changed, "OMP_NUM_THREADS": "1"}


def run(environment: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments], env=environment, capture_output=True, text=True, check=False, timeout=120
    )


def test_the_watch_sees_an_attempt(watched: dict[str, str]) -> None:
    done = run(watched, "-c", "import urllib.request; urllib.request.urlopen('http://example.invalid')")

    assert (done.returncode, done.stderr[:8]) == (99, "network:")


def test_openvino_does_not_report_its_use(watched: dict[str, str]) -> None:
    if importlib.util.find_spec("openvino") is None:
        pytest.skip("the package openvino is not installed")
    code = """
import time
from rasnet.errors import RASNetError
from rasnet.inference.openvino_backend import OpenVinoBackend
try:
    OpenVinoBackend("missing.xml")
except RASNetError:
    time.sleep(2)  # reports are sent by a thread
    print("openvino" in __import__("sys").modules)
"""
    done = run(watched, "-c", code)

    assert (done.returncode, done.stderr, done.stdout.strip()) == (0, "", "True")


def test_segmenting_uses_no_network(watched: dict[str, str], tmp_path: Path) -> None:
    clip = ROOT / "Resources" / "sample_clip.mp4"
    code = "from rasnet.cli import main; main()"
    done = run(watched, "-c", code, "segment", str(clip), str(tmp_path / "clip.case"), "--stop", "2")

    assert done.returncode == 0, done.stderr
    assert "network:" not in done.stderr  # a child's attempt ends the child alone
    assert len(list((tmp_path / "clip.case" / "masks").iterdir())) == 2
