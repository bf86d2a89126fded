"""Networks are compared by runs that go on where they stopped, and by intervals that follow from them."""

from __future__ import annotations

import json
import sys
import time
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from videos import RECIPES, write

BENCHMARKS = Path(__file__).resolve().parents[1] / "benchmarks"
sys.path.insert(0, str(BENCHMARKS))

import leave_one_out  # noqa: E402
import short_training  # noqa: E402
import torch  # noqa: E402
from intervals import differences, estimate  # noqa: E402
from leave_one_out_page import dice, gather, write_page  # noqa: E402
from robotic_sequences import SequenceFrames, decode_sequence, find_sequences, load_sequence  # noqa: E402
from short_training import Recipe, Run  # noqa: E402

from rasnet.errors import RASNetError  # noqa: E402

HEIGHT, WIDTH, BORDER = 64, 96, 16
FRAMES = 4
PERFECT = [[50, 0, 0], [0, 30, 0], [0, 0, 20]]
WORSE = [[40, 10, 0], [0, 30, 0], [0, 20, 0]]  # all of the manipulator taken for shaft, 10 pixels too many


def run_of(network: str, left_out: str, seed: int, confusion: list[list[int]]) -> dict[str, Any]:
    """A result as a run writes it."""
    return {
        "network": network,
        "left_out": left_out,
        "seed": seed,
        "recipe": {
            "iterations": 9,
            "batch_size": 4,
            "size": [64, 96],
            "learning_rate": 3e-4,
            "warm_up": 0.05,
            "alpha": 0.3,
            "gradient_norm": 5.0,
            "augmentation": "light",
            "every": 1,
        },
        "sequences": ["A", "B"],
        "frames": {"train": 4, "test": 4},
        "test_size": [64, 96],
        "confusion": confusion,
        "last_loss": 0.1,
        "parameters": 32_700_000,
        "seconds": 1.0,
        "machine": {"cpu": "C", "torch": "2", "rasnet": "0"},
    }


