"""Pictures as planes, and their colours."""

from __future__ import annotations

import platform
from dataclasses import replace
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import numpy.typing as npt
import pytest
import torch
from videos import HEIGHT, RECIPES, WIDTH, numbered, write

from rasnet.inference.yuv_to_rgb import YuvToRgb
from rasnet.video import RegionOfInterest, open_source
from rasnet.video.picture import to_rgb
from rasnet.video.yuv import ONE, YuvForm, YuvPixels, copy_planes, form_of, only_rgb

# FFmpeg's scaler has other code, and other rounding, for other processors.
ROUNDING = 0 if platform.machine() in ("x86_64", "AMD64") else 3

BT709, UNSPECIFIED, FCC, BT470BG, SMPTE170M, SMPTE240M, BT2020 = 1, 2, 4, 5, 6, 7, 9
LIMITED, FULL = 1, 2


def smooth(shape: tuple[int, int], seed: int) -> npt.NDArray[np.uint8]:
    """Values that go through the whole range, uint8 (h, w)."""
    few = np.random.default_rng(seed).integers(0, 256, (shape[0] // 8 + 1, shape[1] // 8 + 1), np.uint8)
    return np.asarray(cv2.resize(few, shape[::-1], interpolation=cv2.INTER_CUBIC))


def make_picture(
    height: int, width: int, pixels: str = "yuv420p", space: int = BT709, colour_range: int = LIMITED
) -> Any:
    """A PyAV frame of every colour."""
    brightness = smooth((height, width), 0)
    blue, red = (smooth((height // 2, width // 2), seed) for seed in (1, 2))
    colours = [np.stack([blue, red], axis=-1)] if pixels == "nv12" else [blue, red]
    data = np.concatenate([plane.reshape(-1) for plane in (brightness, *colours)]).reshape(-1, width)
    picture = av.VideoFrame.from_ndarray(data, format=pixels)
    picture.colorspace, picture.color_range = space, colour_range
    return picture


def converted(picture: Any, roi: RegionOfInterest | None = None) -> npt.NDArray[np.uint8]:
    """Its planes, copied and converted."""
    form = form_of(picture)
    assert form is not None
    planes = np.full(form.shape, 99, np.uint8)
    copy_planes(picture, form, planes)
    if roi is not None:
        form = replace(form, roi=roi)
    return np.asarray(YuvToRgb(form)(torch.from_numpy(planes)[None])[0])


class TestColours:
    @pytest.mark.parametrize("size", [(64, 96), (66, 98), (720, 1280)])  # unstated colours depend on it
    @pytest.mark.parametrize("space", [BT709, UNSPECIFIED, BT470BG, SMPTE170M, SMPTE240M, BT2020])
    @pytest.mark.parametrize("colour_range", [LIMITED, FULL])
    def test_are_those_of_ffmpeg(self, size: tuple[int, int], space: int, colour_range: int) -> None:
        picture = make_picture(*size, space=space, colour_range=colour_range)
        wanted = to_rgb(picture, None).astype(int)
        assert np.abs(converted(picture) - wanted).max() <= ROUNDING

    def test_of_full_range_by_its_format(self) -> None:
        picture = make_picture(64, 96, "yuvj420p", colour_range=FULL)
        assert np.abs(converted(picture) - to_rgb(picture, None).astype(int)).max() <= ROUNDING

    def test_are_the_same_side_by_side(self) -> None:
        np.testing.assert_array_equal(converted(make_picture(64, 96, "nv12")), converted(make_picture(64, 96)))

    def test_of_grey_are_its_brightness(self) -> None:
        form = YuvForm(2, 4, False, ((ONE, 0, 0),) * 3, 0, RegionOfInterest.whole(2, 4))
        planes = np.array([[0, 1, 2, 3], [4, 5, 6, 255], [128] * 4], np.uint8)
        rgb = YuvToRgb(form)(torch.from_numpy(planes)[None])
        np.testing.assert_array_equal(rgb[0], np.repeat(planes[:2, :, None], 3, axis=2))

    @pytest.mark.parametrize(("top", "left"), [(0, 0), (3, 5), (10, 7)])  # odd places cut through shared colours
    def test_of_a_region(self, top: int, left: int) -> None:
        roi = RegionOfInterest(top, left, 41, 33, 64, 96)
        np.testing.assert_array_equal(converted(make_picture(64, 96), roi), roi.crop(converted(make_picture(64, 96))))


class TestForm:
    @pytest.mark.parametrize(
        "picture",
        [
            pytest.param(make_picture(64, 96, space=FCC), id="a rare colour space"),
            pytest.param(av.VideoFrame(96, 65, "yuv420p"), id="an odd height"),
            pytest.param(av.VideoFrame(95, 64, "yuv420p"), id="an odd width"),
            pytest.param(av.VideoFrame(96, 64, "yuv422p"), id="more colours"),
            pytest.param(av.VideoFrame(96, 64, "yuv420p10le"), id="ten bits"),
            pytest.param(av.VideoFrame(96, 64, "gray"), id="no colours"),
            pytest.param(av.VideoFrame(96, 64, "rgb24"), id="no planes"),
        ],
    )
    def test_others_have_none(self, picture: Any) -> None:
        assert form_of(picture) is None

    @pytest.mark.parametrize(("first", "then"), [("yuv420p", "nv12"), ("nv12", "yuv420p")])
    def test_holds_where_the_format_changes(self, first: str, then: str) -> None:
        form = form_of(make_picture(64, 96, first))
        assert form is not None
        same, other = (np.zeros(form.shape, np.uint8) for _ in range(2))
        copy_planes(make_picture(64, 96, first), form, same)
        copy_planes(make_picture(64, 96, first).reformat(format=then), form, other)
        np.testing.assert_array_equal(same, other)

    def test_is_refused_by_who_reads_rgb(self) -> None:
        form = form_of(make_picture(64, 96))
        assert form is not None
        with pytest.raises(TypeError, match="reads RGB alone"):
            only_rgb(YuvPixels(np.zeros((2, *form.shape), np.uint8), form))


class TestSources:
    @pytest.mark.parametrize("name", ["mp4", "avi mjpeg", "ts mpeg2", "interlaced ts h264"])
    def test_give_planes_of_every_frame(self, tmp_path: Path, name: str) -> None:
        video = write(tmp_path / f"video{RECIPES[name].suffix}", RECIPES[name], [numbered(n) for n in range(20)])
        with open_source(video) as source:
            assert source.yuv is not None
            assert source.yuv.shape == (HEIGHT * 3 // 2, WIDTH)
            convert = YuvToRgb(source.yuv)
            for taken in source.take():
                planes = np.empty(source.yuv.shape, np.uint8)
                assert taken.copy_planes is not None
                taken.copy_planes(planes)
                rgb = taken.rgb()
                assert rgb is not None
                found = np.asarray(convert(torch.from_numpy(planes)[None])[0])
                assert np.abs(found - rgb.astype(int)).max() <= ROUNDING

    @pytest.mark.parametrize("name", ["mkv 10 bit", "mkv grey"])
    def test_give_none_in_other_formats(self, tmp_path: Path, name: str) -> None:
        video = write(tmp_path / f"video{RECIPES[name].suffix}", RECIPES[name], [numbered(n) for n in range(3)])
        with open_source(video) as source:
            assert source.yuv is None
            assert all(taken.copy_planes is None for taken in source.take())
