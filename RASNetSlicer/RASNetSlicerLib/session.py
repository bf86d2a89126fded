"""One case on which a person works in Slicer, with all that belongs to it."""

from __future__ import annotations

import logging
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import slicer

from rasnet.case import Case, Layer
from rasnet.errors import RASNetError
from rasnet.exchange.importing import ImportResult
from rasnet.merging import Conflict, read_conflicts
from rasnet.progress import Progress
from RASNetSlicerLib.bundle_path import worker_environment
from RASNetSlicerLib.comparison import Comparison
from RASNetSlicerLib.finding import Finding
from RASNetSlicerLib.image_sequence import find_images, write_frames
from RASNetSlicerLib.importing import import_masks
from RASNetSlicerLib.installation import check_learning
from RASNetSlicerLib.layer_edits import LayerEdits
from RASNetSlicerLib.opening import default_case_folder, is_case, open_case
from RASNetSlicerLib.process import Verb, Worker
from RASNetSlicerLib.review import ReviewQueue
from RASNetSlicerLib.scene import CaseScene
from RASNetSlicerLib.tasks import Tasks
from RASNetSlicerLib.timeline import Timeline
from RASNetSlicerLib.window import Window


class Session:
    """A case in the scene, the search for instruments in it, its layers, review and timeline.

    Args:
        shown: the case in its scene.

    Attributes:
        shown: the case in its scene.
        finding: the worker.
        tasks: what is learnt from corrections, comparison and merge.
        edits: of layers.
        review: frames that wait for a person.
        timeline: plot and statistics.
        comparison: with another person's case; None before the first.
        merged: folder of the case that was last made of this one and another person's; None before the first.
        conflicts: that a merge left for a person to decide: the last one of this case, else the one that made it.
    """

    def __init__(self, shown: CaseScene) -> None:
        self.shown = shown
        self.finding = Finding(shown, lambda: Worker(_python(), shown.case.folder, environment=worker_environment()))
        self.tasks = Tasks(shown, lambda arguments: Verb(_python(), arguments, environment=worker_environment()))
        self.edits = LayerEdits(shown)
        self.review = ReviewQueue(shown)
        self.timeline = Timeline(shown)
        self.comparison: Comparison | None = None
        self.merged: Path | None = None
        self.conflicts = _conflicts(shown.case.folder)
        self._other: Path | None = None
        # Files of the comparison under way, and of the one that is shown.
        self._comparing: tempfile.TemporaryDirectory[str] | None = None
        self._compared: tempfile.TemporaryDirectory[str] | None = None

    @classmethod
    def open(
        cls,
        source: str | Path | None,
        folder: str | Path | None = None,
        *,
        window: Window | None = None,
        progress: Progress | None = None,
    ) -> Session:
        """Put a video and its case into Slicer's scene; nothing of it stays there if that fails or is cancelled.

        Args:
            source: video, DICOM video or folder of images; None for that of the case.
            folder: of the case, which is made where there is none; beside the video by default.
            window: the frames to hold in Slicer; what memory takes by default.
            progress: told of each frame.

        Raises:
            RASNetError: the video or the case cannot be opened.
        """
        path = None if source is None else Path(source)
        if folder is None:
            if path is None:
                raise RASNetError("there is nothing to open; give a video, the folder of a case, or both")
            folder = default_case_folder(path)
        case = open_case(Path(folder), path)
        return cls._start(lambda: CaseScene.load(case, slicer.mrmlScene, window, tool=_tool(), progress=progress), case)

    @classmethod
    def open_sequence(
        cls,
        browser: slicer.vtkMRMLSequenceBrowserNode,
        folder: str | Path,
        *,
        progress: Progress | None = None,
    ) -> Session:
        """Put the masks of a case to an image sequence that is in the scene.

        Args:
            browser: of the images.
            folder: of the case; where there is none, it is made, and the images are written beside it for the worker.
            progress: told of each frame.

        Raises:
            RASNetError: the browser has no images or several sequences of them, or the case is about other images.
        """
        find_images(browser)  # what cannot be segmented is said before anything is written
        folder = Path(folder)
        source = None if is_case(folder) else write_frames(browser, folder.with_suffix(".mkv"), progress=progress)
        case = open_case(folder, source)
        return cls._start(lambda: CaseScene.join(case, browser, tool=_tool(), progress=progress), case)

    @classmethod
    def attach(cls, browser: slicer.vtkMRMLSequenceBrowserNode) -> Session:
        """Go on with the case of a scene that was opened.

        Raises:
            RASNetError: as for `CaseScene.attach`.
        """
        return cls(CaseScene.attach(browser, tool=_tool()))

    @classmethod
    def _start(cls, show: Callable[[], CaseScene], case: Case) -> Session:
        try:
            return cls(show())
        except BaseException:
            case.close()
            raise

    @property
    def layers(self) -> list[Layer]:
        """The instruments."""
        return self.shown.case.layers()

    def import_masks(self, path: Path, *, progress: Progress | None = None) -> ImportResult:
        """Bring masks of another program into the case; see `RASNetSlicerLib.importing.import_masks`."""
        try:
            return import_masks(self.shown, path, progress=progress)
        finally:
            if not self.review.planned:
                self.review.refresh()

    # Long work

    @property
    def busy(self) -> bool:
        """Whether instruments are being searched, or a task is under way."""
        return self.finding.busy or self.tasks.busy

    def adapt(self) -> None:
        """Let the model learn from the corrections of the case.

        Raises:
            RASNetError: a package that learning needs is missing.
        """
        check_learning()
        self.finding.close()  # the worker has the model that there was
        self.tasks.adapt()

    def compare(self, other: Path) -> None:
        """Compare with another person's case of the video.

        Args:
            other: its folder.

        Raises:
            RASNetError: it is no case, or this one.
        """
        self._check_other(other)
        self._other, self._comparing = other, _scratch()
        self.tasks.compare(other, Path(self._comparing.name))

    def merge(self, other: Path, out: Path) -> None:
        """Make a new case of this one and another person's of the same video; neither of the two is changed.

        Args:
            other: folder of the other case.
            out: folder of the new one, empty or new.

        Raises:
            RASNetError: `other` is no case, or this one.
        """
        self._check_other(other)
        self.tasks.merge(other, out)

    def _check_other(self, other: Path) -> None:
        if not is_case(other):
            raise RASNetError(f"{other} is not a case (it has no case.json); choose the folder of another case")
        if other.resolve() == self.shown.case.folder.resolve():
            raise RASNetError(f"{other} is the case on show; choose another person's case of the same video")

    def tick(self) -> bool:
        """Take what processes have said, and bring masks, review, figures and timeline up to date; for a timer.

        Returns:
            Whether anything has changed.

        Raises:
            RASNetError: as for `Finding.tick` and `Tasks.tick`.
        """
        searched, worked = self.finding.activity, self.tasks.busy
        try:
            changed = self.finding.tick()
            changed |= self.tasks.tick()
        finally:  # a mask that cannot be shown costs nothing else
            if searched and not self.finding.busy and (searched == "video" or not self.review.planned):
                self.review.refresh()
            if worked and not self.tasks.busy:
                self._take_result()
        playing = self.shown.sequences.browser.GetPlaybackActive()
        if self.tasks.settled and not (self.finding.busy or playing):
            self.timeline.keep_up()
        return changed

    def _take_result(self) -> None:
        tasks, result = self.tasks, self.tasks.result or {}
        if tasks.activity == "compare":
            if not (tasks.problem or tasks.cancelled):
                assert self._other is not None
                assert self._comparing is not None
                self.comparison = Comparison(self.shown, self._other, Path(self._comparing.name))
                self._compared = self._comparing
        elif tasks.activity == "merge":
            if result:
                self.merged = Path(result["folder"])
                self.conflicts = _conflicts(self.merged)
        elif "frames" in result:
            entries = result["frames"]
            order = [entry["index"] for entry in entries]
            self.review.refresh(order, {entry["index"]: entry["why"] for entry in entries})
        elif result.get("kept") or not self.review.planned:
            self.review.refresh()  # what the model doubts is another matter now

    def close(self) -> None:
        """End the worker, save, and let go of the scene, whose nodes stay.

        Raises:
            RASNetError: an edit could not be saved.
        """
        self.finding.close()
        self.tasks.close()
        self.timeline.close()
        try:
            self.shown.close()
        finally:
            self.shown.case.close()

    def remove_nodes(self) -> None:
        """Take the frames out of the scene; the case has everything that a person or a program said about them."""
        sequences = self.shown.sequences
        proxies = [proxy for proxy in (sequences.mask_proxy, sequences.image_proxy) if proxy is not None]
        shown = [node for proxy in proxies for node in (proxy.GetDisplayNode(), proxy)]
        # The browser first: while it is there, it brings its proxies back.
        for node in (sequences.browser, sequences.masks, sequences.images, *shown):
            if node is not None:
                slicer.mrmlScene.RemoveNode(node)


def _conflicts(folder: Path) -> list[Conflict]:
    """What a merge left to decide; a list that someone has spoilt keeps nobody from working on the case."""
    try:
        return read_conflicts(folder)
    except RASNetError as error:
        logging.warning("%s", error)
        return []


def _scratch() -> tempfile.TemporaryDirectory[str]:
    """A folder that goes with the object; a process that ends may still hold a file in it."""
    return tempfile.TemporaryDirectory(prefix="rasnet-comparison-", ignore_cleanup_errors=True)


def _python() -> str:
    """The interpreter that has Slicer's packages."""
    return shutil.which("PythonSlicer") or sys.executable


def _tool() -> str:
    """This program, for the journal of the case."""
    return f"{slicer.app.applicationName} {slicer.app.applicationVersion}"
