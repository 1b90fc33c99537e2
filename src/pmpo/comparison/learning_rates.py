"""An objective at its best learning rate, and how much it depends on it.

To choose the best rate and report its value on the same seeds reports the luck of the choice as well, so a few seeds
choose and the others are reported: for the rate that was chosen their interval is as good as any other. To let all
others choose for every seed (leave-one-out) uses each seed twice, but its interval holds the truth 75 to 91 times of
100 where rates are alike, and fewer the more seeds there are.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
GOOD = 0.9
"""A learning rate is good when its mean is at least this share of the best one's."""


def mean_of_runs(values_RS: ArrayLike) -> Floats:
    """[R] mean over the seeds that have a run; NaN where none has."""
    values = np.asarray(values_RS, dtype=np.float64)
    there = np.isfinite(values)
    total, count = np.where(there, values, 0.0).sum(axis=1), there.sum(axis=1)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def best_rate(values_RS: ArrayLike) -> int:
    """Index of the rate with the highest mean; of equal ones the lowest rate.

    Raises: ValueError when no rate has a run.
    """
    means = mean_of_runs(values_RS)
    if not np.isfinite(means).any():
        raise ValueError("No learning rate has a run, so there is no best one.")
    return int(np.nanargmax(means))


def tuning_seeds(seeds: Sequence[int]) -> tuple[int, ...]:
    """The seeds that choose a learning rate, and are not reported: the lowest third, at least one."""
    return tuple(sorted(seeds)[: max(1, len(seeds) // 3)])


def good_range(means_R: ArrayLike, share: float = GOOD) -> tuple[int, int]:
    """First and last index of the unbroken range around the best rate whose means are at least `share` of the best.

    Raises: ValueError when no mean is finite.
    """
    means = np.asarray(means_R, dtype=np.float64)
    best = best_rate(means[:, None])
    good = np.nan_to_num(means, nan=-np.inf) >= share * means[best]
    first = last = best
    while first > 0 and good[first - 1]:
        first -= 1
    while last < means.size - 1 and good[last + 1]:
        last += 1
    return first, last
