"""What it gains to segment several videos with one command that loads the model once.

    python Testing/benchmarks/many.py --videos 4 --frames 40

*One after another* is `rasnet segment` for each video, *together* is `rasnet segment --many`, in turns; both start as
fresh processes and load the model, which is counted.
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Annotated, Literal

import typer
from machine import describe_machine, show, summarize, write_json
from material import FULL_SIZE, RASNET, WeightsOption, chosen_weights, make_video
from rich.progress import track
from startup import run


def main(
    videos: Annotated[int, typer.Option(min=1, help="Videos to segment.")] = 4,
    frames: Annotated[int, typer.Option(min=1, help="Frames of each.")] = 40,
    device: Annotated[Literal["cpu", "cuda"], typer.Option(help="Where the network runs.")] = "cpu",
    weights: WeightsOption = None,
    repeat: Annotated[int, typer.Option(min=1, help="Turns.")] = 2,
    size: Annotated[str, typer.Option(metavar="WIDTHxHEIGHT", help="Of the videos.")] = FULL_SIZE,
    json: Annotated[Path | None, typer.Option(metavar="FILE", help="Write the figures here too.")] = None,
) -> None:
    """Compare several videos one after another with several together."""
    model = chosen_weights(weights, device)[-1]
    options = ("--weights", str(model), "--device", device, "--progress", "none")
    alone, together = [], []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        files = [folder / f"video_{place}.mp4" for place in range(videos)]
        for place, file in enumerate(files):  # each a frame longer: copies of one video would be segmented once
            shutil.move(make_video(folder, size, frames + place), file)
        (folder / "list.txt").write_text("".join(f"{file}\n" for file in files), encoding="utf-8")
        for turn in track(range(repeat), "segmenting"):
            cases = [(str(file), str(folder / f"{turn}_{file.stem}")) for file in files]
            alone.append(sum(run((*RASNET, "segment", *pair, *options)) for pair in cases))
            many = (*RASNET, "segment", "--many", str(folder / "list.txt"), str(folder / f"many_{turn}"), *options)
            together.append(run(many))
    count = sum(frames + place for place in range(videos))
    figures = {
        way: summarize([count / each for each in seconds])
        for way, seconds in (("one after another", alone), ("together", together))
    }
    gain = summarize([slow / fast for slow, fast in zip(alone, together, strict=True)])
    machine = describe_machine(device)
    show(
        f"{videos} videos of {frames} frames, {size}, {model.name}, on {device}: {gain['median']:.2f} times as fast",
        ("way", "frames/s", "lowest", "highest"),
        [(way, *(f"{value:.1f}" for value in row.values())) for way, row in figures.items()],
        machine,
    )
    write_json(
        json,
        {
            "machine": machine,
            "device": device,
            "videos": videos,
            "frames": frames,
            "size": size,
            "weights": model.name,
            "repeat": repeat,
            "frames_per_second": figures,
            "times_as_fast": gain,
        },
    )


if __name__ == "__main__":
    typer.run(main)