def results(**confusions: list[list[int]]) -> list[dict[str, Any]]:
    """Runs over two sequences and two seeds, the same for each network."""
    return [run_of(name, left, seed, m) for name, m in confusions.items() for left in "AB" for seed in (0, 1)]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two sequences in the layout of EndoVis 2015: a black border, the shaft on the left half, the wrist beside it."""
    folder = tmp_path_factory.mktemp("robotic")
    random = np.random.default_rng(0)
    mask = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    mask[:, :48], mask[:, 48:64] = 160, 70
    for name in ("A", "B"):
        (folder / name).mkdir()
        pictures = [random.integers(60, 255, (HEIGHT, WIDTH, 3), np.uint8) for _ in range(FRAMES)]
        for picture in pictures:
            picture[:, :BORDER] = 0
        write(folder / name / "Video.avi", RECIPES["avi mjpeg"], pictures)
        write(folder / name / "Segmentation.avi", RECIPES["mkv grey"], [mask] * FRAMES)
    return folder


class TestIntervals:
    def test_every_sequence_counts_alike(self) -> None:
        found = estimate({"A": {0: 1.0}, "B": {0: 0.0, 1: 0.0, 2: 0.3}})
        assert found.mean == pytest.approx((1.0 + 0.1) / 2)
        assert (found.runs, found.positive) == (4, 2)

    def test_equal_runs_have_no_width(self) -> None:
        found = estimate({name: dict.fromkeys(range(3), 0.9) for name in "ABC"})
        assert (found.low, found.high) == (pytest.approx(0.9), pytest.approx(0.9))

    def test_three_sequences_reach_from_the_lowest_to_the_highest(self) -> None:
        """The lowest is drawn three times in 1 of 27 replicates: 3.7 %, more than the 2.5 % outside the interval."""
        found = estimate({"A": {0: 0.1, 1: 0.1}, "B": {0: 0.2, 1: 0.2}, "C": {0: 0.6, 1: 0.6}})
        assert (found.low, found.high) == (pytest.approx(0.1), pytest.approx(0.6))
        assert found.mean == pytest.approx(0.3)

    @pytest.mark.parametrize(("seeds", "low", "high"), [(2, 0.0, 1.0), (40, 0.35, 0.65)])
    def test_seeds_of_one_sequence_are_drawn(self, seeds: int, low: float, high: float) -> None:
        """Of 40 seeds, half of them 1, the mean is normal with a deviation of 0.5 / sqrt(40) = 0.079."""
        found = estimate({"A": {seed: float(seed % 2) for seed in range(seeds)}})
        assert (found.low, found.high) == (pytest.approx(low, abs=0.03), pytest.approx(high, abs=0.03))

    def test_one_run_has_no_interval(self) -> None:
        found = estimate({"A": {0: 0.5}})
        assert (found.mean, found.low, found.high) == (0.5, None, None)

    def test_no_run_is_an_error(self) -> None:
        with pytest.raises(ValueError, match="no run"):
            estimate({"A": {}})

    def test_differences_are_of_runs_that_both_have(self) -> None:
        found = differences({"A": {0: 0.5, 1: 0.7}, "B": {0: 0.1}}, {"A": {1: 0.4, 2: 0.0}})
        assert {name: dict(seeds) for name, seeds in found.items()} == {"A": {1: pytest.approx(0.3)}}

    def test_a_constant_gain_is_certain_though_sequences_differ(self) -> None:
        reference = {"A": {0: 0.3, 1: 0.5}, "B": {0: 0.9, 1: 0.8}}
        better = {name: {seed: value + 0.05 for seed, value in seeds.items()} for name, seeds in reference.items()}
        found = estimate(differences(better, reference))
        assert (found.low, found.high) == (pytest.approx(0.05), pytest.approx(0.05))


class TestPage:
    def test_dice_follows_from_counts(self) -> None:
        assert dice(PERFECT) == {"instrument": 1.0, "shaft": 1.0, "manipulator": 1.0}
        # 50 pixels of instrument in both, 60 predicted; 30 of shaft in both, 60 predicted and 30 true.
        assert dice(WORSE) == pytest.approx({"instrument": 100 / 110, "shaft": 60 / 90, "manipulator": 0.0})

    def test_networks_have_their_order(self) -> None:
        assert list(gather(results(unet=PERFECT, rasnet_softmax=WORSE))["shaft"]) == ["rasnet_softmax", "unet"]

    def test_page_and_plot_show_the_runs(self, tmp_path: Path) -> None:
        runs = results(rasnet_softmax=WORSE, rasnet_none=PERFECT)
        write_page(runs, [{"network": "rasnet_none", "images_per_second": 123.4, "machine": runs[0]["machine"]}],
                   tmp_path / "results.md")  # fmt: skip
        page = (tmp_path / "results.md").read_text(encoding="utf-8")
        minus = "\N{MINUS SIGN}"
        interval = "0.909 (0.909 to 0.909)"
        assert f"| RASNet, softmax | {interval} |" in page
        assert "| 32.7 | 123 | 4 |" in page
        assert "| RASNet, no attention | +0.091 (+0.091 to +0.091) | +0.333 (+0.333 to +0.333) |" in page
        assert "| 4 of 4 |" in page
        assert f"{minus}0.091 ({minus}0.091 to {minus}0.091)" in page
        assert "The interval leaves out 0: in these runs softmax is worse." in page
        assert "gain of +0.053 for attention over none" in page  # 94.65 - 89.31
        assert "That is more than the interval found here." in page
        assert "holds the median of all that might have been filmed with a probability of 50 %" in page  # of two
        assert "missing" not in page
        assert (tmp_path / "pictures" / "leave_one_out.png").stat().st_size > 10_000

    def test_missing_runs_are_told_of(self, tmp_path: Path) -> None:
        write_page(results(rasnet_softmax=WORSE, unet=PERFECT)[:-1], [], tmp_path / "results.md")
        assert "**1 of 8 runs are missing**" in (tmp_path / "results.md").read_text(encoding="utf-8")


class TestSequences:
    def test_networks_see_the_picture_and_are_measured_on_the_frame(self, data: Path, tmp_path: Path) -> None:
        decode_sequence(data / "A", (32, 64), 1, tmp_path)
        sequence = load_sequence(tmp_path, "A", torch.device("cpu"))
        assert sequence.group.images.shape == (FRAMES, 3, 32, 64)
        assert sequence.truth.shape == (FRAMES, HEIGHT, WIDTH)
        assert sequence.roi.left == pytest.approx(BORDER, abs=2)
        left = (sequence.group.masks == 1).sum() / sequence.group.masks.numel()
        assert left == pytest.approx((48 - BORDER) / (WIDTH - BORDER), abs=0.03)  # the shaft inside the border
        assert len(SequenceFrames([sequence, sequence])) == 2 * FRAMES

    def test_outside_the_picture_there_is_nothing(self, data: Path, tmp_path: Path) -> None:
        """A network that calls everything shaft misses the shaft in the border, and finds none there."""

        class Shaft(torch.nn.Module):
            def forward(self, images: torch.Tensor) -> torch.Tensor:
                return torch.eye(3)[1].view(1, 3, 1, 1).expand(len(images), 3, *images.shape[-2:])

        decode_sequence(data / "A", (32, 64), 1, tmp_path)
        sequence = load_sequence(tmp_path, "A", torch.device("cpu"))
        matrix = short_training.confusion(Shaft(), sequence, Recipe(batch_size=3, size=(32, 64)), "cpu")
        outside, all_frames = sequence.roi.left * HEIGHT * FRAMES, HEIGHT * WIDTH * FRAMES
        assert matrix[:, 0].tolist() == [0, outside, 0]
        assert matrix[1].sum() == all_frames // 2
        assert matrix.sum() == all_frames

    def test_one_sequence_cannot_be_left_out(self, tmp_path: Path) -> None:
        with pytest.raises(RASNetError, match="two or more folders with Video"):
            find_sequences(tmp_path)


class TestRuns:
    def test_a_seed_is_done_with_all_networks_before_the_next(self) -> None:
        runs = leave_one_out.plan(["n", "m"], ["A"], 2)
        assert runs == [Run("n", "A", 0), Run("m", "A", 0), Run("n", "A", 1), Run("m", "A", 1)]

    def test_it_trains_tests_and_goes_on(self, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        options: dict[str, Any] = {"data": data, "out": tmp_path, "iterations": 3, "batch_size": 2, "size": "32x32"}
        options["networks"] = ["rasnet_none", "rasnet_softmax"]
        leave_one_out.main(**options, seeds=1)
        assert "4/4 RASNet, no attention, B left out, seed 0" in capsys.readouterr().out
        file = tmp_path / "runs" / "rasnet_softmax-A-0.json"
        result = json.loads(file.read_text(encoding="utf-8"))
        assert np.sum(result["confusion"]) == FRAMES * HEIGHT * WIDTH
        assert result["frames"] == {"train": FRAMES, "test": FRAMES}
        page = (tmp_path / "results.md").read_text(encoding="utf-8")
        assert f"| {result['parameters'] / 1e6:.1f} |" in page

        file.unlink()  # killed
        kept = tmp_path / "runs" / "rasnet_none-A-0.json"
        before = kept.stat().st_mtime_ns
        leave_one_out.main(**options, seeds=1)
        assert "1/1 RASNet, softmax, A left out, seed 0" in capsys.readouterr().out
        assert kept.stat().st_mtime_ns == before
        again = json.loads(file.read_text(encoding="utf-8"))
        assert again["confusion"] == result["confusion"]  # the same seed on the CPU gives the same network

        with pytest.raises(SystemExit, match="run with iterations 3, not 4; give the same, or another --out"):
            leave_one_out.main(**options | {"iterations": 4})

    def test_what_failed_is_told_and_the_rest_goes_on(self, capsys: pytest.CaptureFixture[str]) -> None:
        runs = leave_one_out.plan(["unet"], ["A", "B", "C"], 1)

        def start(run: Run) -> Future[dict[str, Any]]:
            future: Future[dict[str, Any]] = Future()
            if run.left_out == "B":
                future.set_exception(RASNetError("the loss is not a number"))
            else:
                future.set_result({"seconds": 1.0, "last_loss": 0.5})
            return future

        failed = list(leave_one_out._side_by_side(runs, start, 2, None, {"unet": 1.0}))
        assert failed == ["unet-B-0: the loss is not a number"]
        said = capsys.readouterr().out
        assert "U-Net, A left out" in said
        assert "3/3 U-Net, C left out, seed 0: loss 0.500, 1 s; about 0.0 minutes left" in said

    def test_no_run_is_started_that_would_end_too_late(self, capsys: pytest.CaptureFixture[str]) -> None:
        runs = leave_one_out.plan(["unet"], ["A", "B"], 1)
        started: list[Run] = []

        def start(run: Run) -> Future[dict[str, Any]]:
            started.append(run)
            future: Future[dict[str, Any]] = Future()
            future.set_result({"seconds": 500.0, "last_loss": 0.5})  # longer than expected
            return future

        assert list(leave_one_out._side_by_side(runs, start, 1, time.monotonic() + 100, {"unet": 10.0})) == []
        assert [run.left_out for run in started] == ["A"]
        assert "1 runs are left for another time" in capsys.readouterr().out

    def test_the_page_comes_from_results_alone(self, tmp_path: Path) -> None:
        content = {"runs": results(rasnet_softmax=PERFECT, ternausnet=WORSE), "speeds": []}
        (tmp_path / "results.json").write_text(json.dumps(content), encoding="utf-8")
        leave_one_out.main(out=tmp_path, only_table=True, page=tmp_path / "docs" / "page.md")
        assert "| TernausNet |" in (tmp_path / "docs" / "page.md").read_text(encoding="utf-8")

    @pytest.mark.parametrize(
        ("options", "sentence"),
        [
            ({"only_table": True}, "holds no results; give --data"),
            ({}, "give --data, the folder of"),
            ({"data": Path(), "size": "300x256"}, "--size 300x256 is not WIDTHxHEIGHT in multiples of 32"),
            ({"data": Path(), "networks": ["vnet"]}, "there is no network 'vnet'; choose of rasnet_softmax, "),
        ],
    )
    def test_what_cannot_be_done_is_one_sentence(self, options: dict[str, Any], sentence: str, tmp_path: Path) -> None:
        with pytest.raises(SystemExit, match=sentence):
            leave_one_out.main(out=tmp_path, **options)

    def test_damaged_results_are_named(self, tmp_path: Path) -> None:
        (tmp_path / "x.json").write_text("{", encoding="utf-8")
        with pytest.raises(RASNetError, match=r"x\.json is damaged; remove it"):
            leave_one_out.read_results(tmp_path)
