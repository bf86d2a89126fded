"""DICOM video: encapsulated streams and multi-frame images, against the same pictures in other files."""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from rasnet.case import Case
from rasnet.errors import RASNetError
from rasnet.labels import LabelSchema
from rasnet.video import RegionOfInterest, open_source

pydicom = pytest.importorskip("pydicom", reason="the package pydicom is not installed")

from pydicom import uid  # noqa: E402
from pydicom.dataset import Dataset, FileMetaDataset  # noqa: E402
from pydicom.encaps import encapsulate  # noqa: E402

HEIGHT, WIDTH, FRAMES = 64, 96, 30

# (container or raw stream, encoder, transfer syntax, times of its own)
STREAMS = {
    "MPEG-2": ("mpeg2video", "mpeg2video", uid.MPEG2MPML, False),
    "MPEG-2 in a program stream": ("mpeg", "mpeg2video", uid.MPEG2MPML, True),
    "H.264": ("h264", "libx264", uid.MPEG4HP41, False),
    "H.264 in MP4": ("mp4", "libx264", uid.MPEG4HP41, True),
    "H.264 in a transport stream": ("mpegts", "libx264", uid.MPEG4HP422D, True),
    "HEVC": ("hevc", "libx265", uid.HEVCMP51, False),
}


def picture(index: int) -> np.ndarray:
    """A white bar that grows over a colour that tells the frame; (64, 96, 3)."""
    rgb = np.empty((HEIGHT, WIDTH, 3), np.uint8)
    rgb[:] = 20 + 5 * index, 90, 160 - 4 * index
    rgb[20:40, : 3 * index + 3] = 255
    return rgb


def write_stream(path: Path, container: str, encoder: str) -> Path:
    """Frames at 25/s, a key frame every 8."""
    with av.open(str(path), "w", format=container) as file:
        stream = file.add_stream(encoder, rate=25, options={"x265-params": "log-level=none"})
        stream.width, stream.height, stream.pix_fmt, stream.gop_size = WIDTH, HEIGHT, "yuv420p", 8
        for index in range(FRAMES):
            file.mux(stream.encode(av.VideoFrame.from_ndarray(picture(index), format="rgb24")))
        file.mux(stream.encode(None))
    return path


def data_set(syntax: str, frames: int = FRAMES, **attributes: object) -> Dataset:
    """What every file has, with a patient whom nobody must meet elsewhere."""
    found = Dataset()
    found.file_meta = FileMetaDataset()
    found.file_meta.TransferSyntaxUID = syntax
    found.file_meta.MediaStorageSOPClassUID = found.SOPClassUID = uid.VideoEndoscopicImageStorage
    found.file_meta.MediaStorageSOPInstanceUID = found.SOPInstanceUID = uid.generate_uid()
    found.PatientName, found.PatientID, found.Modality = "Doe^Jane", "4711", "ES"
    found.Rows, found.Columns, found.NumberOfFrames = HEIGHT, WIDTH, frames
    found.SamplesPerPixel, found.PhotometricInterpretation, found.PlanarConfiguration = 3, "YBR_PARTIAL_420", 0
    found.BitsAllocated = found.BitsStored = 8
    found.HighBit, found.PixelRepresentation = 7, 0
    for name, value in attributes.items():
        setattr(found, name, value)
    return found


def save(found: Dataset, path: Path) -> Path:
    found.save_as(path, enforce_file_format=True)
    return path


def write_video(path: Path, data: bytes, syntax: str, fragments: int = 1, **attributes: object) -> Path:
    found = data_set(syntax, **attributes)
    found.PixelData = encapsulate([data], fragments_per_frame=fragments, has_bot=True)
    found["PixelData"].is_undefined_length = True
    return save(found, path)


