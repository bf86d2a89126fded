"""How far a task is: a bar, Cancel, a sentence, and the log behind a button."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import slicer
from slicer.i18n import tr as _

from RASNetSlicerLib.panel import Panel, Section, duration, sentence


class TaskRow(Section):
    """Shows the task of the case on show where it is one of a section's.

    Args:
        panel: the whole.
        activities: those of the section.
        bar: for progress.
        cancel: button.
        label: for a sentence.
        log: button.
    """

    def __init__(self, panel: Panel, activities: Collection[str], bar: Any, cancel: Any, label: Any, log: Any) -> None:
        super().__init__(panel)
        self._activities = activities
        self._bar, self._cancel, self._label, self._log = bar, cancel, label, log
        self.on_click(cancel, self._stop)
        self.on_click(log, self._show_log)

    def show(self, outcome: str) -> None:
        """Show what is under way; afterwards, what came of it.

        Args:
            outcome: in words; "" where nothing did.
        """
        tasks = self.session.tasks if self.session else None
        mine = tasks if tasks is not None and tasks.activity in self._activities else None
        busy = mine is not None and mine.busy
        self._bar.visible = self._cancel.visible = busy
        self._cancel.enabled = False
        if mine is not None:
            self._cancel.enabled = mine.busy and not mine.cancelled
            self._bar.maximum = mine.total  # 0 shows that something goes on
            self._bar.value = mine.done
        self._label.text = self._words(mine, outcome) if mine is not None else ""
        self._label.visible = bool(self._label.text)
        self._log.visible = bool(mine and mine.log)

    def _words(self, tasks: Any, outcome: str) -> str:
        if tasks.problem:
            return sentence(tasks.problem)
        if tasks.busy:
            if tasks.cancelled:
                return _("Stopping…")
            if not tasks.step:
                return _("Getting ready…")
            words = [_("{step}: {done} of {total}").format(step=tasks.step, done=tasks.done, total=tasks.total)]
            if tasks.seconds_left:
                words.append(_("{time} left").format(time=duration(tasks.seconds_left)))
            return sentence(", ".join(words))
        if tasks.cancelled:
            return sentence(tasks.note or _("stopped"))
        return outcome or (sentence(tasks.note) if tasks.note else "")

    def _stop(self) -> None:
        assert self.session is not None
        self.session.tasks.cancel()

    def _show_log(self) -> None:
        assert self.session is not None
        tasks = self.session.tasks
        slicer.util.messageBox(tasks.problem, windowTitle=_("Log of RASNet's worker"), detailedText=tasks.log)
