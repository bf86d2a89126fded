import itertools
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from report_cases import HEIGHT, WIDTH, UInt8Array, make_case, true_mask

from rasnet.case import Layer
from rasnet.errors import RASNetError
from rasnet.measurements import measure_layers
from rasnet.progress import Progress
from rasnet.report import draw_overlay, write_overlay
from rasnet.report.label_layout import Box, Caption, LabelLayout
from rasnet.report.style import clock
from rasnet.report.text import tag
from rasnet.video import open_source

BLUE, YELLOW = (86, 180, 233), (240, 228, 66)
LAYERS = [Layer(1, "Instrument 1", BLUE), Layer(2, "Grasper", YELLOW)]
GREY = 100


def grey(height: int = 512, width: int = 640) -> UInt8Array:
    return np.full((height, width, 3), GREY, np.uint8)


def bars(height: int, width: int) -> UInt8Array:
    """Two instruments: from the left in the upper half, from the right in the lower half."""
    mask = np.zeros((height, width), np.uint8)
    mask[height // 4 : height // 3, : width // 2] = 1
    mask[2 * height // 3 : 3 * height // 4, width // 3 :] = 2
    return mask


def changed(picture: UInt8Array, frame: UInt8Array) -> UInt8Array:
    return (picture != frame).any(axis=2)


class TestDrawOverlay:
    def test_the_frame_itself_is_left_alone(self) -> None:
        frame = grey()
        draw_overlay(frame, bars(512, 640), LAYERS, status="predicted", time_s=1.0)
        assert (frame == GREY).all()

    def test_an_instrument_takes_on_its_colour_and_lets_the_picture_shine_through(self) -> None:
        picture = draw_overlay(grey(), bars(512, 640), LAYERS)
        inside = picture[150, 100].astype(int)  # of layer 1, far from its contour and its name
        expected = 0.68 * GREY + 0.32 * np.array(BLUE)
        np.testing.assert_allclose(inside, expected, atol=1)

    def test_the_contour_is_the_colour_itself(self) -> None:
        mask = np.zeros((512, 640), np.uint8)
        mask[200:300, 200:400] = 1
        picture = draw_overlay(grey(), mask, LAYERS)
        assert tuple(picture[250, 200]) == BLUE  # the first column of the instrument

    def test_no_contour_runs_along_the_frame_where_an_instrument_leaves_it(self) -> None:
        picture = draw_overlay(grey(), bars(512, 640), LAYERS)
        edge = picture[140:160, 0].astype(int)
        np.testing.assert_allclose(edge, np.tile(0.68 * GREY + 0.32 * np.array(BLUE), (20, 1)), atol=1)

    def test_without_layers_status_and_time_nothing_is_drawn(self) -> None:
        empty = np.zeros((512, 640), np.uint8)
        assert (draw_overlay(grey(), empty, LAYERS) == GREY).all()

    def test_ids_without_a_layer_stay_unmarked(self) -> None:
        mask = np.full((512, 640), 9, np.uint8)
        assert (draw_overlay(grey(), mask, LAYERS) == GREY).all()

    def test_a_frame_without_a_mask_says_so_in_the_corner_only(self) -> None:
        marks = changed(draw_overlay(grey(), None, LAYERS, time_s=2.0), grey())
        assert marks[:40, :250].any()
        assert not marks[40:].any()

    @pytest.mark.parametrize(
        ("height", "width"),
        [(512, 640), (1080, 1920), (240, 320), (97, 131)],  # (H, W)
    )
    def test_marks_scale_with_the_frame(self, height: int, width: int) -> None:
        picture = draw_overlay(grey(height, width), None, LAYERS, status="accepted", time_s=61.0)
        rows = np.flatnonzero(changed(picture, grey(height, width)).any(axis=1))
        corner = rows[-1] + 1
        assert 0.03 < corner / min(height, width) < 0.25

    def test_a_tip_is_ringed_and_its_point_stays_visible(self) -> None:
        mask = bars(512, 640)
        found = measure_layers(mask)
        assert found[0].tip is not None
        x, y = (round(value) for value in found[0].tip)
        plain = draw_overlay(grey(), mask, LAYERS)
        ringed = draw_overlay(grey(), mask, LAYERS, measurements=found)
        assert changed(ringed, plain)[y - 8 : y + 9, x - 8 : x + 9].any()
        assert tuple(ringed[y, x]) == tuple(plain[y, x])

    def test_the_corner_can_be_read_where_an_instrument_lies_in_it(self) -> None:
        mask = np.zeros((512, 640), np.uint8)
        mask[:60, :300] = 2
        alone = draw_overlay(grey(), mask * 0, LAYERS, status="predicted", time_s=1.0)[:60, :300]
        letters = (alone == 255).all(axis=2)
        assert letters.sum() > 100
        over = draw_overlay(grey(), mask, LAYERS, status="predicted", time_s=1.0)[:60, :300]
        assert (over[letters] == 255).all()

    def test_masks_of_a_person_are_told_from_predictions(self) -> None:
        pictures = [draw_overlay(grey(), None, LAYERS, status=status) for status in ("predicted", "corrected")]
        assert changed(*pictures).any()

    def test_a_frame_of_640_x_512_takes_less_than_40_ms(self) -> None:
        frame, mask = grey(), bars(512, 640)
        found = measure_layers(mask)
        draw_overlay(frame, mask, LAYERS)  # loads the typeface
        took = []
        for _ in range(5):
            began = time.process_time()
            draw_overlay(frame, mask, LAYERS, status="predicted", time_s=1.0, measurements=found)
            took.append(time.process_time() - began)
        assert min(took) < 0.040  # 25 frames/s


@st.composite
def scenes(draw: st.DrawFn) -> tuple[UInt8Array, list[Caption], list[tuple[float, float]]]:
    """Up to four instruments (rectangles) in a frame with room for their names, and their tips."""
    height, width = draw(st.integers(240, 700)), draw(st.integers(320, 900))
    mask = np.zeros((height, width), np.uint8)
    captions, tips = [], []
    for layer in range(1, draw(st.integers(1, 4)) + 1):
        top, left = draw(st.integers(0, height - 20)), draw(st.integers(0, width - 20))
        bottom = top + draw(st.integers(5, height // 2))
        right = left + draw(st.integers(5, width // 2))
        mask[top:bottom, left:right] = layer
        captions.append(Caption(layer, draw(st.integers(30, 110)), draw(st.integers(12, 24))))
        tips.append((float(min(right, width) - 1), float(top)))
    return mask, captions, tips


class TestLabelLayout:
    @settings(max_examples=40, deadline=None)
    @given(scenes())
    def test_names_lie_inside_the_frame_apart_and_off_the_tips(
        self, scene: tuple[UInt8Array, list[Caption], list[tuple[float, float]]]
    ) -> None:
        mask, captions, tips = scene
        corner = Box(8, 8, 150, 24)
        boxes = list(LabelLayout().place(mask, captions, tips=tips, reserved=[corner]).values())
        assert len(boxes) == len(captions)
        for box in boxes:
            assert box.left >= 0
            assert box.top >= 0
            assert box.right <= mask.shape[1]
            assert box.bottom <= mask.shape[0]
            for x, y in tips:
                assert not box.overlaps(Box(int(x), int(y), 1, 1))
        for first, box in enumerate([corner, *boxes]):
            assert not any(box.overlaps(other) for other in [corner, *boxes][first + 1 :])

    def test_a_name_is_beside_its_own_instrument(self) -> None:
        mask = bars(512, 640)
        boxes = LabelLayout().place(mask, [Caption(1, 100, 20), Caption(2, 100, 20)])
        for layer, box in boxes.items():
            ys, xs = np.nonzero(mask == layer)
            beside = np.maximum(np.maximum(box.left - xs, xs - box.right), 0)
            above = np.maximum(np.maximum(box.top - ys, ys - box.bottom), 0)
            assert np.hypot(beside, above).min() < 12
            assert (mask[box.top : box.bottom, box.left : box.right] > 0).mean() < 0.35

    def test_a_name_follows_a_slow_instrument_without_jumps(self) -> None:
        layout, tops = LabelLayout(), []
        for shift in range(0, 120, 2):
            mask = np.zeros((512, 640), np.uint8)
            mask[200 + shift : 240 + shift, :300] = 1
            tops.append(layout.place(mask, [Caption(1, 100, 20)])[1])
        moves = [max(abs(a.left - b.left), abs(a.top - b.top)) for a, b in itertools.pairwise(tops)]
        assert sorted(moves)[-2] <= 12  # at most one change of sides
        still = LabelLayout()
        places = {still.place(mask, [Caption(1, 100, 20)])[1] for _ in range(5)}
        assert len(places) == 1

    def test_an_instrument_too_thin_for_the_grid_still_gets_its_name(self) -> None:
        mask = np.zeros((1080, 1920), np.uint8)
        mask[501, 301] = 1
        assert LabelLayout().place(mask, [Caption(1, 200, 40)])[1].width == 200


class TestTag:
    def test_a_tag_hanging_over_the_edge_is_cut_not_refused(self) -> None:
        words = tag("Instrument 1", 15, BLUE)
        for left, top in ((-30, -8), (600, 500)):
            picture = grey()
            words.paste(picture, left, top)
            assert (picture != GREY).any()

    def test_other_alphabets_have_letters_of_their_own(self) -> None:
        shapes = [tag(words, 24, BLUE).rgb for words in ("Ä", "Σ", "Щ")]
        assert not np.array_equal(shapes[0], shapes[1])
        assert not np.array_equal(shapes[1], shapes[2])


@pytest.mark.parametrize(
    ("time_s", "text"),
    [(0.0, "0:00.00"), (4.8, "0:04.80"), (59.999, "1:00.00"), (62.5, "1:02.50"), (3725.1, "1:02:05.10")],
)
def test_the_clock_reads_minutes_and_seconds(time_s: float, text: str) -> None:
    assert clock(time_s) == text


class Recorder:
    """A progress that remembers what it was told."""

    def __init__(self) -> None:
        self.total = 0
        self.frames: list[int | None] = []

    def start(self, task: str, total: int) -> None:
        self.total = total

    def advance(self, frame: int | None = None, count: int = 1) -> None:
        self.frames.append(frame)

    def note(self, message: str) -> None: ...

    def finish(self, **result: object) -> None: ...


class TestWriteOverlay:
    def test_the_video_has_the_case_s_frames_marked(self, tmp_path: Path) -> None:
        case, output = make_case(tmp_path), tmp_path / "marked.mp4"
        watched: Progress = (recorder := Recorder())
        write_overlay(case, output, start=38, stop=44, progress=watched)
        assert recorder.total == 6
        assert recorder.frames == list(range(38, 44))
        with open_source(output) as video:
            assert (len(video), video.height, video.width) == (6, HEIGHT, WIDTH)
            np.testing.assert_allclose(video.times, np.arange(6) / 25.0, atol=1e-3)
            without, with_1 = video[1].rgb.astype(int), video[2].rgb.astype(int)  # frames 39 and 40
        # Layer 1 comes in at frame 40: 0.32 of its colour over the grey of the frame.
        assert np.abs(with_1[35:45, 10:40] - without[35:45, 10:40]).mean() > 20

    def test_every_fifth_frame_keeps_its_time(self, tmp_path: Path) -> None:
        case = make_case(tmp_path, predicted=range(0, 50, 5), step=5)
        write_overlay(case, tmp_path / "marked.mp4")
        with open_source(tmp_path / "marked.mp4") as video:
            np.testing.assert_allclose(video.times, np.arange(10) / 5.0, atol=1e-3)

    def test_frames_that_are_not_segmented_or_skipped_are_shown_unmarked(self, tmp_path: Path) -> None:
        case = make_case(tmp_path, predicted=range(2))
        case.set_status(1, "skipped", who="A. Surgeon")
        write_overlay(case, tmp_path / "marked.mp4", stop=3)
        with open_source(tmp_path / "marked.mp4") as video:
            marked = [(frame.rgb[35:45, 10:40].mean() > 15) for frame in video]
        assert true_mask(1)[40, 20] == 1
        assert marked == [True, False, False]

    def test_a_range_without_frames_is_refused_and_nothing_is_written(self, tmp_path: Path) -> None:
        case = make_case(tmp_path, predicted=range(1))
        with pytest.raises(RASNetError, match="frames 0 to 49"):
            write_overlay(case, tmp_path / "marked.mp4", start=80)
        assert not list(tmp_path.glob("*.mp4"))


def test_reports_load_neither_torch_nor_monai_nor_matplotlib() -> None:
    program = "import sys, rasnet.report, rasnet.report.summary; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert not {"torch", "monai", "matplotlib"} & set(loaded.split())
