"""Measurements of drawn instruments, whose area, middle, direction and tip are known."""

import math

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from rasnet.errors import RASNetError
from rasnet.labels import LabelSchema
from rasnet.measurements import LayerMeasurement, measure_layers

PARTS = LabelSchema.load("instrument_parts")
TYPES = LabelSchema.load("endovis2017_types")

Mask = npt.NDArray[np.uint8]


def block(rows: slice, columns: slice, value: int = 1, size: tuple[int, int] = (100, 200)) -> Mask:
    mask = np.zeros(size, np.uint8)
    mask[rows, columns] = value
    return mask


def rotated_bar(angle_deg: float, length: float = 121, width: float = 21) -> tuple[Mask, Mask]:
    """A bar about (150, 150) of a (301, 301) frame: layer mask, and parts with the far quarter distal."""
    y, x = np.mgrid[:301, :301] - 150.0
    angle = np.radians(angle_deg)
    along, across = x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)
    inside = (abs(along) < length / 2) & (abs(across) < width / 2)
    return inside.astype(np.uint8), np.where(inside, np.where(along > length / 4, 2, 1), 0).astype(np.uint8)


def only(measured: list[LayerMeasurement]) -> LayerMeasurement:
    (measurement,) = measured
    return measurement


@pytest.mark.parametrize(
    ("rows", "columns", "area", "centroid", "axis", "tip"),
    [
        (slice(40, 61), slice(0, 120), 21 * 120, (59.5, 50), (1, 0), (119, 50)),  # from the left
        (slice(40, 61), slice(80, 200), 21 * 120, (139.5, 50), (-1, 0), (80, 50)),  # from the right
        (slice(0, 60), slice(90, 101), 60 * 11, (95, 29.5), (0, 1), (95, 59)),  # from the top
        (slice(30, 100), slice(90, 101), 70 * 11, (95, 64.5), (0, -1), (95, 30)),  # from the bottom
        (slice(40, 61), slice(10, 90), 21 * 80, (49.5, 50), (1, 0), (89, 50)),  # near to the left border
        (slice(7, 8), slice(5, 6), 1, (5, 7), (1, 0), (5, 7)),  # one pixel
    ],
    ids=["left", "right", "top", "bottom", "near left", "one pixel"],
)
def test_a_bar_points_away_from_the_border_it_comes_in_by(
    rows: slice,
    columns: slice,
    area: int,
    centroid: tuple[float, float],
    axis: tuple[float, float],
    tip: tuple[float, float],
) -> None:
    measured = only(measure_layers(block(rows, columns)))
    assert measured.layer == 1
    assert measured.area == area
    assert measured.centroid == pytest.approx(centroid)
    assert measured.axis == pytest.approx(axis, abs=1e-9)
    assert measured.tip == pytest.approx(tip)


@pytest.mark.parametrize("angle", [0, 17, 45, 90, 133, 180, 225, 270, 301])
def test_a_rotated_bar_points_from_its_shaft_to_its_tip(angle: float) -> None:
    layers, parts = rotated_bar(angle)
    measured = only(measure_layers(layers, parts, PARTS))
    direction = np.array([np.cos(np.radians(angle)), np.sin(np.radians(angle))])
    assert measured.area == pytest.approx(121 * 21, rel=0.03)
    assert measured.centroid == pytest.approx((150, 150), abs=0.1)
    assert measured.axis == pytest.approx(direction, abs=0.01)
    assert measured.tip is not None
    assert np.array(measured.tip) - 150 == pytest.approx(60 * direction, abs=11)  # a corner of its end, at worst
    assert (np.array(measured.tip) - 150) @ direction == pytest.approx(60, abs=1)


def test_parts_speak_louder_than_the_border() -> None:
    layers = block(slice(40, 61), slice(0, 120))
    parts = layers.copy()
    parts[:, :30] *= 2  # the jaws are at the left border, the shaft ends inside: seen from behind
    measured = only(measure_layers(layers, parts, PARTS))
    assert measured.axis == pytest.approx((-1, 0))
    assert measured.tip == pytest.approx((0, 50))


def test_the_tip_is_out_of_sight_when_only_the_shaft_is_seen() -> None:
    layers = block(slice(40, 61), slice(0, 200))
    parts = layers.copy()
    parts[45, 100:104] = 2  # 4 of 4200 pixels: noise
    assert only(measure_layers(layers, parts, PARTS)).tip is None


def test_without_a_shaft_in_sight_the_border_gives_the_direction() -> None:
    layers = block(slice(40, 61), slice(140, 200))
    measured = only(measure_layers(layers, layers * np.uint8(2), PARTS))
    assert measured.axis == pytest.approx((-1, 0))
    assert measured.tip == pytest.approx((140, 50))


