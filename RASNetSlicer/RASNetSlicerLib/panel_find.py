"""The section "Find instruments": one button, and how far the work is."""

from __future__ import annotations

import slicer
from slicer.i18n import tr as _

from RASNetSlicerLib.panel import Panel, Section, duration, sentence


class FindSection(Section):
    """Starts and cancels the search, and shows its progress."""

    def __init__(self, panel: Panel) -> None:
        super().__init__(panel)
        self.on_click(self.ui.findVideoButton, self._find_video)
        self.on_click(self.ui.findFrameButton, self._find_frame)
        self.on_click(self.ui.cancelButton, self._cancel)
        self.on_click(self.ui.logButton, self._show_log)

    def update(self) -> None:
        """Show what is under way."""
        ui, finding = self.ui, self.session.finding if self.session else None
        busy = finding is not None and finding.busy
        for button in (ui.findVideoButton, ui.findFrameButton):
            button.enabled = self.session is not None and not self.session.busy
        ui.cancelButton.enabled = busy and finding.activity != "cancel"
        ui.progressBar.maximum = max(finding.total, 1) if finding else 1
        ui.progressBar.value = finding.done if finding else 0
        ui.progressBar.visible = ui.cancelButton.visible = busy
        ui.logButton.visible = bool(finding and finding.log)
        ui.progressLabel.text = self._progress()
        ui.progressLabel.visible = bool(ui.progressLabel.text)

    def show_worker(self, installed: str) -> None:
        """Show what does the work."""
        finding = self.session.finding if self.session else None
        if finding is not None and finding.running and finding.started:
            installed = _("{installed}; the model is loaded ({backend})").format(
                installed=installed, backend=finding.backend
            )
        self.ui.workerLabel.text = installed
        self.ui.workerLabel.toolTip = finding.reason if finding and finding.reason else _("What does the work")

    def _progress(self) -> str:
        finding = self.session.finding if self.session else None
        if finding is None:
            return ""
        if finding.problem:
            return sentence(finding.problem)
        if finding.activity == "cancel":
            return _("Stopping…")
        if finding.busy and not finding.started:
            return _("Loading the model…")
        if finding.activity == "frame":
            return _("Looking at this frame…")
        if finding.activity == "video":
            words = [_("{done} of {total} frames").format(done=finding.done, total=finding.total)]
            if finding.rate is not None:
                words.append(_("{rate:.1f} frames/s").format(rate=finding.rate))
            if finding.seconds_left is not None:
                words.append(_("{time} left").format(time=duration(finding.seconds_left)))
            return ", ".join(words)
        if finding.note:
            return sentence(finding.note)
        return _("{done} frames done").format(done=finding.done) if finding.total else ""

    def _find_video(self) -> None:
        assert self.session is not None
        self.session.shown.save()
        self.session.finding.find_video()

    def _find_frame(self) -> None:
        assert self.session is not None
        if self.session.shown.shown is not None:
            self.session.finding.find_frame(self.session.shown.shown)

    def _cancel(self) -> None:
        assert self.session is not None
        self.session.finding.cancel()

    def _show_log(self) -> None:
        assert self.session is not None
        finding = self.session.finding
        slicer.util.messageBox(finding.problem, windowTitle=_("Log of RASNet's worker"), detailedText=finding.log)
