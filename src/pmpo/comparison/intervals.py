"""Means and interquartile means over seeds, with 95 % intervals that cover at three seeds as at twenty.

The interval is the stratified percentile bootstrap (runs are resampled within their cell, as rliable does), stretched
about the estimate by √(n/(n−1)) · t/z: the bootstrap draws from n values as if they were all there are, which is too
narrow by the first factor and ignores that the spread itself is estimated, which is the second. With one stratum and
the mean it is as wide as Student's t interval, and keeps the skewness of the values. At five seeds the plain percentile
interval holds the truth 84 times of 100, this one 95: docs/measured/statistics.md.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pmpo.comparison.estimate import LEVEL, NOTHING, Estimate, Z

Floats = NDArray[np.float64]
RESAMPLES = 5_000
CUT = 0.25
"""Share of the runs that an interquartile mean leaves out at either end."""


def mean(*strata: ArrayLike, resamples: int = RESAMPLES, seed: int = 0) -> Estimate:
    """Mean over the strata of their means; every cell counts the same, however many seeds it has.

    Args:
        strata: the values of one cell each, [seeds]; one cell alone gives the plain mean.
        resamples: of the bootstrap.
        seed: the same values and seed give the same interval.
    Returns: interval of ±inf where a stratum has one value, which shows no spread; `NOTHING` without values.
    """
    return _stretched(strata, mean_of_means, resamples, seed)


def interquartile_mean(*strata: ArrayLike, resamples: int = RESAMPLES, seed: int = 0) -> Estimate:
    """Mean of the middle half of all runs of all strata, as rliable's: a run or a cell that failed does not decide it.

    A quarter of the runs, rounded down, is left out at either end: of three none, of five one.

    Args, returns: as `mean`.
    """
    return _stretched(strata, middle, resamples, seed)


def _stretched(given: tuple[ArrayLike, ...], statistic: Callable[..., Any], resamples: int, seed: int) -> Estimate:
    strata: list[Floats] = [np.asarray(values, dtype=np.float64) for values in given]
    strata = [values for values in strata if values.size]
    if not strata:
        return NOTHING
    value, runs = float(statistic(*strata)), sum(values.size for values in strata)
    if any(values.size < 2 for values in strata):
        return Estimate(value, -math.inf, math.inf, runs)
    low, high = bounds(strata, statistic, resamples, seed)
    return Estimate(value, float(low), float(high), runs)


def bounds(strata: list[Floats], statistic: Callable[..., Any], resamples: int, seed: int) -> tuple[Floats, Floats]:
    """Ends of the interval, [...] each, of as many studies as the strata [..., runs] hold; at least two runs each."""
    from scipy import stats  # half a second that a reader of results without intervals need not wait

    draw = partial(stats.bootstrap, method="percentile", vectorized=True, axis=-1, confidence_level=LEVEL)
    found = draw(strata, statistic, n_resamples=resamples, rng=np.random.default_rng(seed)).confidence_interval
    value, stretch = statistic(*strata), stretches(strata)
    return value + stretch * (found.low - value), value + stretch * (found.high - value)


def stretches(strata: list[Floats]) -> Floats:
    """√(n/(n−1)) · t/z, [...], with the degrees of freedom of Welch and Satterthwaite; 1 where all runs are alike.

    n/(n−1) of several strata is that of their variances together: the bootstrap's variance of a stratum's mean is
    σ̂²(n−1)/n², the unbiased one σ̂²/n.
    """
    from scipy.special import stdtrit

    less_one = [values.shape[-1] - 1.0 for values in strata]
    errors = [values.var(axis=-1, ddof=1) / values.shape[-1] for values in strata]
    total = np.asarray(sum(errors))
    drawn = sum(error * d / (d + 1) for error, d in zip(errors, less_one, strict=True))
    squares = sum(error**2 / d for error, d in zip(errors, less_one, strict=True))
    with np.errstate(divide="ignore", invalid="ignore"):
        found = np.sqrt(total / drawn) * stdtrit(total**2 / squares, (1 + LEVEL) / 2) / Z
    return np.where(total > 0, found, 1.0)


def mean_of_means(*strata: Floats, axis: int = -1) -> Any:
    """Mean over the strata of their means along an axis."""
    return np.mean([values.mean(axis=axis) for values in strata], axis=0)


def middle(*strata: Floats, axis: int = -1) -> Any:
    """Interquartile mean of all runs of all strata along an axis."""
    from scipy import stats

    return stats.trim_mean(np.concatenate(strata, axis=axis), CUT, axis=axis)
