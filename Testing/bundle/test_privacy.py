"""What must not leave the house: frames outside the body, burned-in text, and anything about the patient."""

import gzip
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pydicom
import pytest
from PIL import Image, ImageDraw
from pydicom.uid import ExplicitVRLittleEndian, generate_uid
from typer.testing import CliRunner

from rasnet.case import Case
from rasnet.cli import app
from rasnet.errors import RASNetError
from rasnet.exchange.formats import FORMATS, export_case
from rasnet.labels import LabelSchema
from rasnet.privacy import find_text, flag_frames, score_frame, to_grey
from rasnet.report.style import font
from rasnet.video import RegionOfInterest, open_source

HEIGHT, WIDTH = 240, 320

Picture = npt.NDArray[np.uint8]


def rasnet(*arguments: str | Path) -> Any:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def noise(seed: int, blur: int) -> npt.NDArray[np.float64]:
    """Smooth noise of mean 0 and deviation 1, (H, W)."""
    field = np.random.default_rng(seed).normal(size=(HEIGHT, WIDTH))
    smooth = cv2.GaussianBlur(field, (0, 0), blur)
    return (smooth - smooth.mean()) / smooth.std()


def paint(color: tuple[int, int, int], seed: int, contrast: float = 18) -> Picture:
    """One colour, lit unevenly, with some noise, (H, W, 3)."""
    light = contrast * noise(seed, 20) + 4 * noise(seed + 1000, 1)
    return np.clip(np.array(color) + light[..., None], 0, 255).astype(np.uint8)


def tissue(seed: int) -> Picture:
    """Red and yellow tissue with a metal shaft."""
    where = noise(seed + 50, 15)[..., None] > 0.5
    rgb = np.where(where, paint((190, 130, 70), seed), paint((170, 70, 65), seed))
    rgb[60:90, : 100 + 5 * seed] = paint((120, 120, 125), seed)[60:90, : 100 + 5 * seed]
    return rgb


def theatre(seed: int) -> Picture:
    """Blue drapes, a pale wall and somebody's face."""
    rgb = np.where(noise(seed, 30)[..., None] > 0, paint((70, 110, 170), seed), paint((200, 205, 200), seed))
    picture = Image.fromarray(rgb.astype(np.uint8))
    ImageDraw.Draw(picture).ellipse((120, 60, 200, 170), (205, 160, 140))
    return np.asarray(picture)


def with_text(rgb: Picture, text: str = "DOE JANE 12:31", at: tuple[int, int] = (12, 8)) -> Picture:
    """The picture with text in it, compressed as a recorder does."""
    image = Image.fromarray(rgb)
    ImageDraw.Draw(image).text(at, text, (255, 255, 255), font(16))
    data = io.BytesIO()
    image.save(data, "JPEG", quality=80)
    return np.asarray(Image.open(data).convert("RGB"))


def make_case(folder: Path, pictures: list[Picture]) -> Case:
    (folder / "frames").mkdir(parents=True)
    for number, rgb in enumerate(pictures):
        Image.fromarray(rgb).save(folder / "frames" / f"{number:03d}.png")
    return case_of(folder, folder / "frames")


def case_of(folder: Path, path: Path) -> Case:
    """A case of a source, with an accepted mask in every frame."""
    schema = LabelSchema.load("instrument_parts")
    with open_source(path) as source:
        roi = RegionOfInterest.whole(source.height, source.width)
        case = Case.create(folder / "case", source=source, schema=schema, roi=roi, model=None)
        mask = np.zeros((source.height, source.width), np.uint8)
        mask[20:60, 30:90] = 1
        for index in range(len(source)):
            case.correct(index, mask, who="A. Surgeon", tool="test", status="accepted")
    case.update_layer(1, type="Vessel Sealer")
    return case


