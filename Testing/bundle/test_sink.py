from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from cases import HEIGHT, WIDTH, make_case

from rasnet.case import Case
from rasnet.errors import RASNetError
from rasnet.inference.frames import FrameBatch
from rasnet.inference.sink import CaseSink
from rasnet.labels import LabelSchema
from rasnet.progress import SilentProgress
from rasnet.tracking import ClassRuns, Drawing, Foreground, Preparation, Tracker
from rasnet.video import RegionOfInterest

TYPES = LabelSchema.load("endovis2017_types")
needs_full_device = pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")


@pytest.fixture(scope="module", params=["1", "4"], ids="threads {}".format, autouse=True)
def threads(request: pytest.FixtureRequest) -> Iterator[None]:
    """All of this holds with one thread a pool, and with several."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OMP_NUM_THREADS", request.param)
        yield


class Listener(SilentProgress):
    """Remembers what it was told."""

    def __init__(self) -> None:
        self.frames: list[int | None] = []
        self.count = 0
        self.notes: list[str] = []

    def advance(self, frame: int | None = None, count: int = 1) -> None:
        self.frames.append(frame)
        self.count += count

    def note(self, message: str) -> None:
        self.notes.append(message)


def classes(index: int, height: int = HEIGHT, width: int = WIDTH, *, kinds: tuple[int, int] = (1, 2)) -> npt.NDArray:
    """Class ids of a frame, uint8 (H, W): a bar from the left whose last four columns are of the second kind."""
    mask = np.zeros((height, width), np.uint8)
    end = 24 + index
    mask[16:28, :end] = kinds[0]
    mask[16:28, end - 4 : end] = kinds[1]
    return mask


def batch(indices: Sequence[int], height: int = HEIGHT, width: int = WIDTH) -> FrameBatch:
    rgb = np.zeros((len(indices), height, width, 3), np.uint8)
    return FrameBatch(tuple(indices), tuple(index / 25 for index in indices), rgb)


def segment(case: Case, indices: Sequence[int], progress: SilentProgress | None = None) -> None:
    """Send frames through a sink, two a batch."""
    roi = case.info.roi
    with CaseSink(case, progress) as sink:
        for start in range(0, len(indices), 2):
            some = indices[start : start + 2]
            masks = np.stack([classes(index, roi.height, roi.width) for index in some])
            sink.write(batch(some, roi.height, roi.width), masks, np.full((len(some), 3), 0.25, np.float32))


def test_a_frame_gets_layers_parts_uncertainty_and_time(tmp_path: Path) -> None:
    case = make_case(tmp_path)
    segment(case, range(4))
    assert [layer.id for layer in case.layers()] == [1]
    for row in case.frames():
        np.testing.assert_array_equal(case.mask(row.index), classes(row.index) > 0)
        np.testing.assert_array_equal(case.parts(row.index), classes(row.index))
        assert (row.status, row.pts) == ("predicted", row.index / 25)
        assert row.class_uncertainty == (0.25, 0.25, 0.25)
    assert case.missing() == list(range(4, 12))


def test_masks_are_in_the_geometry_of_the_full_frame(tmp_path: Path) -> None:
    roi = RegionOfInterest(top=3, left=12, height=40, width=50, frame_height=HEIGHT, frame_width=WIDTH)
    case = make_case(tmp_path, roi=roi)
    segment(case, [0, 1])
    expected = np.zeros((HEIGHT, WIDTH), np.uint8)
    expected[3:43, 12:62] = classes(1, 40, 50)
    np.testing.assert_array_equal(case.parts(1), expected)
    np.testing.assert_array_equal(case.mask(1), expected > 0)


def test_a_model_of_types_gives_no_parts_and_its_vote_names_the_layer(tmp_path: Path) -> None:
    case = make_case(tmp_path, schema=TYPES)
    driver, other = TYPES["Large Needle Driver"].id, TYPES["Other"].id
    with CaseSink(case) as sink:
        masks = np.stack([classes(index, kinds=(driver, other)) for index in range(2)])
        sink.write(batch(range(2)), masks, np.zeros((2, len(TYPES)), np.float32))
    assert case.parts(0) is None
    assert [layer.type for layer in case.layers()] == ["Large Needle Driver"]


def test_a_persons_type_outlasts_the_vote(tmp_path: Path) -> None:
    case = make_case(tmp_path, schema=TYPES)
    for start in (0, 2):
        with CaseSink(case) as sink:
            masks = np.stack([classes(start + index, kinds=(3, 3)) for index in range(2)])
            sink.write(batch((start, start + 1)), masks, np.zeros((2, len(TYPES)), np.float32))
        case.update_layer(1, type="Vessel Sealer", who="A. Surgeon")
    assert [layer.type for layer in case.layers()] == ["Vessel Sealer"]


def test_progress_is_told_of_every_frame(tmp_path: Path) -> None:
    listener = Listener()
    segment(make_case(tmp_path), range(5), listener)
    assert listener.frames == [1, 3, 4]
    assert listener.count == 5
    assert listener.notes == []


def test_ids_go_on_from_an_earlier_run(tmp_path: Path) -> None:
    case = make_case(tmp_path)
    segment(case, range(6))
    case.update_layer(1, name="Left hand", who="A. Surgeon")
    segment(case, range(6, 12))
    assert [(layer.id, layer.name) for layer in case.layers()] == [(1, "Left hand")]
    np.testing.assert_array_equal(case.mask(11), classes(11) > 0)


def test_ids_follow_a_person(tmp_path: Path) -> None:
    case = make_case(tmp_path)
    human = 7 * (classes(5) > 0).astype(np.uint8)
    case.correct(5, human, who="A. Surgeon", tool="test")
    segment(case, [*range(5), *range(6, 12)])
    assert case.frame(5).status == "corrected"
    np.testing.assert_array_equal(case.mask(5), human)
    np.testing.assert_array_equal(case.mask(11), 7 * (classes(11) > 0))


def test_a_frame_that_a_person_takes_meanwhile_is_theirs(tmp_path: Path) -> None:
    case = make_case(tmp_path)
    human = 4 * (classes(1) > 0).astype(np.uint8)
    with CaseSink(case) as sink:
        case.correct(1, human, who="A. Surgeon", tool="test")
        sink.write(batch([0, 1]), np.stack([classes(0), classes(1)]), np.zeros((2, 3), np.float32))
    np.testing.assert_array_equal(case.mask(1), human)


def test_a_new_instrument_never_gets_an_id_that_has_a_meaning(tmp_path: Path) -> None:
    case = make_case(tmp_path)
    case.correct(0, np.zeros((HEIGHT, WIDTH), np.uint8), who="A. Surgeon", tool="test")
    taken = case.add_layer(name="Suction", who="A. Surgeon")
    segment(case, range(1, 8))
    assert np.unique(case.mask(7)).tolist() == [0, taken.id + 1]


def test_a_mask_that_a_power_cut_emptied_is_written_again(tmp_path: Path) -> None:
    case = make_case(tmp_path)
    segment(case, range(12))
    for index in (3, 4):
        (case.folder / "masks" / f"{index:08d}.png").write_bytes(b"")
    assert case.missing() == [3, 4]
    segment(case, case.missing())
    assert case.missing() == []
    for index in range(12):
        np.testing.assert_array_equal(case.mask(index), classes(index) > 0)


def test_a_damaged_mask_is_told_of_and_does_not_stop_the_run(tmp_path: Path) -> None:
    case = make_case(tmp_path)
    segment(case, range(4))
    (case.folder / "masks" / "00000002.png").write_bytes(b"no image")
    listener = Listener()
    segment(case, range(4, 12), listener)
    assert len(listener.notes) == 1
    assert "00000002.png" in listener.notes[0]
    assert case.missing() == []
    np.testing.assert_array_equal(case.mask(11), classes(11) > 0)


def test_a_frame_that_cannot_be_tracked_is_an_error_and_those_before_it_are_kept(tmp_path: Path) -> None:
    case = make_case(tmp_path)
    masks = np.stack([classes(0), classes(1)])

    def write() -> None:
        with CaseSink(case) as sink:
            sink.write(batch([0, 1]), masks, np.zeros((2, 3), np.float32))
            sink.write(batch([2, 3]), masks.astype(np.int64), np.zeros((2, 3), np.float32))

    with pytest.raises(RASNetError, match="needs uint8 masks"):
        write()
    assert [row.index for row in case.frames()] == [0, 1]
    np.testing.assert_array_equal(case.mask(1), classes(1) > 0)


def test_frames_before_one_that_cannot_be_followed_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    case, follow = make_case(tmp_path), Tracker.follow

    def fail(tracker: Tracker, time_s: float, foreground: Foreground) -> Drawing:
        if time_s == 10 / 25:
            raise RASNetError("it is lost")
        return follow(tracker, time_s, foreground)

    monkeypatch.setattr(Tracker, "follow", fail)
    listener = Listener()
    with pytest.raises(RASNetError, match="it is lost"), CaseSink(case, listener) as sink:
        sink.write(batch(range(12)), np.stack([classes(index) for index in range(12)]), np.zeros((12, 3), np.float32))
    assert [row.index for row in case.frames()] == list(range(10))
    assert listener.count == 10
    np.testing.assert_array_equal(case.mask(9), classes(9) > 0)


def test_frames_before_one_that_cannot_be_prepared_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    case, prepare = make_case(tmp_path), Preparation.__call__

    def fail(preparation: Preparation, runs: ClassRuns) -> Foreground:
        if runs.columns[-1] == 24 + 10:
            raise RASNetError("it cannot be prepared")
        return prepare(preparation, runs)

    monkeypatch.setattr(Preparation, "__call__", fail)
    with pytest.raises(RASNetError, match="it cannot be prepared"), CaseSink(case) as sink:
        sink.write(batch(range(12)), np.stack([classes(index) for index in range(12)]), np.zeros((12, 3), np.float32))
    assert [row.index for row in case.frames()] == list(range(10))


def test_what_was_taken_before_an_error_is_kept(tmp_path: Path) -> None:
    case = make_case(tmp_path)

    def interrupted() -> None:
        with CaseSink(case) as sink:
            for index in (0, 1):
                sink.write(batch([index]), classes(index)[None], np.zeros((1, 3), np.float32))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert [row.index for row in case.frames()] == [0, 1]
    np.testing.assert_array_equal(case.mask(1), classes(1) > 0)


@needs_full_device
def test_a_full_disk_is_one_sentence(tmp_path: Path) -> None:
    case = make_case(tmp_path)
    segment(case, range(4))

    def fill_disk() -> None:
        with CaseSink(case) as sink:
            (case.folder / "masks" / ".00000005.png.tmp").symlink_to("/dev/full")
            sink.write(batch([4, 5]), np.stack([classes(4), classes(5)]), np.zeros((2, 3), np.float32))

    with pytest.raises(RASNetError, match="is full; free space and run the same command again"):
        fill_disk()
    segment(case, case.missing())
    assert case.missing() == []
    np.testing.assert_array_equal(case.mask(3), classes(3) > 0)


def test_two_runs_into_one_case_are_one_too_many(tmp_path: Path) -> None:
    case = make_case(tmp_path)
    with (
        CaseSink(case),
        Case.open(case.folder) as other,
        pytest.raises(RASNetError, match="another program is writing predictions"),
        CaseSink(other),
    ):
        pytest.fail("two programs write at the same time")
