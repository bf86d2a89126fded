"""Video files: every frame by its number, however it is reached."""

import gc
import os
import random
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from videos import GOP, HEIGHT, RECIPES, WIDTH, Recipe, number_of, numbered, turn, write, write_sound

from rasnet.errors import RASNetError
from rasnet.video import VideoSource, open_source
from rasnet.video.decoder import Decoder
from rasnet.video.file import VideoFile

COUNT = 40
PICTURES = [numbered(index) for index in range(COUNT)]

# What is tried there; only some codecs leave decoders no rounding of their own.
ON_A_GPU = {
    **RECIPES,
    "hevc": Recipe(".mp4", "mp4", "libx265", options=GOP),
    "vp9": Recipe(".mkv", "matroska", "libvpx-vp9"),
}

# (a, b, c, d) of the display matrix, and what it asks to be done with a stored picture.
TURNS = {
    "upright": ((1, 0, 0, 1), lambda image: image),
    "quarter turn clockwise": ((0, 1, -1, 0), lambda image: np.rot90(image, -1)),
    "half turn": ((-1, 0, 0, -1), lambda image: np.rot90(image, 2)),
    "quarter turn anticlockwise": ((0, -1, 1, 0), np.rot90),
    "mirrored": ((-1, 0, 0, 1), np.fliplr),
    "transposed": ((0, 1, 1, 0), lambda image: image.transpose(1, 0, 2)),
}


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Give the file of a recipe by its name, made once."""
    folder = tmp_path_factory.mktemp("videos")

    def make(name: str) -> Path:
        recipe = RECIPES[name]
        path = folder / (name.replace(" ", "_") + recipe.suffix)
        return path if path.exists() else write(path, recipe, PICTURES)

    return make


@pytest.fixture(params=RECIPES)
def source(request: pytest.FixtureRequest, video: Callable[[str], Path]) -> Iterator[VideoSource]:
    with open_source(video(request.param)) as opened:
        yield opened


def test_reading_gives_every_frame_in_order(source: VideoSource) -> None:
    frames = list(source)

    assert [number_of(frame.rgb) for frame in frames] == list(range(COUNT))
    assert [frame.index for frame in frames] == list(range(COUNT))
    assert [frame.pts for frame in frames] == source.times.tolist()
    assert source.damage == []


def test_frames_that_are_taken_may_be_converted_in_any_order_and_thread(source: VideoSource) -> None:
    taken = list(source.take())
    with ThreadPoolExecutor(4) as pool:
        pictures = list(pool.map(lambda frame: frame.rgb(), reversed(taken)))[::-1]

    assert [number_of(rgb) for rgb in pictures] == list(range(COUNT))
    assert [(frame.index, frame.pts) for frame in taken] == list(enumerate(source.times.tolist()))
    for rgb, frame in zip(pictures, source, strict=True):
        np.testing.assert_array_equal(rgb, frame.rgb)


def test_a_source_describes_itself(source: VideoSource) -> None:
    assert (source.kind, len(source), source.height, source.width) == ("video", COUNT, HEIGHT, WIDTH)
    assert source.fps == 25.0
    np.testing.assert_allclose(source.times, np.arange(COUNT) / 25, atol=1e-9)
    assert source[0].rgb.shape == (HEIGHT, WIDTH, 3)
    assert source[0].rgb.dtype == np.uint8


@pytest.mark.parametrize(
    "order",
    [
        pytest.param(random.Random(0).sample(range(COUNT), COUNT), id="random"),
        pytest.param(range(COUNT - 1, -1, -1), id="backwards"),
        pytest.param([0, COUNT - 1] * 3, id="from end to end"),
    ],
)
def test_jumping_gives_the_pixels_that_reading_gives(source: VideoSource, order: list[int]) -> None:
    read = [frame.rgb for frame in source]

    # A fresh source each: nothing may come from what another order left in the cache.
    with open_source(source.path) as fresh:
        for index in order:
            np.testing.assert_array_equal(fresh[index].rgb, read[index])


@pytest.mark.parametrize("name", ["mp4", "avi h264", "ts h264", "ps mpeg2", "interlaced ts h264"])
def test_any_mix_of_reading_and_jumping_is_exact(name: str, video: Callable[[str], Path]) -> None:
    source = VideoFile(video(name))
    read = [frame.rgb for frame in source]

    @settings(max_examples=25, deadline=None)
    @given(st.lists(st.tuples(st.integers(0, COUNT - 1), st.integers(1, 20), st.integers(1, 15)), max_size=5))
    def check(visits: list[tuple[int, int, int]]) -> None:
        for start, length, step in visits:
            source._cache.clear()
            for frame in source.read(start, start + length, step):
                np.testing.assert_array_equal(frame.rgb, read[frame.index])

    with source:
        check()


@pytest.mark.parametrize(("start", "stop", "step"), [(0, None, 7), (5, 30, 1), (-6, None, 2), (10, 10, 1), (35, 99, 1)])
def test_reading_takes_the_frames_of_a_slice(
    video: Callable[[str], Path], start: int, stop: int | None, step: int
) -> None:
    with open_source(video("mp4")) as source:
        frames = list(source.read(start, stop, step))

    assert [number_of(frame.rgb) for frame in frames] == list(range(COUNT))[start:stop:step]


def test_two_readers_of_one_source_do_not_disturb_each_other(video: Callable[[str], Path]) -> None:
    with open_source(video("ts h264")) as source:
        pairs = zip(source.read(0, 10), source.read(25, 35), strict=True)
        numbers = [(number_of(first.rgb), number_of(second.rgb)) for first, second in pairs]

    assert numbers == list(zip(range(10), range(25, 35), strict=True))


def test_frames_that_were_read_leave_memory_without_the_garbage_collector(video: Callable[[str], Path]) -> None:
    """PyAV's frames can hold themselves through their side data; 5 MB each, they would pile up by the hundred."""

    def held() -> int:
        return sum(type(thing) is av.VideoFrame for thing in gc.get_objects())

    gc.collect()
    gc.disable()
    try:
        before = held()
        with open_source(video("mp4")) as source:
            assert sum(1 for _ in source) == COUNT
        assert held() - before <= 2
    finally:
        gc.enable()