class TestOutsideTheBody:
    @pytest.mark.parametrize("seed", range(5))
    def test_tissue_is_inside_and_the_theatre_outside(self, seed: int) -> None:
        assert score_frame(tissue(seed)).outside < 0 < score_frame(theatre(seed)).outside

    def test_a_black_border_changes_little(self) -> None:
        framed = np.zeros((2 * HEIGHT, 2 * WIDTH, 3), np.uint8)
        framed[100 : 100 + HEIGHT, 200 : 200 + WIDTH] = tissue(0)
        assert score_frame(framed).outside < 0
        framed[100 : 100 + HEIGHT, 200 : 200 + WIDTH] = theatre(0)
        assert score_frame(framed).outside > 0

    def test_nothing_tells_of_black_and_of_grey(self) -> None:
        assert np.isnan(score_frame(np.full((HEIGHT, WIDTH, 3), 10, np.uint8)).outside)
        grey = np.repeat(paint((120, 120, 120), 0)[..., :1], 3, axis=2)
        assert score_frame(grey).is_grey
        assert not score_frame(tissue(0)).is_grey

    @pytest.mark.real
    def test_false_alarms_on_real_operations(self, shared_data: Path) -> None:
        files = sorted((shared_data / "unlabelled").glob("a*.jpg"))[::10]
        alarms = sum(score_frame(np.asarray(Image.open(file).convert("RGB"))).outside > 0 for file in files)
        assert len(files) > 50
        assert alarms / len(files) < 0.05  # 0.015 of all


class TestBurnedInText:
    @pytest.mark.parametrize("at", [(12, 8), (150, 200), (5, 120)])
    def test_text_that_stands_still_is_found(self, at: tuple[int, int]) -> None:
        text = find_text([to_grey(with_text(tissue(seed), at=at)) for seed in range(8)])
        assert text is not None
        rows, columns = np.nonzero(text.strokes)
        assert abs(columns.min() - at[0]) < 12
        assert 0 <= rows.min() - at[1] < 12
        assert text.is_in(to_grey(with_text(tissue(99), at=at)))
        assert not text.is_in(to_grey(tissue(99)))

    def test_moving_pictures_have_none(self) -> None:
        assert find_text([to_grey(tissue(seed)) for seed in range(8)]) is None

    def test_text_on_an_instrument_moves_with_it(self) -> None:
        frames = [with_text(tissue(seed), "CLAMP", (20 + 25 * seed, 60 + 9 * seed)) for seed in range(8)]
        assert find_text([to_grey(rgb) for rgb in frames]) is None

    @pytest.mark.real
    def test_real_operations_with_and_without_text(self, shared_data: Path) -> None:
        with open_source(shared_data / "endovis2015_robotic" / "Dataset1" / "Video.avi") as video:
            frames = [video[index].rgb for index in video.spread(8)]
        assert find_text([to_grey(rgb) for rgb in frames]) is None
        assert find_text([to_grey(with_text(rgb, at=(300, 500))) for rgb in frames]) is not None


class TestExports:
    @pytest.fixture
    def flagged(self, tmp_path: Path) -> Case:
        """Frames 3 and 7 to 8 show the theatre, frames 0 to 5 text."""
        pictures = [theatre(n) if n in (3, 7, 8) else tissue(n) for n in range(12)]
        return make_case(tmp_path, [with_text(rgb) if n < 10 else rgb for n, rgb in enumerate(pictures)])

    def test_the_frames_are_named(self, flagged: Case) -> None:
        with flagged.open_source() as source:
            flags = flag_frames(source, range(12))
        assert flags.outside == (3, 7, 8)
        assert flags.text == tuple(range(10))

    @pytest.mark.parametrize("format", FORMATS)
    def test_refused_unless_the_user_insists(self, format: str, flagged: Case, tmp_path: Path) -> None:
        out = tmp_path / ("out.seg.nrrd" if format == "seg_nrrd" else "out")
        with pytest.raises(RASNetError, match=r"frames 3, 7 to 8 may be outside .* frames 0 to 9 may show burned-in"):
            export_case(flagged, out, format)
        assert not out.exists()
        export_case(flagged, out, format, include_flagged=True)
        assert out.exists()

    def test_frames_that_are_not_exported_do_not_count(self, flagged: Case, tmp_path: Path) -> None:
        for index in (*range(10),):
            flagged.set_status(index, "skipped", who="A. Surgeon")
        export_case(flagged, tmp_path / "out", "png")
        assert len(list((tmp_path / "out").glob("*.png"))) == 2

    def test_without_the_video_nobody_can_look(self, flagged: Case, tmp_path: Path) -> None:
        (tmp_path / "frames").rename(tmp_path / "elsewhere")
        with pytest.raises(RASNetError, match=r"nobody can look for faces.*--include-flagged"):
            export_case(flagged, tmp_path / "out", "png")
        export_case(flagged, tmp_path / "out", "png", include_flagged=True)

    def test_command(self, flagged: Case, tmp_path: Path) -> None:
        command = ("export", flagged.folder, tmp_path / "out", "--format", "coco", "--images")
        done = rasnet(*command)
        assert (done.exit_code, "frames 3, 7 to 8 may be outside" in done.output) == (2, True)
        assert rasnet(*command, "--include-flagged").exit_code == 0

    def test_a_grey_video_is_not_refused(self, tmp_path: Path) -> None:
        grey = [np.repeat(paint((120, 120, 120), seed)[..., :1], 3, axis=2) for seed in range(4)]
        export_case(make_case(tmp_path, grey), tmp_path / "out", "png")


