"""The timeline and the statistics of a case as MRML nodes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("slicer_core", reason="the package slicer-core is not installed")

import slicer
from editor import Editor
from mrml import Mrml
from PIL import Image
from RASNetSlicerLib.layer_edits import LayerEdits
from RASNetSlicerLib.scene import CaseScene
from RASNetSlicerLib.timeline import Timeline
from RASNetSlicerLib.window import plan_window
from surgery import predict
from vtk.util.numpy_support import vtk_to_numpy

from rasnet.case import Case
from rasnet.labels import LabelSchema
from rasnet.progress import SilentProgress
from rasnet.report import summarize_layers
from rasnet.video import RegionOfInterest, open_source


class Counting(SilentProgress):
    """Counts frames."""

    done = 0

    def advance(self, frame: int | None = None, count: int = 1) -> None:
        self.done += count


@pytest.fixture
def timeline(shown: CaseScene) -> Timeline:
    timeline = Timeline(shown)
    timeline.refresh()
    return timeline


def cells(table: slicer.vtkMRMLTableNode) -> list[list[str]]:
    rows, columns = range(table.GetNumberOfRows()), range(table.GetNumberOfColumns())
    return [[table.GetCellText(row, column) for column in columns] for row in rows]


def lines(timeline: Timeline) -> dict[str, list[tuple[float, float]]]:
    """What the plot draws: for each series its points, NaN left out."""
    found = {}
    for place in range(timeline.chart.GetNumberOfPlotSeriesNodes()):
        series = timeline.chart.GetNthPlotSeriesNode(place)
        table = series.GetTableNode().GetTable()
        x, y = (
            vtk_to_numpy(table.GetColumnByName(name)) for name in (series.GetXColumnName(), series.GetYColumnName())
        )
        found[series.GetName()] = [(time, row) for time, row in zip(x.tolist(), y.tolist(), strict=True) if row == row]
    return found


def test_a_row_for_each_layer_with_a_line_where_it_is_in_view(timeline: Timeline) -> None:
    drawn = lines(timeline)

    # Frames of 40 ms; layers 1 and 2 are in frames 0 to 5, layer 3 in 1, 3 and 5.
    def span(frames: list[int], row: float) -> list[tuple[float, float]]:
        return [(pytest.approx(0.04 * (frame + side)), row) for frame in frames for side in (0, 1)]

    assert list(drawn) == ["Left forceps", "Instrument 2", "Instrument 3", "all frames", "frame on show"]
    assert drawn["all frames"] == span([0, 1, 2, 3, 4, 5], 0)
    assert drawn["Left forceps"] == span([0, 1, 2, 3, 4, 5], 1)
    assert drawn["Instrument 2"] == span([0, 1, 2, 3, 4, 5], 2)
    assert drawn["Instrument 3"] == span([1, 3, 5], 3)
    colors = timeline.chart.GetNthPlotSeriesNode(0).GetColor()
    assert [round(value * 255) for value in colors] == [10, 200, 30]


def test_the_marker_follows_the_frame_on_show(shown: CaseScene, timeline: Timeline) -> None:
    for index in (3, 7, 0):
        shown.sequences.show(index)
        (time, bottom), (_, top) = lines(timeline)["frame on show"]
        assert time == pytest.approx(0.04 * index)
        assert top > 3
        assert bottom < 1

    timeline.close()
    shown.sequences.show(5)
    assert lines(timeline)["frame on show"][0][0] == 0


def test_the_table_sums_up_each_instrument(timeline: Timeline, case: Case) -> None:
    table = timeline.table
    names = [table.GetColumnName(column) for column in range(table.GetNumberOfColumns())]

    assert names == ["instrument", "type", "time on screen (s)", "entries", "tip path (px)"]
    assert [row[:4] for row in cells(table)] == [
        ["Left forceps", "Bipolar Forceps", "0.24", "1"],
        ["Instrument 2", "not known", "0.24", "1"],
        ["Instrument 3", "not known", "0.12", "1"],
    ]
    assert [float(row[4]) for row in cells(table)][1:] == [5, 0]  # layer 2 moves one pixel a frame, layer 3 rests
    for row, summary in zip(cells(table), summarize_layers(case), strict=True):
        assert (float(row[2]), int(row[3])) == (pytest.approx(summary.seconds, abs=0.01), summary.entries)


@pytest.mark.parametrize(
    ("absent", "entries", "path"),
    [
        (range(5, 6), 1, 5 * 39),  # one frame of 40 ms is no absence that counts
        (range(5, 29), 1, 5 * 39),  # 0.96 s neither; the tip went on meanwhile
        (range(5, 35), 2, 5 * 4 + 5 * 4),  # 1.2 s: nobody knows where it went
    ],
)
def test_long_absences_part_entries_and_paths(
    mrml: Mrml, tmp_path: Path, absent: range, entries: int, path: int
) -> None:
    # A shaft from the left border, whose tip moves 5 pixels right a frame.
    (tmp_path / "frames").mkdir()
    for index in range(40):
        Image.new("RGB", (240, 32)).save(tmp_path / "frames" / f"{index}.png")
    with open_source(tmp_path / "frames") as source:
        schema, roi = LabelSchema.load("endovis2017_types"), RegionOfInterest.whole(32, 240)
        case = Case.create(tmp_path / "case", source=source, schema=schema, roi=roi, model=None)
    with case.writer() as writer:
        for index in range(40):
            mask = np.zeros((32, 240), np.uint8)
            mask[10:19, : 30 + 5 * index] = index not in absent
            writer.write(index, case.times[index], mask)
    timeline = Timeline(CaseScene.load(case, mrml.scene))
    timeline.refresh()

    seconds = 0.04 * (40 - len(absent))
    assert [float(value) for value in cells(timeline.table)[0][2:]] == [pytest.approx(seconds), entries, path]


def test_only_what_changed_is_measured_again(shown: CaseScene, timeline: Timeline, editor: Editor) -> None:
    shown.sequences.show(2)
    editor.paint("Layer_3", slice(40, 46), slice(5, 20))
    shown.sequences.show(4)
    predict(Case.open(shown.case.folder), range(6, 8))
    shown.set_status(0, "skipped")

    progress = Counting()
    timeline.refresh(progress=progress)

    assert progress.done == 3  # frames 2, 6 and 7
    times = [time for time, _ in lines(timeline)["Instrument 3"]]
    assert times == pytest.approx([0.04 * (frame + side) for frame in (1, 2, 3, 5, 7) for side in (0, 1)])
    assert lines(timeline)["Left forceps"][0][0] == pytest.approx(0.04)  # not in the frame that was skipped


def test_layer_edits_are_edits_of_the_plot(shown: CaseScene, timeline: Timeline) -> None:
    LayerEdits(shown).merge(1, [3])
    LayerEdits(shown).rename(2, "Sucker")
    timeline.refresh()

    assert list(lines(timeline)) == ["Left forceps", "Sucker", "all frames", "frame on show"]
    assert [row[0] for row in cells(timeline.table)] == ["Left forceps", "Sucker"]
    assert shown.scene.GetNumberOfNodesByClass("vtkMRMLPlotSeriesNode") == 4


def test_it_covers_the_whole_case_and_not_the_window(shown: CaseScene, timeline: Timeline) -> None:
    before = cells(timeline.table)
    shown.move(plan_window(shown.case.info, start=4))
    timeline.refresh()

    assert cells(timeline.table) == before
    assert timeline.frame_at(0.0) == 4
    assert timeline.frame_at(0.21) == 5


def test_a_case_without_masks_has_an_empty_timeline(mrml: Mrml, case: Case, tmp_path: Path) -> None:
    with case.open_source() as source:
        info = case.info
        empty = Case.create(tmp_path / "empty", source=source, schema=info.schema, roi=info.roi, model=None)
    timeline = Timeline(CaseScene.load(empty, mrml.scene))
    timeline.refresh()

    assert cells(timeline.table) == []
    assert list(lines(timeline)) == ["all frames", "frame on show"]


def test_the_nodes_are_found_again_in_a_saved_scene(
    shown: CaseScene, timeline: Timeline, start_mrml: Callable[[], Mrml], tmp_path: Path
) -> None:
    before = cells(timeline.table), lines(timeline)
    shown.close()
    assert shown.scene.WriteToMRB(str(tmp_path / "scene.mrb"))
    again = start_mrml()
    assert again.scene.ReadFromMRB(str(tmp_path / "scene.mrb"))
    nodes = again.scene.GetNumberOfNodes()

    attached = CaseScene.attach(again.scene.GetFirstNodeByClass("vtkMRMLSequenceBrowserNode"))
    reopened = Timeline(attached)
    reopened.refresh()

    assert (cells(reopened.table), lines(reopened)) == before
    assert again.scene.GetNumberOfNodes() == nodes
