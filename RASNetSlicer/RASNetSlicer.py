"""RASNet in 3D Slicer: finds surgical instruments in endoscopic video, one layer an instrument, to be corrected."""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import slicer
import vtk
from RASNetSlicerLib.bundle_path import extension_file, make_rasnet_importable
from slicer.i18n import tr as _
from slicer.i18n import translate
from slicer.ScriptedLoadableModule import (
    ScriptedLoadableModule,
    ScriptedLoadableModuleLogic,
    ScriptedLoadableModuleTest,
    ScriptedLoadableModuleWidget,
)
from slicer.util import VTKObservationMixin

if TYPE_CHECKING:
    from RASNetSlicerLib.session import Session
    from RASNetSlicerLib.window import Window

    from rasnet.progress import Progress


class RASNetSlicer(ScriptedLoadableModule):
    """What Slicer wants to know of the module before anyone opens it."""

    def __init__(self, parent: Any) -> None:
        super().__init__(parent)
        parent.title = _("RASNet")
        parent.categories = [translate("qSlicerAbstractCoreModule", "Segmentation")]
        parent.dependencies = ["Sequences", "Segmentations", "Terminologies", "Plots", "Tables"]
        parent.contributors = ["RASNet developers"]
        parent.helpText = _(
            "Finds surgical instruments in endoscopic video. Open a video, press <b>Find instruments</b>, and correct "
            "one layer per instrument. Everything is kept in a case folder beside the video, stroke by stroke; the "
            "video itself is only read, and nothing leaves this computer."
        )
        parent.acknowledgementText = _(
            "RASNet: Z.-L. Ni et al., RASNet: Segmentation for Tracking Surgical Instruments in Surgical Videos Using "
            "Refined Attention Segmentation Network, EMBC 2019. Not for clinical use."
        )
        slicer.app.connect("startupCompleted()", _on_startup)


def _on_startup() -> None:
    """Bring Slicer the names of instruments, and a clip to try."""
    try:
        make_rasnet_importable()
        from RASNetSlicerLib.sample_data import register_sample_data
        from RASNetSlicerLib.terminology import load_terminology

        load_terminology(slicer.modules.terminologies.logic(), extension_file("Resources/instruments.term.json"))
        register_sample_data(_open_sample)
    except Exception:
        # Slicer starts with many extensions; this one must not keep it from starting.
        logging.exception("RASNet could not add its terminology and sample data")


def _open_sample(path: Path) -> None:
    slicer.util.selectModule("RASNetSlicer")
    slicer.util.getModuleWidget("RASNetSlicer").open_video(path)


