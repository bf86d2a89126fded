"""The panel's form, its code and its documentation, which must speak of the same controls."""

from __future__ import annotations

import ast
import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator

from extension import LIBRARY, MODULE, SCRIPT, UI

README = MODULE / "README.md"


def ui_names(code: str) -> Iterator[str]:
    """Names after ``self.ui.`` or ``ui.``."""
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Attribute) and "ui" in (
            getattr(node.value, "attr", None),
            getattr(node.value, "id", None),
        ):
            yield node.attr


def test_the_panels_code_and_its_form_know_the_same_widgets() -> None:
    code = [path.read_text(encoding="utf-8") for path in (SCRIPT, *LIBRARY.rglob("*.py"))]
    used = {name for text in code for name in ui_names(text)}
    form = ET.parse(UI).getroot()
    widgets = {element.get("name"): element for element in form.iter() if element.tag in ("widget", "action")}
    # Frames and captions need no code, nor do controls that a parameter node drives.
    silent = {"QWidget", "QFrame", "QLabel", "QTabWidget", "QStackedWidget", "ctkCollapsibleButton", "qMRMLWidget"}
    spoken = {
        name
        for name, element in widgets.items()
        if element.get("class") not in silent and element.find("property[@name='SlicerParameterName']") is None
    }

    assert used - set(widgets) == set()
    assert spoken - used == set()


def test_pictures_of_the_documentation_are_there_and_small() -> None:
    pictures = re.findall(r"!\[[^\]]+\]\(([^)]+)\)", README.read_text(encoding="utf-8"))

    assert pictures
    for picture in pictures:
        assert (MODULE / picture).stat().st_size <= 150_000


def test_the_documentation_names_the_panels_buttons_and_keys() -> None:
    text = README.read_text(encoding="utf-8")
    form = ET.parse(UI).getroot()
    words = [
        element.findtext("property[@name='text']/string")
        for element in form.iter("widget")
        if element.get("class") == "QPushButton"
    ]
    buttons = {re.sub(r" \(\w\)$", "", word) for word in words}
    keys = [key for word in words for key in re.findall(r" \((\w)\)$", word)]

    plain = {"Add", "Delete", "Update"}  # these say all that there is to say
    assert buttons - plain <= set(re.findall(r"\*\*(.+?)\*\*", text))
    assert keys
    assert sorted(keys) == sorted(re.findall(r"^\| (\w) \|", text, re.MULTILINE))
