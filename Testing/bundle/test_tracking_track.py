"""What is remembered of an instrument that touches another: its look, brought up to date now and then."""

import numpy as np
import numpy.typing as npt
import pytest

from rasnet.geometry import Window
from rasnet.tracking.boxes import pose_of
from rasnet.tracking.look import Placement
from rasnet.tracking.track import RENEW_S, Track

HEIGHT, WIDTH = 60, 80
HERE = Placement()


def bar(length: int) -> npt.NDArray[np.uint8]:
    """An instrument from the left border, (60, 80) uint8: rows 20 to 29."""
    cells = np.zeros((HEIGHT, WIDTH), np.uint8)
    cells[20:30, :length] = 1
    return cells


@pytest.fixture
def closed() -> Track:
    """A bar of 40 columns, seen at 1 s."""
    classes = bar(40)
    return Track(1.0, classes, pose_of(classes, Window(0, 0, HEIGHT, WIDTH)), class_count=2)


@pytest.mark.parametrize(
    ("after_s", "renewed"),
    [
        pytest.param(RENEW_S / 2, False, id="lately seen on its own"),
        pytest.param(RENEW_S, True, id="due"),
        pytest.param(1.0, True, id="long due"),
    ],
)
def test_a_look_follows_an_instrument_that_changes_but_not_all_the_time(
    closed: Track, after_s: float, renewed: bool
) -> None:
    opened = bar(41)  # a column longer, which is within what a look may bend
    assert closed.look.at(HERE)[:, 40].sum() == 0
    closed.renew_look(1.0 + after_s, HERE, opened, opened)
    assert closed.look.at(HERE)[20:30, 40].tolist() == [int(renewed)] * 10


def test_after_a_renewal_the_next_one_waits(closed: Track) -> None:
    opened, longer = bar(41), bar(42)
    assert closed.look.at(HERE).any()
    closed.renew_look(1.0 + RENEW_S, HERE, opened, opened)
    closed.renew_look(1.0 + 1.5 * RENEW_S, HERE, longer, longer)
    assert closed.look.at(HERE)[:, 41].sum() == 0
    closed.renew_look(1.0 + 2 * RENEW_S + 1e-6, HERE, longer, longer)
    assert closed.look.at(HERE)[20:30, 41].tolist() == [1] * 10
