"""EXIF and text behind a PNG file's pixels are noticed; nothing is decoded for it."""

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from rasnet.video import open_source
from rasnet.video.png import metadata_follows_pixels

HEIGHT, WIDTH = 20, 30
END = struct.pack(">I4sI", 0, b"IEND", zlib.crc32(b"IEND"))


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I4s", len(data), kind) + data + struct.pack(">I", zlib.crc32(kind + data))


@pytest.fixture
def noise(tmp_path: Path) -> Path:
    """An image of several kB, without any text."""
    pixels = np.random.default_rng(0).integers(0, 255, (HEIGHT, WIDTH, 3), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "noise.png")
    return tmp_path / "noise.png"


def append(path: Path, *chunks: bytes) -> None:
    """Put chunks between the pixels and the end."""
    whole = path.read_bytes()
    assert whole.endswith(END)
    path.write_bytes(whole[: -len(END)] + b"".join(chunks) + END)


@pytest.mark.parametrize(
    ("kind", "follows"), [(b"eXIf", True), (b"tEXt", True), (b"zTXt", True), (b"iTXt", True), (b"tIME", False)]
)
def test_what_may_hold_exif_is_noticed_behind_the_pixels(noise: Path, kind: bytes, follows: bool) -> None:
    assert not metadata_follows_pixels(noise)
    append(noise, chunk(kind, b"\0" * 7))
    assert metadata_follows_pixels(noise) == follows


def test_text_before_the_pixels_does_not_count(tmp_path: Path) -> None:
    text = PngImagePlugin.PngInfo()
    text.add_text("Software", "an endoscope")
    Image.new("RGB", (WIDTH, HEIGHT)).save(tmp_path / "text.png", pnginfo=text)
    assert b"tEXt" in (tmp_path / "text.png").read_bytes()
    assert not metadata_follows_pixels(tmp_path / "text.png")


@pytest.mark.parametrize("keep", [0, 5, 8, 40, 60])  # bytes
def test_a_file_that_ends_early_holds_what_it_holds(noise: Path, keep: int) -> None:
    noise.write_bytes(noise.read_bytes()[:keep])
    assert not metadata_follows_pixels(noise)


def test_a_picture_turned_by_exif_behind_its_pixels_is_upright(noise: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # a quarter turn
    append(noise, chunk(b"eXIf", exif.tobytes().removeprefix(b"Exif\0\0")))
    with open_source(noise) as source:
        assert (source.height, source.width) == (WIDTH, HEIGHT)
        assert source[0].rgb.shape == (WIDTH, HEIGHT, 3)


def test_sizes_are_told_without_the_pixels(noise: Path) -> None:
    noise.write_bytes(noise.read_bytes()[:60])  # header and hardly a row
    with open_source(noise) as source:
        assert (source.height, source.width) == (HEIGHT, WIDTH)
        assert source.damage == []
        assert list(source) == []
        assert [(span.first, span.last) for span in source.damage] == [(0, 0)]
