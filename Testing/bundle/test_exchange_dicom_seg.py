"""DICOM, judged by pydicom and highdicom."""

from pathlib import Path

import highdicom
import numpy as np
import pydicom
import pytest
from exchange_cases import LAYERS, STATUSES, empty_case, rich_case, rich_mask

from rasnet.errors import RASNetError
from rasnet.exchange import dicom_seg
from rasnet.exchange.formats import export_case, import_case


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dicom")
    export_case(
        rich_case(folder), folder / "out", "dicom_seg", statuses=("corrected", "accepted"), include_flagged=True
    )
    return folder / "out"


KEY_FRAMES = [index for index, status in STATUSES.items() if status != "predicted"]


class TestExport:
    def test_one_image_and_one_segmentation_a_key_frame(self, exported: Path) -> None:
        names = [f"frame{index:06d}_{kind}.dcm" for index in KEY_FRAMES for kind in ("image", "seg")]
        assert sorted(path.name for path in exported.iterdir()) == [*names, "labels.json"]

    @pytest.mark.parametrize("index", KEY_FRAMES)
    def test_highdicom_reads_the_masks(self, index: int, exported: Path) -> None:
        segmentation = highdicom.seg.segread(exported / f"frame{index:06d}_seg.dcm")
        ((study, series, instance),) = segmentation.get_source_image_uids()
        image = pydicom.dcmread(exported / f"frame{index:06d}_image.dcm")
        assert (study, series, instance) == (image.StudyInstanceUID, image.SeriesInstanceUID, image.SOPInstanceUID)
        planes = segmentation.get_pixels_by_source_instance([instance])[0]
        for number, layer in enumerate(LAYERS, start=1):
            np.testing.assert_array_equal(planes[..., number - 1] > 0, rich_mask(index) == layer.id)
            description = segmentation.get_segment_description(number)
            assert description.segment_label == layer.name
            assert description.tracking_id == f"Layer {layer.id}"
            color = highdicom.color.CIELabColor.from_dicom_value(description.RecommendedDisplayCIELabValue)
            assert tuple(color.to_rgb()) == layer.color

    def test_types_are_coded(self, exported: Path) -> None:
        segmentation = highdicom.seg.segread(exported / "frame000001_seg.dcm")
        codes = [segmentation.get_segment_description(number).segmented_property_type for number in (1, 2, 3)]
        assert [(code.scheme_designator, code.value) for code in codes] == [
            ("SCT", "29319002"),
            ("SCT", "59746007"),
            ("SCT", "37759000"),
        ]

    def test_an_instrument_is_one_track_in_all_files(self, exported: Path) -> None:
        uids = {
            tuple(str(highdicom.seg.segread(path).get_segment_description(number).tracking_uid) for number in (1, 2, 3))
            for path in exported.glob("*_seg.dcm")
        }
        ((first, second, third),) = uids
        assert len({first, second, third}) == 3

    def test_the_image_is_the_frame(self, exported: Path) -> None:
        image = pydicom.dcmread(exported / "frame000001_image.dcm")
        assert image.SOPClassUID.name == "VL Endoscopic Image Storage"
        np.testing.assert_array_equal(image.pixel_array, np.full((48, 64, 3), (90, 60, 50), np.uint8))

    def test_names_that_dicom_would_cut_are_refused(self, tmp_path: Path) -> None:
        case = rich_case(tmp_path)
        case.update_layer(1, name="x" * 65)
        with pytest.raises(RASNetError, match=r"would cut the name 'x+' to 64 characters"):
            export_case(case, tmp_path / "out", "dicom_seg", include_flagged=True)
        assert not (tmp_path / "out").exists()

    def test_what_does_not_read_back_is_not_written(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        read = dicom_seg.read_segmentation
        monkeypatch.setattr(dicom_seg, "read_segmentation", lambda path: read(path)[::-1])
        with pytest.raises(RASNetError, match="frame 0 does not read back the same"):
            export_case(rich_case(tmp_path), tmp_path / "out", "dicom_seg", include_flagged=True)
        assert not (tmp_path / "out").exists()


class TestImport:
    def test_damaged_and_foreign_files(self, exported: Path, tmp_path: Path) -> None:
        case = empty_case(tmp_path)
        copy = tmp_path / "copy"
        copy.mkdir()
        for path in exported.iterdir():
            (copy / path.name).write_bytes(path.read_bytes())
        (copy / "frame000002_seg.dcm").write_bytes((exported / "frame000002_image.dcm").read_bytes())
        data = (copy / "frame000005_seg.dcm").read_bytes()
        (copy / "frame000005_seg.dcm").write_bytes(data[: len(data) // 2])
        with pytest.raises(RASNetError) as caught:
            import_case(case, copy)
        for name in ("frame000002_seg.dcm", "frame000005_seg.dcm"):
            assert f"{copy / name} is no DICOM segmentation of one frame" in str(caught.value)
        assert not case.frames()
