"""What happens to the case on show by other hands than the panel's: another frame, a stroke, masks of the worker."""

from __future__ import annotations

from typing import Any

import qt
import slicer
import vtk
from slicer.util import VTKObservationMixin

from RASNetSlicerLib.panel import Panel, report

_TICK_MS = 100
_EDITS = ("SourceRepresentationModified", "SegmentAdded", "SegmentRemoved", "SegmentModified")


class Follower(VTKObservationMixin):
    """Brings the panel up to date, and strokes into the case, as soon as Slicer is done with what it is doing.

    Args:
        panel: the whole.
    """

    def __init__(self, panel: Panel) -> None:
        VTKObservationMixin.__init__(self)
        self._panel = panel
        self._ticker, self._later, self._stroke = qt.QTimer(), qt.QTimer(), qt.QTimer()
        self._ticker.setInterval(_TICK_MS)
        self._ticker.connect("timeout()", self._tick)
        for timer, act in ((self._later, panel.update), (self._stroke, self._save_stroke)):
            timer.setSingleShot(True)
            timer.setInterval(0)
            timer.connect("timeout()", act)

    def start(self) -> None:
        """Follow the case on show."""
        assert self._panel.session is not None
        sequences = self._panel.session.shown.sequences
        modified = vtk.vtkCommand.ModifiedEvent
        self.addObserver(sequences.browser, modified, self._on_browse)
        for name in _EDITS:
            self.addObserver(sequences.mask_proxy, getattr(slicer.vtkSegmentation, name), self._on_stroke)
        self.addObserver(self._panel.ui.segmentEditor.mrmlSegmentEditorNode(), modified, self._on_editor)
        # Someone may remove the case's nodes by hand.
        self.addObserver(slicer.mrmlScene, slicer.mrmlScene.NodeRemovedEvent, self.update_soon)
        self._ticker.start()

    def stop(self) -> None:
        """Follow it no longer."""
        self.removeObservers()
        for timer in (self._ticker, self._later, self._stroke):
            timer.stop()

    def update_soon(self, _caller: Any = None, _event: Any = None) -> None:
        """Bring the panel up to date once for all that happens until then."""
        self._later.start()

    def report_soon(self, error: Exception) -> None:
        """Say what went wrong while Slicer changed frames; a dialog now would change more under its hands."""
        qt.QTimer.singleShot(0, lambda: report(error))

    def _on_browse(self, _caller: Any, _event: Any) -> None:
        self._later.start()

    def _on_stroke(self, _caller: Any, _event: Any) -> None:
        self._stroke.start()

    def _on_editor(self, _caller: Any, _event: Any) -> None:
        from RASNetSlicerLib.segments import layer_id

        self._panel.correcting.follow_effect()
        chosen = layer_id(self._panel.ui.segmentEditor.currentSegmentID() or "")
        if chosen is not None:
            self._panel.layers.select(chosen)

    def _save_stroke(self) -> None:
        """A crash of Slicer loses the stroke in hand at most."""
        session = self._panel.session
        if session is not None and session.shown.watching and (frame := session.shown.shown) is not None:
            self._panel.attempt(lambda: session.shown.save_frame(frame))

    def _tick(self) -> None:
        session = self._panel.session
        if session is None or self._panel.working or not session.shown.watching:
            return
        try:
            changed = session.tick()
        except Exception as error:
            report(error)
            changed = True
        if changed:
            self._panel.update()
