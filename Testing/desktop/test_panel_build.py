"""The panel as it is built: whole, explained, readable in a narrow window, and built without what RASNet installs."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree import ElementTree

import pytest

pytest.importorskip("slicer_core", reason="the package slicer-core is not installed")
pytest.importorskip("PySide6", reason="the package PySide6-Essentials is not installed")

from PySide6 import QtCore, QtWidgets

if TYPE_CHECKING:
    from standin.application import Desk

MODULE = Path(__file__).resolve().parents[2] / "RASNetSlicer"
UI = MODULE / "Resources" / "UI" / "RASNetSlicer.ui"
PANEL_WIDTH = 400
SECTIONS = ("open", "find", "instruments", "correct", "learn", "see", "history", "compare", "save", "installation")


def unfold(desk: Desk) -> None:
    for name in SECTIONS:
        getattr(desk.ui, f"{name}Section").collapsed = False


def text_of(widget: QtWidgets.QWidget) -> str:
    return str(QtCore.QObject.property(widget, "text") or "")


def test_sections_come_in_the_order_of_the_work(desk: Desk) -> None:
    unfold(desk)
    desk.picture(PANEL_WIDTH)
    tops = [QtWidgets.QWidget.y(getattr(desk.ui, f"{name}Section")) for name in SECTIONS]

    assert tops == sorted(tops)
    titles = [getattr(desk.ui, f"{name}Section").text for name in SECTIONS]
    assert titles == [
        "Open", "Find instruments", "Instruments", "Correct", "Learn from corrections", "See", "History",
        "Compare", "Save", "Installation",
    ]  # fmt: skip


def test_every_control_that_the_code_speaks_of_is_in_the_ui() -> None:
    names = {widget.get("name") for widget in ElementTree.parse(UI).iter("widget")}
    code = "\n".join(
        path.read_text() for path in (MODULE / "RASNetSlicer.py", *MODULE.glob("RASNetSlicerLib/panel*.py"))
    )

    spoken_of = set(re.findall(r"\bui\.(\w+)", code))

    assert spoken_of - names - {"ui"} == set()
    controls = {name for name in names if re.search(r"(Button|ComboBox|Selector|Edit|Table|Widget|Editor|Bar)$", name)}
    parameters = {
        node.text for node in ElementTree.parse(UI).iterfind(".//property[@name='SlicerParameterName']/string")
    }
    assert parameters <= set(re.findall(r"^    (\w+): ", code, re.MULTILINE))
    connected_by_parameter = {"scaleComboBox", "historyComboBox"}
    assert controls - spoken_of - connected_by_parameter == set()


def test_every_control_says_what_it_does(desk: Desk) -> None:
    silent = [
        widget.name
        for widget in vars(desk.ui).values()
        if isinstance(widget, (QtWidgets.QAbstractButton, QtWidgets.QAbstractSpinBox, QtWidgets.QComboBox))
        and widget.name
        and widget.name not in ("UndoButton", "RedoButton", "qt_spinbox_lineedit")
        and not widget.toolTip
    ]

    assert silent == []


def test_nothing_is_cut_off_at_400_pixels(opened: Desk) -> None:
    unfold(opened)
    opened.picture(PANEL_WIDTH)

    for name, widget in vars(opened.ui).items():
        if not isinstance(widget, QtWidgets.QWidget) or not QtWidgets.QWidget.isVisible(widget):
            continue
        right = widget.mapTo(opened.host, QtCore.QPoint(QtWidgets.QWidget.width(widget), 0)).x()
        assert right <= PANEL_WIDTH, name
        if isinstance(widget, QtWidgets.QPushButton):
            needed = widget.fontMetrics().horizontalAdvance(text_of(widget))
            assert needed + 8 <= QtWidgets.QWidget.width(widget), name
        if isinstance(widget, QtWidgets.QLabel) and not widget.wordWrap:
            assert QtWidgets.QWidget.sizeHint(widget).width() <= QtWidgets.QWidget.width(widget), name
        if isinstance(widget, (QtWidgets.QSpinBox, QtWidgets.QDoubleSpinBox)):
            edit = widget.findChild(QtWidgets.QLineEdit)
            needed = widget.fontMetrics().horizontalAdvance(text_of(widget))
            assert needed <= edit.width(), name


def test_the_panel_can_be_looked_at(opened: Desk, tmp_path: Path) -> None:
    unfold(opened)

    picture = opened.picture(PANEL_WIDTH)
    picture.save(str(tmp_path / "panel.png"))

    assert picture.width() == PANEL_WIDTH
    colors = {picture.pixel(x, y) for x in range(0, PANEL_WIDTH, 2) for y in range(0, picture.height(), 2)}
    assert len(colors) > 20


def test_without_a_case_there_is_nothing_to_press(desk: Desk) -> None:
    for name in (
        "openButton", "findVideoButton", "findFrameButton", "addLayerButton", "mergeLayersButton", "removeLayerButton",
        "splitFrameButton", "splitPieceButton", "acceptButton", "skipButton", "nextButton", "previousButton",
        "copyLayerButton", "undoButton", "timelineButton", "statisticsButton", "saveSceneButton", "saveMasksButton",
        "exportSegmentationButton", "exportTrainingButton", "planReviewButton", "propagateFrameButton",
        "propagateAllButton", "adaptButton", "compareButton", "exportFormatButton", "importFileButton",
        "importFolderButton", "mergeButton",
    ):  # fmt: skip
        assert not getattr(desk.ui, name).enabled, name
    assert desk.ui.videoButton.enabled
    assert desk.ui.installButton.enabled


def test_the_module_says_what_it_is(desk: Desk) -> None:
    about = desk.module.parent

    assert about.title == "RASNet"
    assert about.categories == ["Segmentation"]
    assert "Find instruments" in about.helpText
    assert "RASNet" in about.acknowledgementText


def test_startup_brings_the_terminology(desk: Desk) -> None:
    import slicer
    from RASNetSlicerLib.terminology import TERMINOLOGY

    assert slicer.modules.terminologies.logic().IsTerminologyContextLoaded(TERMINOLOGY)


def test_the_sample_data_module_opens_the_clip_in_the_panel(desk: Desk, tmp_path: Path) -> None:
    import shutil

    (sample,) = desk.samples
    clip = tmp_path / "clip.mp4"
    shutil.copy(MODULE.parent / "Resources" / "sample_clip.mp4", clip)
    desk.widget.parameters.memory = 0.1

    opener = sample["customDownloader"]
    opener._open_video(clip)  # the shipped clip's folder may be read-only, and is not for cases

    assert desk.widget.session.shown.case.folder == tmp_path / "clip.case"
    desk.widget.exit()


def test_the_modules_own_test_runs(desk: Desk) -> None:
    desk.module.runTest(msec=0)
