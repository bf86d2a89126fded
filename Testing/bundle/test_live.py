"""Live pictures: real streams, made on this machine by PyAV, watched with the released weights."""

import contextlib
import json
import multiprocessing
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import av
import numpy as np
import numpy.typing as npt
import pytest
from bars import HEIGHT, WIDTH, bar
from videos import RECIPES, write, write_sound

from rasnet.bundle import weights_path
from rasnet.case import Case
from rasnet.errors import RASNetError
from rasnet.inference import TorchBackend, live, live_stream, segment_video
from rasnet.inference.live import Latency, LiveReport, watch
from rasnet.video import RegionOfInterest, open_source

# Sends a file's packets when they are due, as a camera does, and then goes away.
SENDER = """
import sys, time, av
with av.open(sys.argv[1]) as source, av.open(sys.argv[2], "w", format="mpegts") as target:
    stream = source.streams.video[0]
    copy, began = target.add_stream_from_template(stream), None
    for packet in source.demux(stream):
        if packet.dts is None:
            continue
        due = float(packet.dts * packet.time_base)
        began = time.monotonic() - due if began is None else began
        time.sleep(max(began + due - time.monotonic(), 0))
        packet.stream = copy
        target.mux(packet)
"""

LIVE = [sys.executable, "-c", "from rasnet.cli import main; main()", "live"]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def whole(height: int, width: int) -> RegionOfInterest:
    return RegionOfInterest.whole(height, width)


def watch_on_cpu(source: str | Path, folder: Path, **wishes: Any) -> LiveReport:
    return watch(str(source), folder, device="cpu", **{"region": whole, **wishes})


class Slow:
    """A backend on a slower machine.

    Args:
        backend: the real one.
        seconds: that every call takes longer.
    """

    def __init__(self, backend: TorchBackend, seconds: float) -> None:
        self.name, self.batch_size = backend.name, backend.batch_size
        self.weights, self.schema = backend.weights, backend.schema
        self.empty, self.reads_planes = backend.empty, backend.reads_planes
        self._backend, self._seconds = backend, seconds

    def __call__(self, rgb: npt.NDArray[np.uint8]) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.float32]]:
        time.sleep(self._seconds)
        return self._backend(rgb)


def check_against_video(folder: Path, backend: TorchBackend) -> int:
    """Every mask is that of the recorded frame with its index and time; returns how many masks there are."""
    with Case.open(folder) as case, case.open_source() as video:
        assert Path(case.info.source.path) == folder / "video.mkv"
        assert case.times.tolist() == video.times.tolist()
        for row in case.frames():
            frame = video[row.index]
            assert row.pts == frame.pts
            np.testing.assert_array_equal(case.parts(row.index), backend(frame.rgb[None])[0][0])
        return len(case.frames())