def test_every_layer_is_measured_by_rising_id_and_on_its_own() -> None:
    layers = block(slice(10, 21), slice(0, 80), 200) + block(slice(60, 81), slice(100, 200), 3)
    parts = (layers > 0).astype(np.uint8)
    parts[10:21, 60:80] = 2
    first, second = measure_layers(layers, parts, PARTS)
    assert (first.layer, first.area, first.tip) == (3, 21 * 100, None)
    assert (second.layer, second.area, second.tip) == (200, 11 * 80, (79, 15))


def test_pieces_of_one_layer_are_measured_together() -> None:
    layers = block(slice(40, 61), slice(0, 150))
    layers[:, 60:80] = 0
    measured = only(measure_layers(layers))
    assert measured.area == 21 * 130
    assert measured.tip == pytest.approx((149, 50))


def test_types_say_nothing_of_parts() -> None:
    layers = block(slice(40, 61), slice(0, 120))
    assert measure_layers(layers, layers, TYPES) == measure_layers(layers)


def test_an_empty_frame_has_no_measurements() -> None:
    assert measure_layers(np.zeros((10, 10), np.uint8)) == []


def test_instruments_come_in_by_the_border_of_the_region_of_interest() -> None:
    class Window:
        top, left, height, width = 0, 120, 100, 80

    layers = block(slice(85, 96), slice(120, 190))  # ends 4 rows from the frame's bottom, 9 from its right
    assert only(measure_layers(layers, roi=Window())).tip == pytest.approx((189, 90))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("layers", "parts", "schema", "message"),
    [
        (np.zeros((4, 4), np.uint8), np.zeros((4, 5), np.uint8), PARTS, "same frame and size"),
        (np.zeros((4, 4), np.uint8), np.zeros((4, 4), np.uint8), None, "without their label schema"),
        (np.zeros((2, 4, 4), np.uint8), None, None, "one frame at a time"),
    ],
)
def test_masks_that_do_not_fit_are_refused(
    layers: Mask, parts: Mask | None, schema: LabelSchema | None, message: str
) -> None:
    with pytest.raises(RASNetError, match=message):
        measure_layers(layers, parts, schema)


@st.composite
def instruments(draw: st.DrawFn) -> tuple[Mask, Mask]:
    """A bar with a distal end, drawn well inside a (160, 160) frame: layers and parts."""
    place = st.tuples(st.integers(40, 120), st.integers(40, 120))
    base, tip = draw(st.tuples(place, place).filter(lambda ends: math.dist(*ends) > 40))
    return instrument(base, tip, draw(st.integers(3, 15)))


def instrument(base: tuple[int, int], tip: tuple[int, int], width: int) -> tuple[Mask, Mask]:
    """Layers and parts of one instrument; points are (x, y)."""
    layers, parts = np.zeros((160, 160), np.uint8), np.zeros((160, 160), np.uint8)
    middle = tuple((np.array(base) + tip) // 2)
    cv2.line(parts, base, tuple(int(value) for value in middle), 1, width)
    cv2.circle(parts, tip, width, 2, -1)
    layers[parts > 0] = 1
    return layers, parts


@settings(max_examples=40, deadline=None)
@given(instruments(), st.integers(-20, 20), st.integers(-20, 20))
@example(instrument((118, 119), (118, 76), 12), 7, -9)  # its axis runs along the pixels
def test_measurements_move_with_the_instrument(drawn: tuple[Mask, Mask], dx: int, dy: int) -> None:
    layers, parts = drawn
    before = only(measure_layers(layers, parts, PARTS))
    after = only(measure_layers(np.roll(layers, (dy, dx), (0, 1)), np.roll(parts, (dy, dx), (0, 1)), PARTS))
    assert after.area == before.area
    assert after.centroid == pytest.approx((before.centroid.x + dx, before.centroid.y + dy))
    assert after.axis == pytest.approx(before.axis, abs=1e-6)
    assert before.tip is not None
    assert after.tip == pytest.approx((before.tip.x + dx, before.tip.y + dy))


@settings(max_examples=40, deadline=None)
@given(st.integers(20, 140), st.integers(5, 15), st.integers(30, 120))
def test_measurements_turn_with_the_frame(y: int, half_width: int, length: int) -> None:
    """A quarter turn counter-clockwise takes (x, y) to (y, 159 - x)."""
    layers = block(slice(y - half_width, y + half_width + 1), slice(0, length), size=(160, 160))
    before, after = only(measure_layers(layers)), only(measure_layers(np.rot90(layers).copy()))
    assert after.area == before.area
    assert after.centroid == pytest.approx((before.centroid.y, 159 - before.centroid.x))
    assert after.axis == pytest.approx((before.axis.y, -before.axis.x), abs=1e-9)
    assert before.tip is not None
    assert after.tip == pytest.approx((before.tip.y, 159 - before.tip.x))