def test_indices_are_those_of_a_sequence(video: Callable[[str], Path]) -> None:
    with open_source(video("mp4")) as source:
        assert number_of(source[-1].rgb) == COUNT - 1
        with pytest.raises(IndexError, match="40 frames"):
            source[COUNT]
        with pytest.raises(IndexError):
            source[-COUNT - 1]
        with pytest.raises(ValueError, match="at least 1"):
            next(source.read(step=0))


def test_a_closed_source_says_so(video: Callable[[str], Path]) -> None:
    source = open_source(video("mp4"))
    source[3]
    source.close()
    source.close()

    with pytest.raises(ValueError, match="closed"):
        source[3]


@pytest.mark.parametrize("name", ["mp4", "mkv", "ts h264"])
def test_variable_frame_rate_keeps_the_times_of_the_file(name: str, tmp_path: Path) -> None:
    milliseconds = np.cumsum([0, *np.random.default_rng(0).integers(20, 90, COUNT - 1)]).tolist()
    recipe = RECIPES[name]
    path = tmp_path / f"variable{recipe.suffix}"
    write(path, recipe, PICTURES, ticks=milliseconds, tick=Fraction(1, 1000))

    with open_source(path) as source:
        np.testing.assert_allclose(source.times, np.array(milliseconds) / 1000, atol=6e-4)
        assert source.fps == pytest.approx((COUNT - 1) / (milliseconds[-1] / 1000), rel=1e-3)
        for index in random.Random(0).sample(range(COUNT), COUNT):
            assert number_of(source[index].rgb) == index


@pytest.mark.parametrize("name", ["ts h264", "ts mpeg2", "ps mpeg2", "mkv"])
def test_a_recording_that_starts_late_begins_at_zero(name: str, tmp_path: Path) -> None:
    recipe = RECIPES[name]
    path = tmp_path / f"late{recipe.suffix}"
    write(path, recipe, PICTURES, ticks=[index + 2500 for index in range(COUNT)])

    with open_source(path) as source:
        np.testing.assert_allclose(source.times, np.arange(COUNT) / 25, atol=1e-9)
        assert [number_of(source[index].rgb) for index in (39, 0, 20)] == [39, 0, 20]


@pytest.mark.parametrize("name", TURNS)
def test_pictures_are_turned_upright(name: str, tmp_path: Path) -> None:
    matrix, done = TURNS[name]
    path = write(tmp_path / "turned.mp4", RECIPES["mp4"], PICTURES)
    with open_source(path) as source:
        stored = source[21].rgb
    turn(path, matrix)

    with open_source(path) as source:
        expected = done(stored)
        assert (source.height, source.width) == expected.shape[:2]
        np.testing.assert_array_equal(source[21].rgb, expected)


