"""The section "Open": from a video, a folder, a case or a sequence in the scene to frames in Slicer."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import ctk
import qt
import slicer
from slicer.i18n import tr as _

from RASNetSlicerLib.panel import CancelledError, Panel, Section, explain, progress_dialog
from RASNetSlicerLib.panel_parameters import SCALES

if TYPE_CHECKING:
    from rasnet.case import CaseInfo
    from RASNetSlicerLib.session import Session
    from RASNetSlicerLib.window import Window


class OpenSection(Section):
    """Chooses what to open and how much of it Slicer holds at one time."""

    def __init__(self, panel: Panel) -> None:
        super().__init__(panel)
        ui = self.ui
        ui.caseFolderEdit.filters = ctk.ctkPathLineEdit.Dirs | ctk.ctkPathLineEdit.Drives
        ui.sceneSelector.setMRMLScene(slicer.mrmlScene)
        self.on_click(ui.videoButton, self._ask_for_video)
        self.on_click(ui.folderButton, self._ask_for_folder)
        self.on_click(ui.caseButton, self._ask_for_case)
        self.on_click(ui.openButton, self.open)
        ui.caseFolderEdit.connect("currentPathChanged(QString)", self._on_folder)
        ui.sceneSelector.connect("currentNodeChanged(vtkMRMLNode*)", self._on_scene_sequence)
        self._looked_at: tuple[tuple[str, str], CaseInfo | Exception] | None = None
        self._window: Window | None = None

    # Choosing

    def choose_video(self, path: Path) -> None:
        """Choose a video or a folder of images; its case lies beside it."""
        from RASNetSlicerLib.opening import default_case_folder

        self._choose(source=str(path), folder=default_case_folder(path), browser=None)

    def choose_case(self, folder: Path) -> None:
        """Choose a case that exists."""
        self._choose(source="", folder=folder, browser=None)

    def _choose(self, *, source: str, folder: Path, browser: Any) -> None:
        parameters, self._looked_at = self.panel.parameters, None
        parameters.source, parameters.image_browser = source, browser
        parameters.first_frame, parameters.last_frame, parameters.every_nth, parameters.scale = 0, -1, 0, "automatic"
        parameters.case_folder = str(folder)

    def _ask_for_video(self) -> None:
        kinds = _("Videos (*.mp4 *.mov *.avi *.mkv *.mpg *.mpeg *.ts *.m4v *.wmv *.dcm);;All files (*)")
        if path := qt.QFileDialog.getOpenFileName(slicer.util.mainWindow(), _("Open a video"), "", kinds):
            self.choose_video(Path(path))

    def _ask_for_folder(self) -> None:
        if path := qt.QFileDialog.getExistingDirectory(slicer.util.mainWindow(), _("Open a folder of images"), ""):
            self.choose_video(Path(path))

    def _ask_for_case(self) -> None:
        if path := qt.QFileDialog.getExistingDirectory(slicer.util.mainWindow(), _("Open a case"), ""):
            self.choose_case(Path(path))

    def _on_scene_sequence(self, browser: Any) -> None:
        if browser is not None and browser is not self.panel.parameters.image_browser:
            self._choose(source="", folder=Path.home() / f"{browser.GetName()}.case", browser=browser)

    def _on_folder(self, path: str) -> None:
        self.panel.parameters.case_folder = path

    # What came of it

    def update(self) -> None:
        """Show what is chosen, and what of it would be in Slicer."""
        parameters, ui = self.panel.parameters, self.ui
        self._window = None
        browser, chosen = parameters.image_browser, bool(parameters.source or parameters.case_folder)
        if ui.caseFolderEdit.currentPath != parameters.case_folder:
            ui.caseFolderEdit.currentPath = parameters.case_folder
        source = plan = ""
        if browser is not None:
            source = _("{name}, from the scene").format(name=browser.GetName())
        elif chosen:
            try:
                source, plan = self._plan()
            except Exception as error:
                plan = explain(error) or str(error)
        ui.sourceLabel.text = source or _("Choose a video, or go on with a case.")
        ui.planLabel.text = plan
        ui.planLabel.visible = bool(plan)
        for control in (ui.firstFrameSpinBox, ui.lastFrameSpinBox, ui.everyNthSpinBox, ui.scaleComboBox):
            control.enabled = browser is None
        busy = self.session is not None and self.session.busy
        there = self.session is not None and self.session.shown.sequences.browser is browser
        ui.openButton.enabled = (browser is not None or self._window is not None) and not (busy or there)
        ui.openButton.text = _("Show these frames") if self._is_on_show() else _("Open")

    def _plan(self) -> tuple[str, str]:
        from RASNetSlicerLib.opening import describe
        from RASNetSlicerLib.window import plan_window

        parameters, info = self.panel.parameters, self._info()
        self._window = plan_window(
            info,
            start=parameters.first_frame or None,
            stop=parameters.last_frame + 1 if parameters.last_frame >= 0 else None,
            step=parameters.every_nth or None,
            scale=SCALES[parameters.scale],
            budget=round(parameters.memory * 1e9),
        )
        words = str(self._window)
        return describe(info), _("In Slicer: {window}.").format(window=words)

    def _info(self) -> CaseInfo:
        """What the video is, looked up once; what is wrong with it is remembered too."""
        from RASNetSlicerLib.opening import look_at

        key = (self.panel.parameters.case_folder, self.panel.parameters.source)
        if self._looked_at is None or self._looked_at[0] != key:
            source = self.panel.parameters.source
            found: CaseInfo | Exception
            try:
                found = look_at(self._case_folder, Path(source) if source else None)
            except Exception as error:
                found = error
            self._looked_at = key, found
        if isinstance(self._looked_at[1], Exception):
            raise self._looked_at[1]
        return self._looked_at[1]

    @property
    def _case_folder(self) -> Path:
        return Path(self.panel.parameters.case_folder)

    def _is_on_show(self) -> bool:
        session = self.session
        if session is None or not session.shown.can_move or self.panel.parameters.image_browser is not None:
            return False
        return session.shown.case.folder.resolve() == self._case_folder.resolve()

    # Opening

    def open(self) -> None:
        """Put what is chosen into Slicer.

        Raises:
            RASNetError: it cannot be opened; what was on show stays.
        """
        if self.panel.parameters.image_browser is not None:
            self.panel.open_session(self._join)
        elif self._is_on_show():
            assert self.session is not None
            with progress_dialog(_("Show frames")) as progress:
                self.session.shown.move(self._window, progress=progress)
        else:
            self.panel.open_session(self._load)
        self._looked_at = None

    def _load(self) -> Session:
        from RASNetSlicerLib.opening import lost_video

        source = Path(self.panel.parameters.source) if self.panel.parameters.source else None
        if source is None and (problem := lost_video(self._case_folder)):
            source = self._ask_where(problem)
        with progress_dialog(_("Open video")) as progress:
            return self.panel.logic.open(source, self._case_folder, window=self._window, progress=progress)

    def _ask_where(self, problem: str) -> Path:
        sentence = problem.partition(";")[0]
        if not slicer.util.confirmOkCancelDisplay(
            _("{problem}. Do you want to say where it is now?").format(problem=sentence), windowTitle="RASNet"
        ):
            raise CancelledError
        ask = (
            qt.QFileDialog.getExistingDirectory
            if self._info().source.kind == "folder"
            else qt.QFileDialog.getOpenFileName
        )
        path = ask(slicer.util.mainWindow(), _("Where is the video now?"), "")
        if not path:
            raise CancelledError
        return Path(path)

    def _join(self) -> Session:
        with progress_dialog(_("Open images")) as progress:
            return self.panel.logic.openSequence(
                self.panel.parameters.image_browser, self._case_folder, progress=progress
            )
