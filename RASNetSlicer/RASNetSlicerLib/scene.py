"""A case in a Slicer scene: the window of it that is loaded, and what people change there written back."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterable
from typing import TypeVar

import slicer

from rasnet.case import Case, FrameStatus
from rasnet.case.journal import current_user
from rasnet.errors import RASNetError
from rasnet.masks import Mask
from rasnet.progress import Progress, SilentProgress
from RASNetSlicerLib import segments
from RASNetSlicerLib.companions import companion
from RASNetSlicerLib.image_sequence import check_case, find_images
from RASNetSlicerLib.images import set_luminance
from RASNetSlicerLib.loading import read_frames, read_masks
from RASNetSlicerLib.observers import weak_observer
from RASNetSlicerLib.saving import FrameSaver
from RASNetSlicerLib.sequences import FrameSequences
from RASNetSlicerLib.window import Window, plan_window

_CASE = "RASNet.Case"
_WINDOW = "RASNet.Window"

T = TypeVar("T")


class CaseScene:
    """One case, a window of whose frames is in a scene.

    The case is what lasts; the scene shows it. A frame that was edited is written into the case when another frame
    is shown, and by `save_frame`, which is quick enough to follow every stroke. What an editor does to layers in one
    frame (a new name, a new segment) counts for all frames from then on.

    Attributes:
        case: the case.
        scene: the scene.
        sequences: the nodes.
        on_error: told of what goes wrong while Slicer changes frames by itself; what was not written stays in the
            scene and is tried again at the next save.
    """

    def __init__(
        self, case: Case, scene: slicer.vtkMRMLScene, sequences: FrameSequences, window: Window, who: str, tool: str
    ) -> None:
        self.case = case
        self.scene = scene
        self.sequences = sequences
        self.on_error: Callable[[RASNetError], None] = lambda error: logging.error("%s", error)
        self._saver = FrameSaver(case, sequences, window, who, tool)
        self._shown: int | None = None
        self._luminance: slicer.vtkMRMLScalarVolumeNode | None = None
        self._observed = [
            (node, node.AddObserver(event, weak_observer(act, self._report)))
            for node, event, act in (
                (sequences.browser, "ModifiedEvent", self._on_browse),
                (scene, slicer.vtkMRMLScene.StartCloseEvent, self.close),
                (scene, slicer.vtkMRMLScene.NodeRemovedEvent, self._let_go_if_gone),
            )
        ]

    @classmethod
    def load(
        cls,
        case: Case,
        scene: slicer.vtkMRMLScene,
        window: Window | None = None,
        *,
        who: str | None = None,
        tool: str = "3D Slicer",
        progress: Progress | None = None,
    ) -> CaseScene:
        """Put a window of a case into a scene.

        Args:
            case: the case; it stays open as long as the scene shows it.
            scene: the scene.
            window: None for what `plan_window` chooses.
            who: the person who corrects; None for the one at this computer.
            tool: the program, with its version.
            progress: told of each frame.

        Raises:
            RASNetError: the video is not where it was, the case does not fit into memory or cannot be read; the scene
                stays as it was.
        """
        window = plan_window(case.info) if window is None else window
        case.open_source().close()  # before any node is there
        sequences = FrameSequences.create(scene, case.info.source.name)
        shown = cls(case, scene, sequences, window, who or current_user(), tool)
        try:
            shown.move(window, progress=progress)
        except BaseException:
            shown._let_go()
            sequences.remove()
            raise
        return shown

    @classmethod
    def join(
        cls,
        case: Case,
        browser: slicer.vtkMRMLSequenceBrowserNode,
        *,
        who: str | None = None,
        tool: str = "3D Slicer",
        progress: Progress | None = None,
    ) -> CaseScene:
        """Put the masks of a case into the browser of the image sequence that the case was made from.

        A frame's index is the number of its item. Everything else in the browser stays as it is. Arguments as for
        `load`.

        Raises:
            RASNetError: the browser has no image sequence or several, the case was made from other pictures or cannot
                be read; the scene stays as it was.
        """
        images = find_images(browser)
        check_case(case.info, images)
        sequences = FrameSequences.join(browser, images)
        window = Window(range(images.GetNumberOfDataNodes()), 1, case.info.height, case.info.width)
        shown = cls(case, browser.GetScene(), sequences, window, who or current_user(), tool)
        shown._saver.layers = case.layers()
        shown._remember(window)
        try:
            sequences.fill(read_masks(shown._saver, sequences, progress or SilentProgress()))
        except BaseException:
            shown._let_go()
            browser.GetScene().RemoveNode(sequences.masks)
            raise
        shown._agree()
        shown._on_browse()
        return shown

    @classmethod
    def attach(
        cls,
        browser: slicer.vtkMRMLSequenceBrowserNode,
        *,
        who: str | None = None,
        tool: str = "3D Slicer",
    ) -> CaseScene:
        """Go on with the case of a scene that was saved and opened again; masks are those of the case now.

        Raises:
            RASNetError: the browser does not show a case, or the case is no longer where it was.
        """
        sequences = FrameSequences.of_browser(browser)
        node = sequences.masks if sequences is not None else browser
        folder, words = node.GetAttribute(_CASE), node.GetAttribute(_WINDOW)
        if sequences is None or not folder or not words:
            raise RASNetError(f"{browser.GetName()} does not show a case of RASNet; load the case instead")
        case = Case.open(folder)
        start, stop, step, scale = json.loads(words)
        window = Window(range(start, stop, step), scale, case.info.height, case.info.width)
        shown = cls(case, browser.GetScene(), sequences, window, who or current_user(), tool)
        sequences.connect()
        sequences.renew()
        shown._shown = sequences.shown
        shown._reload()
        return shown

    def move(self, window: Window, *, progress: Progress | None = None) -> None:
        """Show another window of the case, in the same nodes; unsaved edits are saved first.

        Damaged frames of the video are left out.

        Raises:
            RASNetError: an edit could not be saved or the video is not where it was, and the old window stays; or a
                mask of the case is damaged, and the frames before it are shown.
        """
        if not self.can_move:
            raise RASNetError(f"{self.sequences.images.GetName()} is in the scene as a whole; browse it instead")
        self.save()
        self.case.open_source().close()  # a video that is gone costs nothing
        self._saver.forget()
        self._saver.layers = self.case.layers()
        self._saver.window = window
        self._shown = None
        self._remember(window)
        rate = self.case.info.source.fps / window.frames.step
        try:
            frames = read_frames(self._saver, progress or SilentProgress())
            self.sequences.replace(frames, rate, show=self.sequences.shown)
        finally:
            self._agree()
        self._on_browse()

    def close(self) -> None:
        """Save, and stop watching the scene; its nodes stay.

        Raises:
            RASNetError: an edit could not be saved; the scene is still watched then.
        """
        self.save()
        self._let_go()

    # Frames

    @property
    def window(self) -> Window:
        """What is loaded."""
        return self._saver.window

    @property
    def watching(self) -> bool:
        """Whether the scene still shows the case; not after `close`, and where someone has removed the nodes."""
        return bool(self._observed)

    @property
    def can_move(self) -> bool:
        """Whether other frames of the video can take the place of those that are loaded."""
        return self.sequences.has_own_images

    @property
    def shown(self) -> int | None:
        """Index in the source of the frame on show."""
        return self.sequences.shown

    def mask(self, index: int) -> Mask:
        """What the scene shows of a loaded frame: layer ids, uint8, of the window's shape."""
        return segments.read_mask(self.sequences.mask_node(index), self.window.shape)

    def is_edited(self, index: int) -> bool:
        """Whether a loaded frame was changed since it was last saved or loaded."""
        return self._saver.is_edited(index)

    def save(self) -> list[int]:
        """Write every edited frame into the case.

        Returns:
            The frames whose pixels changed.

        Raises:
            RASNetError: the case cannot be written; what was not written stays in the scene.
        """
        return [index for index in self._saver.frames if self.save_frame(index)]

    def save_frame(self, index: int) -> bool:
        """Write a frame into the case if it was edited; a frame that was not costs next to nothing.

        Returns:
            Whether pixels changed; names, colours and new segments are taken over in any case.

        Raises:
            RASNetError: as for `save`.
        """
        return self._saver.save(index)

    def put_mask(self, index: int, mask: Mask) -> None:
        """Replace the mask of a loaded frame in a person's name, and write it into the case.

        Args:
            index: of the frame.
            mask: layer ids, uint8, of the window's shape.

        Raises:
            RASNetError: as for `save`.
        """
        self.save_frame(index)
        segments.put_mask(self.sequences.mask_node(index), mask, self.sequences.geometry(index))
        self.save_frame(index)

    def set_status(self, index: int, status: FrameStatus) -> None:
        """Accept or skip a loaded frame, or give it back to the programs (``predicted``).

        Raises:
            RASNetError: the frame has no mask to accept, or the case cannot be written.
        """
        self.save_frame(index)
        self.case.set_status(index, status, who=self.who, tool=self.tool)
        self._saver.describe(index, self.case.frame(index))

    def refresh(self, indices: Iterable[int] | None = None) -> None:
        """Show what programs wrote into the case since; the frame on show and unsaved edits stay.

        Args:
            indices: those that may have changed, loaded or not; None for all.
        """
        loaded = self._saver.frames
        chosen = loaded if indices is None else sorted(set(loaded).intersection(indices))
        for index in chosen:
            self.save_frame(index)
        self._saver.show_layers()
        rows = self._saver.rows()
        for index in chosen:
            row = rows.get(index)
            if self._saver.is_outdated(index, row):
                self._saver.show_mask(index, row)
            self._saver.describe(index, row)

    def outdated(self) -> list[int]:
        """Loaded frames whose mask a program has changed in the case since scene and case agreed."""
        rows = self._saver.rows()
        return [index for index in self._saver.frames if self._saver.is_outdated(index, rows.get(index))]

    def luminance(self) -> slicer.vtkMRMLScalarVolumeNode:
        """A scalar volume that follows the frame on show: the source for the editor's intensity tools."""
        if self.sequences.image_proxy.GetImageData().GetNumberOfScalarComponents() == 1:
            return self.sequences.image_proxy
        if self._luminance is None or not self.scene.IsNodePresent(self._luminance):
            self._luminance = companion(self.sequences, "vtkMRMLScalarVolumeNode", "luminance")
            self._luminance.CreateDefaultDisplayNodes()
            set_luminance(self._luminance, self.sequences.image_proxy)
        return self._luminance

    # Layers

    def edit_layers(self, change: Callable[[Case], T]) -> T:
        """Change layers in the case and in every loaded frame: the one way in which layers change.

        Args:
            change: does it to the case.

        Returns:
            What `change` returns.

        Raises:
            RASNetError: what `change` raises, or an edit could not be saved before; nothing has changed then.
        """
        self.save()
        try:
            return change(self.case)
        finally:
            # Also where `change` was interrupted: the case is right then, and finishes what it began.
            rows = self._saver.rows()
            for index in self._saver.frames:
                if self._saver.is_outdated(index, rows.get(index)):
                    self._saver.show_mask(index, rows.get(index))
            self._saver.show_layers()

    @property
    def who(self) -> str:
        """The person who corrects."""
        return self._saver.who

    @property
    def tool(self) -> str:
        """The program in use."""
        return self._saver.tool

    # Inside

    def _remember(self, window: Window) -> None:
        """Note in the scene what it shows, for `attach`."""
        span = window.frames
        self.sequences.masks.SetAttribute(_CASE, str(self.case.folder.resolve()))
        self.sequences.masks.SetAttribute(_WINDOW, json.dumps([span.start, span.stop, span.step, window.scale]))

    def _agree(self) -> None:
        """What the scene has of every frame now is what the case has."""
        rows = self._saver.rows()
        for index in self.sequences.indices:
            self._saver.agree(index, rows.get(index))

    def _let_go_if_gone(self) -> bool:
        """Where someone has removed the nodes, save what is in them and stop watching; says whether it is so."""
        if not self._saver.frames or self.sequences.are_in(self.scene):
            return False
        if self.watching:
            self._let_go()
            self.save()
        return True

    def _report(self, error: RASNetError) -> None:
        self.on_error(error)

    def _let_go(self) -> None:
        for node, tag in self._observed:
            node.RemoveObserver(tag)
        self._observed.clear()

    def _reload(self) -> None:
        """Take every loaded frame from the case, whatever the scene has of it."""
        self._saver.layers = self.case.layers()
        rows = self._saver.rows()
        for index in self.sequences.indices:
            self._saver.show_mask(index, rows.get(index))

    def _on_browse(self) -> None:
        """Another frame is on show, or the browser's settings changed."""
        if not self._saver.frames or self._let_go_if_gone():
            return  # the window is being filled, or someone has taken it away
        if not self.sequences.browser.GetSaveChanges(self.sequences.masks):
            # Slicer has emptied the frame on show by now; the case has its mask.
            self.sequences.connect()
            self._reload()
        left, self._shown = self._shown, self.shown
        if self._luminance is not None and left != self._shown and self.scene.IsNodePresent(self._luminance):
            set_luminance(self._luminance, self.sequences.image_proxy)
        if left is not None and left != self._shown:
            self.save_frame(left)
