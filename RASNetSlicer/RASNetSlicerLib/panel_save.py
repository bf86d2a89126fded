"""The section "Save": what is kept by itself, and what can be written besides."""

from __future__ import annotations

from pathlib import Path

import qt
import slicer
from slicer.i18n import tr as _

from RASNetSlicerLib.panel import CancelledError, Panel, Section, progress_dialog


class SaveSection(Section):
    """Writes scenes, segmentations and training data, and exchanges masks with other programs."""

    def __init__(self, panel: Panel) -> None:
        super().__init__(panel)
        self.on_click(self.ui.saveSceneButton, self._save_scene)
        self.on_click(self.ui.saveMasksButton, self._save_masks)
        self.on_click(self.ui.exportSegmentationButton, self._export_segmentation)
        self.on_click(self.ui.exportTrainingButton, self._export_training)
        self.on_click(self.ui.exportFormatButton, self._export_format)
        self.on_click(self.ui.importFileButton, self._import_file)
        self.on_click(self.ui.importFolderButton, self._import_folder)

    def update(self) -> None:
        """Say where the instruments are kept."""
        session, ui = self.session, self.ui
        buttons = (ui.saveSceneButton, ui.saveMasksButton, ui.exportSegmentationButton, ui.exportTrainingButton)
        for button in (*buttons, ui.exportFormatButton):
            button.enabled = session is not None
        ui.importFileButton.enabled = ui.importFolderButton.enabled = session is not None and not session.busy
        ui.savedLabel.text = (
            _("Every stroke is kept in {folder}.").format(folder=_breakable(session.shown.case.folder))
            if session
            else _("Open a video first.")
        )

    def _save_scene(self) -> None:
        from RASNetSlicerLib.exporting import save_scene

        assert self.session is not None
        if path := self._ask(_("Save the scene"), ".mrb"):
            with slicer.util.WaitCursor():
                save_scene(self.session.shown, path)
            _say(path)

    def _save_masks(self) -> None:
        from RASNetSlicerLib.exporting import save_masks

        assert self.session is not None
        if path := self._ask(_("Save the segmentation sequence"), ".seq.mrb"):
            with slicer.util.WaitCursor():
                save_masks(self.session.shown, path)
            _say(path)

    def _export_segmentation(self) -> None:
        from RASNetSlicerLib.exporting import export_segmentation

        assert self.session is not None
        if path := self._ask(_("Save the segmentation"), ".seg.nrrd"):
            with progress_dialog(_("Save")) as progress:
                export_segmentation(self.session.shown, path, progress=progress)
            _say(path)

    def _export_training(self) -> None:
        from RASNetSlicerLib.exporting import export_training_data

        assert self.session is not None
        title = _("Folder for training data")
        folder = qt.QFileDialog.getExistingDirectory(slicer.util.mainWindow(), title, "")
        if not folder:
            return
        parameters = self.panel.parameters
        wanted = {"layers": parameters.with_layers, "types": parameters.with_types, "parts": parameters.with_parts}
        contents = tuple(name for name, on in wanted.items() if on)
        with progress_dialog(_("Training data")) as progress:
            count = export_training_data(
                self.session.shown,
                Path(folder),
                contents,
                reviewed_only=parameters.reviewed_only,
                agree=_ask_about,
                progress=progress,
            )
        slicer.util.showStatusMessage(
            _("{count} frames of training data are in {folder}").format(count=count, folder=folder), 5000
        )

    def _export_format(self) -> None:
        from RASNetSlicerLib.export_dialog import ExportDialog
        from RASNetSlicerLib.exporting import export_format

        assert self.session is not None
        choice = ExportDialog().ask()
        path = self._ask_where(choice.format.suffix) if choice else None
        if choice is None or path is None:
            return
        with progress_dialog(_("Export")) as progress:
            count = export_format(
                self.session.shown,
                path,
                choice.format.name,
                choice.what,
                images=choice.images,
                reviewed_only=choice.reviewed_only,
                agree=_ask_about,
                progress=progress,
            )
        slicer.util.showStatusMessage(
            _("The masks of {count} frames are in {path}").format(count=count, path=path), 5000
        )

    def _import_file(self) -> None:
        kinds = _("Masks (*.seg.nrrd *.json *.xml);;All files (*)")
        self._import(qt.QFileDialog.getOpenFileName(slicer.util.mainWindow(), _("Import masks"), "", kinds))

    def _import_folder(self) -> None:
        self._import(qt.QFileDialog.getExistingDirectory(slicer.util.mainWindow(), _("Import masks"), ""))

    def _import(self, path: str) -> None:
        assert self.session is not None
        if not path:
            return
        with progress_dialog(_("Import masks")) as progress:
            result = self.session.import_masks(Path(path), progress=progress)
        words = _("{count} frames have other masks now").format(count=len(result.written))
        if result.new_layers:
            words += _("; new instruments: {names}").format(names=", ".join(result.new_layers))
        slicer.util.showStatusMessage(words, 5000)

    def _ask_where(self, suffix: str) -> Path | None:
        """A file where the format has a suffix, else a folder."""
        if suffix:
            return self._ask(_("Export"), suffix)
        title = _("Folder for the export: empty or new")
        folder = qt.QFileDialog.getExistingDirectory(slicer.util.mainWindow(), title, "")
        return Path(folder) if folder else None

    def _ask(self, title: str, suffix: str) -> Path | None:
        assert self.session is not None
        folder = self.session.shown.case.folder
        start = str(folder.with_suffix(suffix))
        path = qt.QFileDialog.getSaveFileName(slicer.util.mainWindow(), title, start, f"(*{suffix})")
        if not path:
            return None
        return Path(path if path.endswith(suffix) else path + suffix)


def _ask_about(frames: str) -> None:
    """Ask whether pictures that show more than an operation may leave the house."""
    if not slicer.util.confirmYesNoDisplay(_("{frames}. Export them all the same?").format(frames=frames)):
        raise CancelledError


def _say(path: Path) -> None:
    slicer.util.showStatusMessage(_("{path} is written").format(path=path), 5000)


def _breakable(path: Path) -> str:
    """A path that a label can break at its folders."""
    zero_width_space = "\u200b"
    return str(path).replace("/", f"/{zero_width_space}").replace("\\", f"\\{zero_width_space}")
