"""The benchmark of the type model: its operations, its annotator, and how its figures come from masks."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

BENCHMARKS = Path(__file__).resolve().parents[1] / "benchmarks"
sys.path.insert(0, str(BENCHMARKS))

import type_model  # noqa: E402
from type_model_figures import MISSED, figures_json, judge_instruments, type_rows, write_frame_wise  # noqa: E402
from type_model_operations import (  # noqa: E402
    MISTAKES,
    TYPES,
    Mistake,
    Operation,
    annotate,
    draw_operation,
    plan_operations,
)
from type_model_picture import draw_picture  # noqa: E402
from type_models import write_type_model  # noqa: E402

from rasnet.case import Case  # noqa: E402
from rasnet.evaluation import AFTER, BEFORE, evaluate_masks  # noqa: E402
from rasnet.inference import load_backend  # noqa: E402

FRAMES, SIZE = 8, (64, 96)


@pytest.fixture
def operation(tmp_path: Path) -> Operation:
    """One that is drawn."""
    planned = plan_operations(1, tmp_path / "known", seed=1, frames=FRAMES, size=SIZE)[0]
    draw_operation(planned)
    return planned


def test_types_are_dealt_evenly(tmp_path: Path) -> None:
    planned = plan_operations(10, tmp_path / "known", seed=0, frames=FRAMES, size=SIZE)
    counts = Counter(name for operation in planned for name in operation.types)
    assert set(counts) == set(TYPES)
    assert set(counts.values()) == {4, 5}
    assert len({operation.seed for operation in planned}) == 10


@pytest.mark.parametrize(("mistake", "count"), zip(MISTAKES, (4, 6, 3), strict=True))
def test_the_annotator_leaves_the_truth(operation: Operation, mistake: Mistake, count: int) -> None:
    words = annotate(operation, mistake)  # which compares every frame
    assert len(words) == count
    with Case.open(operation.annotated) as case:
        assert [layer.type for layer in case.layers()] == list(operation.types)
        assert {row.status for row in case.frames()} == {"accepted"}


def test_figures_come_from_masks(operation: Operation, tmp_path: Path) -> None:
    """The case has the second instrument wrong and misses the third; the network, which knows nothing, any."""
    first, second, third = operation.types
    with Case.open(operation.truth) as truth, truth.open_source() as source:
        info = truth.info
        with Case.create(operation.found, source=source, schema=info.schema, roi=info.roi, model=None) as found:
            for index in info.wanted:
                mask = truth.mask(index)
                mask[mask == 3] = 0
                found.write_prediction(index, truth.times[index], mask)
            found.update_layer(1, type=first, who="model")
            found.update_layer(2, type=third, who="model")
            judged = judge_instruments(operation, found)
            backend, _ = load_backend(write_type_model(tmp_path / "model.pt"), "cpu")
            write_frame_wise(found, backend, operation.frame_wise)
    assert [each.found for each in judged] == [first, third, MISSED]
    folders = operation.found.parent, operation.truth.parent, operation.frame_wise.parent
    results = evaluate_masks(folders[0], folders[1], "types", frame_wise=folders[2])
    assert results[AFTER].value("pooled_dice", first) == 1.0
    assert results[BEFORE].value("pooled_dice", first) < 0.5
    rows = {row[0]: row for row in type_rows(results, judged, Counter(operation.types))}
    assert rows[first][1:] == ["1", rows[first][2], "1.000", "1 of 1", ""]
    assert rows[second][3:] == ["0.000", "0 of 1", f"{third} (1)"]
    assert rows["mean"][4] == "1 of 3"
    figures = figures_json(results, judged)
    assert (figures["right_share"], figures["confusion"][third][MISSED]) == (pytest.approx(1 / 3), 1)

    draw_picture([operation], tmp_path / "picture.png")
    assert (tmp_path / "picture.png").stat().st_size > 10_000


def test_a_layer_of_everything_is_nobodys(operation: Operation) -> None:
    with Case.open(operation.truth) as truth, truth.open_source() as source:
        info = truth.info
        with Case.create(operation.found, source=source, schema=info.schema, roi=info.roi, model=None) as found:
            for index in info.wanted:
                found.write_prediction(index, truth.times[index], np.ones(SIZE, np.uint8))
            found.update_layer(1, type=operation.types[0], who="model")
            assert {each.found for each in judge_instruments(operation, found)} == {MISSED}


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"size": "300x256"}, "--size 300x256 is not WIDTHxHEIGHT in multiples of 32"),
        ({"json": Path("nowhere/at/all.json")}, "there is no folder nowhere/at for all.json; make it first"),
    ],
)
def test_what_cannot_be_done_is_one_sentence(options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(SystemExit, match=sentence):
        type_model.main(**options)
