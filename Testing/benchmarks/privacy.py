"""How often the look before an export is wrong: on frames inside and outside the body, with and without text.

python Testing/benchmarks/privacy.py --inside FOLDER --outside FOLDER --video FILE_OR_FOLDER
"""

from __future__ import annotations

import argparse
import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from rasnet.privacy import find_text, score_frame, to_grey
from rasnet.report.style import font
from rasnet.video import open_source
from rasnet.video.images import load_rgb

_CLIP = 12  # frames that are looked at for text
_SUFFIXES = (".jpg", ".jpeg", ".png")
_COLORS = ((255, 255, 255), (255, 255, 0), (0, 255, 0), (200, 200, 200))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("inside", "outside", "video"):
        parser.add_argument(f"--{name}", type=Path, action="append", default=[], help="may be given again")
    arguments = parser.parse_args()
    for folder in arguments.inside:
        print(f"inside  {folder}: {share(folder)} flagged (false alarms)")
    for folder in arguments.outside:
        print(f"outside {folder}: {share(folder)} flagged (found)")
    if arguments.video:
        measure_text([clip for path in arguments.video for clip in clips(path)])


def share(folder: Path) -> str:
    """How many pictures of a folder, and of those below it, are flagged."""
    scores = [score_frame(rgb).outside for rgb in pictures(folder)]
    judged = [score for score in scores if not np.isnan(score)]
    flagged = sum(score > 0 for score in judged)
    return f"{flagged} of {len(judged)} ({flagged / max(len(judged), 1):.1%}; {len(scores) - len(judged)} black)"


def pictures(folder: Path) -> Iterator[npt.NDArray[np.uint8]]:
    """Every picture of a folder that is no mask."""
    for file in sorted(folder.rglob("*")):
        if file.suffix.lower() in _SUFFIXES and not file.stem.endswith(("_mask", "_class", "_instrument")):
            yield load_rgb(file)


def clips(path: Path) -> Iterator[list[npt.NDArray[np.uint8]]]:
    """Groups of frames in order: every sixth of a video, every picture of a folder."""
    if path.is_dir():
        frames = list(pictures(path))
    else:
        with open_source(path) as source:
            frames = [frame.rgb for frame in source.read(step=6)]
    for start in range(0, len(frames) - _CLIP + 1, _CLIP):
        yield frames[start : start + _CLIP]


def measure_text(found: list[list[npt.NDArray[np.uint8]]]) -> None:
    """Count false alarms, and misses of text of 12 to 33 pixels in four colours at any place."""
    for count in (_CLIP, 4, 1):
        rng = np.random.default_rng(0)
        alarms = sum(find_text([to_grey(rgb) for rgb in clip[:count]]) is not None for clip in found)
        missed = sum(find_text([to_grey(rgb) for rgb in write(clip[:count], rng)]) is None for clip in found)
        print(f"text, {count} frames: false alarms {alarms} of {len(found)}, missed {missed} of {len(found)}")


def write(clip: list[npt.NDArray[np.uint8]], rng: np.random.Generator) -> list[npt.NDArray[np.uint8]]:
    """Burn text into a clip, and compress it."""
    height, width = clip[0].shape[:2]
    size = int(rng.integers(12, 34))
    letters = "".join(rng.choice(list("ABCDEFGHKLMNOPRSTUVW"), rng.integers(4, 12)))
    words = f"{letters} {''.join(rng.choice(list('0123456789'), 6))}"
    place = int(rng.integers(0, max(int(width - 0.65 * size * len(words)), 1))), int(rng.integers(0, height - 2 * size))
    color = _COLORS[rng.integers(len(_COLORS))]
    done = []
    for rgb in clip:
        image = Image.fromarray(rgb)
        ImageDraw.Draw(image).text(place, words, color, font(size))
        data = io.BytesIO()
        image.save(data, "JPEG", quality=80)
        done.append(np.asarray(Image.open(data).convert("RGB")))
    return done


if __name__ == "__main__":
    main()
