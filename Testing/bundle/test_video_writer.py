"""Written videos: what goes in comes out, and nothing half-written stays."""

from pathlib import Path

import av
import numpy as np
import pytest
from videos import HEIGHT, WIDTH, number_of, numbered

from rasnet.errors import RASNetError
from rasnet.video import VideoWriter, open_source

COUNT = 30


def listing(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_frames_come_back_in_order_at_their_rate(tmp_path: Path) -> None:
    with VideoWriter(tmp_path / "out.mp4", HEIGHT, WIDTH, 30) as writer:
        for index in range(COUNT):
            writer.write(numbered(index))

    with open_source(tmp_path / "out.mp4") as source:
        assert [number_of(frame.rgb) for frame in source] == list(range(COUNT))
        assert source.fps == 30.0
        np.testing.assert_allclose(source.times, np.arange(COUNT) / 30, atol=1e-5)
    assert listing(tmp_path) == ["out.mp4"]


@pytest.mark.parametrize("fps", [1, 23.976, 25, 29.97, 59.94])
def test_any_rate_is_kept(tmp_path: Path, fps: float) -> None:
    with VideoWriter(tmp_path / "out.mp4", HEIGHT, WIDTH, fps) as writer:
        for index in range(COUNT):
            writer.write(numbered(index))

    with open_source(tmp_path / "out.mp4") as source:
        np.testing.assert_allclose(source.times, np.arange(COUNT) / fps, atol=2e-5)
        assert source.fps == pytest.approx(fps, rel=1e-3)


def test_times_of_a_variable_rate_are_kept(tmp_path: Path) -> None:
    times = np.cumsum([0, *np.random.default_rng(0).uniform(0.01, 0.2, COUNT - 1)])
    with VideoWriter(tmp_path / "out.mp4", HEIGHT, WIDTH, 25) as writer:
        for index, time in enumerate(times):
            writer.write(numbered(index), float(time))

    with open_source(tmp_path / "out.mp4") as source:
        np.testing.assert_allclose(source.times, times, atol=2e-5)
        assert number_of(source[17].rgb) == 17


@pytest.mark.parametrize(("height", "width"), [(64, 96), (65, 96), (64, 97), (65, 97)])
def test_odd_sizes_gain_a_repeated_row_or_column(tmp_path: Path, height: int, width: int) -> None:
    ramp = np.linspace(30, 220, width).astype(np.uint8)
    picture = np.broadcast_to(ramp[None, :, None], (height, width, 3))
    with VideoWriter(tmp_path / "out.mp4", height, width, 25, crf=5) as writer:
        writer.write(picture)

    with open_source(tmp_path / "out.mp4") as source:
        rgb = source[0].rgb
    assert rgb.shape == (height + height % 2, width + width % 2, 3)
    assert np.abs(rgb[:height, :width].astype(int) - picture).max() <= 6
    assert np.abs(rgb[-1, -1].astype(int) - picture[-1, -1]).max() <= 6


def test_colours_survive(tmp_path: Path) -> None:
    # Columns of 12 pixels: primaries, skin, black and white.
    colours = [(200, 30, 30), (30, 200, 30), (30, 30, 200), (225, 170, 140), (0, 0, 0), (255, 255, 255)]
    picture = np.repeat(np.array(colours, np.uint8), 12, axis=0)[None].repeat(HEIGHT, axis=0)
    with VideoWriter(tmp_path / "out.mp4", HEIGHT, picture.shape[1], 25) as writer:
        for _ in range(5):
            writer.write(picture)

    with open_source(tmp_path / "out.mp4") as source:
        middles = source[3].rgb[HEIGHT // 2, 6::12]
    assert np.abs(middles.astype(int) - colours).max() <= 5


def test_players_find_what_they_need(tmp_path: Path) -> None:
    with VideoWriter(tmp_path / "out.mp4", HEIGHT, WIDTH, 25) as writer:
        writer.write(numbered(1))

    with av.open(str(tmp_path / "out.mp4")) as container:
        stream = container.streams.video[0]
        context = stream.codec_context
        assert (context.name, context.pix_fmt) == ("h264", "yuv420p")
        assert (context.colorspace, context.color_primaries, context.color_trc) == (1, 1, 1)
        assert context.color_range == 1
    data = (tmp_path / "out.mp4").read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")  # plays before it is loaded


def test_the_name_appears_only_when_the_video_is_complete(tmp_path: Path) -> None:
    path = tmp_path / "out.mp4"
    path.write_text("the video of yesterday")
    writer = VideoWriter(path, HEIGHT, WIDTH, 25)
    writer.write(numbered(1))

    assert path.read_text() == "the video of yesterday"
    writer.close()
    writer.close()
    assert listing(tmp_path) == ["out.mp4"]
    assert len(open_source(path)) == 1


def test_an_error_leaves_nothing_behind(tmp_path: Path) -> None:
    def fail_after_some_frames() -> None:
        with VideoWriter(tmp_path / "out.mp4", HEIGHT, WIDTH, 25) as writer:
            for index in range(COUNT):
                writer.write(numbered(index))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail_after_some_frames()

    assert listing(tmp_path) == []


def test_a_video_without_frames_is_not_written(tmp_path: Path) -> None:
    with (
        pytest.raises(RASNetError, match="was not written because there was no frame"),
        VideoWriter(tmp_path / "out.mp4", HEIGHT, WIDTH, 25),
    ):
        pass

    assert listing(tmp_path) == []


def test_a_folder_that_does_not_exist_is_named(tmp_path: Path) -> None:
    with pytest.raises(RASNetError, match=r"absent.*cannot be written.*check the folder"):
        VideoWriter(tmp_path / "absent" / "out.mp4", HEIGHT, WIDTH, 25)


def test_a_full_disk_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    writer = VideoWriter(tmp_path / "out.mp4", HEIGHT, WIDTH, 25)
    writer.write(numbered(1))

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(RASNetError, match=r"cannot be written \(No space left on device\)"):
        writer.close()

    assert listing(tmp_path) == []


@pytest.mark.parametrize(
    ("rgb", "pts", "message"),
    [
        (np.zeros((HEIGHT, WIDTH + 1, 3), np.uint8), 1.0, "takes uint8"),
        (np.zeros((HEIGHT, WIDTH, 3), np.float32), 1.0, "takes uint8"),
        (np.zeros((HEIGHT, WIDTH, 3), np.uint8), 0.5, "not later"),
    ],
    ids=["size", "dtype", "time"],
)
def test_a_frame_that_does_not_fit_is_refused(tmp_path: Path, rgb: np.ndarray, pts: float, message: str) -> None:
    with VideoWriter(tmp_path / "out.mp4", HEIGHT, WIDTH, 25) as writer:
        writer.write(numbered(1), 0.5)
        with pytest.raises(ValueError, match=message):
            writer.write(rgb, pts)

    assert len(open_source(tmp_path / "out.mp4")) == 1


def test_a_closed_writer_says_so(tmp_path: Path) -> None:
    with VideoWriter(tmp_path / "out.mp4", HEIGHT, WIDTH, 25) as writer:
        writer.write(numbered(1))

    with pytest.raises(ValueError, match="closed"):
        writer.write(numbered(2))
