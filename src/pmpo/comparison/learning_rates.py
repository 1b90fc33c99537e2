"""An objective at its best learning rate, and how much it depends on it."""

from __future__ import annotations

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


def tuned(values_RS: ArrayLike) -> tuple[NDArray[np.int64], Floats]:
    """For every seed the rate that all *other* seeds choose, and the value of the seed at it.

    To choose the best rate and report its value on the same seeds reports the luck of the choice as well; here no value
    decides about itself. What is estimated is the score of a user who tunes on S − 1 seeds and then runs once.

    Args:
        values_RS: [rates, seeds], rates rising; NaN where there is no run.
    Returns: ([S] index of the chosen rate, -1 where the others have no run; [S] value, NaN where there is none).
    """
    values = np.asarray(values_RS, dtype=np.float64)
    n_seeds = values.shape[1]
    choice_S, found_S = np.full(n_seeds, -1), np.full(n_seeds, np.nan)
    for seed in range(n_seeds):
        others = np.delete(values, seed, axis=1)
        if np.isfinite(others).any():
            choice_S[seed] = best_rate(others)
            found_S[seed] = values[choice_S[seed], seed]
    return choice_S, found_S


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


def duel(values_OS: ArrayLike) -> tuple[Floats, float]:
    """Winner minus runner-up of several objectives, both chosen on other seeds than the one whose difference counts.

    The best of many, compared on the seeds that made it the best, wins by its luck as well.

    Args:
        values_OS: [objectives, seeds], none missing.
    Returns: ([S] differences, share of the seeds whose others choose the objective that all seeds choose); no
        differences, and NaN, with fewer than two objectives or seeds.
    """
    values = np.asarray(values_OS, dtype=np.float64)
    if values.ndim != 2 or min(values.shape) < 2:
        return np.zeros(0), np.nan
    best = _ranking(values)[0]
    orders = [_ranking(np.delete(values, seed, axis=1)) for seed in range(values.shape[1])]
    margins = [values[first, seed] - values[second, seed] for seed, (first, second, *_) in enumerate(orders)]
    return np.array(margins), float(np.mean([order[0] == best for order in orders]))


def _ranking(values_OS: Floats) -> list[int]:
    return [int(index) for index in np.argsort(-values_OS.mean(axis=1), kind="stable")]
