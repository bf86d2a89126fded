import threading
import time
import weakref
from collections.abc import Iterator
from dataclasses import replace
from itertools import chain, islice
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from cases import human_mask, predict
from cases import make_case as make_grey_case
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from videos import HEIGHT, RECIPES, WIDTH, number_of, numbered, write

from rasnet.case import Case
from rasnet.errors import RASNetError
from rasnet.inference.frames import FrameBatches, runs
from rasnet.labels import LabelSchema
from rasnet.video import RegionOfInterest, TakenFrame, open_source

WHOLE = RegionOfInterest.whole(HEIGHT, WIDTH)


@pytest.fixture(scope="module", params=["1", "4"], ids="threads {}".format, autouse=True)
def threads(request: pytest.FixtureRequest) -> Iterator[None]:
    """All of this holds with one thread a pool, and with several."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OMP_NUM_THREADS", request.param)
        yield


def make_case(folder: Path, count: int = 10, *, roi: RegionOfInterest = WHOLE, **span: int) -> Case:
    """A case about a video whose frames carry their numbers."""
    path = write(folder / "numbers.mp4", RECIPES["mp4"], [numbered(index) for index in range(count)])
    with open_source(path) as source:
        schema = LabelSchema.load("instrument_parts")
        return Case.create(folder / "case", source=source, schema=schema, roi=roi, model=None, **span)


def decoders() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "decode"]


class TestRuns:
    @given(st.sets(st.integers(0, 200)).map(sorted))
    def test_cover_the_indices_in_order(self, indices: list[int]) -> None:
        assert list(chain.from_iterable(range(*run) for run in runs(indices))) == indices

    @given(st.integers(0, 100), st.integers(2, 50), st.integers(1, 9))
    def test_what_is_evenly_spaced_is_one(self, start: int, count: int, step: int) -> None:
        indices = range(start, start + count * step, step)
        assert list(runs(indices)) == [(start, indices[-1] + 1, step)]

    @pytest.mark.parametrize(
        ("indices", "expected"),
        [
            ([], []),
            ([5], [(5, 6, 1)]),
            ([0, 1, 2, 7, 9, 11], [(0, 3, 1), (7, 12, 2)]),
            ([0, 1, 3, 4], [(0, 2, 1), (3, 5, 1)]),
        ],
    )
    def test_are_few(self, indices: list[int], expected: list[tuple[int, int, int]]) -> None:
        assert list(runs(indices)) == expected


class TestBatches:
    @pytest.mark.parametrize(("batch_size", "sizes"), [(1, [1] * 10), (4, [4, 4, 2]), (5, [5, 5]), (16, [10])])
    def test_hold_every_frame_in_order(self, batch_size: int, sizes: list[int], tmp_path: Path) -> None:
        frames = FrameBatches(make_case(tmp_path), batch_size)
        batches = list(frames)
        frames.close()
        assert frames.total == 10
        assert [len(batch) for batch in batches] == sizes
        assert [index for batch in batches for index in batch.indices] == list(range(10))
        assert [pts for batch in batches for pts in batch.pts] == pytest.approx([index / 25 for index in range(10)])
        for batch in batches:
            assert batch.rgb.shape == (len(batch), HEIGHT, WIDTH, 3)
            assert batch.rgb.dtype == np.uint8
            assert tuple(number_of(rgb) for rgb in batch.rgb) == batch.indices

    def test_follow_the_cases_range(self, tmp_path: Path) -> None:
        frames = FrameBatches(make_case(tmp_path, start=2, stop=9, step=3), 2)
        assert [(batch.indices, number_of(batch.rgb[-1])) for batch in frames] == [((2, 5), 5), ((8,), 8)]
        frames.close()

    def test_leave_out_what_is_done(self, tmp_path: Path) -> None:
        case = make_grey_case(tmp_path, frames=12)
        predict(case, [0, 1, 2, 6])
        case.correct(8, human_mask(8), who="A. Surgeon", tool="test")
        case.set_status(10, "skipped", who="A. Surgeon")
        frames = FrameBatches(case, 3)
        assert [batch.indices for batch in frames] == [(3, 4, 5), (7, 9, 11)]
        assert frames.total == 6
        frames.close()

    def test_are_none_when_all_is_done(self, tmp_path: Path) -> None:
        case = make_grey_case(tmp_path, frames=4)
        predict(case)
        frames = FrameBatches(case, 3)
        assert (frames.total, list(frames)) == (0, [])
        frames.close()

    def test_hold_the_region_of_interest_only(self, tmp_path: Path) -> None:
        roi = RegionOfInterest(top=7, left=10, height=40, width=50, frame_height=HEIGHT, frame_width=WIDTH)
        case = make_case(tmp_path, 3, roi=roi)
        frames = FrameBatches(case, 3)
        (batch,) = frames
        frames.close()
        with case.open_source() as source:
            expected = np.stack([frame.rgb[7:47, 10:60] for frame in source])
        np.testing.assert_array_equal(batch.rgb, expected)

    def test_leave_out_what_cannot_be_decoded(self, tmp_path: Path) -> None:
        case = make_grey_case(tmp_path, frames=5)
        broken = tmp_path / "frames" / "0002.png"
        broken.unlink()
        broken.write_bytes((tmp_path / "frames" / "0001.png").read_bytes()[:60])
        frames = FrameBatches(case, 2)
        assert [batch.indices for batch in frames] == [(0, 1), (3,), (4,)]
        assert frames.total == 5
        assert [(damage.first, damage.last) for damage in frames.source.damage] == [(2, 2)]
        frames.close()


class Memory:
    """Gives memory, and remembers what it gave without holding it."""

    def __init__(self) -> None:
        self.given: list[weakref.ref[npt.NDArray[np.uint8]]] = []

    def __call__(self, shape: tuple[int, ...]) -> npt.NDArray[np.uint8]:
        memory = np.empty(shape, np.uint8)
        self.given.append(weakref.ref(memory))
        return memory


class TestMemory:
    def test_of_batches_that_are_let_go_of_is_used_again(self, tmp_path: Path) -> None:
        memory = Memory()
        frames = FrameBatches(make_case(tmp_path, 60), 2, empty=memory)
        for batch in frames:
            assert tuple(number_of(rgb) for rgb in batch.rgb) == batch.indices
        frames.close()
        # The consumer goes from one to the next, two wait, one waits for room, one fills.
        assert len(memory.given) <= 6

    def test_of_which_only_a_part_is_held_stays_as_it_is(self, tmp_path: Path) -> None:
        frames = FrameBatches(make_case(tmp_path, 60), 3)
        pictures = [batch.rgb[1] for batch in frames]
        frames.close()
        assert [number_of(rgb) for rgb in pictures] == list(range(1, 60, 3))

    @pytest.mark.parametrize("taken", [1, 5])
    def test_is_freed_at_the_end_but_for_what_is_held(self, taken: int, tmp_path: Path) -> None:
        memory = Memory()
        frames = FrameBatches(make_case(tmp_path, 10), 2, empty=memory)
        held = list(islice(frames, taken))
        frames.close()
        assert sum(given() is not None for given in memory.given) == taken
        assert [number_of(batch.rgb[0]) for batch in held] == list(range(0, 2 * taken, 2))
        del held
        assert [given() for given in memory.given] == [None] * len(memory.given)

    def test_is_no_more_than_the_frames_need(self, tmp_path: Path) -> None:
        shapes = []

        def empty(shape: tuple[int, ...]) -> npt.NDArray[np.uint8]:
            shapes.append(shape)
            return np.empty(shape, np.uint8)

        frames = FrameBatches(make_case(tmp_path, 3), 32, empty=empty)
        list(frames)
        frames.close()
        assert shapes == [(3, HEIGHT, WIDTH, 3)]


class TestThread:
    @pytest.mark.parametrize("taken", [0, 1, 3])
    def test_ends_with_a_consumer_that_stops_early(self, taken: int, tmp_path: Path) -> None:
        frames = FrameBatches(make_grey_case(tmp_path, frames=60), 2)
        reading = iter(frames)
        assert len(list(islice(reading, taken))) == taken
        del reading
        frames.close()
        assert decoders() == []

    def test_ends_before_the_source_closes_under_it(self, tmp_path: Path) -> None:
        frames = FrameBatches(make_case(tmp_path, 60), 1)
        reading = iter(frames)  # held on to, as the traceback of a failed consumer does
        next(reading)
        assert len(decoders()) == 1
        frames.close()
        assert decoders() == []
        assert list(reading) == []

    def test_ends_with_the_frames(self, tmp_path: Path) -> None:
        frames = FrameBatches(make_grey_case(tmp_path, frames=6), 4)
        list(frames)
        assert decoders() == []
        frames.close()

    def test_reads_no_further_than_two_pictures_for_each_thread_that_converts(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("OMP_NUM_THREADS", "3")
        frames = FrameBatches(make_case(tmp_path, 40), 20)
        taken: list[int] = []
        held: list[int] = []
        go_on = threading.Event()
        take = frames.source.take

        def slowly(*span: int) -> Iterator[TakenFrame]:
            for frame in take(*span):
                taken.append(frame.index)
                yield replace(frame, rgb=lambda rgb=frame.rgb: rgb() if go_on.wait(60) else None)

        def let_go() -> None:
            deadline = time.monotonic() + 30
            while len(taken) < 7 and time.monotonic() < deadline:
                time.sleep(0.01)
            time.sleep(0.1)
            held.append(len(taken))
            go_on.set()

        monkeypatch.setattr(frames.source, "take", slowly)
        threading.Thread(target=let_go).start()
        batches = list(frames)
        frames.close()
        assert held == [7]  # the seventh is in the hand of the thread that reads
        assert [batch.indices for batch in batches] == [tuple(range(20)), tuple(range(20, 40))]
        assert [number_of(rgb) for batch in batches for rgb in batch.rgb] == list(range(40))

    def test_hands_its_error_to_the_consumer_after_the_frames_before_it(self, tmp_path: Path) -> None:
        case = make_grey_case(tmp_path, frames=6)
        frames = FrameBatches(case, 2)
        wide = tmp_path / "frames" / "0003.png"
        wide.unlink()  # after the folder was opened, so that only decoding finds the pixels of unknown range
        Image.new("F", (64, 48)).save(wide, format="TIFF")
        reading = iter(frames)
        assert next(reading).indices == (0, 1)
        with pytest.raises(RASNetError, match="32-bit numbers of unknown range"):
            next(reading)
        frames.close()
        assert decoders() == []

    def test_reading_again_begins_again(self, tmp_path: Path) -> None:
        frames = FrameBatches(make_grey_case(tmp_path, frames=5), 2)
        first = iter(frames)
        next(first)
        assert [batch.indices for batch in frames] == [(0, 1), (2, 3), (4,)]
        assert list(first) == []
        frames.close()
