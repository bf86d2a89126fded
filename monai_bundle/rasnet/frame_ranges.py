"""Frames in words."""

from __future__ import annotations

from collections.abc import Iterable

_MOST_RUNS = 8


def frame_words(indices: Iterable[int]) -> str:
    """Name frames, runs joined.

    Examples:
        >>> frame_words([3, 7, 8, 9]), frame_words([3])
        ('frames 3, 7 to 9', 'frame 3')
    """
    ordered = sorted(set(indices))
    runs: list[list[int]] = []
    for index in ordered:
        if runs and index == runs[-1][1] + 1:
            runs[-1][1] = index
        else:
            runs.append([index, index])
    words = [str(first) if first == last else f"{first} to {last}" for first, last in runs[:_MOST_RUNS]]
    rest = f" and {len(runs) - _MOST_RUNS} more places" if len(runs) > _MOST_RUNS else ""
    return f"frame{'s' * (len(ordered) > 1)} {', '.join(words)}{rest}"