@pytest.fixture(autouse=True)
def model(backend: TorchBackend, monkeypatch: pytest.MonkeyPatch) -> None:
    """The released weights on PyTorch, read already."""
    backend(bar(0)[None])
    monkeypatch.setattr(live, "load_backend", lambda weights, device: (backend, "a test wants it"))
    monkeypatch.setattr(live_stream, "STALL_S", 1.5)
    monkeypatch.setattr(live_stream, "OPEN_S", 20.0)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two seconds of a growing bar: H.264 with pictures that are sent before those they look back at."""
    pictures = [bar(index % 18) for index in range(50)]
    return write(tmp_path_factory.mktemp("live") / "clip.mp4", RECIPES["mp4"], pictures)


@pytest.fixture
def send() -> Iterator[Any]:
    """Start a sender of a file to a URL."""
    senders = []

    def start(clip: Path, url: str) -> None:
        senders.append(subprocess.Popen([sys.executable, "-c", SENDER, str(clip), url]))

    yield start
    for sender in senders:
        sender.kill()
        sender.wait()


class TestProcesses:
    """Masks that other processes draw, as they do beside a GPU."""

    @pytest.fixture(autouse=True)
    def cores(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(live, "has_cores_to_spare", lambda backend: True)

    def test_draw_the_same(self, tmp_path: Path, backend: TorchBackend) -> None:
        clip = write(tmp_path / "clip.mp4", RECIPES["mp4"], [bar(index % 18) for index in range(200)])
        report = watch_on_cpu(clip, tmp_path / "case")
        assert check_against_video(tmp_path / "case", backend) == report.segmented > 0
        assert multiprocessing.active_children() == []

    def test_that_are_killed_end_it(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        long = write(tmp_path / "long.mp4", RECIPES["mp4"], [bar(index % 18) for index in range(500)])
        monkeypatch.setattr(live, "_STATUS_S", 0)

        def kill(segmented: int, dropped: int, latency: Latency) -> None:
            for worker in multiprocessing.active_children():
                worker.kill()

        folder = tmp_path / "case"
        with pytest.raises(RASNetError, match="was killed, perhaps for memory; what was received until then is kept"):
            watch_on_cpu(long, folder, status=kill)
        with Case.open(folder) as case, case.open_source() as video:
            assert len(case.frames()) < len(video)


class TestStreams:
    def test_a_file_is_played_at_its_own_speed(self, clip: Path, tmp_path: Path, backend: TorchBackend) -> None:
        began = time.monotonic()
        report = watch_on_cpu(clip, tmp_path / "case")
        assert time.monotonic() - began > 1.9
        assert (report.frames, report.end, report.width, report.height) == (50, "ended", WIDTH, HEIGHT)
        assert report.segmented + report.dropped + report.before == 50
        assert check_against_video(tmp_path / "case", backend) == report.segmented > 0
        assert 0 < report.latency_ms.median <= report.latency_ms.p95 <= report.latency_ms.p99 <= report.latency_ms.max
        told = json.loads((tmp_path / "case" / "live.json").read_text())
        assert told["latency_ms"]["median"] == report.latency_ms.median
        assert told["segmented"] == report.segmented

    def test_a_transport_stream_over_tcp(self, clip: Path, tmp_path: Path, send: Any, backend: TorchBackend) -> None:
        url = f"tcp://127.0.0.1:{free_port()}"
        send(clip, f"{url}?listen=1")
        report = self.patiently(url, tmp_path / "case")
        assert (report.frames, report.end) == (50, "ended")
        assert check_against_video(tmp_path / "case", backend) == report.segmented > 0

    def test_a_sender_over_udp_that_goes_away(
        self, clip: Path, tmp_path: Path, send: Any, backend: TorchBackend
    ) -> None:
        url = f"udp://127.0.0.1:{free_port()}"
        send(clip, f"{url}?pkt_size=1316")
        report = watch_on_cpu(url, tmp_path / "case")
        assert (report.end, report.why) == ("stalled", "nothing came for 2 s")
        assert 25 <= report.frames <= 50  # it may have begun before somebody listened
        assert check_against_video(tmp_path / "case", backend) == report.segmented > 0

    def test_pictures_without_a_codec_are_encoded(self, tmp_path: Path, backend: TorchBackend) -> None:
        source = f"testsrc2=size={WIDTH}x{HEIGHT}:rate=25:duration=1.2,realtime"
        report = watch_on_cpu(source, tmp_path / "case", format="lavfi")
        assert (report.frames, report.end) == (30, "ended")
        with Case.open(tmp_path / "case") as case, case.open_source() as video:
            assert len(case.frames()) == report.segmented > 0
            assert video.times[-1] == pytest.approx(29 / 25, abs=0.002)

    def test_a_picture_that_changes_its_size(self, tmp_path: Path, backend: TorchBackend) -> None:
        first = write(tmp_path / "a.ts", RECIPES["ts h264"], [bar(index % 18) for index in range(40)])
        larger = [bar(index, 96, 128) for index in range(18)]
        second = write(tmp_path / "b.ts", RECIPES["ts h264"], larger, ticks=range(47, 65))
        (tmp_path / "joined.ts").write_bytes(first.read_bytes() + second.read_bytes())
        report = watch_on_cpu(tmp_path / "joined.ts", tmp_path / "case")
        assert (report.end, report.why) == ("resized", "its picture changed from 96x64 to 128x96")
        assert report.segmented > 0
        assert report.frames <= 40
        assert check_against_video(tmp_path / "case", backend) == report.segmented

    def test_a_stream_that_begins_anew(self, tmp_path: Path, backend: TorchBackend) -> None:
        clip = write(tmp_path / "a.ts", RECIPES["ts h264"], [bar(index % 18) for index in range(40)]).read_bytes()
        (tmp_path / "twice.ts").write_bytes(clip + clip)
        report = watch_on_cpu(tmp_path / "twice.ts", tmp_path / "case")
        assert (report.end, report.why) == ("failed", "its clock went back, as if it had begun anew")
        assert report.frames == 40
        assert check_against_video(tmp_path / "case", backend) == report.segmented > 0

    @staticmethod
    def patiently(url: str, folder: Path) -> LiveReport:
        """Watch as soon as the sender listens."""
        for _ in range(100):
            try:
                return watch_on_cpu(url, folder)
            except RASNetError:
                time.sleep(0.1)
        raise TimeoutError(url)


class TestLateFrames:
    def test_are_dropped_counted_and_made_good_later(
        self, tmp_path: Path, backend: TorchBackend, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        slow = Slow(backend, 0.3)
        monkeypatch.setattr(live, "load_backend", lambda weights, device: (slow, "a test wants it"))
        clip = write(tmp_path / "clip.mp4", RECIPES["mp4"], [bar(index % 18) for index in range(50)])
        report = watch_on_cpu(clip, tmp_path / "case")
        assert 0 < report.segmented <= 7
        assert report.dropped >= 3 * report.segmented
        assert report.latency_ms.median > 300
        # Whatever was waited for, a frame never waited longer than the one before it took.
        assert report.latency_ms.max < 3 * report.latency_ms.median
        with Case.open(tmp_path / "case") as case:
            assert len(case.missing()) == 50 - report.segmented
            before = {row.index: case.mask(row.index) for row in case.frames()}
        with open_source(tmp_path / "case" / "video.mkv") as video:
            case = segment_video(video, tmp_path / "case", weights=weights_path(), device="cpu")
        assert case.missing() == []
        for index, mask in before.items():
            np.testing.assert_array_equal(case.mask(index), mask)

    def test_percentiles(self) -> None:
        seconds = [number / 1000 for number in range(1, 101)]  # 1 to 100 ms
        assert Latency.of(seconds) == Latency(median=50.5, p95=95.05, p99=99.01, max=100.0)
        assert Latency.of([]) == Latency(0, 0, 0, 0)


class TestRegion:
    def test_black_borders_are_found_in_the_first_second(self, tmp_path: Path) -> None:
        framed = np.zeros((100, 136, 3), np.uint8)
        framed[16:80, 24:120] = bar(10)
        clip = write(tmp_path / "clip.mp4", RECIPES["mp4"], [framed] * 50)
        watch_on_cpu(clip, tmp_path / "case", region=lambda height, width: None)
        with Case.open(tmp_path / "case") as case:
            assert case.info.roi == RegionOfInterest(16, 24, HEIGHT, WIDTH, 100, 136)


class TestOverlay:
    def test_to_a_file(self, clip: Path, tmp_path: Path) -> None:
        watch_on_cpu(clip, tmp_path / "case", overlay=str(tmp_path / "marked.mp4"))
        with open_source(tmp_path / "marked.mp4") as marked, open_source(tmp_path / "case" / "video.mkv") as video:
            assert 0 < len(marked) <= 50
            assert (marked.height, marked.width) == (HEIGHT, WIDTH)
            blue = marked[-1].rgb.astype(int)[..., 2] - marked[-1].rgb.astype(int)[..., 0]
            assert blue.max() > 60  # the first layer's colour; the picture is red and grey
            assert (video[0].rgb.astype(int)[..., 2] - video[0].rgb.astype(int)[..., 0]).max() < 40

    def test_to_a_player(self, clip: Path, tmp_path: Path) -> None:
        url = f"udp://127.0.0.1:{free_port()}"
        seen: list[int] = []
        quick = {"analyzeduration": "300000", "probesize": "20000", "fpsprobesize": "0"}

        def play() -> None:
            with (
                contextlib.suppress(av.error.ExitError),
                av.open(url, format="mpegts", options=quick, timeout=(8, 2)) as container,
            ):
                for picture in container.decode(video=0):
                    seen.append(picture.width)

        player = threading.Thread(target=play)
        player.start()
        time.sleep(0.2)
        watch_on_cpu(clip, tmp_path / "case", overlay=url)
        player.join()
        assert len(seen) > 0
        assert set(seen) == {WIDTH}

    def test_that_cannot_be_written_leaves_nothing(self, clip: Path, tmp_path: Path) -> None:
        with pytest.raises(RASNetError, match="the overlay cannot go to"):
            watch_on_cpu(clip, tmp_path / "case", overlay=str(tmp_path / "no folder" / "marked.mp4"))
        assert list(tmp_path.iterdir()) == []


class TestErrors:
    @pytest.mark.parametrize(
        ("source", "said"),
        [
            ("nothing.mp4", "cannot be opened"),
            ("tcp://127.0.0.1:9", "cannot be opened"),
            ("/dev/video99", "cannot be opened"),
            ("text.txt", "cannot be opened|gives no picture|has no picture"),
            ("sound.m4a", "has no picture"),
        ],
    )
    def test_what_is_no_stream_is_one_sentence_and_leaves_nothing(
        self, source: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(tmp_path)
        Path("text.txt").write_text("no picture")
        write_sound(tmp_path / "sound.m4a")
        with pytest.raises(RASNetError, match=said) as caught:
            watch_on_cpu(source, tmp_path / "case")
        assert len(str(caught.value).splitlines()) == 1
        assert not (tmp_path / "case").exists()

    def test_a_silent_port_is_waited_for_in_vain(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(live_stream, "OPEN_S", 0.5)
        with pytest.raises(RASNetError, match="gives nothing; start the sender"):
            watch_on_cpu(f"udp://127.0.0.1:{free_port()}", tmp_path / "case")

    def test_a_folder_that_holds_something_is_refused(self, clip: Path, tmp_path: Path) -> None:
        (tmp_path / "letter.txt").write_text("mine")
        with pytest.raises(RASNetError, match="not empty and not a case"):
            watch_on_cpu(clip, tmp_path)
        assert [path.name for path in tmp_path.iterdir()] == ["letter.txt"]


class TestCommand:
    def start(self, *arguments: str | Path) -> subprocess.Popen[str]:
        # A shell that starts the tests in the background lets its children ignore Ctrl-C.
        default = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
        command = [*LIVE, *map(str, arguments), "--device", "cpu", "--roi", "full"]
        command += ["--weights", str(weights_path())]
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, preexec_fn=default)

    @pytest.fixture(scope="class")
    def long(self, tmp_path_factory: pytest.TempPathFactory) -> Path:
        """A minute, of which nobody sees the end."""
        pictures = [bar(index % 18) for index in range(1500)]
        return write(tmp_path_factory.mktemp("long") / "long.mp4", RECIPES["mp4"], pictures)

    def test_ctrl_c_ends_it_well(self, long: Path, tmp_path: Path, backend: TorchBackend) -> None:
        process = self.start(long, tmp_path / "case", "--progress", "json")
        assert process.stdout is not None
        for line in process.stdout:
            if json.loads(line)["event"] == "live":
                break
        process.send_signal(signal.SIGINT)
        out, errors = process.communicate(timeout=60)
        assert (process.returncode, errors) == (0, "")
        report = json.loads(out.splitlines()[-1])
        assert (report["event"], report["end"]) == ("finish", "stopped")
        assert check_against_video(tmp_path / "case", backend) == report["segmented"] > 0

    def test_a_killed_recording_is_made_a_case(self, long: Path, tmp_path: Path, backend: TorchBackend) -> None:
        process = self.start(long, tmp_path / "case", "--progress", "json")
        assert process.stdout is not None
        for line in process.stdout:
            if json.loads(line)["event"] == "live":
                break
        deadline = time.monotonic() + 20
        while not any((tmp_path / "case" / "masks").glob("0*.png")) and time.monotonic() < deadline:
            time.sleep(0.1)
        time.sleep(3)  # longer than what Matroska gathers before it writes
        os.kill(process.pid, signal.SIGKILL)
        process.communicate()
        with pytest.raises(RASNetError, match=r"held a recording that was cut off; its .* frames are a case now"):
            watch_on_cpu(long, tmp_path / "case")
        assert check_against_video(tmp_path / "case", backend) > 0
        with pytest.raises(RASNetError, match="is a case already"):
            watch_on_cpu(long, tmp_path / "case")

    def test_a_stream_that_breaks_off_is_one_sentence_and_the_figures_are_json(
        self, tmp_path: Path, backend: TorchBackend
    ) -> None:
        first = write(tmp_path / "a.ts", RECIPES["ts h264"], [bar(index % 18) for index in range(50)])
        second = write(tmp_path / "b.ts", RECIPES["ts h264"], [bar(0, 96, 128)] * 18, ticks=range(57, 75))
        (tmp_path / "joined.ts").write_bytes(first.read_bytes() + second.read_bytes())
        process = self.start(tmp_path / "joined.ts", tmp_path / "case", "--json", "--progress", "none")
        out, errors = process.communicate(timeout=60)
        assert process.returncode == 2
        assert errors.startswith(f"error: {tmp_path / 'joined.ts'} stopped: its picture changed from 96x64 to 128x96; ")
        assert len(errors.splitlines()) == 1
        assert json.loads(out)["end"] == "resized"

    def test_an_option_that_makes_no_sense(self, tmp_path: Path) -> None:
        process = self.start("/dev/video0", tmp_path / "case", "--option", "fast")
        assert "--option 'fast' is not understood" in process.communicate(timeout=60)[1]
        assert process.returncode == 2
