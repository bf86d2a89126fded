"""Predicted masks against true ones: cases or folders of index PNG files, sequence by sequence."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from rasnet.errors import RASNetError
from rasnet.labels import Label, LabelSchema
from rasnet.mask_sequences import BINARY, FrameKey, MaskSequence, open_sequences, vote_types
from rasnet.metrics.boundary import TOLERANCE
from rasnet.metrics.results import Results, write_csv, write_json
from rasnet.metrics.segmentation import SegmentationMetrics
from rasnet.progress import Progress, SilentProgress

MASKS, BEFORE, AFTER = "masks", "before vote", "after vote"
"""What the figures are of: masks as they are, or types frame by frame and after the vote over layers."""

_SCHEMAS = {"parts": "instrument_parts", "types": "endovis2017_types"}
_MOST_SHOWN = 8


@dataclass(frozen=True)
class _Pair:
    """One sequence of both sides, of the same frames."""

    name: str
    predicted: MaskSequence
    truth: MaskSequence


def evaluate_masks(
    predicted: str | Path,
    truth: str | Path,
    labels: str = "parts",
    *,
    frame_wise: str | Path | None = None,
    tolerance: float = TOLERANCE,
    progress: Progress | None = None,
) -> dict[str, Results]:
    """Compare predicted masks with true ones.

    Both sides are a case, a folder of 8-bit index PNG files (one sequence), or a folder of such cases and folders (one
    sequence each, of the same names; ``.case`` does not count). Frames are found by the last number in the file's
    name, or of a case by their index; a file without a number by its name. Every true mask needs a predicted one;
    predicted masks without a true one are left out. Of a case, frames that were skipped do not count.

    Args:
        predicted: masks to judge: class ids.
        truth: masks to judge them by: class ids, `rasnet.metrics.ANY_INSTRUMENT` or `rasnet.metrics.IGNORE`.
        labels: what the values mean: ``"parts"``, ``"types"`` (of a case: its layers' types), ``"binary"`` (every
            value but 0 is instrument), or the name or path of a label schema.
        frame_wise: type masks of the same frames as the model gave them, before any vote. `predicted` must be cases
            then; a layer without a type gets the one that most frames vote for.
        tolerance: of the normalised surface Dice, as a share of the picture's diagonal.
        progress: told of every frame.

    Returns:
        Results by `MASKS`; with `frame_wise` by `BEFORE` and `AFTER`.

    Raises:
        RASNetError: something is missing or does not fit together; the sentence lists all that does not.

    Examples:
        >>> evaluate_masks("operation.case", "truth.case", "parts")[MASKS].value("pooled_dice", "shaft")
        0.93
    """
    progress = progress or SilentProgress()
    schema = label_schema(labels)
    if frame_wise is not None and schema.kind != "types":
        raise RASNetError("a vote over layers is about types; use labels 'types', or leave the frame-wise masks away")
    true = open_sequences(Path(truth), schema, truth=True)
    found = open_sequences(Path(predicted), schema, typed=frame_wise is None)
    single = {} if frame_wise is None else open_sequences(Path(frame_wise), schema)
    try:
        if frame_wise is None:
            return {MASKS: _compare(_pair(found, true), schema, tolerance, progress)}
        before = _pair(single, true)
        after = [
            _Pair(pair.name, vote_types(pair.predicted, frames.predicted, schema), pair.truth)
            for pair, frames in zip(_pair(found, true), before, strict=True)
        ]
        return {
            BEFORE: _compare(before, schema, tolerance, progress),
            AFTER: _compare(after, schema, tolerance, progress),
        }
    finally:
        for sequence in (*true.values(), *found.values(), *single.values()):
            sequence.close()


def write_evaluation(results: dict[str, Results], folder: str | Path) -> None:
    """Write ``figures.csv`` (a line a figure), ``figures.json`` and, of each comparison, pictures.

    The pictures are ``confusion.png`` and ``classes.png``, with the comparison's name before it where there are two.

    Raises:
        RASNetError: they cannot be written, or matplotlib is not installed.
    """
    from rasnet.report.metric_plots import write_class_bars, write_confusion

    folder = Path(folder)
    write_csv(folder / "figures.csv", results)
    write_json(folder / "figures.json", {name: result.to_json() for name, result in results.items()})
    for name, result in results.items():
        prefix = f"{name.replace(' ', '_')}_" if len(results) > 1 else ""
        write_confusion(result, folder / f"{prefix}confusion.png")
    write_class_bars(results, folder / "classes.png")


def label_schema(labels: str) -> LabelSchema:
    """Find what mask values mean: ``"parts"``, ``"types"``, ``"binary"``, or a schema by name or path.

    Raises:
        RASNetError: it is none of these.
    """
    if labels == BINARY:
        instrument = Label(1, "instrument", LabelSchema.load("instrument_parts").instruments[0].color)
        return LabelSchema(BINARY, "parts", (Label(0, "background", (0, 0, 0)), instrument))
    return LabelSchema.load(_SCHEMAS.get(labels, labels))


def _pair(found: dict[str, MaskSequence], true: dict[str, MaskSequence]) -> list[_Pair]:
    """Bring the sequences of both sides together; one on each side belong together whatever their names.

    Raises:
        RASNetError: a sequence or a frame of the truth has no prediction; all of them are listed.
    """
    if len(found) == len(true) == 1:
        found = dict(zip(true, found.values(), strict=True))
    problems = [f"sequence '{name}' has no predicted masks" for name in true if name not in found]
    pairs = [_Pair(name, found[name], sequence) for name, sequence in true.items() if name in found]
    for pair in pairs:
        if missing := [key for key in pair.truth.frames if key not in pair.predicted.frames]:
            problems.append(
                f"{len(missing)} of {len(pair.truth.frames)} true masks of '{pair.name}' have no predicted one "
                f"({_listed(missing)})"
            )
    _raise_all(problems, "predict them, or take their true masks out of the folder")
    return pairs


def _compare(pairs: list[_Pair], schema: LabelSchema, tolerance: float, progress: Progress) -> Results:
    """Measure every pair of masks.

    Raises:
        RASNetError: masks cannot be compared; all of them are listed.
    """
    metrics = SegmentationMetrics(schema, tolerance=tolerance)
    problems = []
    progress.start("compare masks", sum(len(pair.truth.frames) for pair in pairs))
    for pair in pairs:
        for key, true_mask in pair.truth.frames.items():
            try:
                metrics.add(pair.name, pair.predicted.frames[key](), true_mask())
            except RASNetError as error:
                problems.append(f"frame {key} of '{pair.name}': {error}")
            progress.advance(key if isinstance(key, int) else None)
    _raise_all(problems, "")
    progress.finish(frames=sum(metrics.results().frames.values()))
    return metrics.results()


def _raise_all(problems: list[str], advice: str) -> None:
    if not problems:
        return
    shown = "; ".join(problems[:_MOST_SHOWN])
    more = f"; and {len(problems) - _MOST_SHOWN} more like these" if len(problems) > _MOST_SHOWN else ""
    raise RASNetError(f"{shown}{more}{f'; {advice}' if advice else ''}")


def _listed(keys: list[FrameKey]) -> str:
    words = ", ".join(map(str, keys[:_MOST_SHOWN]))
    return f"{words} ..." if len(keys) > _MOST_SHOWN else words
