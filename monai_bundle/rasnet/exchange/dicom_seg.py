"""DICOM: one VL Endoscopic Image and one Segmentation a key frame (PS3.3, A.32.1 and A.51), without patient data."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from rasnet import __version__
from rasnet.case import CaseInfo, FrameRow
from rasnet.errors import RASNetError
from rasnet.exchange.content import ExportContent, MaskLabel, frame_name
from rasnet.exchange.incoming import Incoming, read_folder
from rasnet.exchange.terminology import CATEGORY, code_of
from rasnet.files import clear_errors, whole_folder
from rasnet.labels import Code
from rasnet.masks import Mask
from rasnet.progress import Progress

SUFFIX = "_seg.dcm"
_IMAGE_SUFFIX = "_image.dcm"
_VL_ENDOSCOPIC_IMAGE = "1.2.840.10008.5.1.4.1.1.77.1.1"
_LONGEST_LABEL = 64  # characters of a long string, LO (PS3.5, 6.2)
_UTF8 = "ISO_IR 192"
_MAKER = "RASNet"
_ALGORITHM = Code("DCM", "123109", "Artificial Intelligence")  # PS3.16, CID 7162


def write_dicom_seg(content: ExportContent, folder: Path, *, images: bool, progress: Progress) -> None:
    """Write ``frame000042_image.dcm`` and ``frame000042_seg.dcm`` for every frame, and ``labels.json``.

    Every layer is a segment of every file, also where it is out of sight, so that segment numbers mean the same in
    all; its name is the segment label, its id is in the tracking id. All files are of one new study. Each
    segmentation is read back and compared with the mask.

    Args:
        content: what to write.
        folder: to make; it appears only when everything is written.
        images: the pictures are always written: a segmentation refers to its image.
        progress: told of each frame.

    Raises:
        RASNetError: highdicom is not installed, a name is too long for DICOM, what was written does not read back
            the same, the video has moved, the folder is not empty, or the disk is full.
    """
    _highdicom()
    from pydicom.uid import generate_uid

    if long := [label.name for label in content.labels if len(label.name) > _LONGEST_LABEL]:
        raise RASNetError(
            f"DICOM would cut the name '{long[0]}' to {_LONGEST_LABEL} characters; give the layer a shorter one"
        )
    study = {"study": generate_uid(), "images": generate_uid(), "masks": generate_uid()}
    tracks = {label.id: generate_uid() for label in content.labels}
    with clear_errors(folder), whole_folder(folder) as making, content.case.open_source() as source:
        progress.start("export dicom", len(content.rows))
        for row in content.rows:
            image = _image(source[row.index].rgb, row, study, content.case.info)
            image.save_as(making / f"{frame_name(row)}{_IMAGE_SUFFIX}", enforce_file_format=True)
            target, mask = making / f"{frame_name(row)}{SUFFIX}", content.mask(row)
            _segmentation(image, mask, row, content, study, tracks).save_as(target)
            if not np.array_equal(read_segmentation(target), mask):
                raise RASNetError(f"frame {row.index} does not read back the same from DICOM; export png instead")
            progress.advance(row.index)
        content.write_table(making, SUFFIX)
    progress.finish(folder=str(folder), frames=len(content.rows))


def read_dicom_seg(folder: Path, info: CaseInfo) -> Incoming:
    """Read a folder that `write_dicom_seg` wrote.

    Raises:
        RASNetError: highdicom is not installed, or the export was not finished.
    """
    _highdicom()
    return read_folder(folder, folder, SUFFIX, read_segmentation)


def read_segmentation(path: Path) -> Mask:
    """Read the mask of one frame, layer ids uint8 (H, W), from its DICOM file.

    Raises:
        RASNetError: the file is no segmentation of one frame that RASNet wrote, or segments overlap.
    """
    highdicom = _highdicom()
    try:
        segmentation = highdicom.seg.segread(path)
        (instance,) = {item[2] for item in segmentation.get_source_image_uids()}
        planes = segmentation.get_pixels_by_source_instance([instance])[0]
        ids = [_layer_id(segmentation, number) for number in segmentation.segment_numbers]
    except Exception as error:  # pydicom and highdicom raise errors of every kind for files that are broken
        raise RASNetError(
            f"{path} is no DICOM segmentation of one frame with RASNet's tracking ids ({error}); export it again"
        ) from error
    if (np.count_nonzero(planes, axis=2) > 1).any():
        raise RASNetError(f"segments overlap in {path}, which an index mask cannot hold; decide which lies on top")
    mask = np.zeros(planes.shape[:2], np.uint8)
    for place, number in enumerate(ids):
        mask[planes[..., place] > 0] = number
    return mask


def _layer_id(segmentation: Any, number: int) -> int:
    return int(str(segmentation.get_segment_description(number).tracking_id).rpartition(" ")[2])


def _image(rgb: npt.NDArray[np.uint8], row: FrameRow, study: dict[str, str], info: CaseInfo) -> Any:
    """A VL Endoscopic Image; of the attributes that the standard wants, those about the patient stay empty."""
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.uid import ExplicitVRLittleEndian, generate_uid

    image = Dataset()
    image.file_meta = FileMetaDataset()
    image.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    image.SOPClassUID = image.file_meta.MediaStorageSOPClassUID = _VL_ENDOSCOPIC_IMAGE
    image.SOPInstanceUID = image.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    image.StudyInstanceUID, image.SeriesInstanceUID = study["study"], study["images"]
    for empty in (
        *("PatientName", "PatientID", "PatientBirthDate", "PatientSex", "StudyID", "AccessionNumber"),
        *("StudyDate", "StudyTime", "ReferringPhysicianName", "ContentDate", "ContentTime", "Laterality"),
        *("PatientOrientation", "AcquisitionContextSequence"),
    ):
        setattr(image, empty, [] if empty.endswith("Sequence") else "")
    image.SpecificCharacterSet = _UTF8
    image.PatientIdentityRemoved = "YES"
    image.DeidentificationMethod = "Pixels alone were taken from the video; nothing of its header"
    image.Modality, image.Manufacturer = "ES", _MAKER
    image.SeriesNumber, image.InstanceNumber = 1, row.index + 1
    image.ImageType = ["DERIVED", "SECONDARY"]
    image.LossyImageCompression = "01" if info.source.kind == "video" else "00"
    image.ImageComments = f"frame {row.index}, {row.pts:.6f} s from the first"
    image.Rows, image.Columns = rgb.shape[:2]
    image.SamplesPerPixel, image.PhotometricInterpretation, image.PlanarConfiguration = 3, "RGB", 0
    image.BitsAllocated, image.BitsStored, image.HighBit, image.PixelRepresentation = 8, 8, 7, 0
    image.PixelData = rgb.tobytes() + b"\0" * (rgb.size % 2)
    return image


def _segmentation(
    image: Any, mask: Mask, row: FrameRow, content: ExportContent, study: dict[str, str], tracks: dict[int, str]
) -> Any:
    highdicom = _highdicom()
    from pydicom.uid import generate_uid

    planes = np.stack([mask == label.id for label in content.labels], axis=-1)[None]
    describe = _describer(content, row, tracks)
    return highdicom.seg.Segmentation(
        source_images=[image],
        pixel_array=planes,
        segmentation_type="BINARY",
        segment_descriptions=[describe(number, label) for number, label in enumerate(content.labels, start=1)],
        series_instance_uid=study["masks"],
        series_number=2,
        sop_instance_uid=generate_uid(),
        instance_number=row.index + 1,
        manufacturer=_MAKER,
        manufacturer_model_name="RASNet",
        software_versions=__version__,
        device_serial_number="0",
        content_label="INSTRUMENTS",
        content_description=f"frame {row.index}, {row.status}",
        omit_empty_frames=False,
    )


def _describer(content: ExportContent, row: FrameRow, tracks: dict[int, str]) -> Callable[[int, MaskLabel], Any]:
    highdicom = _highdicom()

    def code(meaning: Any) -> Any:
        return highdicom.sr.CodedConcept(meaning.value, meaning.scheme, meaning.meaning)

    def describe(number: int, label: MaskLabel) -> Any:
        by_hand = row.status == "corrected" or row.model is None
        return highdicom.seg.SegmentDescription(
            segment_number=number,
            segment_label=label.name,
            segmented_property_category=code(CATEGORY),
            segmented_property_type=code(code_of(label.type, content.case.info.types)),
            algorithm_type="SEMIAUTOMATIC" if by_hand else "AUTOMATIC",
            algorithm_identification=highdicom.AlgorithmIdentificationSequence(
                name=_MAKER, version=__version__, family=code(_ALGORITHM)
            ),
            tracking_id=f"Layer {label.id}",
            tracking_uid=tracks[label.id],
            display_color=highdicom.color.CIELabColor.from_rgb(*(label.color or (0, 0, 0))),
        )

    return describe


def _highdicom() -> Any:
    try:
        import highdicom
    except ImportError as error:
        raise RASNetError(
            "DICOM needs the packages highdicom and pydicom; install them with `pip install 'rasnet[dicom]'`"
        ) from error
    return highdicom