SECRETS = {
    "PatientName": "Secretmann^Hildegard",
    "PatientID": "PID-4711-X",
    "PatientBirthDate": "19491231",
    "AccessionNumber": "ACC-0815",
    "ReferringPhysicianName": "Doktorova^Olga",
    "InstitutionName": "Klinikum Geheim",
    "StudyDate": "20240229",
    "PatientComments": "VeryImportantPerson",
    "StudyInstanceUID": "1.2.3.4711.99",
}


def write_dicom(path: Path) -> Path:
    """A multi-frame photograph with everything about the patient."""
    image = pydicom.Dataset()
    image.file_meta = pydicom.dataset.FileMetaDataset()
    image.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    image.SOPClassUID = image.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.77.1.4.1"
    image.SOPInstanceUID = image.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    for name, value in SECRETS.items():
        setattr(image, name, value)
    image.Modality, image.SamplesPerPixel, image.PhotometricInterpretation = "ES", 3, "RGB"
    image.PlanarConfiguration, image.PixelRepresentation = 0, 0
    image.BitsAllocated, image.BitsStored, image.HighBit = 8, 8, 7
    image.Rows, image.Columns, image.NumberOfFrames, image.FrameTime = HEIGHT, WIDTH, 3, 40
    image.PixelData = np.stack([tissue(seed) for seed in range(3)]).tobytes()
    image.save_as(path, enforce_file_format=True)
    return path


def texts(path: Path) -> Iterator[bytes]:
    """Everything that a file says: its bytes, unpacked where they are packed, and its name."""
    data = path.read_bytes()
    yield path.name.encode()
    yield data
    if path.name.endswith(".seg.nrrd"):
        header, _, body = data.partition(b"\n\n")
        yield header
        yield gzip.decompress(body)
    if path.suffix in (".png", ".jpg"):
        with Image.open(path) as image:
            yield repr(image.info).encode()
            yield repr(dict(image.getexif())).encode()
    if path.suffix == ".dcm":
        yield str(pydicom.dcmread(path)).encode()


class TestPatient:
    @pytest.fixture(scope="class")
    def case(self, tmp_path_factory: pytest.TempPathFactory) -> Case:
        folder = tmp_path_factory.mktemp("patient")
        return case_of(folder, write_dicom(folder / "Secretmann_Hildegard_19491231.dcm"))

    @pytest.mark.parametrize("format", FORMATS)
    def test_nothing_about_the_patient_is_in_an_export(self, format: str, case: Case, tmp_path: Path) -> None:
        out = tmp_path / ("out.seg.nrrd" if format == "seg_nrrd" else "out")
        export_case(case, out, format, images=FORMATS[format].pictures != "never")
        files = [out] if out.is_file() else [path for path in out.rglob("*") if path.is_file()]
        assert files
        words = [part for value in SECRETS.values() for part in value.split("^")]
        for path in files:
            for text in texts(path):
                for word in words:
                    assert word.lower().encode() not in text.lower(), (path, word)

    def test_the_test_would_see_it(self, case: Case) -> None:
        path = Path(case.info.source.path)
        assert any(b"Secretmann" in text for text in texts(path))

    def test_dicom_says_that_the_patient_is_gone(self, case: Case, tmp_path: Path) -> None:
        export_case(case, tmp_path / "out", "dicom_seg")
        for path in (tmp_path / "out").glob("*.dcm"):
            image = pydicom.dcmread(path)
            present = ("PatientName", "PatientID", "PatientBirthDate", "PatientSex", "ReferringPhysicianName")
            assert all(str(image[name].value or "") == "" for name in present)
            if path.name.endswith("_image.dcm"):
                assert image.PatientIdentityRemoved == "YES"