@pytest.fixture(scope="module")
def streams(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    folder = tmp_path_factory.mktemp("streams")
    written: dict[str, Path] = {}

    def stream(name: str) -> Path:
        container, encoder, *_ = STREAMS[name]
        if name not in written:
            written[name] = write_stream(folder / name.replace(" ", "_"), container, encoder)
        return written[name]

    return stream


# Streams


@pytest.mark.parametrize("fragments", [1, 3])
@pytest.mark.parametrize("name", STREAMS)
def test_a_stream_in_dicom_is_the_stream(
    streams: Callable[[str], Path], tmp_path: Path, name: str, fragments: int
) -> None:
    *_, syntax, _ = STREAMS[name]
    path = write_video(tmp_path / "IM000001", streams(name).read_bytes(), syntax, fragments, FrameTime=40)

    with open_source(path) as source, open_source(streams(name)) as plain:
        assert (len(source), source.height, source.width) == (FRAMES, HEIGHT, WIDTH)
        assert (source.path, source.name, source.kind, source.damage) == (path, "IM000001", "video", [])
        for index in (29, 3, 17, 0, 25):
            np.testing.assert_array_equal(source[index].rgb, plain[index].rgb)
            assert np.abs(source[index].rgb.astype(int) - picture(index)).mean() < 12


@pytest.mark.parametrize("name", STREAMS)
@pytest.mark.parametrize(
    ("attributes", "rate"),
    [
        ({"FrameTime": 20}, 50),
        ({"CineRate": 30}, 30),
        ({"RecommendedDisplayFrameRate": 60}, 60),
        ({"FrameTime": 0}, 25),
        ({}, 25),
    ],
)
def test_only_a_stream_without_times_has_those_of_the_header(
    streams: Callable[[str], Path], tmp_path: Path, name: str, attributes: dict[str, object], rate: float
) -> None:
    *_, syntax, has_times = STREAMS[name]
    path = write_video(tmp_path / "video.dcm", streams(name).read_bytes(), syntax, **attributes)

    with open_source(path) as source:
        assert source.fps == pytest.approx(25 if has_times else rate)
        np.testing.assert_allclose(source.times, np.arange(FRAMES) / (25 if has_times else rate), atol=1e-4)


def test_frame_times_may_differ(streams: Callable[[str], Path], tmp_path: Path) -> None:
    steps = [0, *([40] * 14), *([80] * 15)]
    path = write_video(tmp_path / "video", streams("H.264").read_bytes(), uid.MPEG4HP41, FrameTimeVector=steps)

    with open_source(path) as source:
        assert source.times[[0, 1, 14, 15, 29]].tolist() == pytest.approx([0, 0.04, 0.56, 0.64, 1.76])
        assert source.fps == pytest.approx(29 / 1.76)


def test_a_file_that_was_cut_gives_what_it_has_and_says_what_is_lost(
    streams: Callable[[str], Path], tmp_path: Path
) -> None:
    data = streams("H.264").read_bytes()
    path = write_video(tmp_path / "cut", data, uid.MPEG4HP41, NumberOfFrames=FRAMES)
    path.write_bytes(path.read_bytes()[: -len(data) // 2])

    with open_source(path) as source:
        assert 5 < len(source) < FRAMES
        np.testing.assert_allclose(source[3].rgb.astype(int), picture(3), atol=60)
        damage = source.damage[-1]
        assert (damage.first, damage.last) == (len(source), FRAMES - 1)
        assert "the file ends early" in damage.reason


def test_a_case_of_a_dicom_video_holds_nothing_of_the_patient(streams: Callable[[str], Path], tmp_path: Path) -> None:
    path = write_video(tmp_path / "IM000001", streams("H.264").read_bytes(), uid.MPEG4HP41)
    before = set(tmp_path.rglob("*"))
    with open_source(path) as source:
        schema, roi = LabelSchema.load("endovis2017_types"), RegionOfInterest.whole(HEIGHT, WIDTH)
        with Case.create(tmp_path / "case", source=source, schema=schema, roi=roi, model=None) as case:
            case.write_prediction(3, case.times[3], np.zeros((HEIGHT, WIDTH), np.uint8))
            np.testing.assert_array_equal(case.open_source()[7].rgb, source[7].rgb)

    files = [file for file in tmp_path.rglob("*") if file.is_file() and file not in before]
    assert files
    for file in files:
        assert tmp_path / "case" in file.parents
        assert b"Jane" not in file.read_bytes()
        assert b"4711" not in file.read_bytes()


# Frames that are stored one by one


def stored(photometric: str) -> tuple[Dataset, list[np.ndarray]]:
    """A data set of five frames in one photometric interpretation, and what is to be seen of them."""
    frames = [picture(index) for index in range(5)]
    grey = [frame[..., 2] for frame in frames]
    spread = [plane[..., np.newaxis].repeat(3, axis=2) for plane in grey]
    found = data_set(uid.ExplicitVRLittleEndian, 5, PhotometricInterpretation=photometric, FrameTime=50)
    if photometric == "RGB":
        found.PixelData = np.stack(frames).tobytes()
        return found, frames
    found.SamplesPerPixel = 1
    del found.PlanarConfiguration
    if photometric == "PALETTE COLOR":
        for name, table in zip(("Red", "Green", "Blue"), np.arange(768).reshape(3, 256), strict=True):
            setattr(found, f"{name}PaletteColorLookupTableDescriptor", [256, 0, 16])
            data = (table % 256 * 257).astype(np.uint16).tobytes()
            setattr(found, f"{name}PaletteColorLookupTableData", data)
    found.PixelData = np.stack(grey).tobytes()
    return found, [255 - frame for frame in spread] if photometric == "MONOCHROME1" else spread


@pytest.mark.parametrize("photometric", ["RGB", "MONOCHROME2", "MONOCHROME1", "PALETTE COLOR"])
def test_stored_frames_are_shown_as_they_are_meant(tmp_path: Path, photometric: str) -> None:
    found, expected = stored(photometric)

    with open_source(save(found, tmp_path / "frames.dcm")) as source:
        assert (len(source), source.fps, source.height, source.width) == (5, 20, HEIGHT, WIDTH)
        for index in (4, 0, 2):
            np.testing.assert_array_equal(source[index].rgb, expected[index])
        assert [frame.index for frame in source] == [0, 1, 2, 3, 4]


@pytest.mark.parametrize(("bits", "signed"), [(8, False), (12, False), (16, False), (12, True)])
def test_of_more_than_eight_bits_the_highest_are_shown(tmp_path: Path, bits: int, signed: bool) -> None:
    lowest = -(1 << bits - 1) if signed else 0
    levels = np.linspace(0, (1 << bits) - 1, HEIGHT * WIDTH).astype(np.int64).reshape(HEIGHT, WIDTH)
    found = data_set(uid.ExplicitVRLittleEndian, 1, PhotometricInterpretation="MONOCHROME2", SamplesPerPixel=1)
    del found.PlanarConfiguration
    found.BitsAllocated, found.BitsStored, found.HighBit = 8 if bits == 8 else 16, bits, bits - 1
    found.PixelRepresentation = int(signed)
    found.PixelData = (levels + lowest).astype(f"{'i' if signed else 'u'}{found.BitsAllocated // 8}").tobytes()

    with open_source(save(found, tmp_path / "grey.dcm")) as source:
        np.testing.assert_array_equal(source[0].rgb[..., 0], levels >> bits - 8)


def test_jpeg_frames_are_decoded_one_by_one(tmp_path: Path) -> None:
    files = []
    for index in range(5):
        file = io.BytesIO()
        Image.fromarray(picture(index)).save(file, "JPEG", quality=95, subsampling=0)
        files.append(file.getvalue())
    found = data_set(uid.JPEGBaseline8Bit, 5, PhotometricInterpretation="YBR_FULL")
    found.PixelData = encapsulate(files)
    found["PixelData"].is_undefined_length = True

    with open_source(save(found, tmp_path / "jpeg.dcm")) as source:
        for index in (4, 0, 2):
            assert np.abs(source[index].rgb.astype(int) - picture(index)).mean() < 3


def test_a_damaged_jpeg_frame_is_damage_and_not_the_end(tmp_path: Path) -> None:
    files = []
    for index in range(4):
        file = io.BytesIO()
        Image.fromarray(picture(index)).save(file, "JPEG")
        files.append(file.getvalue() if index != 2 else b"no picture")
    found = data_set(uid.JPEGBaseline8Bit, 4, PhotometricInterpretation="YBR_FULL_422")
    found.PixelData = encapsulate(files)
    found["PixelData"].is_undefined_length = True

    with open_source(save(found, tmp_path / "jpeg.dcm")) as source:
        assert [frame.index for frame in source] == [0, 1, 3]
        assert [(span.first, span.last) for span in source.damage] == [(2, 2)]


# What cannot be shown


def report(path: Path, data: bytes) -> Path:
    found = data_set(uid.ExplicitVRLittleEndian)
    for name in ("Rows", "Columns", "NumberOfFrames"):
        delattr(found, name)
    found.Modality = "SR"
    return save(found, path)


@pytest.mark.parametrize(
    ("write", "message"),
    [
        (report, r"holds no pictures \(SR\)"),
        (lambda path, _: write_video(path, b"no video" * 20, uid.MPEG4HP41), r"no frame of its video \(MPEG-4"),
        (lambda path, data: write_video(path, data, uid.MPEG4HP41, 300), "in 300 pieces"),
        (lambda path, data: write_video(path, data, uid.JPEGLSLossless), "the pixels of .* cannot be decoded"),
    ],
)  # fmt: skip
def test_what_cannot_be_shown_is_one_sentence(
    streams: Callable[[str], Path], tmp_path: Path, write: Callable[[Path, bytes], Path], message: str
) -> None:
    path = write(tmp_path / "IM000001", streams("H.264").read_bytes())

    with pytest.raises(RASNetError, match=message) as caught:
        open_source(path)

    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_header_that_was_cut_is_one_sentence(streams: Callable[[str], Path], tmp_path: Path) -> None:
    path = write_video(tmp_path / "IM000001", streams("H.264").read_bytes(), uid.MPEG4HP41)
    whole = path.read_bytes()
    for length in (132, 140, 300, 500, 700):
        path.write_bytes(whole[:length])
        with pytest.raises(RASNetError, match="IM000001"):
            open_source(path)


def test_without_pydicom_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "IM000001"
    path.write_bytes(bytes(128) + b"DICM")
    monkeypatch.setitem(__import__("sys").modules, "pydicom", None)

    with pytest.raises(
        RASNetError, match=r"needs the package pydicom; install it with `pip install 'rasnet\[dicom\]'`"
    ):
        open_source(path)


@pytest.mark.skipif(os.name == "nt", reason="no such names on Windows")
def test_names_with_signs_that_mean_something_elsewhere(streams: Callable[[str], Path], tmp_path: Path) -> None:
    folder = tmp_path / "a, b : c %20 größer"
    folder.mkdir()
    path = write_video(folder / "1,2;3:4", streams("H.264").read_bytes(), uid.MPEG4HP41)

    with open_source(path) as source:
        assert len(source) == FRAMES
