"""The server with the released weights: requests are put to it one by one, while it runs in a thread."""

import json
import queue
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from bars import bar_mask, write_bar_folder, write_bar_video

from rasnet.bundle import weights_path
from rasnet.case import Case
from rasnet.errors import RASNetError
from rasnet.inference import TorchBackend, open_case, segment_video
from rasnet.inference.serving import Answers, Inbox, Request, Server
from rasnet.video import open_source

PATIENCE_S = 30


class Dialog:
    """Both ends of a running server."""

    def __init__(self, case: Case, backend: TorchBackend) -> None:
        self._lines: queue.Queue[bytes | None] = queue.Queue()
        self._events: queue.Queue[dict[str, Any]] = queue.Queue()
        self._case, self._backend = case, backend
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        with self._case.open_source() as source:
            inbox = Inbox(iter(self._lines.get, None))
            Server(self._case, source, self._backend, inbox, Answers(self, interval_s=0)).run()

    def write(self, line: str) -> None:
        """What the server writes its events to."""
        self._events.put(json.loads(line))

    def flush(self) -> None: ...

    def say(self, line: bytes) -> None:
        self._lines.put(line)

    def ask(self, **request: Any) -> None:
        self.say(json.dumps(request).encode())

    def until(self, *last: str) -> list[dict[str, Any]]:
        """The events up to one of these kinds."""
        events = [self._events.get(timeout=PATIENCE_S)]
        while events[-1]["event"] not in last:
            events.append(self._events.get(timeout=PATIENCE_S))
        return events

    def close(self) -> None:
        """End the requests, and wait for the server to end."""
        self._lines.put(None)
        self._thread.join(PATIENCE_S)
        assert not self._thread.is_alive()


def make_case(folder: Path, frames: Path, **span: int) -> Case:
    with open_source(frames) as source:
        return open_case(source, folder, weights_path(), backend="torch-cpu", **span)


def human_mask(index: int) -> np.ndarray:
    """The bar of a frame as layer 9, uint8 (H, W)."""
    return np.where(bar_mask(index), 9, 0).astype(np.uint8)