class RASNetSlicerWidget(ScriptedLoadableModuleWidget, VTKObservationMixin):
    """The panel: joins its sections to the case on show, and lets go of it when Slicer wants it to.

    Attributes:
        session: the case on show; None while there is none.
        ui: controls by name.
        logic: of the module.
        parameters: see `PanelParameters`.
        working: whether something that a control asked for is under way.
    """

    def __init__(self, parent: Any = None) -> None:
        ScriptedLoadableModuleWidget.__init__(self, parent)
        VTKObservationMixin.__init__(self)
        self.session: Session | None = None
        self.parameters: Any = None
        self._gui_tag: int | None = None
        self._refused: set[str] = set()
        self.working = self._cleaned = False

    def setup(self) -> None:
        """Build the panel."""
        from RASNetSlicerLib.panel_compare import CompareSection
        from RASNetSlicerLib.panel_correct import CorrectSection
        from RASNetSlicerLib.panel_find import FindSection
        from RASNetSlicerLib.panel_follower import Follower
        from RASNetSlicerLib.panel_history import HistorySection
        from RASNetSlicerLib.panel_installation import InstallationSection
        from RASNetSlicerLib.panel_layers import LayersSection
        from RASNetSlicerLib.panel_learn import LearnSection
        from RASNetSlicerLib.panel_open import OpenSection
        from RASNetSlicerLib.panel_save import SaveSection
        from RASNetSlicerLib.panel_see import SeeSection

        super().setup()
        panel = slicer.util.loadUI(self.resourcePath("UI/RASNetSlicer.ui"))
        self.layout.addWidget(panel)
        self.ui = slicer.util.childWidgetVariables(panel)
        panel.setMRMLScene(slicer.mrmlScene)
        self.logic = RASNetSlicerLogic()
        self.follower = Follower(self)
        self._start_parameters()
        self.opening, self.finding = OpenSection(self), FindSection(self)
        self.layers, self.correcting = LayersSection(self), CorrectSection(self)
        self.learning, self.comparing = LearnSection(self), CompareSection(self)
        self.seeing, self.history, self.saving = SeeSection(self), HistorySection(self), SaveSection(self)
        self._sections = (self.opening, self.finding, self.layers, self.correcting, self.learning)
        self._sections += (self.seeing, self.history, self.comparing, self.saving)
        self.installation = InstallationSection(self)
        self.addObserver(slicer.mrmlScene, slicer.mrmlScene.StartCloseEvent, self._on_start_close)
        self.addObserver(slicer.mrmlScene, slicer.mrmlScene.EndCloseEvent, self._on_end_close)
        self.addObserver(slicer.mrmlScene, slicer.mrmlScene.EndImportEvent, self._on_import)
        slicer.app.connect("aboutToQuit()", self.cleanup)
        self.ui.installationSection.collapsed = self.installation.ready
        self.update()
        self._attach()

    # Slicer's events

    def enter(self) -> None:
        """The module is on show."""
        self._start_parameters()
        self._attach()
        self.installation.look()
        self.correcting.install_keys()
        self.update()

    def exit(self) -> None:
        """Another module is on show; what was begun goes on."""
        self.correcting.remove_keys()

    def cleanup(self) -> None:
        """The module is unloaded, reloaded, or Slicer quits."""
        if self._cleaned:
            return  # first Slicer quits, then it unloads its modules
        self._cleaned = True
        slicer.app.disconnect("aboutToQuit()", self.cleanup)
        self.correcting.remove_keys()
        self.close_session()
        self._stop_parameters()
        self.removeObservers()
        self.follower.stop()

    def _on_start_close(self, _caller: Any, _event: Any) -> None:
        self.close_session()
        self._refused.clear()
        self._stop_parameters()

    def _on_end_close(self, _caller: Any, _event: Any) -> None:
        self._start_parameters()
        self.update()

    def _on_import(self, _caller: Any, _event: Any) -> None:
        self._stop_parameters()
        self._start_parameters()
        self._attach()

    def _start_parameters(self) -> None:
        if self.parameters is None:
            self.parameters = self.logic.getParameterNode()
            self._gui_tag = self.parameters.connectGui(self.ui)
            self.addObserver(self.parameters.parameterNode, vtk.vtkCommand.ModifiedEvent, self._on_setting)

    def _stop_parameters(self) -> None:
        if self.parameters is not None:
            self.parameters.disconnectGui(self._gui_tag)
            self.removeObserver(self.parameters.parameterNode, vtk.vtkCommand.ModifiedEvent, self._on_setting)
            self.parameters = None

    def _on_setting(self, _caller: Any, _event: Any) -> None:
        self.follower.update_soon()

    # The case on show

    def open_video(self, path: Path) -> None:
        """Choose a video and open it, as the sample data module does."""
        self.attempt(lambda: (self.opening.choose_video(path), self.opening.update(), self.opening.open()))

    def open_case(self, folder: Path) -> None:
        """Choose a case and open it in the place of the one on show."""
        self.opening.choose_case(folder)
        self.opening.update()
        self.opening.open()

    def open_session(self, start: "Callable[[], Session]") -> None:
        """Put another case in the place of the one on show, which stays where that fails."""
        session, before = start(), self.session
        self.close_session()
        if before is not None and before.shown.can_move:
            question = _("Take {name} out of the scene? Its instruments are kept in {folder}.").format(
                name=before.shown.case.info.source.name, folder=before.shown.case.folder
            )
            if slicer.util.confirmYesNoDisplay(question, windowTitle="RASNet"):
                before.remove_nodes()
        self._begin(session)
        self.logic.show(session)

    def close_session(self) -> None:
        """Let go of the case on show: its worker ends, its edits are saved, its nodes stay."""
        from RASNetSlicerLib.panel import report

        session, self.session = self.session, None
        if session is None:
            return
        self.follower.stop()
        self.correcting.stop()
        self.comparing.stop()
        self.seeing.stop()
        try:
            session.close()
        except Exception as error:
            report(error)

    def _begin(self, session: "Session") -> None:
        self.session = session
        session.shown.on_error = self.follower.report_soon
        self.correcting.start()
        self.seeing.start()
        self.follower.start()
        self.ui.openSection.collapsed = True

    def _attach(self) -> None:
        """Go on with the case of a scene that was opened."""
        from RASNetSlicerLib.sequences import FrameSequences

        if self.session is None:
            browsers = slicer.util.getNodesByClass("vtkMRMLSequenceBrowserNode")
            ours = (node for node in browsers if FrameSequences.of_browser(node) is not None)
            browser = next((node for node in ours if node.GetID() not in self._refused), None)
            if browser is not None and not self.attempt(lambda: self._begin(self.logic.attach(browser))):
                self._refused.add(browser.GetID())  # once is enough to say why

    # What sections ask for

    def attempt(self, act: Callable[[], object]) -> bool:
        """Do what a control asks for, say what goes wrong, and show what has changed.

        Returns:
            Whether it went well.
        """
        from RASNetSlicerLib.panel import CancelledError, report

        outer, self.working = self.working, True
        try:
            act()
        except CancelledError:
            return False
        except Exception as error:
            report(error)
            return False
        finally:
            self.working = outer
            self.update()
        return True

    def update(self) -> None:
        """Show how things are."""
        if self.session is not None and not self.session.shown.watching:
            self.close_session()  # someone has removed its nodes by hand; what was in them is saved
        if self.parameters is None:
            return
        for section in self._sections:
            section.update()
        self.installation.update()
        self.finding.show_worker(self.installation.words)

    def current_layer(self) -> int | None:
        """The instrument that is selected, if it is one."""
        return self.layers.selected[0] if len(self.layers.selected) == 1 else None

    def select_layer(self, layer_id: int) -> None:
        """Select an instrument in the editor too."""
        self.correcting.select(layer_id)


