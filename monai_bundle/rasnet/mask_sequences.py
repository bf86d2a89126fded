"""Masks of one sequence, frame by frame, whether they lie in a case or in a folder of PNG files."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from rasnet.case import Case, Layer
from rasnet.errors import RASNetError
from rasnet.labels import ANY_INSTRUMENT, LabelSchema
from rasnet.masks import Mask, read_mask

BINARY = "binary"
"""Name of the schema by which every value but 0 is instrument."""

FrameKey = int | str
"""What a frame is found by: its number, or the name of a file that has none."""

Reader = Callable[[], Mask]

_CASE_SUFFIX = ".case"


@dataclass(frozen=True)
class MaskSequence:
    """The masks of one sequence.

    Attributes:
        frames: what reads the mask of each frame, uint8 (H, W), in order.
        case: the case they come from; None for a folder.
    """

    frames: dict[FrameKey, Reader]
    case: Case | None = None

    def close(self) -> None:
        """Let go of the case's files."""
        if self.case is not None:
            self.case.close()


def open_sequences(
    path: Path, schema: LabelSchema, *, truth: bool = False, typed: bool = True
) -> dict[str, MaskSequence]:
    """Find the sequences of a case, a folder of PNG files, or a folder of several of these.

    Args:
        path: the case or folder.
        schema: what masks are to hold: parts, types, or by the schema `BINARY` instrument of any kind.
        truth: instrument whose part nobody said is of a case is `ANY_INSTRUMENT`, not background.
        typed: whether every layer of a case must have a type if types are wanted.

    Returns:
        Sequences by name, in order.

    Raises:
        RASNetError: there is no mask, two files are of one frame, or a case does not hold what is wanted.
    """
    if not path.is_dir():
        raise RASNetError(f"there is no folder {path}; give a case, or a folder of mask PNG files")
    if _is_sequence(path):
        return {_name(path): _open(path, schema, truth, typed)}
    folders = sorted(folder for folder in path.iterdir() if folder.is_dir() and _is_sequence(folder))
    if not folders:
        raise RASNetError(f"{path} holds no mask PNG files, no case, and no folder with either; give another folder")
    return {_name(folder): _open(folder, schema, truth, typed) for folder in folders}


def vote_types(predicted: MaskSequence, frame_wise: MaskSequence, schema: LabelSchema) -> MaskSequence:
    """Give masks of types after the vote over layers.

    A layer whose type the case knows has it. Any other gets the type that most frames vote for: a frame votes for the
    type that most of the layer's pixels have in it. A layer without a vote is background.

    Args:
        predicted: of a case.
        frame_wise: type masks of the same frames.
        schema: the types.

    Raises:
        RASNetError: the masks are not of a case, or masks of one frame differ in size.
    """
    case = predicted.case
    if case is None:
        raise RASNetError("a vote over layers needs layers, which only a case has; give a case as the predicted masks")
    table = _type_table(case.layers(), schema)
    unknown = [layer.id for layer in case.layers() if layer.type is None]
    if unknown:
        votes = np.zeros((256, len(schema)), np.int64)
        for key in predicted.frames.keys() & frame_wise.frames.keys():
            _vote(votes, case.mask(int(key)), frame_wise.frames[key](), unknown, key)
        table[unknown] = votes[unknown].argmax(axis=1)
    return MaskSequence({key: _through(case, int(key), table) for key in predicted.frames}, case)


def frame_key(stem: str) -> FrameKey:
    """Find what a file is the mask of: the last number in its name.

    Examples:
        >>> frame_key("frame000042"), frame_key("img_07_class"), frame_key("left")
        (42, 7, 'left')
    """
    numbers = re.findall(r"\d+", stem)
    return int(numbers[-1]) if numbers else stem


def _is_sequence(folder: Path) -> bool:
    return (folder / "case.json").is_file() or bool(_masks_in(folder))


def _name(path: Path) -> str:
    return path.resolve().name.removesuffix(_CASE_SUFFIX)


