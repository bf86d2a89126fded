"""Region of interest: exact geometry, and borders found on synthetic and real frames."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image, ImageDraw

from rasnet.errors import RASNetError
from rasnet.video import RegionOfInterest, VideoSource, VideoWriter, find_roi, open_source
from rasnet.video.source import SourceKind

Picture = npt.NDArray[np.uint8]


class Pictures(VideoSource):
    """A source of arrays in memory."""

    kind: SourceKind = "folder"
    path = Path("pictures")
    fps = 25.0

    def __init__(self, pictures: list[Picture]) -> None:
        self.pictures = pictures
        self.height, self.width = pictures[0].shape[:2]
        self.times = np.arange(len(pictures)) / self.fps
        self.damage = []

    def _rgb(self, index: int) -> Picture:
        return self.pictures[index]


@st.composite
def regions(draw: st.DrawFn) -> RegionOfInterest:
    frame_height, frame_width = draw(st.integers(1, 40)), draw(st.integers(1, 40))
    top, left = draw(st.integers(0, frame_height - 1)), draw(st.integers(0, frame_width - 1))
    height = draw(st.integers(1, frame_height - top))
    width = draw(st.integers(1, frame_width - left))
    return RegionOfInterest(top, left, height, width, frame_height, frame_width)


@given(regions(), st.data())
def test_restore_is_the_inverse_of_crop(roi: RegionOfInterest, data: st.DataObject) -> None:
    dtype = data.draw(st.sampled_from([np.uint8, np.uint16, np.float32]))
    mask = data.draw(hnp.arrays(dtype, (roi.height, roi.width), elements=st.integers(1, 200)))

    full = roi.restore(mask)

    assert (full.shape, full.dtype) == ((roi.frame_height, roi.frame_width), mask.dtype)
    np.testing.assert_array_equal(roi.crop(full), mask)
    assert np.count_nonzero(full) == mask.size  # zero everywhere outside


@given(regions(), st.integers(1, 4))
def test_a_batch_is_cropped_and_restored_as_each_of_it(roi: RegionOfInterest, count: int) -> None:
    frames = np.random.default_rng(0).integers(0, 255, (count, roi.frame_height, roi.frame_width, 3), np.uint8)

    crops = roi.crop_batch(frames)  # (N, h, w, 3)

    assert np.shares_memory(crops, frames)
    np.testing.assert_array_equal(crops, np.stack([roi.crop(frame) for frame in frames]))
    masks = crops[..., 0]
    np.testing.assert_array_equal(roi.restore(masks), np.stack([roi.restore(mask) for mask in masks]))


@given(regions())
def test_json_keeps_a_region(roi: RegionOfInterest) -> None:
    assert RegionOfInterest.from_json(roi.to_json()) == roi


def test_whole_changes_nothing() -> None:
    image = np.arange(60, dtype=np.uint8).reshape(4, 5, 3)
    roi = RegionOfInterest.whole(4, 5)

    np.testing.assert_array_equal(roi.crop(image), image)
    np.testing.assert_array_equal(roi.restore(image[..., 0]), image[..., 0])


@pytest.mark.parametrize("numbers", [(-1, 0, 5, 5), (0, 0, 0, 5), (6, 0, 5, 5), (0, 16, 5, 5), (0, 0, 11, 5)], ids=str)
def test_a_region_outside_of_the_frame_is_refused(numbers: tuple[int, int, int, int]) -> None:
    with pytest.raises(RASNetError, match="does not lie inside the frame of 20x10 pixels"):
        RegionOfInterest(*numbers, frame_height=10, frame_width=20)


def test_images_of_another_size_are_refused() -> None:
    roi = RegionOfInterest(1, 1, 3, 3, 10, 20)

    with pytest.raises(ValueError, match="needs"):
        roi.crop(np.zeros((10, 21)))
    with pytest.raises(ValueError, match="needs"):
        roi.restore(np.zeros((4, 3)))


# --- finding it -----------------------------------------------------------------------------------------


def tissue(height: int, width: int, seed: int = 0) -> Picture:
    """Smooth reddish texture, (H, W, 3), 45 to 255 in its brightest channel."""
    rng = np.random.default_rng(seed)
    coarse = Image.fromarray(rng.integers(60, 255, (9, 12), np.uint8))
    red = np.asarray(coarse.resize((width, height), Image.Resampling.BICUBIC), np.float32).clip(45, 255)
    return np.stack([red, red * 0.5, red * 0.4], axis=-1).astype(np.uint8)


def window(shape: tuple[int, int], box: tuple[int, int, int, int], seed: int = 0, black: int = 0) -> Picture:
    """A picture at (top, left, height, width) of a black frame."""
    top, left, height, width = box
    frame = np.full((*shape, 3), black, np.uint8)
    frame[top : top + height, left : left + width] = tissue(height, width, seed)
    return frame


def noisy(frame: Picture, sigma: float, seed: int = 0) -> Picture:
    noise = np.random.default_rng(seed).normal(0, sigma, frame.shape)
    return np.clip(frame + noise, 0, 255).astype(np.uint8)


def found(*frames: Picture) -> tuple[int, int, int, int]:
    roi = find_roi(Pictures(list(frames)))
    assert (roi.frame_height, roi.frame_width) == frames[0].shape[:2]
    return roi.top, roi.left, roi.height, roi.width


ENDOVIS = (28, 320, 1024, 1280)


@pytest.mark.parametrize(("sigma", "black"), [(0, 0), (5, 0), (5, 16)], ids=["clean", "noise", "raised black"])
def test_the_window_of_endovis_is_found_exactly(sigma: float, black: int) -> None:
    frames = [noisy(window((1080, 1920), ENDOVIS, seed, black), sigma, seed) for seed in range(3)]

    assert found(*frames) == ENDOVIS


@pytest.mark.parametrize(
    "box",
    [
        pytest.param((0, 60, 240, 200), id="pillarbox"),
        pytest.param((31, 0, 179, 320), id="letterbox"),
        pytest.param((0, 0, 240, 301), id="one side"),
        pytest.param((0, 0, 240, 320), id="no border"),
        pytest.param((3, 5, 234, 311), id="narrow borders"),
    ],
)
def test_borders_are_found_to_the_pixel(box: tuple[int, int, int, int]) -> None:
    assert found(noisy(window((240, 320), box), 3)) == box


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 60), st.integers(0, 80), st.integers(120, 180), st.integers(160, 240), st.integers(0, 99))
def test_any_window_is_found_to_the_pixel(top: int, left: int, height: int, width: int, seed: int) -> None:
    assert found(noisy(window((240, 320), (top, left, height, width), seed), 3, seed)) == (
        top,
        left,
        height,
        width,
    )


def lens(shape: tuple[int, int], centre: tuple[float, float], radius: float) -> Picture:
    """A round picture on black; centre is (row, column)."""
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    inside = np.hypot(rows - centre[0], columns - centre[1]) <= radius
    return tissue(*shape) * inside[..., None].astype(np.uint8)


@pytest.mark.parametrize(
    ("centre", "radius", "box"),
    [
        pytest.param((240, 320), 200, (40, 120, 401, 401), id="round picture inside the frame"),
        pytest.param((240, 320), 300, (0, 20, 480, 601), id="cropped above and below"),
        pytest.param((240, 320), 390, (0, 0, 480, 640), id="only the corners are black"),
        pytest.param((240, 0), 400, (0, 0, 480, 401), id="cropped on the left"),
    ],
)
def test_a_round_picture_lies_inside_its_region(
    centre: tuple[int, int], radius: int, box: tuple[int, int, int, int]
) -> None:
    frame = lens((480, 640), centre, radius)

    top, left, height, width = found(noisy(frame, 3))

    np.testing.assert_allclose((top, left, height, width), box, atol=2)
    bright = frame.any(axis=2)
    kept = bright[top : top + height, left : left + width].sum()
    assert kept > 0.9999 * bright.sum()


def test_text_lines_and_specks_in_the_border_do_not_matter() -> None:
    image = Image.fromarray(window((480, 640), (40, 120, 400, 400)))
    draw = ImageDraw.Draw(image)
    for row in range(10, 460, 40):
        draw.text((4, row), "Patient 0042\n12:30:01", fill="white")
    draw.line((530, 10, 530, 470), fill="white", width=2)
    draw.rectangle((600, 30, 603, 33), fill="red")
    frame = np.array(image)

    assert found(frame) == (40, 120, 400, 400)


def test_a_small_picture_in_the_border_does_not_matter() -> None:
    frame = window((480, 640), (0, 0, 480, 480))
    frame[20:110, 510:630] = tissue(90, 120)

    assert found(frame) == (0, 0, 480, 480)


def test_both_halves_of_a_stereo_picture_belong_to_it() -> None:
    frame = window((240, 640), (20, 10, 200, 300))
    frame[20:220, 330:630] = tissue(200, 300, seed=1)

    assert found(frame) == (20, 10, 200, 620)


def test_dark_frames_do_not_fool_it() -> None:
    dark = np.zeros((240, 320, 3), np.uint8)
    box = (10, 40, 220, 240)

    assert found(*[dark] * 20, *[window((240, 320), box)] * 4, *[dark] * 16) == box


def test_a_picture_that_is_half_dark_at_any_time_is_found_as_a_whole() -> None:
    box = (10, 40, 220, 240)
    left, right = window((240, 320), box), window((240, 320), box)
    left[:, 160:] = 0
    right[:, :160] = 0

    assert found(*[left] * 6, *[right] * 6) == box


@pytest.mark.parametrize(
    "frame",
    [
        pytest.param(np.zeros((240, 320, 3), np.uint8), id="black"),
        pytest.param(noisy(np.full((240, 320, 3), 8, np.uint8), 5), id="dark noise"),
        pytest.param(window((240, 320), (100, 150, 20, 30)), id="a lamp on black"),
        pytest.param(np.full((240, 320, 3), 255, np.uint8), id="white"),
        pytest.param(tissue(240, 320), id="picture everywhere"),
    ],
)
def test_the_whole_frame_when_in_doubt(frame: Picture) -> None:
    assert found(frame) == (0, 0, 240, 320)


@pytest.mark.parametrize(("crf", "smear"), [(18, 3), (35, 12)])
def test_compression_does_not_move_the_border_into_the_picture(tmp_path: Path, crf: int, smear: int) -> None:
    top, left, height, width = 17, 61, 201, 199
    path = tmp_path / "boxed.mp4"
    with VideoWriter(path, 240, 320, 25, crf=crf) as writer:
        for seed in range(12):
            writer.write(noisy(window((240, 320), (top, left, height, width), seed // 4, 10), 2, seed))

    with open_source(path) as source:
        roi = find_roi(source)

    # Coarse blocks smear the picture into the border; the region may take that in, but lose no picture.
    assert top - smear <= roi.top <= top + 1
    assert left - smear <= roi.left <= left + 1
    assert top + height - 1 <= roi.top + roi.height <= top + height + smear
    assert left + width - 1 <= roi.left + roi.width <= left + width + smear


def test_damaged_frames_are_passed_over(tmp_path: Path) -> None:
    box = (10, 40, 220, 240)
    for number in range(6):
        Image.fromarray(window((240, 320), box, number)).save(tmp_path / f"{number}.png")
    (tmp_path / "3.png").write_bytes(b"")

    with open_source(tmp_path) as source:
        assert find_roi(source) == RegionOfInterest(*box, frame_height=240, frame_width=320)


@pytest.mark.real
def test_black_columns_of_a_real_recording_are_found(shared_data: Path) -> None:
    # The picture begins in column 13 and its last, half-bright column is 714.
    with open_source(shared_data / "endovis2015_robotic" / "Dataset1" / "Video.avi") as source:
        roi = find_roi(source)

    assert (roi.top, roi.height) == (0, 576)
    assert abs(roi.left - 13) <= 1
    assert abs(roi.left + roi.width - 715) <= 1
