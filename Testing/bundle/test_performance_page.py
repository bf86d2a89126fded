"""The page on performance lists what was measured, beside the machine's limits, and nothing else."""

from __future__ import annotations

import copy
import json
import sys
from pathlib import Path
from typing import Any

import pytest

BENCHMARKS = Path(__file__).resolve().parents[1] / "benchmarks"
sys.path.insert(0, str(BENCHMARKS))

import performance  # noqa: E402
from bounds import Bounds  # noqa: E402
from material import make_video  # noqa: E402
from performance_page import write_page  # noqa: E402
from wording import number, spread, times  # noqa: E402

from rasnet.bundle import weights_path  # noqa: E402

Run = dict[str, Any]

# A machine of round figures: a network of 10^9 operations a picture of 100 pixels, and 10^6 parameters.
MACHINE = {
    "operations_per_second": {"float32": 1e11, "float16": 1e13, "int8": 4e11},
    "bytes_per_second": {"memory": 1e10},
    "cores": 2,
    "network": {"operations": 1e9, "pixels": 100, "parameters": 1e6},
}
GPU = MACHINE | {"bytes_per_second": {"memory": 1e10, "GPU memory": 1e9, "upload": 5e9}}

FIGURES = {"PNG": {"median": 4.0, "lowest": 4.0, "highest": 4.0}}
SPEED = {
    "size": "1000x500",  # 0.5 megapixels
    "network_pixels": 200,
    "decoder": {
        "milliseconds_per_frame": {"median": 5.0, "lowest": 5.0, "highest": 5.0},
        "core_milliseconds_per_frame": {"median": 6.0, "lowest": 6.0, "highest": 6.0},
    },
}


@pytest.fixture(scope="module")
def measured() -> Run:
    """What two programs have measured here and now, small and short."""
    plan = [
        ("limits", "--seconds 0 --side 64 --megabytes 1"),
        ("speed", "--frames 2 --repeat 1 --size 320x256"),
        ("speed", "--frames 2 --video nothing.mp4"),  # fails, and says why
    ]
    *_, run = performance.measure("cpu", [weights_path()], plan)
    return run


@pytest.mark.parametrize(
    ("engine", "pixels", "batch", "milliseconds"),
    [
        ("torch-cpu", 100, 1, 10),  # 10^9 operations at 10^11 a second
        ("openvino-fp32", 100, 1, 10),
        ("openvino-int8", 100, 1, 2.5),
        ("openvino-int8", 200, 1, 5),  # operations go with pixels
        ("openvino-int8", 100, 4, 10),  # and with pictures
        ("torch-cuda", 100, 1, 0.2),  # 2 MB of weights at 10^10 bytes a second take longer than 0.1 ms of operations
        ("torch-cuda", 100, 4, 0.4),  # the weights are read once
    ],
)
def test_network_is_bound_by_operations_or_by_its_weights(
    engine: str, pixels: int, batch: int, milliseconds: float
) -> None:
    assert Bounds.of(MACHINE).network(engine, pixels, batch) == pytest.approx(milliseconds)


def test_no_bound_without_a_peak() -> None:
    bounds = Bounds.of(MACHINE | {"operations_per_second": {"float32": 1e11}})
    assert bounds.network("openvino-int8", 100) is None
    assert bounds.pipeline("openvino-int8", SPEED, FIGURES) is None
    assert bounds.stages("openvino-int8", SPEED, FIGURES)["segment"] is None


@pytest.mark.parametrize(
    ("limits", "engine", "milliseconds"),
    [
        (MACHINE, "torch-cpu", 20 + (6 + 4) / 2),  # the same cores do everything, and share decoder and encoder
        (GPU, "torch-cuda", (6 + 4) / 2),  # side by side: cores 5, network 2 (weights at 10^9 bytes/s), upload 0.3
    ],
)
def test_pipeline_is_bound_by_cores_network_or_upload(limits: Run, engine: str, milliseconds: float) -> None:
    assert Bounds.of(limits).pipeline(engine, SPEED, FIGURES) == pytest.approx(milliseconds)


