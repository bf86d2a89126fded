import builtins
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image
from report_cases import FPS, FRAMES, make_case

from rasnet.case import LAYER_COLORS
from rasnet.errors import RASNetError
from rasnet.report import write_timeline
from rasnet.report.presence import measure_presence
from rasnet.report.style import STATUS_COLORS


def draw(case: Any, folder: Path) -> npt.NDArray[np.uint8]:
    write_timeline(case, folder / "timeline.png")
    with Image.open(folder / "timeline.png") as picture:
        return np.asarray(picture.convert("RGB"))


def columns_of(picture: npt.NDArray[np.uint8], color: tuple[int, int, int]) -> npt.NDArray[np.bool_]:
    """Columns that hold a colour at least 8 pixels high (a bar, not a legend's edge)."""
    exact: npt.NDArray[np.bool_] = (picture == color).all(axis=2).sum(axis=0) >= 8
    return exact


class TestPresence:
    def test_spans_are_exact_and_gaps_stay_gaps(self, tmp_path: Path) -> None:
        presence = measure_presence(make_case(tmp_path))
        assert presence.spans(0) == [pytest.approx((0.0, 10 / FPS)), pytest.approx((40 / FPS, 50 / FPS))]
        assert presence.spans(1) == [
            pytest.approx((5 / FPS, 20 / FPS)),
            pytest.approx((25 / FPS, 50 / FPS)),
        ]

    def test_a_tolerated_gap_joins_its_neighbours(self, tmp_path: Path) -> None:
        presence = measure_presence(make_case(tmp_path))
        assert presence.spans(1, gap_s=0.2) == [pytest.approx((5 / FPS, 50 / FPS))]
        assert len(presence.spans(0, gap_s=1.0)) == 2  # away for 1.2 s


class TestWriteTimeline:
    def test_each_layer_has_bars_of_its_colour_where_it_is_in_view(self, tmp_path: Path) -> None:
        picture = draw(make_case(tmp_path), tmp_path)
        share = [columns_of(picture, LAYER_COLORS[layer]).sum() for layer in (0, 1)]
        # Layer 1 is in view for 20 of 50 frames, layer 2 for 40.
        assert share[1] / share[0] == pytest.approx(2.0, abs=0.05)
        shown = np.flatnonzero(np.diff(columns_of(picture, LAYER_COLORS[0]).astype(int)))
        assert len(shown) == 4  # two bars with a gap between them

    def test_the_strip_shows_each_status_for_its_share_of_time(self, tmp_path: Path) -> None:
        case = make_case(tmp_path, predicted=range(40))
        for index in range(10):
            case.set_status(index, "accepted", who="A. Surgeon")
        picture = draw(case, tmp_path)
        strip = {name: columns_of(picture, STATUS_COLORS[name]).sum() for name in ("predicted", "accepted")}
        legend = 30  # pixels of the legend's own patch, at most
        assert strip["predicted"] / strip["accepted"] == pytest.approx(3.0, rel=legend / 100)

    def test_a_case_without_uncertainty_layers_or_later_frames_is_drawn_too(self, tmp_path: Path) -> None:
        case = make_case(tmp_path, predicted=range(0))
        case.set_status(3, "skipped", who="A. Surgeon")
        assert columns_of(draw(case, tmp_path), STATUS_COLORS["skipped"]).any()

    def test_a_case_of_one_frame_is_drawn(self, tmp_path: Path) -> None:
        picture = draw(make_case(tmp_path, predicted=range(1), step=FRAMES), tmp_path)
        assert columns_of(picture, LAYER_COLORS[0]).mean() > 0.5  # in view all the time there is

    def test_the_ending_chooses_the_format(self, tmp_path: Path) -> None:
        write_timeline(make_case(tmp_path), tmp_path / "timeline.svg")
        assert "<svg" in (tmp_path / "timeline.svg").read_text()

    def test_an_empty_case_is_refused_with_what_to_do(self, tmp_path: Path) -> None:
        with pytest.raises(RASNetError, match="rasnet segment"):
            write_timeline(make_case(tmp_path, predicted=range(0)), tmp_path / "timeline.png")

    def test_without_matplotlib_it_says_how_to_get_it(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        real = builtins.__import__

        def without_matplotlib(name: str, *rest: Any) -> Any:
            if name.startswith("matplotlib"):
                raise ModuleNotFoundError(f"No module named '{name}'", name=name)
            return real(name, *rest)

        case = make_case(tmp_path)
        monkeypatch.setattr(builtins, "__import__", without_matplotlib)
        with pytest.raises(RASNetError, match="pip install"):
            write_timeline(case, tmp_path / "timeline.png")
