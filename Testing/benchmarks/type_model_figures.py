"""How well a model tells types apart in operations whose truth is known: by pixels, and by instruments."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from type_model_operations import SCHEMA, TYPES, Operation

from rasnet.case import Case
from rasnet.evaluation import AFTER, BEFORE
from rasnet.inference import Backend, FrameBatches
from rasnet.masks import write_mask
from rasnet.metrics import INSTRUMENT, Results
from rasnet.metrics.figures import MEAN

DICE = "pooled_dice"
MISSED = "not found"


@dataclass(frozen=True)
class Judged:
    """One true instrument, and what the case says that it is.

    Attributes:
        operation: its name.
        layer: id in the truth.
        type: the true one.
        found: type of its layer; `MISSED` where it has none, or one without a type. Its layer is the one that most of
            its pixels have, over the whole video, if most pixels of that layer are the instrument's in turn.
    """

    operation: str
    layer: int
    type: str
    found: str


def write_frame_wise(case: Case, backend: Backend, folder: Path) -> None:
    """Write what a model says of each frame by itself, before any vote: full-frame masks of types, a PNG a frame."""
    folder.mkdir(parents=True)
    batches = FrameBatches.of(backend, case, wanted=case.info.wanted)
    try:
        for batch in batches:
            classes, _ = backend(batch.pixels)
            for index, mask in zip(batch.indices, classes, strict=True):
                write_mask(folder / f"{index:08d}.png", case.info.roi.restore(mask), SCHEMA.palette)
    finally:
        batches.close()


def judge_instruments(operation: Operation, found: Case) -> list[Judged]:
    """Look up every instrument of the truth in a case of the same video."""
    overlap = np.zeros(256 * 256, np.int64)  # pixels by true and found id
    with Case.open(operation.truth) as truth:
        for index in truth.info.wanted:
            pairs = truth.mask(index).astype(np.uint16) << 8 | found.mask(index)
            overlap += np.bincount(pairs.ravel(), minlength=overlap.size)
        layers = truth.layers()
    types = {layer.id: layer.type for layer in found.layers()}
    shared = overlap.reshape(256, 256)
    judged = []
    for layer in layers:
        if shared[layer.id].any():
            own = int(shared[layer.id].argmax())
            mutual = shared[:, own].argmax() == layer.id  # a layer that floods the picture is nobody's
            said = (types.get(own) if mutual else None) or MISSED
            judged.append(Judged(operation.name, layer.id, str(layer.type), said))
    return judged


def type_rows(
    results: Mapping[str, Results], judged: Sequence[Judged], annotated: Mapping[str, int]
) -> list[list[str]]:
    """Write a row a type, one of their mean, and one of instrument against the rest.

    Args:
        results: of pixels, frame by frame and after the vote.
        judged: the instruments.
        annotated: videos that taught each type.
    """
    rows = []
    for name in TYPES:
        found = Counter(each.found for each in judged if each.type == name)
        taken = ", ".join(f"{other} ({count})" for other, count in found.most_common() if other != name)
        right = f"{found[name]} of {found.total()}" if found else ""
        rows.append([name, str(annotated[name]), *_dice(results, name), right, taken])
    right = f"{sum(each.found == each.type for each in judged)} of {len(judged)}"
    rows.append(["mean", "", *_dice(results, MEAN), right, ""])
    rows.append(["any instrument", "", *_dice(results, INSTRUMENT), "", ""])
    return rows


def figures_json(results: Mapping[str, Results], judged: Sequence[Judged]) -> dict[str, Any]:
    """Give all figures as an object that JSON can hold; the confusion is of instruments, true types first."""
    columns = [*TYPES, MISSED]
    confusion = Counter((each.type, each.found) for each in judged)
    return {
        "right_share": sum(each.found == each.type for each in judged) / len(judged),
        "confusion": {name: {other: confusion[name, other] for other in columns} for name in TYPES},
        "instruments": [asdict(each) for each in judged],
        "pixels": {name: result.to_json() for name, result in results.items()},
    }


def _dice(results: Mapping[str, Results], label: str) -> list[str]:
    found = (results[name].find(DICE, label) for name in (BEFORE, AFTER))
    return ["" if figure is None else f"{figure.value:.3f}" for figure in found]
