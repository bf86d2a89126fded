"""Folders of images and single images as sources."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from rasnet.errors import RASNetError
from rasnet.video import open_source
from rasnet.video.images import natural_key

HEIGHT, WIDTH = 20, 30


def solid(value: int, height: int = HEIGHT, width: int = WIDTH) -> Image.Image:
    return Image.fromarray(np.full((height, width, 3), value, np.uint8))


def test_a_folder_is_read_in_natural_order(tmp_path: Path) -> None:
    for number in (1, 2, 3, 10, 11, 100):
        solid(number).save(tmp_path / f"frame{number}.png")

    with open_source(tmp_path) as source:
        assert [int(frame.rgb[0, 0, 0]) for frame in source] == [1, 2, 3, 10, 11, 100]
        assert int(source[-1].rgb[0, 0, 0]) == 100
        assert [int(frame.rgb[0, 0, 0]) for frame in source.read(1, None, 2)] == [2, 10, 100]


def test_a_folder_describes_itself(tmp_path: Path) -> None:
    for number in range(3):
        solid(number).save(tmp_path / f"{number}.jpg")

    with open_source(tmp_path) as source:
        assert (source.kind, source.name, source.path) == ("folder", tmp_path.name, tmp_path)
        assert (source.height, source.width, source.fps) == (HEIGHT, WIDTH, 25.0)
        assert source.times.tolist() == [0.0, 0.04, 0.08]
        assert [frame.pts for frame in source] == [0.0, 0.04, 0.08]


def test_an_image_is_a_source_of_one_frame(tmp_path: Path) -> None:
    solid(77).save(tmp_path / "still.png")

    with open_source(tmp_path / "still.png") as source:
        assert (source.kind, source.name, len(source)) == ("image", "still.png", 1)
        frame = source[0]
        assert (frame.index, frame.pts, frame.rgb.shape, frame.rgb.dtype) == (0, 0.0, (20, 30, 3), np.uint8)
        assert (frame.rgb == 77).all()
        with pytest.raises(IndexError):
            source[1]


def test_what_is_no_image_is_passed_over(tmp_path: Path) -> None:
    solid(5).save(tmp_path / "frame1.PNG")
    (tmp_path / "._frame1.png").write_bytes(b"what macOS leaves on foreign disks")
    (tmp_path / "notes.txt").write_text("notes")
    (tmp_path / "frame2.png").mkdir()

    with open_source(tmp_path) as source:
        assert len(source) == 1


GREY_RAMP = np.linspace(0, 65535, WIDTH).astype(np.uint16)[None].repeat(HEIGHT, axis=0)


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        pytest.param(Image.new("L", (WIDTH, HEIGHT), 90), (90, 90, 90), id="grey"),
        pytest.param(Image.new("LA", (WIDTH, HEIGHT), (90, 10)), (90, 90, 90), id="grey, transparent"),
        pytest.param(Image.new("RGBA", (WIDTH, HEIGHT), (1, 2, 3, 0)), (1, 2, 3), id="transparent"),
        pytest.param(Image.new("RGB", (WIDTH, HEIGHT), (255, 0, 51)).convert("P"), (255, 0, 51), id="palette"),
        pytest.param(Image.new("1", (WIDTH, HEIGHT), 1), (255, 255, 255), id="one bit"),
        pytest.param(Image.fromarray(np.full((HEIGHT, WIDTH), 0xABCD, np.uint16)), (0xAB, 0xAB, 0xAB), id="16 bits"),
        pytest.param(Image.fromarray(GREY_RAMP), (GREY_RAMP >> 8)[..., None], id="16 bits, ramp"),
    ],
)
def test_every_kind_of_pixel_becomes_rgb(
    tmp_path: Path, image: Image.Image, expected: tuple[int, int, int] | np.ndarray
) -> None:
    image.save(tmp_path / "image.png")

    rgb = open_source(tmp_path / "image.png")[0].rgb

    assert (rgb.shape, rgb.dtype) == ((HEIGHT, WIDTH, 3), np.uint8)
    np.testing.assert_array_equal(rgb, np.broadcast_to(expected, rgb.shape))


def test_pixels_of_unknown_range_are_refused(tmp_path: Path) -> None:
    Image.fromarray(np.ones((HEIGHT, WIDTH), np.float32)).save(tmp_path / "depth.tif")

    with pytest.raises(RASNetError, match="32-bit numbers of unknown range; save it with 8 or 16 bits"):
        open_source(tmp_path / "depth.tif")


def test_a_photograph_taken_sideways_is_upright(tmp_path: Path) -> None:
    # EXIF orientation 6: the camera was turned, the picture needs a quarter turn clockwise.
    stored = solid(0)
    stored.putpixel((0, 0), (255, 255, 255))
    exif = Image.Exif()
    exif[0x0112] = 6
    stored.save(tmp_path / "sideways.png", exif=exif)

    with open_source(tmp_path / "sideways.png") as source:
        assert (source.height, source.width) == (WIDTH, HEIGHT)
        assert source[0].rgb[0, -1].tolist() == [255, 255, 255]


def test_images_of_two_sizes_are_named(tmp_path: Path) -> None:
    solid(1).save(tmp_path / "a1.png")
    solid(1).save(tmp_path / "a2.png")
    solid(1, HEIGHT + 1, WIDTH).save(tmp_path / "a10.png")

    with pytest.raises(RASNetError, match=r"a1\.png is 30x20 and a10\.png is 30x21.*separate folders"):
        open_source(tmp_path)


@pytest.mark.parametrize("keep", [0, 60], ids=["header gone", "pixels gone"])
def test_a_broken_image_of_a_folder_is_a_damaged_frame(tmp_path: Path, keep: int) -> None:
    rng = np.random.default_rng(0)
    for number in range(4):
        Image.fromarray(rng.integers(0, 255, (HEIGHT, WIDTH, 3), np.uint8)).save(tmp_path / f"{number}.png")
    broken = tmp_path / "2.png"
    broken.write_bytes(broken.read_bytes()[:keep])

    with open_source(tmp_path) as source:
        assert [frame.index for frame in source] == [0, 1, 3]
        assert [(span.first, span.last) for span in source.damage] == [(2, 2)]
        assert "2.png" in source.damage[0].reason
        with pytest.raises(RASNetError, match=r"frame 2 of .* is damaged"):
            source[2]


def test_neighbouring_damage_is_one_span_a_reason(tmp_path: Path) -> None:
    for number in range(5):
        solid(number).save(tmp_path / f"{number}.png")
    source = open_source(tmp_path)

    for first, last, reason in [(4, 4, "a"), (1, 1, "a"), (2, 2, "a"), (1, 2, "a"), (3, 3, "b")]:
        source._add_damage(first, last, reason)

    assert [(span.first, span.last, span.reason) for span in source.damage] == [
        (1, 2, "a"),
        (3, 3, "b"),
        (4, 4, "a"),
    ]


@pytest.mark.parametrize("content", ["nothing", "a text", "folders"])
def test_a_folder_without_images_is_refused(tmp_path: Path, content: str) -> None:
    if content == "a text":
        (tmp_path / "notes.txt").write_text("notes")
    if content == "folders":
        (tmp_path / "video1").mkdir()
        solid(1).save(tmp_path / "video1" / "frame1.png")

    with pytest.raises(RASNetError, match="holds no PNG or JPEG images; choose the folder"):
        open_source(tmp_path)


def test_a_file_that_only_claims_to_be_an_image_is_refused(tmp_path: Path) -> None:
    (tmp_path / "claim.png").write_text("not a picture")

    with pytest.raises(RASNetError, match=r"the image cannot be read in .*claim\.png"):
        open_source(tmp_path / "claim.png")


@given(st.integers(1, 500), st.integers(1, 40))
def test_spread_leaves_no_long_stretch_unseen(tmp_path_factory: pytest.TempPathFactory, count: int, parts: int) -> None:
    folder = tmp_path_factory.getbasetemp() / "spread"
    folder.mkdir(exist_ok=True)
    solid(1).save(folder / "0.png")
    source = open_source(folder)
    source.times = np.arange(count) / 25

    chosen = source.spread(parts)

    assert chosen == sorted(set(chosen))
    assert 0 <= chosen[0] <= chosen[-1] < count
    assert np.diff([-1, *chosen, count]).max() <= 2 * count / parts + 1


@given(st.lists(st.integers(0, 10**6), min_size=1, unique=True), st.sampled_from(["frame{}.png", "{}_left.JPG"]))
def test_numbers_in_names_count_as_numbers(numbers: list[int], pattern: str) -> None:
    files = [Path(pattern.format(number)) for number in numbers]

    assert sorted(files, key=natural_key) == [Path(pattern.format(number)) for number in sorted(numbers)]