def test_interlaced_pictures_lose_their_comb(tmp_path: Path) -> None:
    # A bar moves 8 columns a frame; the lower field (odd rows) is 4 columns ahead of the upper one.
    pictures = []
    for index in range(10):
        picture = np.full((HEIGHT, WIDTH, 3), 30, np.uint8)
        picture[0::2, index * 8 : index * 8 + 8] = 220
        picture[1::2, index * 8 + 4 : index * 8 + 12] = 220
        pictures.append(picture)
    options = {"g": "4", "crf": "4", "flags": "+ildct+ilme", "x264-params": "tff=1"}
    path = write(tmp_path / "combed.mp4", replace(RECIPES["mp4"], options=options), pictures)

    with open_source(path) as source:
        assert len(source) == len(pictures)
        rows = source[5].rgb[8:56].mean(axis=2)

    comb = np.abs(np.diff(pictures[5][8:56].mean(axis=2), axis=0)).mean()
    assert np.abs(np.diff(rows, axis=0)).mean() < 0.2 * comb


@pytest.mark.parametrize(
    ("size", "tag", "matrix", "full_range"),
    [
        pytest.param((HEIGHT, WIDTH), 1, "ITU709", False, id="BT.709"),
        pytest.param((HEIGHT, WIDTH), 6, "ITU601", False, id="BT.601"),
        pytest.param((HEIGHT, WIDTH), 1, "ITU709", True, id="BT.709 full range"),
        pytest.param((HEIGHT, WIDTH), 2, "ITU601", False, id="unspecified, standard definition"),
        pytest.param((720, 1280), 2, "ITU709", False, id="unspecified, high definition"),
    ],
)
def test_colours_follow_the_matrix_of_the_video(
    tmp_path: Path, size: tuple[int, int], tag: int, matrix: str, full_range: bool
) -> None:
    colours = np.array([(200, 40, 40), (40, 200, 40), (40, 40, 200), (255, 255, 255), (0, 0, 0)], np.uint8)
    picture = np.repeat(colours, -(-size[1] // len(colours)), axis=0)[None, : size[1]].repeat(size[0], axis=0)
    signal_range = 2 if full_range else 1
    with av.open(str(tmp_path / "colours.mp4"), "w") as container:
        stream = container.add_stream("libx264", rate=25, options={"crf": "2"})
        stream.height, stream.width, stream.pix_fmt = *size, "yuv420p"
        stream.codec_context.colorspace = tag
        stream.codec_context.color_range = signal_range
        frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
        frame = frame.reformat(format="yuv420p", dst_colorspace=matrix, dst_color_range=signal_range)
        container.mux(stream.encode(frame))
        container.mux(stream.encode())

    with open_source(tmp_path / "colours.mp4") as source:
        middles = (np.arange(len(colours)) + 0.5) * size[1] / len(colours)
        seen = source[0].rgb[size[0] // 2, middles.astype(int)]

    assert np.abs(seen.astype(int) - colours).max() <= 4


def test_opening_a_long_video_decodes_only_its_beginning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path / "long.mp4", replace(RECIPES["mov"], format="mp4"), PICTURES * 50)
    decoded = 0
    decode = Decoder._decoded

    def counting(decoder: Decoder, start: int) -> Iterator[object]:
        nonlocal decoded
        for item in decode(decoder, start):
            decoded += 1
            yield item

    monkeypatch.setattr(Decoder, "_decoded", counting)
    with open_source(path) as source:
        assert len(source) == 2000
        assert decoded < 40
        assert number_of(source[1234].rgb) == 1234 % COUNT
        assert decoded < 80


def test_a_recording_that_begins_between_key_frames_starts_with_the_first_whole_frame(
    video: Callable[[str], Path], tmp_path: Path
) -> None:
    data = video("ts h264").read_bytes()
    cut = len(data) // 188 // 4 * 188
    (tmp_path / "begun.ts").write_bytes(data[cut:])

    with open_source(tmp_path / "begun.ts") as source:
        numbers = [number_of(frame.rgb) for frame in source]
        assert numbers == list(range(numbers[0], COUNT))
        assert 0 < numbers[0] < COUNT // 2
        assert source.times[0] == 0
        assert number_of(source[-1].rgb) == COUNT - 1


@pytest.mark.parametrize("name", ["ts mpeg2", "ps mpeg2", "ts h264"])
def test_joined_recordings_play_one_after_the_other(name: str, video: Callable[[str], Path], tmp_path: Path) -> None:
    part = video(name).read_bytes()
    path = tmp_path / f"joined{RECIPES[name].suffix}"
    path.write_bytes(part + part)

    with open_source(path) as source:
        assert len(source) == 2 * COUNT
        assert (np.diff(source.times) > 0).all()
        frames = list(source)
        # The joint looks like a loss to the container; at most the frame before it is given up.
        assert len(frames) >= 2 * COUNT - 1
        assert all(number_of(frame.rgb) == frame.index % COUNT for frame in frames)
        for frame in random.Random(0).sample(frames, 20):
            np.testing.assert_array_equal(source[frame.index].rgb, frame.rgb)


def test_packets_that_hold_no_picture_are_no_frames(tmp_path: Path) -> None:
    # As with field pictures: every second packet of the file adds no picture of its own.
    path = tmp_path / "padded.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg2video", rate=25, options=GOP)
        stream.height, stream.width, stream.pix_fmt = HEIGHT, WIDTH, "yuv420p"
        frames = [av.VideoFrame.from_ndarray(picture, format="rgb24") for picture in PICTURES]
        pictures = [packet for frame in [*frames, None] for packet in stream.encode(frame)]
        for index, packet in enumerate(pictures):
            padding = av.Packet(b"\x00\x00\x01\xb2user data\x00\x00\x00\x00")
            for ticks, item in ((2 * index, packet), (2 * index + 1, padding)):
                item.stream = stream
                item.pts = item.dts = ticks
                item.time_base = Fraction(1, 50)
                container.mux(item)

    with open_source(path) as source:
        np.testing.assert_allclose(source.times, np.arange(COUNT) / 25, atol=1e-9)
        assert [number_of(frame.rgb) for frame in source] == list(range(COUNT))
        assert [number_of(source[index].rgb) for index in (33, 2, 39)] == [33, 2, 39]
        assert source.damage == []


def test_a_file_that_ends_early_keeps_what_it_has(tmp_path: Path) -> None:
    recipe = replace(RECIPES["mp4"], muxer={"movflags": "+faststart"})
    data = write(tmp_path / "whole.mp4", recipe, PICTURES).read_bytes()
    (tmp_path / "cut.mp4").write_bytes(data[: len(data) * 3 // 4])

    with open_source(tmp_path / "cut.mp4") as source:
        frames = list(source)
        assert 0 < len(frames) < COUNT
        assert [number_of(frame.rgb) for frame in frames] == [frame.index for frame in frames]
        lost = {index for span in source.damage for index in range(span.first, span.last + 1)}
        assert lost == set(range(COUNT)) - {frame.index for frame in frames}
        assert any("ends early" in span.reason for span in source.damage)


def test_reading_goes_on_behind_a_damaged_stretch(video: Callable[[str], Path], tmp_path: Path) -> None:
    data = bytearray(video("mp4").read_bytes())
    noise = slice(len(data) // 3, len(data) // 3 + len(data) // 20)
    data[noise] = random.Random(0).randbytes(noise.stop - noise.start)
    path = tmp_path / "damaged.mp4"
    path.write_bytes(data)

    with open_source(path) as source:
        frames = {frame.index: frame.rgb for frame in source}
        lost = [index for span in source.damage for index in range(span.first, span.last + 1)]
        assert lost
        assert sorted([*frames, *lost]) == list(range(COUNT))
        assert number_of(frames[0]) == 0
        assert number_of(frames[COUNT - 1]) == COUNT - 1
        assert all(number_of(frames[index]) == index for index in frames if index < lost[0])
        with pytest.raises(RASNetError, match=f"frame {lost[0]} of damaged.mp4 is damaged"):
            source[lost[0]]

    with open_source(path) as fresh:
        for index in random.Random(0).sample(sorted(frames), len(frames)):
            np.testing.assert_array_equal(fresh[index].rgb, frames[index])
        with pytest.raises(RASNetError, match="is damaged"):
            fresh[lost[0]]
        assert fresh.damage


@pytest.mark.parametrize("name", ["ts h264", "ts mpeg2", "ps mpeg2"])
def test_a_stretch_that_is_missing_from_a_stream_is_noted(
    name: str, video: Callable[[str], Path], tmp_path: Path
) -> None:
    data = bytearray(video(name).read_bytes())
    del data[len(data) // 4 : len(data) // 4 + len(data) // 10]
    path = tmp_path / f"gap{RECIPES[name].suffix}"
    path.write_bytes(data)

    with open_source(path) as source:
        frames = list(source)
        assert source.damage
        assert number_of(frames[0].rgb) == 0
        assert number_of(frames[-1].rgb) == COUNT - 1
        assert source.times[-1] == pytest.approx((COUNT - 1) / 25)


def _cut_before_its_table(path: Path) -> None:
    data = write(path, RECIPES["mp4"], PICTURES).read_bytes()
    path.write_bytes(data[: len(data) // 2])


@pytest.mark.parametrize(
    ("name", "make", "message"),
    [
        ("missing.mp4", lambda path: None, "there is no file or folder .*missing.mp4; check the path"),
        ("empty.mp4", Path.touch, "is empty"),
        ("noise.mp4", lambda path: path.write_bytes(random.Random(0).randbytes(5000)), "is not a video"),
        ("notes.txt", lambda path: path.write_text("hello, world\n" * 50), "holds no video frames"),
        ("program.py", lambda path: path.write_text("print(1)\n" * 50), "is not a video"),
        ("cut.mp4", _cut_before_its_table, "was cut off while recording or copying.*moov atom.*repair"),
        ("sound.mp4", write_sound, "holds no video frames"),
    ],
)
def test_what_is_no_video_is_refused_in_one_sentence(
    tmp_path: Path, name: str, make: Callable[[Path], object], message: str
) -> None:
    make(tmp_path / name)

    with pytest.raises(RASNetError, match=message) as caught:
        open_source(tmp_path / name)

    assert "\n" not in str(caught.value)


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="permissions of POSIX systems")
def test_a_file_that_may_not_be_read_is_refused(video: Callable[[str], Path], tmp_path: Path) -> None:
    path = tmp_path / "secret.mp4"
    path.write_bytes(video("mp4").read_bytes())
    path.chmod(0)
    user = os.geteuid()
    if user == 0:
        os.seteuid(65534)  # the superuser may read everything; nobody may not
    try:
        with pytest.raises(RASNetError, match="may not be read"):
            open_source(path)
    finally:
        if user == 0:
            os.seteuid(0)


def test_sound_beside_the_picture_does_not_matter(tmp_path: Path) -> None:
    path = tmp_path / "with_sound.mp4"
    with av.open(str(path), "w") as container:
        picture = container.add_stream("libx264", rate=25, options=GOP)
        picture.height, picture.width, picture.pix_fmt = HEIGHT, WIDTH, "yuv420p"
        sound = container.add_stream("aac", rate=44100, layout="mono")
        for index, rgb in enumerate(PICTURES):
            container.mux(picture.encode(av.VideoFrame.from_ndarray(rgb, format="rgb24")))
            silence = av.AudioFrame.from_ndarray(np.zeros((1, 1764), np.float32), "fltp", "mono")
            silence.sample_rate, silence.pts = 44100, index * 1764
            container.mux(sound.encode(silence))
        container.mux(picture.encode())
        container.mux(sound.encode())

    with open_source(path) as source:
        assert [number_of(source[index].rgb) for index in (39, 3, 20)] == [39, 3, 20]
        assert [number_of(frame.rgb) for frame in source] == list(range(COUNT))


def test_one_frame_is_a_video(tmp_path: Path) -> None:
    path = write(tmp_path / "one.mp4", Recipe(".mp4", "mp4", "libx264"), PICTURES[9:10])

    with open_source(path) as source:
        assert (len(source), source.fps, source.times.tolist()) == (1, 25.0, [0.0])
        assert number_of(source[0].rgb) == 9


def test_importing_the_package_loads_nothing_heavy() -> None:
    heavy = {"torch", "monai", "av", "cv2", "PIL", "scipy"}
    program = f"import rasnet.video, sys; print(sorted({heavy!r} & set(sys.modules)))"

    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"


@pytest.mark.real
def test_real_video_with_reordered_frames_in_avi_is_exact(shared_data: Path) -> None:
    path = shared_data / "endovis2015_robotic" / "Dataset1" / "Video.avi"
    places = sorted(random.Random(0).sample(range(370), 4))
    with open_source(path) as source:
        read = {frame.index: frame.rgb for frame in source if frame.index in places}
        assert (len(source), source.width, source.height, source.damage) == (370, 720, 576, [])

    with open_source(path) as fresh:
        for index in reversed(places):
            np.testing.assert_array_equal(fresh[index].rgb, read[index])


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU")
class TestOnAGpu:
    @pytest.mark.parametrize("name", ON_A_GPU)
    def test_pictures_are_the_same(self, name: str, tmp_path: Path) -> None:
        recipe = ON_A_GPU[name]
        video = write(tmp_path / f"video{recipe.suffix}", recipe, [numbered(n, 256, 320) for n in range(COUNT)])
        with open_source(video) as wanted, open_source(video, gpu=True) as found:
            exact = recipe.codec in ("libx264", "libx265", "libvpx-vp9")
            assert found.on_gpu == (exact and "interlaced" not in name)
            assert found.times.tolist() == wanted.times.tolist()
            for index in (*range(len(wanted)), 7, 31, 30, 2):
                np.testing.assert_array_equal(found[index].rgb, wanted[index].rgb)
