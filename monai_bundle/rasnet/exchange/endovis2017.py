"""The layout of EndoVis 2017 in wide use: pictures, and masks of all instruments' types, one PNG a frame."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from rasnet.case import CaseInfo
from rasnet.errors import RASNetError
from rasnet.exchange.content import LABELS_FILE, ExportContent, MaskLabel, frame_name
from rasnet.exchange.incoming import Incoming, IncomingFrame, read_folder
from rasnet.files import clear_errors, whole_folder
from rasnet.labels import LabelSchema
from rasnet.masks import Mask, read_mask
from rasnet.progress import Progress

if TYPE_CHECKING:
    from rasnet.datasets.endovis2017 import MaskFolder

SEQUENCE = "instrument_dataset_1"
_DIGITS = 3
_FACTOR = 32  # the layout multiplies type ids, so that people can see them
_TYPES, _BINARY = "instruments_masks", "binary_masks"


def write_endovis2017(content: ExportContent, folder: Path, *, images: bool, progress: Progress) -> None:
    """Write ``instrument_dataset_1`` with ``images``, ``instruments_masks`` (type id x 32) and ``binary_masks`` (255).

    As in the cropped data set that the challenge's winners made, binary masks leave out the type Other. Pictures are
    JPEG, as there, of quality 95. Two layers of one type become one; `labels.json` names times and statuses.

    Args:
        content: what to write: types.
        folder: to make; it appears only when everything is written.
        images: pictures are part of the layout and always written.
        progress: told of each frame.

    Raises:
        RASNetError: the types are not those of EndoVis 2017, the folder is not empty, the video has moved, or the
            disk is full.
    """
    types = LabelSchema.load("endovis2017_types")
    if [label.name for label in content.labels] != [label.name for label in types.instruments]:
        raise RASNetError(
            f"the types of {content.case.folder} are those of '{content.case.info.types.name}', which EndoVis 2017 has "
            "no values for; export png instead"
        )
    binary = np.array([0, *(0 if label.name == "Other" else 255 for label in types.instruments)], np.uint8)
    with clear_errors(folder), whole_folder(folder) as making:
        sequence = making / SEQUENCE
        for name in (_TYPES, _BINARY):
            (sequence / name).mkdir(parents=True)
        progress.start("export endovis2017", len(content.rows))
        for row in content.rows:
            mask, name = content.mask(row), f"{frame_name(row, _DIGITS)}.png"
            Image.fromarray(mask * np.uint8(_FACTOR)).save(sequence / _TYPES / name)
            Image.fromarray(binary[mask]).save(sequence / _BINARY / name)
            progress.advance(row.index)
        content.write_pictures(sequence / "images", progress, ".jpg", _DIGITS)
        content.write_table(sequence, ".png", _DIGITS)
    progress.finish(folder=str(folder), frames=len(content.rows))


def read_endovis2017(folder: Path, info: CaseInfo) -> Incoming:
    """Read the masks of one sequence of EndoVis 2017, in the challenge's layout, the cropped one, or our own export.

    In the challenge's layout each folder of ``ground_truth`` is a layer, in the cropped one each type. Where
    instruments overlap, the folder whose name comes later (ignoring case) lies on top. The n-th picture of the
    sequence is the n-th frame of the case; in our own export, the number of a file is that of the frame.

    Args:
        folder: that has the sequence.
        info: of the case that the masks are for, made of the sequence's pictures.

    Raises:
        RASNetError: there is not exactly one sequence, or it has no ground truth.
    """
    table = next((path for path in (folder, folder / SEQUENCE) if (path / LABELS_FILE).is_file()), None)
    if table is not None:
        return read_folder(table, table / _TYPES, ".png", lambda path: read_mask(path) // np.uint8(_FACTOR))
    from rasnet.datasets.endovis2017_layouts import EndoVis2017

    found = EndoVis2017.find(folder)
    if len(found.sequences) != 1:
        names = ", ".join(sequence.name for sequence in found.sequences)
        raise RASNetError(f"{folder} holds the sequences {names}, and a case is of one; give the folder of one")
    (sequence,) = found.sequences
    masks = [mask for mask in sequence.masks if mask.content != "parts"]
    if not masks:
        raise RASNetError(f"{sequence.folder} has no ground truth of instruments; unpack it")
    if masks[0].content == "instrument":
        labels = tuple(_label(number, mask) for number, mask in enumerate(masks, start=1))
    else:
        types = LabelSchema.load("endovis2017_types").instruments
        labels = tuple(MaskLabel(label.id, label.name, label.color, label.name) for label in types)
    frames = (
        IncomingFrame(picture.name, _reader(masks, picture.stem), place)
        for place, picture in enumerate(sequence.pictures)
    )
    return Incoming(labels, tuple(frames), found.problems, defines_layers=True)


def _label(number: int, folder: MaskFolder) -> MaskLabel:
    type_name = LabelSchema.load("endovis2017_types")[folder.type_id].name
    name = folder.path.name.removesuffix("_labels").replace("_", " ")
    return MaskLabel(number, name, None, type_name)


def _reader(masks: list[MaskFolder], stem: str) -> Callable[[], Mask]:
    def read() -> Mask:
        if masks[0].content == "types":
            return masks[0].read(stem)
        ids: Mask = np.zeros_like(masks[0].read(stem))
        for number, folder in enumerate(masks, start=1):
            ids[folder.read(stem) > 0] = number
        return ids

    return read
