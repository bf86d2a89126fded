"""The section "Installation": what is there, and what would be installed."""

from __future__ import annotations

from pathlib import Path

import ctk
import slicer
from slicer.i18n import tr as _

from RASNetSlicerLib.bundle_path import make_rasnet_importable
from RASNetSlicerLib.panel import Panel, Section

_CHOICES = (("cpu", "CPU, without torch (OpenVINO)"), ("gpu", "GPU (torch, by the PyTorch extension)"))


class InstallationSection(Section):
    """Shows what does the work, and installs it after asking.

    Attributes:
        ready: whether instruments can be found on this computer.
        words: by what.
    """

    def __init__(self, panel: Panel) -> None:
        super().__init__(panel)
        self.ui.wheelsEdit.filters = ctk.ctkPathLineEdit.Dirs
        for choice, words in _CHOICES:
            self.ui.backendComboBox.addItem(_(words), choice)
        self.on_click(self.ui.installButton, self.install)
        self.ready, self.words = self._look()

    def look(self) -> None:
        """Find out again what there is."""
        self.ready, self.words = self._look()

    def _look(self) -> tuple[bool, str]:
        try:
            make_rasnet_importable()
            from RASNetSlicerLib.installation import state

            found = state()
        except ImportError as error:
            return False, str(error)
        return bool(found.ready), str(found)

    def update(self) -> None:
        """Show what there is."""
        self.ui.installationLabel.text = self.words

    def install(self) -> None:
        """Say what will be installed, ask, and install it.

        Raises:
            RASNetError: it could not be installed; the message says what to do.
        """
        make_rasnet_importable()
        from RASNetSlicerLib.installation import install, plan

        wanted = plan(self.ui.backendComboBox.itemData(self.ui.backendComboBox.currentIndex))
        if wanted.done:
            slicer.util.infoDisplay(str(wanted), windowTitle="RASNet")
            return
        if not slicer.util.confirmOkCancelDisplay(str(wanted), windowTitle="RASNet"):
            return
        wheels = self.ui.wheelsEdit.currentPath
        with slicer.util.WaitCursor():
            try:
                install(wanted, wheels=Path(wheels) if wheels else None)
            finally:
                self.look()