def test_every_stage_has_its_bound() -> None:
    stages = Bounds.of(MACHINE).stages("torch-cpu", SPEED, FIGURES)
    assert stages == {
        "decode": pytest.approx(5),  # no more than with all cores, which was measured
        "prepare": pytest.approx(0.15),  # 1.5 MB at 10^10 bytes a second
        "network": pytest.approx(20),
        "decide": pytest.approx(0.05),
        "segment": pytest.approx(20.2),
        "track": pytest.approx(0.1),  # a mask in, a mask out
        "write": pytest.approx(2),  # two cores encode
        "pipeline": pytest.approx(25),
    }


def test_a_gpu_is_sent_pictures_as_videos_store_them() -> None:
    stages = Bounds.of(GPU).stages("torch-cuda", SPEED, FIGURES)
    assert stages["prepare"] == pytest.approx(0.15)  # 0.75 MB at 5 * 10^9 bytes a second


@pytest.mark.parametrize(
    ("value", "text"),
    [(7493.2, "7,493"), (118.06, "118"), (46.12, "46.1"), (4.888, "4.89"), (0.0361, "0.036"), (0.0, "0"), (None, "")],
)
def test_numbers_have_about_three_digits(value: float | None, text: str) -> None:
    assert number(value) == text


def test_spread_is_told_only_where_there_is_one() -> None:
    assert spread({"median": 2.0, "lowest": 1.0, "highest": 30.0}) == "2.00 (1.00 to 30.0)"
    assert spread({"median": 2.0, "lowest": 2.0, "highest": 2.0}) == "2.00"
    assert (times(6, 4), times(6, None)) == ("1.50 x", "")


def test_page_shows_what_was_measured(measured: Run) -> None:
    page = write_page([measured])
    speed = measured["results"]["speed"][0]
    figures = speed["engines"][0]["milliseconds_per_frame"]
    for name in ("decode", "segment", "network", "track", "write", "pipeline"):
        assert f"| {spread(figures[name])} |" in page
    assert f"**file to case** | {spread(figures['pipeline'])}" in page
    assert f"That is {number(1e3 / figures['pipeline']['median'])} frames/s" in page
    least = Bounds.of(measured["results"]["limits"][0]).stages("torch-cpu", speed, figures)
    assert f"| {number(least['network'])} | {times(figures['network']['median'], least['network'])} |" in page
    for name in ("cpu", "torch", "system"):
        assert measured["machine"][name] in page


LIVE = {
    "size": "1920x1080",
    "fps": 60,
    "engines": [
        {
            "backend": "torch-cuda",
            "latency_ms": {"median": 9.5, "p95": 12.0, "p99": 20.0, "max": 25.5},
            "segmented": 1200,
            "dropped": 3,
        }
    ],
}


def test_live_is_told_with_its_goals(measured: Run) -> None:
    page = write_page([measured | {"results": {"live": [LIVE]}}])
    assert "| 1920x1080, 60 frames/s | PyTorch float16 on the GPU | 9.50 | 12.0 | 20.0 | 25.5 | 1,200 | 3 |" in page
    assert "median latency | 9.50 ms | ≤ 10.0 | yes |" in page
    assert "longest latency | 25.5 ms | ≤ 25.0 | no |" in page
    assert "frames dropped | 3.00" in page


def test_only_the_gpu_at_60_frames_has_goals_for_live(measured: Run) -> None:
    slower = write_page([measured | {"results": {"live": [LIVE | {"fps": 30}]}}])
    assert "1920x1080, 30 frames/s" in slower
    assert "### Goals" not in slower


def test_page_leaves_out_what_was_not_measured(measured: Run) -> None:
    page = write_page([measured])
    for title in ("Memory", "Start", "Side by side", "The network alone", "Live", "Goals"):
        assert f"### {title}\n" not in page
    assert "int8" not in page.partition("### Where the time goes")[2].partition("###")[0]
    assert measured["failed"] == ["speed --frames 2 --video nothing.mp4"]


def test_page_without_peaks_has_no_limits(measured: Run) -> None:
    blind = copy.deepcopy(measured)
    del blind["results"]["limits"]
    row = next(line for line in write_page([blind]).splitlines() if line.startswith("| of which network"))
    assert row.endswith("|  |  |  |")


