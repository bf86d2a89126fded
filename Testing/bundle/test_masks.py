import io
from pathlib import Path

import cv2
import hypothesis.extra.numpy as hnp
import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given
from PIL import Image

from rasnet.errors import RASNetError
from rasnet.masks import (
    decode_mask,
    encode_mask,
    mask_sha256,
    mask_values,
    read_mask,
    temporary_name,
    write_mask,
    write_whole,
)

PALETTE = np.arange(768, dtype=np.int64).reshape(256, 3).astype(np.uint8)
masks = hnp.arrays(np.uint8, hnp.array_shapes(min_dims=2, max_dims=2, max_side=40))


@given(mask=masks)
def test_every_mask_comes_back_as_it_was(mask):
    again = decode_mask(encode_mask(mask, PALETTE))
    assert again.dtype == np.uint8
    np.testing.assert_array_equal(again, mask)
    assert mask_sha256(again) == mask_sha256(mask)


@st.composite
def masks_of_every_depth(draw):
    """A mask whose highest value needs two, four or eight bits, of any width, lying in memory in any order."""
    highest = draw(st.sampled_from([0, 1, 3, 4, 15, 16, 255]))
    shapes = hnp.array_shapes(min_dims=2, max_dims=2, max_side=40)
    mask = draw(hnp.arrays(np.uint8, shapes, elements={"max_value": highest}))
    mask[draw(st.integers(0, len(mask) - 1)), draw(st.integers(-mask.shape[1], -1))] = highest
    view = draw(st.sampled_from([np.s_[:], np.s_[::-1, ::-1], np.s_[:, ::2], np.s_[::3], np.s_[-1:], np.s_[:, -1:]]))
    return draw(st.sampled_from([mask, mask.T, np.asfortranarray(mask)]))[view]


def _read_by_opencv(data: bytes) -> np.ndarray:
    return cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR_RGB)


@given(mask=masks_of_every_depth())
def test_other_readers_see_the_same_at_every_depth(mask):
    data = encode_mask(mask, PALETTE)
    np.testing.assert_array_equal(decode_mask(data), mask)
    np.testing.assert_array_equal(_read_by_opencv(data), PALETTE[mask])
    with Image.open(io.BytesIO(data)) as image:
        image.verify()  # every chunk's checksum
    assert data[24] == (2 if mask.max() < 4 else 4 if mask.max() < 16 else 8)
    assert data == encode_mask(mask.copy("C"), PALETTE)


@pytest.mark.parametrize("width", range(1, 10))
@pytest.mark.parametrize("highest", [3, 15, 255])
def test_every_width_is_packed_to_the_last_pixel(width, highest):
    mask = (highest - np.arange(2 * width).reshape(2, width) % (highest + 1)).astype(np.uint8)
    data = encode_mask(mask, PALETTE)
    np.testing.assert_array_equal(decode_mask(data), mask)
    np.testing.assert_array_equal(_read_by_opencv(data), PALETTE[mask])


@pytest.mark.parametrize(("values", "entries"), [(4, 4), (16, 16), (256, 256)])
def test_the_file_has_the_colours_its_bits_can_name(values, entries):
    mask = np.arange(values, dtype=np.uint8).reshape(2, -1)
    with Image.open(io.BytesIO(encode_mask(mask, PALETTE))) as image:
        assert bytes(image.getpalette()) == PALETTE[:entries].tobytes()


@given(mask=st.one_of(masks, masks_of_every_depth()))
def test_values_are_those_that_occur(mask):
    assert mask_values(mask) == np.unique(mask).tolist()


@pytest.mark.parametrize("size", range(1, 26))
def test_a_value_is_found_wherever_it_lies(size):
    for place in range(size):
        row = np.zeros((1, size), np.uint8)
        row[0, place] = 7
        assert mask_values(row) == sorted({7, *([0] if size > 1 else [])})


def test_values_of_a_mask_that_starts_within_a_word():
    mask = np.arange(99, dtype=np.uint8).reshape(9, 11)
    assert mask_values(mask[1:]) == list(range(11, 99))


def test_the_hash_is_of_the_pixels_not_of_the_file():
    mask = np.eye(9, dtype=np.uint8)
    other = decode_mask(encode_mask(mask, PALETTE[::-1]))
    assert mask_sha256(other) == mask_sha256(mask)
    assert mask_sha256(np.asfortranarray(mask)) == mask_sha256(mask)
    assert mask_sha256(1 - mask) != mask_sha256(mask)


@pytest.mark.parametrize(("highest", "bits"), [(0, 2), (3, 2), (4, 4), (15, 4), (16, 8), (255, 8)])
def test_viewers_show_the_palette(tmp_path, highest, bits):
    mask = np.full((3, 5), highest, np.uint8)  # a width that leaves the last byte of packed rows partly empty
    mask[1, :3] = np.minimum([0, 1, 2], highest)
    write_mask(tmp_path / "m.png", mask, PALETTE)
    bit_depth, colour_type = (tmp_path / "m.png").read_bytes()[24:26]  # of the IHDR chunk
    assert (bit_depth, colour_type) == (bits, 3)
    with Image.open(tmp_path / "m.png") as image:
        assert image.mode == "P"
        np.testing.assert_array_equal(np.array(image), mask)
        np.testing.assert_array_equal(np.array(image.convert("RGB")), PALETTE[mask])
    np.testing.assert_array_equal(read_mask(tmp_path / "m.png"), mask)


few_values = hnp.arrays(np.uint8, hnp.array_shapes(min_dims=2, max_dims=2, max_side=40), elements={"max_value": 3})


@given(mask=few_values)
def test_masks_of_few_values_come_back_as_they_were(mask):
    np.testing.assert_array_equal(decode_mask(encode_mask(mask, PALETTE)), mask)


def test_grey_masks_of_other_programs_are_read(tmp_path):
    mask = np.arange(12, dtype=np.uint8).reshape(3, 4)
    Image.fromarray(mask).save(tmp_path / "grey.png")
    np.testing.assert_array_equal(read_mask(tmp_path / "grey.png"), mask)


def _png(image: Image.Image) -> bytes:
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "not a whole image"),
        (b"text", "not a whole image"),
        (encode_mask(np.eye(64, dtype=np.uint8), PALETTE)[:-40], "not a whole image"),
        (_png(Image.new("RGB", (4, 4))), "holds colours"),
    ],
)
def test_what_is_no_mask_is_refused(tmp_path, data, words):
    path = tmp_path / "bad.png"
    path.write_bytes(data)
    with pytest.raises(RASNetError, match=words) as caught:
        read_mask(path)
    assert str(path) in str(caught.value)


def test_an_absent_mask_is_named(tmp_path):
    with pytest.raises(RASNetError, match=r"absent\.png"):
        read_mask(tmp_path / "absent.png")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_leaves_the_old_file_and_no_other(tmp_path):
    path = tmp_path / "file"
    write_whole(path, b"old")
    temporary_name(path).symlink_to("/dev/full")
    with pytest.raises(OSError, match="No space left"):
        write_whole(path, b"new")
    assert path.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["file"]
