"""What the sections of the panel have in common; none of them needs more than Slicer itself to be built."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol

import slicer
from slicer.i18n import tr as _

if TYPE_CHECKING:
    from pathlib import Path

    from RASNetSlicerLib.session import Session


class CancelledError(Exception):
    """The person pressed Cancel; nothing more is to be said."""


class Panel(Protocol):
    """What a section may ask of the panel that it is part of."""

    ui: Any
    logic: Any
    parameters: Any
    session: Session | None
    working: bool
    layers: Any
    correcting: Any

    def update(self) -> None:
        """Show how things are."""
        ...

    def attempt(self, act: Callable[[], object]) -> bool:
        """Do what a control asks for, say what goes wrong, and show what has changed."""
        ...

    def open_case(self, folder: Path) -> None:
        """Open a case in the place of the one on show."""
        ...

    def open_session(self, start: Callable[[], Session]) -> None:
        """Put another case in the place of the one on show."""
        ...

    def current_layer(self) -> int | None:
        """The instrument that is selected."""
        ...

    def select_layer(self, layer_id: int) -> None:
        """Select an instrument, in the table and in the editor."""
        ...


class Section:
    """One foldable part of the panel: joins controls to functions, and shows how things are.

    Args:
        panel: the whole.
    """

    def __init__(self, panel: Panel) -> None:
        self.panel = panel
        self.ui = panel.ui

    @property
    def session(self) -> Session | None:
        """The case on show."""
        return self.panel.session

    def update(self) -> None:
        """Show how things are now."""

    def on_click(self, button: Any, act: Callable[[], object]) -> None:
        """Let a button do something."""
        button.connect("clicked(bool)", lambda _checked: self.panel.attempt(act))


def explain(error: Exception) -> str | None:
    """The sentence of an error that the user can do something about; None for any other."""
    if isinstance(error, ModuleNotFoundError):
        return _("RASNet needs the package {name}; press Install… in the section Installation").format(name=error.name)
    # RASNetError is told by its name, since `rasnet` itself may be what is missing.
    if isinstance(error, ImportError) or "RASNetError" in {kind.__name__ for kind in type(error).__mro__}:
        return str(error)
    return None


def report(error: Exception) -> None:
    """Tell the user what went wrong; a bug also comes with what its finder needs."""
    import traceback

    if sentence := explain(error):
        slicer.util.errorDisplay(sentence, windowTitle="RASNet")
        return
    logging.error("RASNet failed", exc_info=error)
    details = "".join(traceback.format_exception(type(error), error, error.__traceback__))
    slicer.util.errorDisplay(
        _("RASNet has failed unexpectedly ({error}); the details help those who can mend it").format(error=error),
        windowTitle="RASNet",
        detailedText=details,
    )


class DialogProgress:
    """A `rasnet.progress.Progress` that draws a dialog with a Cancel button.

    Args:
        dialog: of Qt.
    """

    def __init__(self, dialog: Any) -> None:
        self._dialog = dialog

    def start(self, task: str, total: int) -> None:
        """Show what begins."""
        self._dialog.labelText = task.capitalize()
        self._dialog.maximum = max(total, 1)
        self._dialog.value = 0

    def advance(self, frame: int | None = None, count: int = 1) -> None:
        """Move the bar, and let the person press Cancel."""
        self._dialog.value = self._dialog.value + count
        slicer.app.processEvents()
        if self._dialog.wasCanceled:
            raise CancelledError

    def note(self, message: str) -> None:
        """Keep what is said for those who look for it."""
        logging.info("%s", message)

    def finish(self, **result: object) -> None:
        """Nothing is left to show."""


@contextmanager
def progress_dialog(title: str) -> Iterator[DialogProgress]:
    """Show how far long work is, over a window that waits for it."""
    import qt

    dialog = slicer.util.createProgressDialog(windowTitle=title, labelText=title, autoClose=False, autoReset=False)
    dialog.setWindowModality(qt.Qt.WindowModal)
    try:
        yield DialogProgress(dialog)
    finally:
        dialog.close()
        dialog.deleteLater()


def duration(seconds: float) -> str:
    """Minutes and seconds, as a clock shows them."""
    whole = max(0, round(seconds))
    return f"{whole // 60}:{whole % 60:02d}"


def sentence(words: str) -> str:
    """Words that begin with a capital and end with a stop."""
    return words[0].upper() + words[1:].rstrip(".") + "."