def masks(case: Case) -> dict[int, list[np.ndarray]]:
    return {row.index: [case.mask(row.index), case.parts(row.index)] for row in case.frames()}


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Frames enough to stop among them."""
    return write_bar_video(tmp_path_factory.mktemp("video") / "bar.mp4", 8)


@pytest.fixture
def case(tmp_path: Path, video: Path) -> Case:
    """A case in which nothing is segmented yet."""
    return make_case(tmp_path / "case", video)


@pytest.fixture(scope="module")
def expected(video: Path, tmp_path_factory: pytest.TempPathFactory) -> Case:
    """What `segment_video` makes of the video."""
    with open_source(video) as source:
        folder = tmp_path_factory.mktemp("expected") / "case"
        return segment_video(source, folder, weights=weights_path(), device="cpu")


@pytest.fixture
def serve(backend: TorchBackend) -> Iterator[Callable[[Case], Dialog]]:
    """Start a server for a case; it is ready when this returns."""
    dialogs = []

    def start(case: Case) -> Dialog:
        dialogs.append(Dialog(case, backend))
        (ready,) = dialogs[-1].until("ready")
        assert ready["backend"] == "torch-cpu"
        return dialogs[-1]

    yield start
    for dialog in dialogs:
        dialog.close()


class TestFrame:
    def test_gets_what_the_network_sees(
        self, case: Case, backend: TorchBackend, serve: Callable[[Case], Dialog]
    ) -> None:
        dialog = serve(case)
        dialog.ask(do="frame", index=7)
        (answer,) = dialog.until("frame")
        assert {**answer, "seconds": 0} == {
            "event": "frame", "index": 7, "written": True, "status": "predicted", "seconds": 0
        }  # fmt: skip
        with case.open_source() as source:
            classes, _ = backend(source[7].rgb[None])
        assert [row.index for row in case.frames()] == [7]
        np.testing.assert_array_equal(case.parts(7), classes[0])
        np.testing.assert_array_equal(case.mask(7) > 0, classes[0] > 0)

    @pytest.mark.parametrize("status", ["corrected", "accepted", "skipped"])
    def test_of_a_person_stays_and_the_answer_says_so(
        self, status: str, case: Case, serve: Callable[[Case], Dialog]
    ) -> None:
        case.correct(3, human_mask(3), who="A. Surgeon", tool="test", status=status)
        dialog = serve(case)
        dialog.ask(do="frame", index=3)
        (answer,) = dialog.until("frame")
        assert (answer["index"], answer["written"], answer["status"]) == (3, False, status)
        np.testing.assert_array_equal(case.mask(3), human_mask(3))

    def test_that_a_person_gave_back_is_segmented_again(self, case: Case, serve: Callable[[Case], Dialog]) -> None:
        case.correct(3, np.zeros_like(human_mask(3)), who="A. Surgeon", tool="test")
        case.set_status(3, "predicted", who="A. Surgeon")
        dialog = serve(case)
        dialog.ask(do="frame", index=3)
        dialog.until("frame")
        assert case.mask(3).any()

    def test_segmented_again_is_as_before(self, case: Case, serve: Callable[[Case], Dialog]) -> None:
        dialog = serve(case)
        dialog.ask(do="video")
        dialog.until("finish")
        before, layers = masks(case), case.layers()
        for index in (0, 5, 7):
            dialog.ask(do="frame", index=index)
            dialog.until("frame")
        np.testing.assert_equal(masks(case), before)
        assert case.layers() == layers

    @pytest.mark.parametrize(("human", "index"), [(2, 6), (6, 2), (4, 3), (4, 5)])
    def test_takes_up_the_ids_of_the_nearest_mask_before_or_after(
        self, human: int, index: int, case: Case, serve: Callable[[Case], Dialog]
    ) -> None:
        case.correct(human, human_mask(human), who="A. Surgeon", tool="test")
        dialog = serve(case)
        dialog.ask(do="frame", index=index)
        dialog.until("frame")
        assert np.unique(case.mask(index)).tolist() == [0, 9]

    def test_that_is_not_in_the_video_is_refused(self, case: Case, serve: Callable[[Case], Dialog]) -> None:
        dialog = serve(case)
        for index in (8, -1):
            dialog.ask(do="frame", index=index)
            (answer,) = dialog.until("error")
            assert answer["do"] == "frame"
            assert answer["message"] == f"bar.mp4 has no frame {index}; it has frames 0 to 7"
        assert case.frames() == []

    def test_that_cannot_be_decoded_is_one_sentence(self, tmp_path: Path, serve: Callable[[Case], Dialog]) -> None:
        frames = write_bar_folder(tmp_path / "frames", 3)
        case = make_case(tmp_path / "case", frames)
        broken = frames / "frame1.png"
        broken.write_bytes(broken.read_bytes()[:80])
        dialog = serve(case)
        for index in (1, 2):
            dialog.ask(do="frame", index=index)
        (refusal,) = dialog.until("error")
        assert refusal["message"].startswith("frame 1 cannot be decoded (frame1.png")
        assert dialog.until("frame")[-1]["index"] == 2


class TestVideo:
    def test_ends_as_segment_video_does(self, case: Case, expected: Case, serve: Callable[[Case], Dialog]) -> None:
        dialog = serve(case)
        dialog.ask(do="video")
        start, *progress, finish = dialog.until("finish")
        assert start == {"event": "start", "task": "segment", "total": 8}
        assert [event["frame"] for event in progress] == list(range(8))
        assert (finish["done"], finish["stopped"], finish["kept"], finish["damaged"]) == (8, False, 0, 0)
        np.testing.assert_equal(masks(case), masks(expected))
        assert case.layers() == expected.layers()

    def test_takes_a_range_and_then_the_rest(self, case: Case, serve: Callable[[Case], Dialog]) -> None:
        dialog = serve(case)
        dialog.ask(do="video", start=4, stop=7)
        assert dialog.until("finish")[0]["total"] == 3
        assert [row.index for row in case.frames()] == [4, 5, 6]
        dialog.ask(do="video")
        assert dialog.until("finish")[0]["total"] == 5
        assert case.missing() == []
        assert [layer.id for layer in case.layers()] == [1]

    def test_keeps_the_cases_step(self, tmp_path: Path, video: Path, serve: Callable[[Case], Dialog]) -> None:
        case = make_case(tmp_path / "case", video, start=1, stop=8, step=3)
        dialog = serve(case)
        dialog.ask(do="video", start=2)
        dialog.until("finish")
        assert [row.index for row in case.frames()] == [4, 7]

    def test_has_the_ids_of_a_frame_that_was_tried_before(self, case: Case, serve: Callable[[Case], Dialog]) -> None:
        dialog = serve(case)
        dialog.ask(do="frame", index=6)
        dialog.ask(do="video")
        dialog.until("finish")
        assert [layer.id for layer in case.layers()] == [1]
        assert all(np.unique(case.mask(index)).tolist() == [0, 1] for index in range(8))

    def test_leaves_a_persons_frames_and_counts_them(self, case: Case, serve: Callable[[Case], Dialog]) -> None:
        case.correct(1, human_mask(1), who="A. Surgeon", tool="test")
        case.set_status(5, "skipped", who="A. Surgeon")
        dialog = serve(case)
        for start, kept in ((4, 1), (0, 2)):
            dialog.ask(do="video", start=start)
            assert dialog.until("finish")[-1]["kept"] == kept
        np.testing.assert_array_equal(case.mask(1), human_mask(1))
        assert case.frame(5).status == "skipped"

    def test_stops_on_request_and_goes_on_with_the_same_model(
        self, case: Case, expected: Case, serve: Callable[[Case], Dialog]
    ) -> None:
        dialog = serve(case)
        dialog.ask(do="video")
        dialog.until("progress")
        dialog.ask(do="stop")
        finish = dialog.until("finish")[-1]
        done = len(case.frames())
        assert (finish["stopped"], finish["done"]) == (True, done)
        assert 0 < done < 8
        dialog.ask(do="stop")  # too late, and no harm
        dialog.ask(do="video")
        start, *_, finish = dialog.until("finish")
        assert (start["total"], finish["stopped"]) == (8 - done, False)
        np.testing.assert_equal(masks(case), masks(expected))

    def test_under_way_refuses_other_work_and_goes_on(self, case: Case, serve: Callable[[Case], Dialog]) -> None:
        dialog = serve(case)
        for request in ({"do": "video"}, {"do": "frame", "index": 2}, {"do": "video"}):
            dialog.ask(**request)
        dialog.say(b"nonsense")
        *_, finish = events = dialog.until("finish")
        errors = [event for event in events if event["event"] == "error"]
        assert [error["do"] for error in errors] == ["frame", "video", None]
        assert "the video is being segmented" in errors[0]["message"]
        assert finish["done"] == 8

    @pytest.mark.parametrize("span", [{"start": 5, "stop": 5}, {"start": 8}, {"stop": 9}, {"start": -1}])
    def test_of_a_range_that_is_not_there_is_refused(
        self, span: dict[str, int], case: Case, serve: Callable[[Case], Dialog]
    ) -> None:
        dialog = serve(case)
        dialog.ask(do="video", **span)
        (answer,) = dialog.until("error")
        assert answer["message"].endswith("it has frames 0 to 7")

    def test_into_a_case_that_another_program_writes_is_refused(
        self, case: Case, serve: Callable[[Case], Dialog]
    ) -> None:
        dialog = serve(case)
        with Case.open(case.folder) as other, other.writer():
            dialog.ask(do="frame", index=0)
            assert "another program is writing predictions" in dialog.until("error")[-1]["message"]
        dialog.ask(do="frame", index=0)
        assert dialog.until("frame")[-1]["written"]


class TestEnd:
    @pytest.mark.parametrize("quit_first", [False, True])
    def test_comes_in_the_middle_of_a_video_with_the_requests_end(
        self, quit_first: bool, case: Case, serve: Callable[[Case], Dialog]
    ) -> None:
        dialog = serve(case)
        dialog.ask(do="video")
        dialog.until("progress")
        if quit_first:
            dialog.ask(do="quit")
        dialog.close()
        assert dialog.until("finish")[-1]["stopped"]
        assert 0 < len(case.frames()) < 8
        assert all(mask.any() for mask, _ in masks(case).values())


class TestRequests:
    @pytest.mark.parametrize(
        "line",
        [
            b"frame 42",
            b'{"do": "frame", "index": 4',
            b"42",
            b"null",
            b'["frame", 42]',
            b"{}",
            b'{"do": "dance"}',
            b'{"do": ["frame"]}',
            b'{"do": "frame"}',
            b'{"do": "frame", "index": "42"}',
            b'{"do": "frame", "index": true}',
            b'{"do": "frame", "index": null}',
            b'{"do": "frame", "index": 1.5}',
            b'{"do": "video", "index": 42}',
            b'{"do": "video", "start": "0"}',
            b'{"do": "stop", "now": true}',
            b'{"do": "frame", "index": 1}\xff',
            b"[" * 100_000,
        ],
    )
    def test_that_make_no_sense_are_one_sentence(self, line: bytes) -> None:
        with pytest.raises(RASNetError, match="is not understood") as caught:
            Request.parse(line)
        assert len(str(caught.value)) < 500
        assert len(str(caught.value).splitlines()) == 1

    @pytest.mark.parametrize(
        ("line", "request_"),
        [
            (b'{"do": "frame", "index": 42}\r\n', Request("frame", index=42)),
            (b'{"do": "video"}', Request("video")),
            (b'{"start": 3, "do": "video", "stop": null}', Request("video", start=3)),
            (b'{"do": "stop"}', Request("stop")),
        ],
    )
    def test_that_do(self, line: bytes, request_: Request) -> None:
        assert Request.parse(line) == request_

    def test_a_bad_one_is_answered_and_the_next_one_met(self, case: Case, serve: Callable[[Case], Dialog]) -> None:
        dialog = serve(case)
        for line in (b"nonsense", b"", b'{"do": "frame", "index": 0}'):
            dialog.say(line)
        error, frame = dialog.until("frame")
        assert error["event"] == "error"
        assert error["message"].startswith("the request 'nonsense' is not understood; give")
        assert frame["index"] == 0


class TestCommand:
    @pytest.mark.parametrize("options", [(), ("--source", "nothing.mp4")])
    def test_without_a_case_or_a_video_is_one_sentence(self, options: tuple[str, ...], tmp_path: Path) -> None:
        command = [sys.executable, "-c", "from rasnet.cli import main; main()", "serve", "case", *options]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, stdin=subprocess.PIPE, check=False)
        assert done.returncode == 2
        (event,) = (json.loads(line) for line in done.stdout.splitlines())
        assert event["event"] == "error"
        assert done.stderr == f"error: {event['message']}\n"
        assert list(tmp_path.iterdir()) == []
