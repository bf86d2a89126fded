from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from report_cases import HEIGHT, WIDTH, make_case

from rasnet.errors import RASNetError
from rasnet.report import write_contact_sheet
from rasnet.report.contact_sheet import spread

TILE = (480, round(480 * HEIGHT / WIDTH))  # (width, height)


class TestSpread:
    @pytest.mark.parametrize(
        ("frames", "count", "chosen"),
        [
            (range(10), 4, [0, 3, 6, 9]),
            (range(3), 12, [0, 1, 2]),
            (range(100), 1, [0]),
            (range(0), 12, []),
        ],
    )
    def test_frames_are_spread_evenly_with_both_ends(self, frames: range, count: int, chosen: list[int]) -> None:
        assert spread(list(frames), count) == chosen


class TestWriteContactSheet:
    def test_tiles_fill_the_grid(self, tmp_path: Path) -> None:
        write_contact_sheet(make_case(tmp_path), tmp_path / "sheet.png", columns=3, rows=2)
        with Image.open(tmp_path / "sheet.png") as sheet:
            width, height = sheet.size
        assert 3 * TILE[0] < width < 3 * TILE[0] + 60
        assert 2 * TILE[1] < height < 2 * TILE[1] + 100

    def test_few_frames_make_a_small_sheet(self, tmp_path: Path) -> None:
        write_contact_sheet(make_case(tmp_path, predicted=range(2)), tmp_path / "sheet.png")
        with Image.open(tmp_path / "sheet.png") as sheet:
            assert TILE[0] * 2 < sheet.size[0] < TILE[0] * 3
            assert TILE[1] < sheet.size[1] < TILE[1] * 2

    def test_tiles_show_their_frames_in_order(self, tmp_path: Path) -> None:
        write_contact_sheet(make_case(tmp_path), tmp_path / "sheet.png", columns=5, rows=1)
        with Image.open(tmp_path / "sheet.png") as sheet:
            row = np.asarray(sheet.convert("RGB"))[-30]  # near the lower edge, where no instrument is
        greys = [int(row[10 + tile * 490 + 240, 0]) for tile in range(5)]  # frame i has grey value i
        assert greys == [0, 12, 24, 37, 49]

    def test_an_empty_case_is_refused_with_what_to_do(self, tmp_path: Path) -> None:
        with pytest.raises(RASNetError, match="rasnet segment"):
            write_contact_sheet(make_case(tmp_path, predicted=range(0)), tmp_path / "sheet.png")
        assert not (tmp_path / "sheet.png").exists()
