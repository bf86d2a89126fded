"""Observers of MRML nodes that keep nothing alive and lose no error."""

from __future__ import annotations

from collections.abc import Callable
from weakref import WeakMethod

from rasnet.errors import RASNetError


def weak_observer(act: Callable[[], object], report: Callable[[RASNetError], None]) -> Callable[[object, str], None]:
    """An observer for ``AddObserver`` that reports errors, as VTK would print them where nobody looks.

    It does not keep the object of its methods alive: nodes hold their observers, and a circle of Python and VTK objects
    that the garbage collector takes apart may call an observer that is half gone.

    Args:
        act: a bound method, called at each event.
        report: a bound method of the same object, told of a RASNetError.
    """
    weak_act, weak_report = WeakMethod(act), WeakMethod(report)

    def observer(_caller: object, _event: str) -> None:
        act, report = weak_act(), weak_report()
        if act is None or report is None:
            return
        try:
            act()
        except RASNetError as error:
            report(error)

    return observer
