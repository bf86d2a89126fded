"""The page on performance: what was measured, beside the limits of the machine that it was measured on.

A run is what `performance.py` gathered on one machine. Nothing is listed that it has not measured.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from bounds import Bounds
from goals import goals_of
from wording import engine_name, number, spread, table, times

Run = Mapping[str, Any]

# Cores that other work may keep busy before its mark on the figures is worth a warning.
_BUSY = 0.5

INTRODUCTION = """# Performance

Written by `make bench`. Every figure was measured on the machine that its section names, in one go; there is nothing
here from elsewhere. Where a figure has a range behind it, it is the median, with the lowest and the highest.

**Limit** is what the machine cannot go below (or above, for what should be large), from peaks measured in the same run:
operations of the network over the fastest product of large matrices; bytes over the fastest copy; FFmpeg's decoder by
itself; the PNG encoder by itself. It leaves out caches, what lies between the network's layers, and the layers that
stay in higher precision, so it is never reached. **Gap** says how many times the limit a figure takes.

[`Testing/benchmarks`](../../Testing/benchmarks/README.md) describes the programs, and measurements of other kinds.
"""


def write_page(runs: Sequence[Run]) -> str:
    """Write runs as Markdown, a section each.

    Args:
        runs: of `performance.py`, of different machines or devices.
    """
    sections = (line for title, run in zip(_titles(runs), runs, strict=True) for line in _section(title, run))
    return "\n".join([INTRODUCTION, *sections])


def _titles(runs: Sequence[Run]) -> list[str]:
    """What was measured on, by run; several of a kind are numbered, as they need not be equally fast."""
    kinds = [str(run["machine"].get("gpu", run["machine"]["cpu"])) for run in runs]
    return [
        f"{kind}, machine {kinds[: place + 1].count(kind)}" if kinds.count(kind) > 1 else kind
        for place, kind in enumerate(kinds)
    ]


def _section(title: str, run: Run) -> Iterator[str]:
    results = run["results"]
    yield f"## {title}\n"
    yield from _machine(run)
    bounds = Bounds.of(results["limits"][0]) if "limits" in results else None
    for heading, lines in (
        ("Goals", goals_of(results, bounds)),
        ("Side by side", _comparisons(results.get("comparison", ()))),
        ("Where the time goes", _speeds(results.get("speed", ()), bounds)),
        ("The network alone", _networks(results.get("network", ()), bounds)),
        ("Several videos", _several(results.get("many", ()))),
        ("Live", _live(results.get("live", ()))),
        ("Memory", _memory(results.get("memory", ()))),
        ("Start", _starts(results.get("startup", ()))),
        ("What the machine can do at most", _peaks(results.get("limits", ()))),
    ):
        if written := list(lines):
            yield f"### {heading}\n"
            yield from written


def _machine(run: Run) -> Iterator[str]:
    versions = ", ".join(
        f"{name} {value}" for name, value in run["machine"].items() if name not in ("cpu", "gpu", "system")
    )
    gpu = f"{run['machine']['gpu']}, with " if "gpu" in run["machine"] else ""
    yield (
        f"Measured on {run['made']} on {gpu}{run['machine']['cpu']}, {run['machine']['system']}; {versions}; "
        f"weights {run['weights']}. When it began, other work kept {number(run['load'])} cores busy "
        "(load average of a minute).\n"
    )
    if run["load"] >= _BUSY:
        yield "**It was not quiet**: times are too long and peaks too low, so that a gap may even be below 1.\n"


def _comparisons(results: Iterable[Run]) -> Iterator[str]:
    for result in results:
        yield (
            f"{result['frames']} frames of {result['size']}, {result['repeat']} turns, in each of which every way went "
            "once; a ratio is of one turn. MONAI's usual way goes from PNG files through dictionary transforms, "
            "`Invertd`, `AsDiscreted` and `SaveImaged`; the plain loop runs this bundle's network eagerly in float32, "
            "one step after another. The last column is the Dice between the instruments found and those of MONAI's "
            "way, with the same network.\n"
        )
        rows = []
        for way, figures in result["milliseconds_per_frame"].items():
            ratios = [spread(row) for row in result["times_as_fast"].get(way, {}).values()]
            dice = result["dice_with_monai"].get(way)
            rows.append(
                [
                    way,
                    spread(figures),
                    number(1e3 / figures["median"]),
                    *(ratios or ["", ""]),
                    "" if dice is None else f"{dice:.3f}",
                ]
            )
        yield table(
            ["way", "ms a frame", "frames/s", "times as fast as MONAI's way", "as the plain loop", "Dice"], rows
        )


def _speeds(results: Iterable[Run], bounds: Bounds | None) -> Iterator[str]:
    for result in results:
        for engine in result["engines"]:
            yield from _speed(result, engine, bounds)


def _speed(result: Run, engine: Run, bounds: Bounds | None) -> Iterator[str]:
    figures = engine["milliseconds_per_frame"]
    least = bounds.stages(engine["engine"], result, figures) if bounds else {}
    stages = {name: figures[name]["median"] for name in ("decode", "segment", "track", "write")}
    total, pipeline = sum(stages.values()), figures["pipeline"]
    names = {
        "decode": "decode, RGB, crop",
        "segment": "segment",
        "prepare": "of which shrink, normalise",
        "network": "of which network",
        "decide": "of which enlarge, best class",
        "track": "track",
        "write": "write: PNG, files, database",
        "pipeline": "**file to case**",
        "pipeline, GPU decodes": "**file to case**, decoded by the GPU",
    }
    yield (
        f"{engine_name(engine['engine'])}, H.264 of {result['size']}, {result['frames']} frames, batches of "
        f"{engine['batch_size']}, {result['repeat']} passes:\n"
    )
    yield table(
        ["stage, alone", "ms a frame", "share", "limit", "gap"],
        [
            [
                title,
                spread(figures[name]),
                f"{100 * stages[name] / total:.0f} %" if name in stages else "",
                number(least.get(name)),
                times(figures[name]["median"], least.get(name)),
            ]
            for name, title in names.items()
            if name in figures
        ],
    )
    if engine["engine"].startswith("torch-cuda"):
        yield "The three parts run kernel by kernel here, *segment* from a recording of them all, which takes less.\n"
    slowest = max(stages, key=lambda name: stages[name])
    decoder = result["decoder"]["milliseconds_per_frame"]
    yield (
        f"That is {number(1e3 / pipeline['median'])} frames/s. One after another the stages take {number(total)} ms, "
        f"side by side, as they run, {number(pipeline['median'])} ms; *{slowest}* takes most, "
        f"{100 * stages[slowest] / total:.0f} %. FFmpeg's decoder by itself, with all cores: {spread(decoder)} ms a "
        f"frame. The PNG encoder by itself, both masks, one core: {spread(figures['PNG'])} ms a frame.\n"
    )
    follow = figures["follow"]["median"]
    yield (
        "Following the instruments is the one thing that must be done frame after frame: in these frames "
        f"{number(follow)} ms of *track*, so no more than {number(1e3 / follow)} frames/s with any number of cores. "
        "Where instruments touch it takes several times as long.\n"
    )


def _networks(results: Iterable[Run], bounds: Bounds | None) -> Iterator[str]:
    for result in results:
        rows = []
        for row in result["rows"]:
            batch, took = row["batch"], row["milliseconds"]
            least = bounds.network(row["engine"], bounds.pixels, batch) if bounds else None
            rows.append(
                [
                    f"{engine_name(row['engine'])}, {row['way']}",
                    str(batch),
                    spread(took),
                    number(1e3 * batch / took["median"]),
                    number(least),
                    times(took["median"], least),
                ]
            )
        yield "Pictures of 320x256, the network's own size.\n"
        yield table(["what", "batch", "ms a batch", "pictures/s", "limit, ms", "gap"], rows)


def _several(results: Iterable[Run]) -> Iterator[str]:
    for result in results:
        yield (
            f"{result['videos']} videos of {result['frames']} frames of {result['size']}, {result['weights']}, loading "
            "included. One after another is `rasnet segment` for each, together is `rasnet segment --many`, "
            f"{spread(result['times_as_fast'])} times as fast.\n"
        )
        yield table(["way", "frames/s"], [[way, spread(took)] for way, took in result["frames_per_second"].items()])


def _live(results: Iterable[Run]) -> Iterator[str]:
    rows = []
    for result in results:
        for engine in result["engines"]:
            latency = [number(value) for value in engine["latency_ms"].values()]
            what = [f"{result['size']}, {result['fps']} frames/s", engine_name(engine["backend"])]
            rows.append([*what, *latency, f"{engine['segmented']:,}", f"{engine['dropped']:,}"])
    if rows:
        yield (
            "Milliseconds from the arrival of a frame's data by TCP to its mask, by `rasnet live`, which records the "
            "stream and its masks meanwhile. A frame is dropped where the next one comes before its turn.\n"
        )
        yield table(["stream", "engine", "median", "95 %", "99 %", "max", "masks", "dropped"], rows)


def _memory(results: Iterable[Run]) -> Iterator[str]:
    rows = []
    for result in results:
        # Counts of frames are text once they have been in a file.
        peaks = sorted((int(frames), peak) for frames, peak in result["peak_mb"].items())
        growth = 1e3 * (peaks[-1][1] - peaks[0][1]) / (peaks[-1][0] - peaks[0][0])
        for frames, peak in peaks:
            rows.append([result["size"], result["weights"], f"{frames:,}", number(peak), "", ""])
        rows[-1][-2:] = [f"{result['ratio']:.3f}", number(growth)]
    if rows:
        yield (
            "Most resident memory of a process of `rasnet segment`, from start to end. The last columns compare the "
            "longest with the shortest video.\n"
        )
        yield table(["video", "weights", "frames", "peak, MB", "ratio", "MB more per 1,000 frames"], rows)


def _starts(results: Iterable[Run]) -> Iterator[str]:
    for result in results:
        yield "Fresh processes, from start to end; a first mask is of one picture of 1280x1024, in its case.\n"
        yield table(["what", "seconds"], [[what, spread(took)] for what, took in result["seconds"].items()])


def _peaks(results: Iterable[Run]) -> Iterator[str]:
    for result in results:
        network = result["network"]
        rows = [
            [f"products of matrices, {name}", f"{number(value / 1e9)} · 10⁹ operations/s"]
            for name, value in result["operations_per_second"].items()
        ]
        rows += [[name, f"{number(value / 1e9)} GB/s"] for name, value in result["bytes_per_second"].items()]
        rows.append(["the network, a picture of 320x256", f"{number(network['operations'] / 1e9)} · 10⁹ operations"])
        rows.append(["the network, parameters", f"{number(network['parameters'] / 1e6)} · 10⁶"])
        yield table(["what", "measured"], rows)
