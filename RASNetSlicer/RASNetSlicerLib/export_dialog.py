"""The question in which format to export, and what."""

from __future__ import annotations

from dataclasses import dataclass

import slicer
from slicer.i18n import tr as _

from rasnet.exchange.content import Content
from rasnet.exchange.formats import FORMATS, Format
from RASNetSlicerLib.bundle_path import extension_file


@dataclass(frozen=True)
class ExportChoice:
    """What a person wants to export.

    Attributes:
        format: of the file or folder.
        what: layers, parts or types.
        images: the pictures of the frames as well.
        reviewed_only: only frames that a person has corrected or accepted.
    """

    format: Format
    what: Content
    images: bool
    reviewed_only: bool


class ExportDialog:
    """A dialog with every format of `rasnet.exchange.formats`, and what each can hold."""

    def __init__(self) -> None:
        self._dialog = slicer.util.loadUI(str(extension_file("Resources/UI/Export.ui")))
        self._ui = slicer.util.childWidgetVariables(self._dialog)
        self._formats = list(FORMATS.values())
        for entry in self._formats:
            self._ui.formatComboBox.addItem(f"{entry.name}: {entry.summary}")
        self._ui.formatComboBox.connect("currentIndexChanged(int)", self._on_format)
        self._on_format(0)

    def ask(self) -> ExportChoice | None:
        """Show it once; None where the person presses Cancel."""
        wanted = self._dialog.exec_()
        self._dialog.deleteLater()
        return self._choice() if wanted else None

    def _choice(self) -> ExportChoice:
        chosen = self._formats[self._ui.formatComboBox.currentIndex]
        return ExportChoice(
            format=chosen,
            what=chosen.contents[self._ui.contentsComboBox.currentIndex],
            images=self._ui.picturesCheckBox.checked and chosen.pictures == "optional",
            reviewed_only=self._ui.reviewedCheckBox.checked,
        )

    def _on_format(self, place: int) -> None:
        """Offer what the format can hold."""
        chosen, contents, pictures = self._formats[place], self._ui.contentsComboBox, self._ui.picturesCheckBox
        contents.clear()
        for what in chosen.contents:
            contents.addItem(_words(what))
        contents.enabled = len(chosen.contents) > 1
        pictures.enabled = chosen.pictures == "optional"
        pictures.checked = chosen.pictures == "always"


def _words(what: Content) -> str:
    return {"layers": _("instruments"), "parts": _("instrument parts"), "types": _("instrument types")}[what]
