import csv
from pathlib import Path

import numpy as np
import pytest
from report_cases import FPS, FRAMES, make_case, true_mask
from rich.console import Console

from rasnet.errors import RASNetError
from rasnet.report import summarize_layers, write_tracks
from rasnet.report.summary import summary_table
from rasnet.report.tracks import COLUMNS


def read(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


class TestWriteTracks:
    def test_one_row_a_frame_and_layer(self, tmp_path: Path) -> None:
        case = make_case(tmp_path)
        written = write_tracks(case, tmp_path / "tracks.csv")
        rows = read(tmp_path / "tracks.csv")
        assert tuple(rows[0]) == COLUMNS
        expected = [(i, k) for i in range(FRAMES) for k in np.unique(true_mask(i)) if k]
        assert [(int(row["frame"]), int(row["layer"])) for row in rows] == expected
        assert written == len(expected)

    def test_the_figures_of_a_bar_are_those_of_a_bar(self, tmp_path: Path) -> None:
        case = make_case(tmp_path, parts=True)
        case.update_layer(1, name="Left", type="Bipolar Forceps", who="A. Surgeon")
        write_tracks(case, tmp_path / "tracks.csv")
        row = read(tmp_path / "tracks.csv")[0]
        assert (row["frame"], row["layer"], row["name"], row["type"]) == ("0", "1", "Left", "Bipolar Forceps")
        assert int(row["area_px"]) == 80 * 20
        assert float(row["centroid_x"]) == pytest.approx(39.5)  # columns 0 to 79
        assert float(row["centroid_y"]) == pytest.approx(39.5)  # rows 30 to 49
        assert (float(row["axis_x"]), float(row["axis_y"])) == pytest.approx((1.0, 0.0), abs=1e-3)
        assert float(row["tip_x"]) == pytest.approx(79, abs=1.5)

    def test_where_no_tip_is_known_its_cells_are_empty(self, tmp_path: Path) -> None:
        case = make_case(tmp_path, parts=True)  # layer 2 shows its shaft only
        write_tracks(case, tmp_path / "tracks.csv")
        second = [row for row in read(tmp_path / "tracks.csv") if row["layer"] == "2"]
        assert {(row["tip_x"], row["tip_y"]) for row in second} == {("", "")}

    def test_times_are_presentation_times(self, tmp_path: Path) -> None:
        case = make_case(tmp_path, predicted=range(0, FRAMES, 7))
        write_tracks(case, tmp_path / "tracks.csv")
        for row in read(tmp_path / "tracks.csv"):
            assert float(row["time_s"]) == pytest.approx(int(row["frame"]) / FPS)

    def test_skipped_frames_are_left_out(self, tmp_path: Path) -> None:
        case = make_case(tmp_path, predicted=range(3))
        case.set_status(1, "skipped", who="A. Surgeon")
        write_tracks(case, tmp_path / "tracks.csv")
        assert {row["frame"] for row in read(tmp_path / "tracks.csv")} == {"0", "2"}

    def test_a_dash_writes_to_stdout(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        write_tracks(make_case(tmp_path, predicted=range(2)), "-")
        assert capsys.readouterr().out.splitlines()[0] == ",".join(COLUMNS)

    def test_a_place_that_cannot_be_written_is_named(self, tmp_path: Path) -> None:
        (tmp_path / "file").touch()
        with pytest.raises(RASNetError, match="cannot be written"):
            write_tracks(make_case(tmp_path, predicted=range(1)), tmp_path / "file" / "tracks.csv")

    def test_a_failure_leaves_the_old_table_and_no_fragment(self, tmp_path: Path) -> None:
        case = make_case(tmp_path, predicted=range(3))
        output = tmp_path / "tracks.csv"
        write_tracks(case, output)
        before = output.read_text()
        (case.folder / "masks" / "00000002.png").write_bytes(b"damaged")
        with pytest.raises(RASNetError):
            write_tracks(case, output)
        assert output.read_text() == before
        assert [path.name for path in tmp_path.glob("*tracks*")] == ["tracks.csv"]


class TestSummarizeLayers:
    def test_time_entries_and_areas(self, tmp_path: Path) -> None:
        first, second = summarize_layers(make_case(tmp_path))
        # Layer 1: frames 0 to 9 and 40 to 49; away for 30 frames = 1.2 s, which is a new entry.
        assert first.layer.id == 1
        assert first.seconds == pytest.approx(20 / FPS)
        assert first.entries == 2
        assert (first.first_s, first.last_s) == pytest.approx((0.0, 49 / FPS))
        assert first.mean_area_px == 80 * 20
        # Layer 2: frames 5 to 49 but for 20 to 24; away for 0.2 s, which is the same entry.
        assert second.seconds == pytest.approx(40 / FPS)
        assert second.entries == 1
        assert (second.first_s, second.last_s) == pytest.approx((5 / FPS, 49 / FPS))

    def test_every_fifth_frame_stands_for_five(self, tmp_path: Path) -> None:
        (first, _) = summarize_layers(make_case(tmp_path, predicted=range(0, FRAMES, 5), step=5))
        assert first.seconds == pytest.approx(20 / FPS)  # frames 0, 5, 40, 45

    def test_frames_nobody_has_looked_at_do_not_count(self, tmp_path: Path) -> None:
        (first,) = summarize_layers(make_case(tmp_path, predicted=range(4)))
        assert first.seconds == pytest.approx(4 / FPS)

    def test_a_layer_that_is_never_seen_has_no_times(self, tmp_path: Path) -> None:
        case = make_case(tmp_path, predicted=range(1))
        case.add_layer(name="Needle", who="A. Surgeon")
        never = summarize_layers(case)[-1]
        assert (never.seconds, never.entries, never.first_s, never.last_s) == (0, 0, None, None)

    def test_the_table_names_every_instrument(self, tmp_path: Path) -> None:
        case = make_case(tmp_path)
        case.update_layer(2, name="[bold]Grasper", who="A. Surgeon")  # no markup in people's words
        console = Console(width=120, record=True, file=(tmp_path / "out").open("w"))
        console.print(summary_table(summarize_layers(case)))
        lines = console.export_text().splitlines()
        assert ["Instrument 1" in lines[1], "0.8 s" in lines[1], "1600 px" in lines[1]] == [True] * 3
        assert "[bold]Grasper" in lines[2]
