"""What comes out: timeline, figures, files and training data; and the installation."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

pytest.importorskip("slicer_core", reason="the package slicer-core is not installed")
pytest.importorskip("PySide6", reason="the package PySide6-Essentials is not installed")

import slicer
from PySide6 import QtWidgets
from RASNetSlicerLib import installation

if TYPE_CHECKING:
    from standin.application import Desk

OK, CANCEL = QtWidgets.QMessageBox.StandardButton.Ok, QtWidgets.QMessageBox.StandardButton.Cancel
YES, NO = QtWidgets.QMessageBox.StandardButton.Yes, QtWidgets.QMessageBox.StandardButton.No


def test_the_timeline_is_shown_as_a_plot_with_the_frame_marked(opened: Desk) -> None:
    opened.ui.timelineButton.click()

    chart = opened.widget.session.timeline.chart
    assert slicer.app.applicationLogic().GetSelectionNode().GetActivePlotChartID() == chart.GetID()
    table = opened.ui.statisticsTable
    assert table.columnCount == 5
    assert sum(table.columnWidth(column) for column in range(5)) < 340  # all in view
    assert [table.item(row, 0).text() for row in range(table.rowCount)] == [
        "Left forceps",
        "Instrument 2",
        "Instrument 3",
    ]


def test_the_figures_follow_edits_when_asked(opened: Desk) -> None:
    opened.ui.statisticsButton.click()
    opened.widget.session.edits.rename(1, "Schere")

    opened.ui.statisticsButton.click()

    assert opened.ui.statisticsTable.item(0, 0).text() == "Schere"


@pytest.mark.parametrize(
    ("time_s", "row", "frame"),
    [
        (0.12, 1, 3),  # at the beginning of frame 3, on the row of layer 1
        (0.04, 2, 1),
        (0.20, 3, 5),
        (0.16, 3, 3),  # at the end of frame 3, after which layer 3 is out of view
        (0.16, 0, 4),  # where all frames are
        (0.10, 3, 2),  # layer 3 is not in view: the frame on show stays
    ],
)
def test_a_click_into_the_timeline_shows_that_frame(opened: Desk, time_s: float, row: int, frame: int) -> None:
    opened.ui.timelineButton.click()
    plot, shown = slicer.app.layoutManager().plotWidget(0).plotView(), opened.widget.session.shown
    shown.sequences.show(2)

    plot.click(time_s, row)
    assert shown.shown == frame
    opened.app.processEvents()
    assert "Frame " + str(frame) in opened.ui.frameLabel.text

    # The next click knows nothing of the last one.
    visited = []
    shown.sequences.browser.AddObserver("ModifiedEvent", lambda *_: visited.append(shown.shown))
    plot.click(0.08, 1)
    assert shown.shown == 2
    assert set(visited) <= {2}


def test_a_click_after_the_case_was_closed_does_nothing(opened: Desk) -> None:
    opened.ui.timelineButton.click()
    plot = slicer.app.layoutManager().plotWidget(0).plotView()
    browser = opened.widget.session.shown.sequences.browser
    opened.widget.close_session()
    before = browser.GetSelectedItemNumber()

    plot.click(0.12, 1)

    assert browser.GetSelectedItemNumber() == before


def test_timeline_and_figures_follow_strokes_once_they_were_asked_for(
    opened: Desk, until: Callable[..., float]
) -> None:
    table = opened.ui.statisticsTable
    opened.widget.session.shown.sequences.show(0)
    opened.ui.statisticsButton.click()
    assert table.item(2, 2).text() == "0.12"  # instrument 3 is in frames 1, 3 and 5

    opened.ui.segmentEditor.setCurrentSegmentID("Layer_3")
    opened.ui.segmentEditor.stroke(slice(0, 5), slice(0, 20))

    until(lambda: table.item(2, 2).text() == "0.16", patience_s=5)
    assert table.item(0, 2).text() == "0.24"


@pytest.mark.parametrize(
    ("button", "suffix", "kind"),
    [
        ("saveSceneButton", ".mrb", b"PK"),
        ("saveMasksButton", ".seq.mrb", b"PK"),
        ("exportSegmentationButton", ".seg.nrrd", b"NRRD"),
    ],
)
def test_files_are_written_under_the_name_that_was_given(
    opened: Desk, tmp_path: Path, button: str, suffix: str, kind: bytes
) -> None:
    opened.files.append(str(tmp_path / "result"))  # the ending is added

    getattr(opened.ui, button).click()

    assert (tmp_path / f"result{suffix}").read_bytes().startswith(kind)
    assert f"result{suffix}" in opened.window.statusBar().currentMessage()


def test_asking_for_a_file_and_then_not_wanting_it_writes_nothing(opened: Desk, tmp_path: Path) -> None:
    before = sorted(tmp_path.iterdir())
    for name in ("saveSceneButton", "saveMasksButton", "exportSegmentationButton", "exportTrainingButton"):
        opened.files.append("")
        getattr(opened.ui, name).click()

    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize(("reviewed_only", "count"), [(True, 1), (False, 6)])
def test_training_data_holds_what_was_ticked(opened: Desk, tmp_path: Path, reviewed_only: bool, count: int) -> None:
    opened.widget.session.shown.set_status(2, "accepted")
    for layer in (2, 3):
        opened.widget.session.edits.set_type(layer, "Other")
    opened.ui.reviewedOnlyCheckBox.checked = reviewed_only
    opened.ui.typesCheckBox.checked = True
    opened.files.append(str(tmp_path / "training"))
    opened.answers.append(YES)  # the pictures of these tests are no tissue

    opened.ui.exportTrainingButton.click()

    assert len(opened.said) == 1
    asked = opened.said.pop()
    assert asked.endswith("may be outside the body (faces, theatre). Export them all the same?")
    folders = {path.name for path in (tmp_path / "training").iterdir() if path.is_dir()}
    assert folders == {"images", "layers", "types"}
    for folder in folders:
        assert len(list((tmp_path / "training" / folder).glob("*.png"))) == count


def test_pictures_that_may_show_more_than_an_operation_stay_without_a_yes(opened: Desk, tmp_path: Path) -> None:
    opened.widget.session.shown.set_status(2, "accepted")
    opened.files.append(str(tmp_path / "training"))
    opened.answers.append(NO)

    opened.ui.exportTrainingButton.click()

    assert "may be outside the body" in opened.said.pop()
    assert opened.said == []
    assert not (tmp_path / "training").exists()


def test_the_state_of_the_installation_is_shown(desk: Desk) -> None:
    assert desk.ui.installationLabel.text == desk.ui.workerLabel.text == str(installation.state())


@pytest.mark.parametrize("choice", ["cpu", "gpu"])
def test_nothing_is_installed_without_a_yes_and_it_says_what(
    desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, choice: str
) -> None:
    wanted = installation.Plan(choice, (installation.Requirement("av", "av>=17", 40),))
    installed: list[tuple[object, object]] = []
    monkeypatch.setattr(installation, "plan", lambda asked: wanted if asked == choice else None)
    monkeypatch.setattr(installation, "install", lambda plan, wheels: installed.append((plan, wheels)))
    desk.ui.backendComboBox.currentIndex = desk.ui.backendComboBox.findData(choice)
    desk.answers.extend([CANCEL, OK, OK])

    desk.ui.installButton.click()
    assert desk.said.pop() == str(wanted)
    assert "40 MB" in str(wanted)
    assert installed == []

    desk.ui.installButton.click()
    desk.ui.wheelsEdit.currentPath = str(tmp_path)
    desk.ui.installButton.click()
    assert installed == [(wanted, None), (wanted, tmp_path)]
    desk.said.clear()


def test_what_is_there_is_not_installed_again(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(installation, "plan", lambda choice: installation.Plan(choice, ()))

    desk.ui.installButton.click()

    assert desk.said.pop().startswith("Everything is installed")


def test_a_failed_installation_is_one_sentence(desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        installation, "plan", lambda choice: installation.Plan(choice, (installation.Requirement("x", "x", 1),))
    )
    monkeypatch.setattr(installation, "_missing", lambda choice: [installation.Requirement("x", "x", 1)])
    desk.ui.wheelsEdit.currentPath = str(tmp_path)  # has no wheels
    desk.answers.append(OK)

    desk.ui.installButton.click()

    assert "there are no wheels" in desk.said.pop()
    desk.said.clear()


def test_an_extension_without_its_bundle_still_has_a_panel(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    sentence = "monai_bundle is neither here nor there; install the RASNet extension again"

    def lost() -> None:
        raise ImportError(sentence)

    monkeypatch.setattr("RASNetSlicerLib.panel_installation.make_rasnet_importable", lost)
    slicer.util.reloadScriptedModule("RASNetSlicer")

    assert desk.ui.installationLabel.text == sentence
    assert not desk.ui.installationSection.collapsed