class RASNetSlicerLogic(ScriptedLoadableModuleLogic):
    """What the module does, for scripts and other modules.

    Examples:
        >>> logic = slicer.util.getModuleLogic("RASNetSlicer")
        >>> session = logic.open("operation.mp4")
        >>> session.finding.find_video()
        >>> while session.finding.busy:
        ...     session.finding.tick()
        ...     slicer.app.processEvents()
    """

    def getParameterNode(self) -> Any:  # noqa: N802 (Slicer's name)
        """The module's settings in the scene."""
        # Not at file scope: it names a node class of the module Sequences, which Slicer may load after this one.
        from RASNetSlicerLib.panel_parameters import PanelParameters

        return PanelParameters(super().getParameterNode())

    def open(
        self,
        source: str | Path | None,
        folder: str | Path | None = None,
        *,
        window: "Window | None" = None,
        progress: "Progress | None" = None,
    ) -> "Session":
        """Put a video and its case into the scene; the case is made where there is none.

        Args:
            source: video, DICOM video or folder of images; None for that of the case.
            folder: of the case; beside the video by default.
            window: the frames to hold in Slicer; what memory takes by default.
            progress: told of each frame.

        Raises:
            ImportError: the extension lacks its bundle, or a package is not installed.
            RASNetError: the video or the case cannot be opened; the scene stays as it was.
        """
        make_rasnet_importable()
        from RASNetSlicerLib.session import Session

        return Session.open(source, folder, window=window, progress=progress)

    def openSequence(  # noqa: N802 (Slicer's manner)
        self, browser: Any, folder: str | Path, *, progress: "Progress | None" = None
    ) -> "Session":
        """Make a case of an image sequence that is in the scene, and put its masks beside the images.

        Args:
            browser: of the images.
            folder: of the case; the images are written beside it for the worker.
            progress: told of each frame.

        Raises:
            RASNetError: the browser has no images or several sequences of them, or the folder cannot be written.
        """
        make_rasnet_importable()
        from RASNetSlicerLib.session import Session

        return Session.open_sequence(browser, folder, progress=progress)

    def attach(self, browser: Any) -> "Session":
        """Go on with the case of a scene that was opened.

        Raises:
            RASNetError: the case is no longer where it was.
        """
        make_rasnet_importable()
        from RASNetSlicerLib.session import Session

        return Session.attach(browser)

    def show(self, session: "Session") -> None:
        """Show the video upright in one large view."""
        layouts = slicer.app.layoutManager()
        layouts.setLayout(slicer.vtkMRMLLayoutNode.SlicerLayoutOneUpRedSliceView)
        layouts.sliceWidget("Red").mrmlSliceNode().SetOrientation("Axial")
        slicer.util.setSliceViewerLayers(background=session.shown.sequences.image_proxy, fit=True)


class RASNetSlicerTest(ScriptedLoadableModuleTest):
    """Runs in Slicer itself: ``ctest``, or Reload & Test in developer mode."""

    def setUp(self) -> None:
        """Begin with an empty scene."""
        slicer.mrmlScene.Clear()

    def runTest(self) -> None:  # noqa: N802
        """Run every test."""
        self.setUp()
        self.test_open_correct_and_reopen()

    def test_open_correct_and_reopen(self) -> None:
        """Open a part of the sample clip, add a layer, and find it again in the case."""
        import tempfile

        make_rasnet_importable()
        from RASNetSlicerLib.opening import look_at
        from RASNetSlicerLib.window import plan_window

        from rasnet.case import Case

        clip = extension_file("Resources/sample_clip.mp4")
        with tempfile.TemporaryDirectory() as folder:
            case = Path(folder) / "sample.case"
            window = plan_window(look_at(case, clip), stop=5)
            session = RASNetSlicerLogic().open(clip, case, window=window)
            try:
                self.delayDisplay("The clip is open")
                assert session.shown.sequences.indices == list(range(5))
                added = session.edits.add("Clip applier")
            finally:
                session.close()
            slicer.mrmlScene.Clear()
            with Case.open(case) as kept:
                assert added in kept.layers()
        self.delayDisplay("The layer is in the case")
