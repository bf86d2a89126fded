"""Instruments as bars that move through small frames: every test says which layer ids must come out."""

import pickle
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import permutations
from pathlib import Path

import av
import cv2
import numpy as np
import numpy.typing as npt
import pytest

from rasnet.errors import RASNetError
from rasnet.labels import LabelSchema
from rasnet.tracking import ClassRuns, Outline, Tracker

HEIGHT, WIDTH, FPS = 240, 320, 25.0
PARTS = LabelSchema.load("instrument_parts")
TYPES = LabelSchema.load("endovis2017_types")
SHAFT, MANIPULATOR = 1, 2

Mask = npt.NDArray[np.uint8]
Place = tuple[float, float]  # x, y
Scene = Callable[[int], list[Mask]]  # frame index -> one mask an instrument, 0/1


def bar(base: Place, tip: Place, width: float = 24) -> Mask:
    """A straight instrument, (240, 320) uint8 0/1."""
    (x0, y0), (x1, y1) = base, tip
    length = np.hypot(x1 - x0, y1 - y0)
    across = np.array([-(y1 - y0), x1 - x0]) * (width / 2 / length)
    corners = np.array([base + across, tip + across, tip - across, base - across])
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    cv2.fillConvexPoly(mask, corners.round().astype(np.int32), 1)
    return mask


def nothing() -> Mask:
    return np.zeros((HEIGHT, WIDTH), np.uint8)


def from_left(reach: float, y: float = 120) -> Mask:
    """An instrument that comes in from the left border as far as x = reach; out of sight below 0."""
    return bar((-20, y), (reach, y)) if reach > 0 else nothing()


def from_right(reach: float, y: float = 120) -> Mask:
    return bar((WIDTH + 20, y), (WIDTH - reach, y)) if reach > 0 else nothing()


def union(*masks: Mask) -> Mask:
    return np.bitwise_or.reduce(masks)


def track(tracker: Tracker, frames: int, scene: Scene) -> Iterator[tuple[int, list[Mask], Mask]]:
    for index in range(frames):
        truth = scene(index)
        yield index, truth, tracker.update(index / FPS, union(*truth))


def main_layer(output: Mask, instrument: Mask) -> int:
    """The layer that most of an instrument's own pixels have; 0 where it is not in sight."""
    return int(np.bincount(output[instrument > 0], minlength=1).argmax()) if instrument.any() else 0


def ids(output: Mask) -> list[int]:
    return np.unique(output[output > 0]).tolist()


# --- one frame ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("instruments", "layers"),
    [
        ([nothing()], 0),
        ([from_left(150)], 1),
        ([from_left(150, 60), from_right(150, 180)], 2),
        ([from_left(100, 40), from_left(100, 120), from_left(100, 200)], 3),
        ([bar((150, 120), (160, 120), 4)], 0),  # 55 pixels: a speck, under 0.1 % of 76800
    ],
    ids=["empty", "one", "two", "three", "speck"],
)
def test_a_single_frame_gives_its_layers_at_once(instruments: list[Mask], layers: int) -> None:
    tracker = Tracker(PARTS)
    output = tracker.update(0.0, union(*instruments))
    assert output.dtype == np.uint8
    assert output.shape == (HEIGHT, WIDTH)
    assert ids(output) == list(range(1, layers + 1))
    assert len(tracker.layers) == layers


