"""What RASNet is meant to reach, beside what a run has measured."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from bounds import Bounds
from wording import number, spread, table

Results = Mapping[str, list[dict[str, Any]]]


class Goal(NamedTuple):
    """A figure that was measured, and what it should be.

    Attributes:
        what: it is of.
        unit: of all figures.
        measured: median, lowest and highest.
        goal: to reach.
        limit: of the machine, where there is one.
        large: whether more is better.
    """

    what: str
    unit: str
    measured: Mapping[str, float]
    goal: float
    limit: float | None = None
    large: bool = False

    def row(self) -> list[str]:
        """Write it as a row of the table."""
        value = self.measured["median"]
        reached = value >= self.goal if self.large else value <= self.goal
        gap = ""
        if self.limit:
            gap = f"{number(self.limit / value if self.large else value / self.limit)} x"
        written = f"{spread(self.measured)} {self.unit}"
        sense = "≥" if self.large else "≤"
        return [self.what, written, f"{sense} {number(self.goal)}", "yes" if reached else "no", number(self.limit), gap]


def goals_of(results: Results, bounds: Bounds | None) -> Iterator[str]:
    """Write the goals that a run has figures for.

    Args:
        results: of the programs, by name.
        bounds: of the machine.
    """
    goals = [
        *_pipelines(results, bounds),
        *_networks(results, bounds),
        *_live(results),
        *_starts(results),
        *_memory(results),
    ]
    if goals:
        yield table(["what", "measured", "goal", "reached", "limit", "gap"], [goal.row() for goal in goals])


_PIPELINES = {("openvino-int8", "1280x1024"): 12.0, ("torch-cuda", "1920x1080"): 400.0}


def _pipelines(results: Results, bounds: Bounds | None) -> Iterator[Goal]:
    for speed in results.get("speed", ()):
        for engine in speed["engines"]:
            goal = _PIPELINES.get((engine["engine"], speed["size"]))
            if goal is not None:
                figures = engine["milliseconds_per_frame"]
                least = bounds.pipeline(engine["engine"], speed, figures) if bounds else None
                what = f"H.264 of {speed['size']} to case, {engine['engine']}"
                limit = 1e3 / least if least else None
                yield Goal(what, "frames/s", _per_second(figures["pipeline"], 1), goal, limit, large=True)


def _networks(results: Results, bounds: Bounds | None) -> Iterator[Goal]:
    for row in (row for network in results.get("network", ()) for row in network["rows"]):
        what = f"network, 320x256, {row['engine']}, batch {row['batch']}, {row['way']}"
        least = bounds.network(row["engine"], bounds.pixels, row["batch"]) if bounds else None
        if (row["engine"], row["batch"]) == ("openvino-int8", 1):
            yield Goal(what, "ms", row["milliseconds"], 40, least)
        elif (row["way"], row["batch"]) == ("on the GPU", 1):
            yield Goal(what, "ms", row["milliseconds"], 0.6, least)
        elif (row["way"], row["batch"]) == ("on the GPU", 64):
            limit = 64e3 / least if least else None
            yield Goal(what, "pictures/s", _per_second(row["milliseconds"], 64), 9000, limit, large=True)


def _live(results: Results) -> Iterator[Goal]:
    for live in results.get("live", ()):
        for engine in live["engines"]:
            if (engine["backend"], live["size"], live["fps"]) == ("torch-cuda", "1920x1080", 60):
                what = f"live, {live['size']}, {live['fps']} frames/s"
                yield Goal(f"{what}, median latency", "ms", _once(engine["latency_ms"]["median"]), 10)
                yield Goal(f"{what}, longest latency", "ms", _once(engine["latency_ms"]["max"]), 25)
                yield Goal(f"{what}, frames dropped", "", _once(engine["dropped"]), 0)


def _starts(results: Results) -> Iterator[Goal]:
    for startup in results.get("startup", ()):
        python = startup["seconds"]["Python, doing nothing"]["lowest"]
        for what, took in startup["seconds"].items():
            goal = 0.3 if what == "rasnet --help" else 2.5 if what.startswith("first mask, openvino") else None
            if goal is not None:
                yield Goal(what, "s", took, goal, python)


def _memory(results: Results) -> Iterator[Goal]:
    for memory in results.get("memory", ()):
        frames, peak = max((int(count), peak) for count, peak in memory["peak_mb"].items())
        what = f"{frames:,} frames of {memory['size']}"
        yield Goal(f"peak memory, {what}", "MB", _once(peak), 1500)
        fewest = min(int(count) for count in memory["peak_mb"])
        yield Goal(f"peak memory, {what} to {fewest:,}", "x", _once(memory["ratio"]), 1.05)


def _once(value: float) -> dict[str, float]:
    return dict.fromkeys(("median", "lowest", "highest"), value)


def _per_second(milliseconds: Mapping[str, float], count: int) -> dict[str, float]:
    return {
        "median": 1e3 * count / milliseconds["median"],
        "lowest": 1e3 * count / milliseconds["highest"],
        "highest": 1e3 * count / milliseconds["lowest"],
    }