def _open(path: Path, schema: LabelSchema, truth: bool, typed: bool) -> MaskSequence:
    if (path / "case.json").is_file():
        return _open_case(Case.open(path), schema, truth, typed)
    frames: dict[FrameKey, Reader] = {}
    files: dict[FrameKey, Path] = {}
    for file in _masks_in(path):
        key = frame_key(file.stem)
        if key in files:
            raise RASNetError(f"{files[key]} and {file} are both masks of frame {key}; keep one in the folder")
        files[key] = file
        frames[key] = _file_reader(file, schema)
    return MaskSequence(dict(sorted(frames.items(), key=lambda item: (isinstance(item[0], str), item[0]))))


def _masks_in(folder: Path) -> list[Path]:
    return sorted(file for file in folder.glob("*.png") if not file.name.startswith("."))


def _file_reader(file: Path, schema: LabelSchema) -> Reader:
    if schema.name == BINARY:
        return lambda: (read_mask(file) > 0).astype(np.uint8)
    return lambda: read_mask(file)


def _open_case(case: Case, schema: LabelSchema, truth: bool, typed: bool) -> MaskSequence:
    rows = [row for row in case.frames() if row.mask_sha256 is not None and row.status != "skipped"]
    if not rows:
        raise RASNetError(f"{case.folder} has no masks to evaluate; segment it first")
    if schema.kind == "types":
        if typed:
            _check_typed(case)
        table = _type_table(case.layers(), schema)
    elif schema.name == BINARY:
        table = (np.arange(256) > 0).astype(np.uint8)
    else:
        _check_parts(case, schema)
        return MaskSequence({row.index: _parts_reader(case, row.index, truth) for row in rows}, case)
    return MaskSequence({row.index: _through(case, row.index, table) for row in rows}, case)


def _parts_reader(case: Case, index: int, truth: bool) -> Reader:
    def read() -> Mask:
        parts = case.parts(index)
        if parts is None:
            raise RASNetError(f"{case.folder} has no parts in frame {index}; compare 'binary' or 'types' instead")
        if truth:
            parts = np.where((parts == 0) & (case.mask(index) > 0), np.uint8(ANY_INSTRUMENT), parts)
        return parts

    return read


def _through(case: Case, index: int, table: Mask) -> Reader:
    return lambda: table[case.mask(index)]


def _check_parts(case: Case, schema: LabelSchema) -> None:
    held, wanted = case.info.parts, schema
    if held.channel_def() != wanted.channel_def():
        raise RASNetError(
            f"the parts of {case.folder} are those of '{held.name}', not of '{wanted.name}'; compare by '{held.name}'"
        )


def _check_typed(case: Case) -> None:
    if untyped := [f"{layer.id} ({layer.name})" for layer in case.layers() if layer.type is None]:
        raise RASNetError(
            f"nobody has said yet what these layers of {case.folder} are: {', '.join(untyped)}; set their type in "
            "3D Slicer, or give the frame-wise type masks that are to vote"
        )


def _type_table(layers: list[Layer], schema: LabelSchema) -> Mask:
    """Type id of each layer id, uint8 (256,)."""
    table = np.zeros(256, np.uint8)
    for layer in layers:
        if layer.type is not None:
            table[layer.id] = schema[layer.type].id
    return table


def _vote(votes: npt.NDArray[np.int64], layers: Mask, types: Mask, unknown: list[int], key: FrameKey) -> None:
    """Add one vote for each layer in `unknown` that the frame shows."""
    if layers.shape != types.shape:
        raise RASNetError(
            f"frame {key} is {layers.shape[1]}x{layers.shape[0]} in the case and {types.shape[1]}x{types.shape[0]} in "
            "the frame-wise masks; give masks of the full frame"
        )
    for layer in unknown:
        seen = np.bincount(types[layers == layer], minlength=votes.shape[1])[: votes.shape[1]]
        seen[0] = 0
        if seen.any():
            votes[layer, seen.argmax()] += 1