@pytest.mark.parametrize(
    ("engine", "way", "batch", "milliseconds", "measured_and_goal", "reached"),
    [
        ("openvino-int8", "bytes to masks", 1, 39.9, ["39.9 (39.9 to 79.8) ms", "≤ 40.0"], "yes"),
        ("openvino-int8", "bytes to masks", 1, 40.1, ["40.1 (40.1 to 80.2) ms", "≤ 40.0"], "no"),
        ("torch-cuda", "on the GPU", 1, 0.5, ["0.5 (0.5 to 1.00) ms", "≤ 0.6"], "yes"),
        ("torch-cuda", "on the GPU", 64, 6.4, ["10,000 (5,000 to 10,000) pictures/s", "≥ 9,000"], "yes"),
        ("torch-cuda", "on the GPU", 64, 8.0, ["8,000 (4,000 to 8,000) pictures/s", "≥ 9,000"], "no"),
    ],
)
def test_goals_are_reached_or_not(
    engine: str, way: str, batch: int, milliseconds: float, measured_and_goal: list[str], reached: str
) -> None:
    took = {"median": milliseconds, "lowest": milliseconds, "highest": 2 * milliseconds}
    row = {"engine": engine, "way": way, "batch": batch, "milliseconds": took}
    run = {"made": "2026-01-02", "weights": "0" * 8, "load": 0.0, "machine": {"cpu": "C", "system": "S"}}
    page = write_page([run | {"results": {"network": [{"rows": [row]}]}}])
    goal = next(line for line in page.splitlines() if line.startswith(f"| network, 320x256, {engine}, batch {batch}"))
    assert goal.split(" | ")[1:4] == [*measured_and_goal, reached]


@pytest.mark.parametrize(("load", "warned"), [(0.1, False), (3.0, True)])
def test_a_busy_machine_is_told_of(load: float, warned: bool) -> None:
    run = {"made": "2026-01-02", "weights": "0" * 8, "load": load, "machine": {"cpu": "C", "system": "S"}}
    assert ("It was not quiet" in write_page([run | {"results": {}}])) == warned


def test_memory_compares_the_longest_with_the_shortest() -> None:
    memory = {"size": "320x256", "weights": "W", "peak_mb": {"6000": 420.0, "1000": 400.0}, "ratio": 1.05}
    run = {"made": "2026-01-02", "weights": "0" * 8, "load": 0.0, "machine": {"cpu": "C", "system": "S"}}
    page = write_page([run | {"results": {"memory": [memory]}}])
    assert "| 320x256 | W | 6,000 | 420 | 1.050 | 4.00 |" in page  # 20 MB in 5,000 frames


def test_figures_of_another_machine_are_added(measured: Run, tmp_path: Path) -> None:
    other = copy.deepcopy(measured)
    other["machine"]["gpu"] = "Some GPU"
    (tmp_path / "gpu.json").write_text(json.dumps([measured, other]), encoding="utf-8")
    page = tmp_path / "page.md"
    performance.main(device="none", add=[tmp_path / "gpu.json"], output=page)
    text = page.read_text(encoding="utf-8")
    assert text.index(f"## {measured['machine']['cpu']}\n") < text.index("## Some GPU\n")
    assert text.count("**file to case**") == 2


@pytest.mark.parametrize("content", ["{", "[3]", '[{"machine": {}}]', "7", None])
def test_what_cannot_be_added_leaves_the_page_as_it_was(content: str | None, tmp_path: Path) -> None:
    if content is not None:
        (tmp_path / "gpu.json").write_text(content, encoding="utf-8")
    with pytest.raises(SystemExit, match=r"gpu\.json cannot be added; give a file that"):
        performance.main(device="none", add=[tmp_path / "gpu.json"], output=tmp_path / "page.md")
    assert not (tmp_path / "page.md").exists()


@pytest.mark.parametrize("frames", [3, 700])  # more than the sample clip has
def test_videos_have_as_many_frames_as_asked_for(frames: int, tmp_path: Path) -> None:
    from rasnet.video import open_source

    with open_source(make_video(tmp_path, "64x64", frames)) as video:
        assert (len(video), video.height, video.width) == (frames, 64, 64)


def test_machines_of_a_kind_are_told_apart(measured: Run) -> None:
    other = measured | {"machine": measured["machine"] | {"gpu": "some GPU"}}
    page = write_page([measured | {"results": {}}, other | {"results": {}}, other | {"results": {}}])
    titles = [line for line in page.splitlines() if line.startswith("## ")]
    assert titles == [f"## {measured['machine']['cpu']}", "## some GPU, machine 1", "## some GPU, machine 2"]
