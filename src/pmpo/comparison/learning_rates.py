"""An objective at its best learning rate, and how much it depends on it."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray


def tuned(values_RS: ArrayLike) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """For every seed the rate that all *other* seeds choose, and the value of the seed at it.

    To choose the best rate and report its value on the same seeds would report the luck of the choice as well; here no
    seed is both. Of equal means the lowest rate is chosen.

    Args:
        values_RS: [rates, seeds], rates rising; NaN where there is no run.
    Returns: ([S] index of the chosen rate, -1 where no other seed has a run; [S] value, NaN where there is none).
    """
    values = np.asarray(values_RS, dtype=np.float64)
    seeds = values.shape[1]
    choice = np.full(seeds, -1)
    found = np.full(seeds, np.nan)
    for seed in range(seeds):
        means = mean_of_runs(np.delete(values, seed, axis=1))
        if np.isfinite(means).any():
            choice[seed] = int(np.nanargmax(means))
            found[seed] = values[choice[seed], seed]
    return choice, found


def mean_of_runs(values_RS: NDArray[np.float64]) -> NDArray[np.float64]:
    """[R] mean over the seeds that have a run; NaN where none has."""
    there = np.isfinite(values_RS)
    total, count = np.where(there, values_RS, 0.0).sum(axis=1), there.sum(axis=1)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def good_range(means_R: ArrayLike, share: float = 0.9) -> tuple[int, int]:
    """First and last index of the unbroken range around the best rate whose means are at least `share` of the best.

    Raises: ValueError when no mean is finite.
    """
    means = np.asarray(means_R, dtype=np.float64)
    if not np.isfinite(means).any():
        raise ValueError("No learning rate has a run, so there is no best one.")
    best = int(np.nanargmax(means))
    good = np.nan_to_num(means, nan=-np.inf) >= share * means[best]
    first = last = best
    while first > 0 and good[first - 1]:
        first -= 1
    while last < means.size - 1 and good[last + 1]:
        last += 1
    return first, last
