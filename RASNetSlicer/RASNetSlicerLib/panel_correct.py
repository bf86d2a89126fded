"""The section "Correct": the segment editor, the frame's status, and the way through the frames to review."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import qt
import slicer
from slicer.i18n import tr as _

from RASNetSlicerLib.panel import Panel, Section

EFFECTS = ("Paint", "Erase", "Draw", "Scissors", "Islands", "Margin", "Smoothing", "Threshold", "Grow from seeds")
BRIGHTNESS_EFFECTS = ("Threshold", "Grow from seeds", "Level tracing")
"""Effects that look at how bright pixels are; of a colour picture they would see red alone."""


class CorrectSection(Section):
    """Corrects the frame on show and goes on to the next."""

    def __init__(self, panel: Panel) -> None:
        super().__init__(panel)
        ui = self.ui
        self._acts: dict[str, tuple[Any, Callable[[], object]]] = {
            "N": (ui.nextButton, self._next),
            "P": (ui.previousButton, self._previous),
            "A": (ui.acceptButton, self._accept),
            "S": (ui.skipButton, self._skip),
            "C": (ui.copyLayerButton, self._copy),
            "Z": (ui.undoButton, self._undo),
        }
        for button, act in self._acts.values():
            self.on_click(button, act)
        self._shortcuts: list[Any] = []
        self._said = ""
        editor = ui.segmentEditor
        editor.setSegmentationNodeSelectorVisible(False)
        editor.setSourceVolumeNodeSelectorVisible(False)
        editor.setSwitchToSegmentationsButtonVisible(False)
        editor.setAddRemoveSegmentButtonsVisible(False)
        editor.setEffectNameOrder(list(EFFECTS))
        editor.unorderedEffectsVisible = False
        editor.setMaximumNumberOfUndoStates(20)

    # The editor

    def start(self) -> None:
        """Give the editor the case on show."""
        assert self.session is not None
        editor, sequences = self.ui.segmentEditor, self.session.shown.sequences
        editor.setMRMLSegmentEditorNode(self._editor_node())
        editor.setMRMLScene(slicer.mrmlScene)
        editor.setSegmentationNode(sequences.mask_proxy)
        editor.setSourceVolumeNode(sequences.image_proxy)
        for widget in (self.ui.playWidget, self.ui.seekWidget):
            widget.setMRMLSequenceBrowserNode(sequences.browser)

    def stop(self) -> None:
        """Take the case away from the editor."""
        if self.ui.segmentEditor.mrmlSegmentEditorNode() is not None:
            self.ui.segmentEditor.setActiveEffect(None)
            self.ui.segmentEditor.setSegmentationNode(None)
            self.ui.segmentEditor.setSourceVolumeNode(None)
        self.ui.segmentEditor.setMRMLSegmentEditorNode(None)
        for widget in (self.ui.playWidget, self.ui.seekWidget):
            widget.setMRMLSequenceBrowserNode(None)

    def follow_effect(self) -> None:
        """Give effects that look at brightness a picture whose brightness they can see."""
        node = self.ui.segmentEditor.mrmlSegmentEditorNode()
        if self.session is None or node is None:
            return
        shown = self.session.shown
        looks = node.GetActiveEffectName() in BRIGHTNESS_EFFECTS
        wanted = shown.luminance() if looks else shown.sequences.image_proxy
        if self.ui.segmentEditor.sourceVolumeNode() is not wanted:
            self.ui.segmentEditor.setSourceVolumeNode(wanted)

    def select(self, layer_id: int) -> None:
        """Paint into a layer from now on."""
        from RASNetSlicerLib.segments import segment_id

        if self.session is not None:
            self.ui.segmentEditor.setCurrentSegmentID(segment_id(layer_id))

    def _editor_node(self) -> Any:
        node = slicer.mrmlScene.GetSingletonNode("RASNet", "vtkMRMLSegmentEditorNode")
        if node is None:
            node = slicer.vtkMRMLSegmentEditorNode()
            node.SetSingletonTag("RASNet")
            # A pixel belongs to one instrument.
            node.SetOverwriteMode(node.OverwriteAllSegments)
            node = slicer.mrmlScene.AddNode(node)
        return node

    # Keys

    def install_keys(self) -> None:
        """Let single keys work while the module is on show."""
        self.ui.segmentEditor.setupViewObservations()
        self.ui.segmentEditor.installKeyboardShortcuts()
        for key, (button, _act) in self._acts.items():
            shortcut = qt.QShortcut(qt.QKeySequence(key), slicer.util.mainWindow())
            # As if the button were pressed: not where it is disabled.
            shortcut.connect("activated()", button.click)
            self._shortcuts.append(shortcut)

    def remove_keys(self) -> None:
        """Give the keys back."""
        self.ui.segmentEditor.setActiveEffect(None)
        self.ui.segmentEditor.removeViewObservations()
        self.ui.segmentEditor.uninstallKeyboardShortcuts()
        for shortcut in self._shortcuts:
            shortcut.setEnabled(False)
            shortcut.deleteLater()
        self._shortcuts.clear()

    # What is on show

    def update(self) -> None:
        """Show the frame, its status, and what waits."""
        session, ui = self.session, self.ui
        frame = session.shown.shown if session else None
        for button in (ui.nextButton, ui.previousButton, ui.acceptButton, ui.skipButton, ui.copyLayerButton):
            button.enabled = frame is not None
        ui.segmentEditor.enabled = frame is not None
        ui.undoButton.enabled = session is not None and (self._can_undo_stroke() or session.review.can_undo)
        if session is None or frame is None:
            ui.frameLabel.text = _("Open a video first.")
            ui.reviewLabel.text = ""
            ui.reviewLabel.visible = False
            return
        status = _words(session.review.status_of(frame))
        ui.frameLabel.text = _("<b>Frame {frame}</b>: {status}").format(frame=frame, status=status)
        if not session.shown.sequences.browser.GetPlaybackActive():
            waiting, elsewhere = len(session.review.waiting), session.review.elsewhere
            words = self._said or _("Frames that wait for review: {count}").format(count=waiting)
            if elsewhere:
                words += _(", and {count} outside the frames in Slicer").format(count=elsewhere)
            if frame in session.review.reasons and session.review.status_of(frame) == "predicted":
                words += _(". This one: {why}").format(why=session.review.reasons[frame])
            ui.reviewLabel.text = words
            ui.reviewLabel.visible = True
            self._said = ""

    # What a person does

    def _next(self) -> None:
        assert self.session is not None
        self._take_new_frames()
        self._arrived(self.session.review.next())

    def _previous(self) -> None:
        assert self.session is not None
        if self.session.review.previous() is None:
            self._said = _("This is the first frame of the review")

    def _accept(self) -> None:
        assert self.session is not None
        self._take_new_frames()
        self._arrived(self.session.review.accept())

    def _skip(self) -> None:
        assert self.session is not None
        self._take_new_frames()
        self._arrived(self.session.review.skip())

    def _take_new_frames(self) -> None:
        """Review may begin while the rest of the video is still being searched."""
        assert self.session is not None
        if self.session.finding.busy:
            self.session.review.refresh()

    def _arrived(self, frame: int | None) -> None:
        if frame is None:
            self._said = _("No other frame waits for review here")

    def _copy(self) -> None:
        assert self.session is not None
        layer_id = self.panel.current_layer()
        if layer_id is None:
            self._said = _("Select one instrument to copy")
            return
        self.session.review.copy_layer(layer_id)

    def _undo(self) -> None:
        assert self.session is not None
        if self._can_undo_stroke():
            self.ui.segmentEditor.undo()
        else:
            self.session.review.undo()

    def _can_undo_stroke(self) -> bool:
        return bool(slicer.util.findChild(self.ui.segmentEditor, "UndoButton").enabled)


def _words(status: str) -> str:
    return {
        "": _("nobody has looked at it yet"),
        "predicted": _("found by the program, waits for review"),
        "corrected": _("corrected"),
        "accepted": _("accepted"),
        "skipped": _("skipped"),
    }[status]
