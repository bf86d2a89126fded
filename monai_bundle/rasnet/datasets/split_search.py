"""Finds the test frames that come closest to the instance counts of the paper's Table I."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations

import numpy as np
import numpy.typing as npt

from rasnet.datasets.splits import PAPER_TEST_SHARE

# Table I: share of each type's instances that is tested (212 of 657 Bipolar Forceps, and so on).
TEST_SHARES = np.array([212 / 657, 87 / 841, 184 / 1197, 110 / 386, 18 / 228, 49 / 351, 27 / 449])

# A frame too many or too few costs as much as this many instances: 1400 and 400 are stated in the text.
_FRAME_COST = 20.0
_COARSE = 25
_STARTS = 8
_MOST_ROUNDS = 10

Windows = dict[str, npt.NDArray[np.int64]]


def search_windows(
    sequences: Mapping[str, tuple[tuple[int, ...], npt.NDArray[np.uint8]]],
) -> dict[str, tuple[int, ...]]:
    """Choose one window of consecutive frames of each sequence, or none of it.

    The paper says that its test frames are "usually consecutive sequences" and gives their instances by type. The
    windows here minimise the difference from these counts, and from 400 frames, summed; both are scaled to the data
    that is there. Pairs of windows are improved in turn, from several starts, coarse to fine; the result is always the
    same for the same data, and need not be the paper's own choice.

    Args:
        sequences: frame numbers and instances of each type in every frame, (N, 7).

    Returns:
        The test frames by sequence.
    """
    sums = {
        name: np.vstack([np.zeros(8), np.cumsum(np.column_stack([counts, np.ones(len(counts))]), axis=0)])
        for name, (_, counts) in sequences.items()
    }
    total = np.sum([table[-1] for table in sums.values()], axis=0)
    target = np.append(total[:-1] * TEST_SHARES, round(total[-1] * PAPER_TEST_SHARE))
    coarse = {name: _windows(len(table) - 1, max(1, (len(table) - 1) // _COARSE)) for name, table in sums.items()}
    generator = np.random.default_rng(0)
    starts = [
        {name: windows[generator.integers(len(windows))] for name, windows in coarse.items()} for _ in range(_STARTS)
    ]
    found = min((_improve(start, coarse, sums, target) for start in starts), key=lambda w: _cost(w, sums, target))
    for _ in range(_MOST_ROUNDS):
        near = {name: _near(window, len(sums[name]) - 1) for name, window in found.items()}
        finer = _improve(found, near, sums, target)
        if _cost(finer, sums, target) >= _cost(found, sums, target):
            break
        found = finer
    return {name: frames[found[name][0] : found[name][1]] for name, (frames, _) in sequences.items()}


def _windows(length: int, step: int) -> npt.NDArray[np.int64]:
    """All windows (start, stop) between multiples of a step, and the empty one, int64 (M, 2)."""
    edges = np.unique(np.append(np.arange(0, length, step), length))
    starts, stops = np.triu_indices(len(edges), k=1)
    return np.vstack([[0, 0], np.column_stack([edges[starts], edges[stops]])])


def _near(window: npt.NDArray[np.int64], length: int) -> npt.NDArray[np.int64]:
    """Windows whose edges lie within nine frames of a window's."""
    offsets = np.arange(-9, 10)
    grid = np.stack(np.meshgrid(window[0] + offsets, window[1] + offsets, indexing="ij"), axis=-1).reshape(-1, 2)
    grid = np.clip(grid, 0, length)
    return np.vstack([window, [0, 0], grid[grid[:, 0] < grid[:, 1]]])


def _improve(
    start: Windows, choices: Windows, sums: Mapping[str, npt.NDArray[np.float64]], target: npt.NDArray[np.float64]
) -> Windows:
    """Choose the best of all pairs of windows, for two sequences after two others, until nothing gets better."""
    found, best = dict(start), _cost(start, sums, target)
    pairs = list(combinations(found, 2)) or [(next(iter(found)),) * 2]
    counted = {name: _counted(windows, sums[name]) for name, windows in choices.items()}
    for _ in range(_MOST_ROUNDS):
        before = best
        for one, other in pairs:
            rest = sum(_counted(found[name], sums[name]) for name in found if name not in (one, other)) - target
            others = counted[other] if one != other else np.zeros((1, 8))
            costs = sum(
                weight * np.abs(counted[one][:, None, k] + others[None, :, k] + rest[k])
                for k, weight in enumerate([1.0] * 7 + [_FRAME_COST])
            )
            i, j = np.unravel_index(int(np.argmin(costs)), costs.shape)
            if costs[i, j] < best - 1e-9:
                best = float(costs[i, j])
                found[other] = choices[other][j if one != other else i]
                found[one] = choices[one][i]
        if best == before:
            break
    return found


def _counted(windows: npt.NDArray[np.int64], table: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Instances of each type, and frames, in windows (..., 2): (..., 8)."""
    counts: npt.NDArray[np.float64] = table[windows[..., 1]] - table[windows[..., 0]]
    return counts


def _cost(windows: Windows, sums: Mapping[str, npt.NDArray[np.float64]], target: npt.NDArray[np.float64]) -> float:
    difference = np.abs(sum(_counted(window, sums[name]) for name, window in windows.items()) - target)
    return float(difference[:-1].sum() + _FRAME_COST * difference[-1])