@pytest.mark.parametrize(
    "size", [(240, 320), (241, 323), (1024, 1280), (577, 720), (1081, 1919), (321, 7), (7, 9), (1, 5), (1, 1)]
)
def test_every_pixel_of_a_kept_component_has_its_layer_and_no_other_has(size: tuple[int, int]) -> None:
    height, width = size
    classes = np.zeros(size, np.uint8)
    cv2.line(classes, (0, height // 3), (2 * width // 3, height // 2), 1, max(1, height // 20))
    cv2.circle(classes, (2 * width // 3, height // 2), max(1, height // 12), 2, -1)
    output = Tracker(PARTS).update(0.0, classes)
    np.testing.assert_array_equal(output, (classes > 0).astype(np.uint8))


@pytest.mark.parametrize("size", [(1080, 1920), (577, 720), (1081, 1919)])
def test_a_kept_component_has_what_slips_between_the_cells_of_the_grid(size: tuple[int, int]) -> None:
    """Suture thread of one pixel, and a comb of single pixels, as they hang on an instrument."""
    height, width = size
    classes = np.zeros(size, np.uint8)
    classes[height // 3 : height // 2, : width // 2] = 1
    classes[height // 3, width // 2 :] = 2
    classes[height // 3 - 1, : width // 2 : 2] = 1
    classes[height // 2 :, width // 4] = 2
    np.testing.assert_array_equal(Tracker(PARTS).update(0.0, classes), classes > 0)


def test_a_view_of_an_array_is_tracked_like_a_copy() -> None:
    classes = union(from_left(200, 60), from_right(100, 180))[:, ::-1]
    np.testing.assert_array_equal(
        Tracker(PARTS).update(0.0, classes), Tracker(PARTS).update(0.0, np.ascontiguousarray(classes))
    )


def test_pieces_in_line_are_one_instrument_from_the_first_frame() -> None:
    cut = from_left(200)
    cut[:, 90:110] = 0  # a highlight across the shaft
    np.testing.assert_array_equal(Tracker(PARTS).update(0.0, cut), cut)


# --- over time ---------------------------------------------------------------------------------------------


def test_two_moving_instruments_keep_their_ids() -> None:
    def scene(i: int) -> list[Mask]:
        return [from_left(80 + 2 * i, 60 + i), from_right(60 + i, 200 - i)]

    for _, truth, output in track(Tracker(PARTS), 50, scene):
        np.testing.assert_array_equal(output, truth[0] + 2 * truth[1])


@pytest.mark.parametrize("speed", [3, 8, 20], ids="{} px a frame".format)
def test_an_instrument_that_enters_and_leaves_is_one_layer(speed: int) -> None:
    tracker = Tracker(PARTS)
    for _ in track(tracker, 60, lambda i: [from_left(speed * min(i - 5, 40 - i))]):
        pass
    (layer,) = tracker.layers
    assert layer.id == 1
    assert layer.first_s == pytest.approx(6 / FPS, abs=3 / FPS)
    assert layer.last_s == pytest.approx(39 / FPS, abs=3 / FPS)


@pytest.mark.parametrize("missing", [1, 5, 12, 24], ids="{} frames".format)
def test_a_layer_survives_a_gap_while_the_instrument_moves_on(missing: int) -> None:
    tracker = Tracker(PARTS)
    for index, truth, output in track(
        tracker, 60, lambda i: [nothing()] if 20 <= i < 20 + missing else [from_left(60 + 3 * i, 50 + 2 * i)]
    ):
        np.testing.assert_array_equal(output, truth[0], err_msg=f"frame {index}")


@pytest.mark.parametrize(
    ("away_s", "returns", "expected"),
    [
        (3.0, from_left(150), 1),  # the same border: the same instrument
        (3.0, from_left(150, 160), 1),  # ... the camera has moved a little
        (3.0, from_right(150), 2),  # another border: another instrument
        (0.5, from_right(150), 2),  # ... however soon
        (30.0, from_left(150), 1),
        (61.0, from_left(150), 2),  # forgotten
    ],
    ids=["same side", "same side lower", "other side", "other side soon", "half a minute", "after memory"],
)
def test_an_instrument_that_comes_back(away_s: float, returns: Mask, expected: int) -> None:
    tracker = Tracker(PARTS)
    away = int(away_s * FPS)
    for i in range(10):
        tracker.update(i / FPS, from_left(150))
    for i in range(10, 10 + away):
        assert not tracker.update(i / FPS, nothing()).any()
    output = tracker.update((10 + away) / FPS, returns)
    assert ids(output) == [expected]


def test_two_instruments_that_come_back_together_get_their_own_ids() -> None:
    tracker = Tracker(PARTS)
    left, right = from_left(120, 100), from_right(120, 140)
    tracker.update(0.0, union(left, right))
    tracker.update(5.0, nothing())
    output = tracker.update(10.0, union(from_right(140, 130), from_left(60, 90)))
    assert main_layer(output, left & from_left(60, 90)) == 1
    assert main_layer(output, right & from_right(140, 130)) == 2


def crossing_tips(i: int) -> list[Mask]:
    """Two instruments reach past each other like an X, and draw back."""
    reach = 90 + 2.5 * min(i, 80 - i)
    return [bar((-20, 60), (reach, 60 + reach / 2)), bar((WIDTH + 20, 60), (WIDTH - reach, 60 + reach / 2))]


def sweeping_past(i: int) -> list[Mask]:
    """One from the top moves right, one from the bottom moves left: one passes over the other."""
    return [bar((60 + 2.5 * i, -20), (60 + 2.5 * i, 150)), bar((260 - 2.5 * i, HEIGHT + 20), (260 - 2.5 * i, 90))]


def touching_tips(i: int) -> list[Mask]:
    """Tip to tip for two seconds while both move, as in handing over a needle."""
    height, apart = 120 + 30 * np.sin(i / 12), max(0, 20 - i, i - 70)
    return [bar((-20, 60), (160 - apart, height)), bar((WIDTH + 20, 180), (160 + apart, height))]


def lying_alongside(i: int) -> list[Mask]:
    """Two parallel shafts come to lie against each other, move together, and part."""
    apart = max(0, 20 - i, i - 60)
    height = 100 + 20 * np.sin(i / 10)
    return [from_left(220, height - apart), from_left(180, height + 25 + apart)]


@pytest.mark.parametrize(
    ("scene", "frames", "pure"),
    [(crossing_tips, 80, 0.9), (sweeping_past, 80, 0.8), (touching_tips, 90, 0.95), (lying_alongside, 80, 0.95)],
)
def test_ids_survive_a_contact(scene: Scene, frames: int, pure: float) -> None:
    right, visible = 0, 0
    for index, truth, output in track(Tracker(PARTS), frames, scene):
        alone = [truth[0] & ~truth[1] & 1, truth[1] & ~truth[0] & 1]
        if index == 0:
            assert sorted(main_layer(output, mask) for mask in alone) == [1, 2]
            first = [main_layer(output, mask) for mask in alone]
        np.testing.assert_array_equal(output > 0, union(*truth) > 0)
        for mask, layer in zip(alone, first, strict=True):
            right += int((output[mask > 0] == layer).sum())
            visible += int(mask.sum())
    assert [main_layer(output, mask) for mask in alone] == first
    assert right / visible >= pure


@pytest.mark.parametrize("size", [(1080, 1920), (577, 723), (239, 317), (60, 80)])
def test_a_contact_is_cut_without_losing_or_adding_a_pixel(size: tuple[int, int]) -> None:
    """Also where the frame's size is no multiple of the distance of two cells."""
    tracker = Tracker(PARTS)
    for i in range(0, 80, 2):
        truth = [cv2.resize(mask, size[::-1], interpolation=cv2.INTER_NEAREST) for mask in crossing_tips(i)]
        output = tracker.update(i / FPS, union(*truth))
        np.testing.assert_array_equal(output > 0, union(*truth) > 0)
        assert ids(output) == [1, 2]


@pytest.mark.parametrize("scene", [crossing_tips, sweeping_past, touching_tips, lying_alongside])
def test_a_larger_picture_is_cut_in_the_same_places(scene: Scene) -> None:
    """Both have as many cells."""
    small, large = Tracker(PARTS), Tracker(PARTS)
    for i in range(0, 80, 4):
        mask = union(*scene(i))[:, 32:-32]
        expected = small.update(i / FPS, mask)
        output = large.update(i / FPS, mask.repeat(4, axis=0).repeat(4, axis=1))
        assert (output[2::4, 2::4] == expected).mean() >= 0.997  # one pixel along the longest seam


def crossing_for_long(i: int) -> list[Mask]:
    """One from below reaches across the jaws of one from the left, and both go on working there; parts as classes."""
    turn = 25 * np.sin(i / 15)  # the jaws swing
    wrist = 110 + 8 * np.sin(i / 20)
    forceps = np.maximum(bar((-20, wrist), (120, wrist)), 2 * bar((120, wrist), (250, wrist + turn), 16))
    reach = min(5 * i, 190) + 6 * np.sin(i / 9)
    tip = (175 + 12 * np.sin(i / 25), HEIGHT + 10 - reach)
    collar = (tip[0] - 12, tip[1] + 90)
    crossing = np.maximum(bar((130, HEIGHT + 60), collar, 20), 2 * bar(collar, tip, 20))
    return [np.where(crossing > 0, 0, forceps).astype(np.uint8), crossing]


def test_crossing_instruments_keep_their_own_pixels_through_a_long_contact() -> None:
    """Six seconds: what was decided for one frame must not wear off on the next ones."""
    overlaps = []
    for index, truth, output in track(Tracker(PARTS), 150, crossing_for_long):
        if index >= 10:
            shared = [((output == layer) & (mask > 0)).sum() for layer, mask in enumerate(truth, start=1)]
            either = [((output == layer) | (mask > 0)).sum() for layer, mask in enumerate(truth, start=1)]
            overlaps.append(np.divide(shared, either))
    assert np.mean(overlaps, axis=0).min() >= 0.9
    assert np.mean(overlaps[-25:], axis=0).min() >= 0.94


def test_an_instrument_cut_in_two_by_a_crossing_one_is_one_layer() -> None:
    def scene(i: int) -> list[Mask]:
        lower, upper = from_left(280), bar((160, -20), (160, min(5 * i, 200)))
        return [lower & ~upper & 1, upper]

    for index, truth, output in track(Tracker(PARTS), 45, scene):
        assert main_layer(output, truth[0]) == 1, index
        assert main_layer(output[:, :140], truth[0][:, :140]) == 1
        assert main_layer(output[:, 180:], truth[0][:, 180:]) == 1
        if index >= 10:
            assert main_layer(output, truth[1]) == 2, index


def test_a_highlight_that_runs_along_a_shaft_does_not_split_the_layer() -> None:
    def scene(i: int) -> list[Mask]:
        cut = from_left(260)
        cut[:, 10 + 4 * i : 26 + 4 * i] = 0
        return [cut]

    for _, truth, output in track(Tracker(PARTS), 55, scene):
        np.testing.assert_array_equal(output, truth[0])


def test_an_instrument_that_comes_in_behind_another_is_a_layer_of_its_own() -> None:
    def scene(i: int) -> list[Mask]:
        return [from_left(220), bar((100, HEIGHT + 20), (100, max(HEIGHT - 4 * i, 125)))]

    for index, truth, output in track(Tracker(PARTS), 50, scene):
        assert main_layer(output, truth[0]) == 1, index
    assert main_layer(output, truth[1] & ~truth[0] & 1) == 2


# --- false positives ---------------------------------------------------------------------------------------


def test_a_false_positive_of_two_frames_never_shows() -> None:
    tracker = Tracker(PARTS)
    blob = bar((200, 40), (220, 40), 20)
    for index, _, output in track(tracker, 30, lambda i: [from_left(100, 160), blob if i in (10, 11) else nothing()]):
        assert ids(output) == [1], index
    assert len(tracker.layers) == 1


def test_what_persists_shows_from_the_third_frame() -> None:
    blob = bar((200, 40), (220, 40), 20)
    shown = [
        ids(output)
        for _, _, output in track(Tracker(PARTS), 14, lambda i: [from_left(100, 160), blob if i >= 10 else nothing()])
    ]
    assert shown == [[1]] * 12 + [[1, 2]] * 2


def test_what_is_large_and_reaches_the_border_shows_at_once() -> None:
    shown = [ids(output) for _, _, output in track(Tracker(PARTS), 12, lambda i: [from_right(100 if i >= 10 else 0)])]
    assert shown == [[]] * 10 + [[1]] * 2


def test_sparse_frames_show_everything_at_once() -> None:
    tracker = Tracker(PARTS)
    tracker.update(0.0, nothing())
    assert ids(tracker.update(0.5, bar((200, 40), (220, 40), 20))) == [1]


# --- types -------------------------------------------------------------------------------------------------


def test_the_type_is_the_vote_of_frames_not_of_pixels() -> None:
    """Ten frames of a small Prograsp, then five close-ups that look like Bipolar Forceps."""
    tracker = Tracker(TYPES)
    for i in range(15):
        tracker.update(i / FPS, from_left(60) * np.uint8(2) if i < 10 else from_left(300) * np.uint8(1))
    (layer,) = tracker.layers
    assert layer.type == "Prograsp Forceps"
    assert layer.votes == {"Bipolar Forceps": 5, "Prograsp Forceps": 10}
    assert layer.frames == 15


def test_a_frame_votes_for_the_type_that_most_of_its_pixels_have() -> None:
    classes = from_left(200) * np.uint8(3)
    classes[:, 150:][classes[:, 150:] > 0] = 6
    tracker = Tracker(TYPES)
    assert ids(tracker.update(0.0, classes)) == [1]  # flicker inside an instrument does not cut it
    assert tracker.layers[0].type == "Large Needle Driver"


def test_parts_give_no_type() -> None:
    tracker = Tracker(PARTS)
    tracker.update(0.0, from_left(100))
    assert tracker.layers[0].type is None
    assert tracker.layers[0].votes == {}


def test_another_type_from_the_same_side_is_another_instrument() -> None:
    tracker = Tracker(TYPES)
    for i in range(20):
        tracker.update(i / FPS, from_left(150) * np.uint8(1))
    tracker.update(2.0, nothing())
    for i in range(5):
        output = tracker.update(5 + i / FPS, from_left(150) * np.uint8(6))
    assert ids(output) == [2]
    assert [layer.type for layer in tracker.layers] == ["Bipolar Forceps", "Monopolar Curved Scissors"]


def test_touching_instruments_of_two_types_are_two_layers_from_the_first_frame() -> None:
    left, right = from_left(160), from_right(160)
    classes = np.where(left > 0, 1, right * np.uint8(6)).astype(np.uint8)
    output = Tracker(TYPES).update(0.0, classes)
    assert main_layer(output, left) != main_layer(output, right)
    assert (output[(classes == 6)] == main_layer(output, right)).mean() > 0.95


# --- continuing --------------------------------------------------------------------------------------------


def two_moving(i: int) -> Mask:
    return union(from_left(80 + 2 * i, 60), from_right(60 + i, 180) * np.uint8(2))


def test_a_resumed_run_gives_the_same_masks_as_an_uninterrupted_one() -> None:
    whole = Tracker(TYPES)
    expected = [whole.update(i / FPS, two_moving(i)) for i in range(60)]
    resumed = Tracker(TYPES)
    for i in range(5, 30):
        resumed.adopt(i / FPS, expected[i], two_moving(i))
    for i in range(30, 60):
        np.testing.assert_array_equal(resumed.update(i / FPS, two_moving(i)), expected[i])
    assert [layer.type for layer in resumed.layers] == [layer.type for layer in whole.layers]


def test_a_person_s_ids_are_followed() -> None:
    tracker = Tracker(PARTS)
    for i in range(10):
        tracker.update(i / FPS, two_moving(i))
    swapped = np.array([0, 7, 1], np.uint8)[two_moving(10)]  # left is now 7, right is now 1
    tracker.adopt(10 / FPS, swapped)
    for i in range(11, 30):
        output = tracker.update(i / FPS, (two_moving(i) > 0).astype(np.uint8))
        np.testing.assert_array_equal(output, np.array([0, 7, 1], np.uint8)[two_moving(i)])


def test_touching_instruments_that_a_person_parted_stay_parted() -> None:
    tracker = Tracker(PARTS)
    joined = union(*touching_tips(40))
    assert ids(tracker.update(40 / FPS, joined)) == [1]  # one frame does not tell that they are two
    left, right = touching_tips(40)
    tracker.adopt(40 / FPS, np.where(left > 0, 1, right * np.uint8(2)).astype(np.uint8))
    for i in range(41, 90):
        truth = touching_tips(i)
        output = tracker.update(i / FPS, union(*truth))
        assert [main_layer(output, mask) for mask in truth] == [1, 2]


def test_ids_that_exist_already_are_not_given_again() -> None:
    assert ids(Tracker(PARTS, taken=[1, 2, 4]).update(0.0, from_left(100))) == [3]


def test_no_more_than_255_layers_then_the_most_similar_lost_one_is_used_again() -> None:
    tracker = Tracker(PARTS, memory_s=1.0)
    for i in range(255):
        tracker.update(10.0 * i, from_right(100, 60) if i == 100 else from_left(100, 60))
    assert len(tracker.layers) == 255
    assert ids(tracker.update(10000.0, from_right(100, 60))) == [101]
    assert len(tracker.layers) == 255


# --- rules -------------------------------------------------------------------------------------------------


def test_the_region_of_interest_is_where_instruments_come_in_by() -> None:
    class Window:
        top, left, height, width = 20, 60, 200, 200  # columns 60 to 259 are picture

    def inside(mask: Mask) -> Mask:
        mask[:, :60], mask[:, 260:] = 0, 0
        return mask

    tracker = Tracker(PARTS, roi=Window())  # type: ignore[arg-type]
    tracker.update(0.0, inside(from_left(200, 120)))
    tracker.update(5.0, nothing())
    assert ids(tracker.update(10.0, inside(from_right(200, 120)))) == [2]
    assert ids(tracker.update(15.0, inside(from_left(150, 120)))) == [1]


def test_the_same_frames_give_the_same_layers() -> None:
    runs = [[output for _, _, output in track(Tracker(PARTS), 45, crossing_tips)] for _ in range(2)]
    np.testing.assert_array_equal(runs[0], runs[1])


def test_frames_may_be_prepared_and_drawn_in_any_order_thread_and_process() -> None:
    masks = [union(*crossing_tips(index)) for index in range(45)]
    at_once = Tracker(PARTS)
    expected = [at_once.update(index / FPS, mask) for index, mask in enumerate(masks)]
    tracker = Tracker(PARTS)
    with ThreadPoolExecutor(4) as pool:
        prepare = tracker.preparation(HEIGHT, WIDTH)
        runs = [ClassRuns.of(mask) for mask in masks]
        foregrounds = pickle.loads(pickle.dumps(list(pool.map(prepare, reversed(runs)))[::-1]))
        drawings = [tracker.follow(index / FPS, foreground) for index, foreground in enumerate(foregrounds)]
        outlines = [Outline(each.foreground, prepare.grid) for each in pickle.loads(pickle.dumps(runs))]
        drawn = list(pool.map(Outline.paint, reversed(outlines), pickle.loads(pickle.dumps(drawings[::-1]))))[::-1]
    np.testing.assert_array_equal(drawn, expected)
    np.testing.assert_array_equal(outlines[20].paint(drawings[20]), expected[20])  # again, the same
    assert tracker.layers == at_once.layers


@pytest.mark.parametrize("times", [[0.0, 0.0, 0.0], [0.0, 1.0, 0.5], [0.0, 1e6, 1e6 + 0.04]])
def test_odd_times_do_not_disturb(times: list[float]) -> None:
    tracker = Tracker(PARTS)
    for time_s in times:
        assert tracker.update(time_s, from_left(100)).any()


def test_noise_does_not_disturb() -> None:
    noise = (np.random.default_rng(0).random((HEIGHT, WIDTH)) > 0.7).astype(np.uint8)
    tracker = Tracker(PARTS, min_area=0)
    for i in range(2):
        assert set(ids(tracker.update(i / FPS, noise))) <= set(range(1, 256))


@pytest.mark.parametrize(
    ("classes", "message"),
    [
        (np.zeros((HEIGHT, WIDTH + 1), np.uint8), "size changed"),
        (np.zeros((HEIGHT, WIDTH), np.int64), "uint8"),
        (np.zeros((1, HEIGHT, WIDTH), np.uint8), "uint8 masks"),
    ],
)
def test_a_wrong_mask_is_refused(classes: npt.NDArray[np.generic], message: str) -> None:
    tracker = Tracker(PARTS)
    tracker.update(0.0, nothing())
    with pytest.raises(RASNetError, match=message):
        tracker.update(1.0, classes)  # type: ignore[arg-type]


@pytest.mark.parametrize("arguments", [{"gap_s": -1}, {"gap_s": 2, "memory_s": 1}, {"min_area": 1.0}])
def test_settings_without_sense_are_refused(arguments: dict[str, float]) -> None:
    with pytest.raises(RASNetError, match="tracking needs"):
        Tracker(PARTS, **arguments)  # type: ignore[arg-type]


# --- real instruments --------------------------------------------------------------------------------------


def read_labels(path: Path) -> Iterator[Mask]:
    """Parts of one instrument; the file holds 0, 70 (manipulator) and 160 (shaft), blurred by compression."""
    with av.open(str(path)) as container:
        for frame in container.decode(video=0):
            grey = frame.to_ndarray(format="gray")
            yield np.where(grey < 35, 0, np.where(grey < 115, MANIPULATOR, SHAFT)).astype(np.uint8)


@pytest.mark.real
def test_real_instruments_that_touch_for_50_frames_keep_their_ids(shared_data: Path) -> None:
    folder = shared_data / "endovis2015_robotic" / "Dataset1"
    names = ("Left_Instrument_Segmentation.avi", "Right_Instrument_Segmentation.avi")
    tracker = Tracker(PARTS)
    counts = np.zeros((2, 256), np.int64)  # pixels by instrument and layer
    followed: list[set[int]] = [set(), set()]
    for index, truth in enumerate(zip(*(read_labels(folder / name) for name in names), strict=True)):
        output = tracker.update(index / 25, np.maximum(*truth))
        both = (truth[0] > 0) & (truth[1] > 0)
        for instrument, mask in enumerate(truth):
            counts[instrument] += np.bincount(output[(mask > 0) & ~both], minlength=256)
            followed[instrument].add(main_layer(output, mask))
    matched = max(counts[0, one] + counts[1, other] for one, other in permutations(range(1, 256), 2))
    assert matched / counts.sum() >= 0.999
    assert [len(layers) for layers in followed] == [1, 1]  # no switch
    assert len(tracker.layers) == 2
