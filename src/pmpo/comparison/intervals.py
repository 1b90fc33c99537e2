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
    return _stretched(strata, _mean_of_means, resamples, seed)


def interquartile_mean(*strata: ArrayLike, resamples: int = RESAMPLES, seed: int = 0) -> Estimate:
    """Mean of the middle half of all runs of all strata, as rliable's: a run or a cell that failed does not decide it.

    A quarter of the runs, rounded down, is left out at either end: of three none, of five one.

    Args, returns: as `mean`.
    """
    return _stretched(strata, _middle, resamples, seed)


def _stretched(given: tuple[ArrayLike, ...], statistic: Callable[..., Any], resamples: int, seed: int) -> Estimate:
    from scipy import stats  # half a second that a reader of results without intervals need not wait

    strata: list[Floats] = [np.asarray(values, dtype=np.float64) for values in given]
    strata = [values for values in strata if values.size]
    if not strata:
        return NOTHING
    value, runs = float(statistic(*strata)), sum(values.size for values in strata)
    if any(values.size < 2 for values in strata):
        return Estimate(value, -math.inf, math.inf, runs)
    draw = partial(stats.bootstrap, method="percentile", vectorized=True, confidence_level=LEVEL)
    found = draw(strata, statistic, n_resamples=resamples, rng=np.random.default_rng(seed)).confidence_interval
    stretch = _stretch(strata)
    low, high = (value + stretch * (float(end) - value) for end in (found.low, found.high))
    return Estimate(value, low, high, runs)


def _stretch(strata: list[Floats]) -> float:
    """√(n/(n−1)) · t/z, with the degrees of freedom of Welch and Satterthwaite and n from Σ σ² of the strata.

    The bootstrap's variance of a mean is Σ σ̂²(n−1)/n², the unbiased one Σ σ̂²/n.
    """
    from scipy.special import stdtrit

    counts = np.array([values.size for values in strata], dtype=np.float64)
    errors = np.array([values.var(ddof=1) for values in strata]) / counts
    if not errors.any():  # all runs alike: no width to stretch
        return 1.0
    degrees = errors.sum() ** 2 / np.sum(errors**2 / (counts - 1))
    narrow = np.sqrt(errors.sum() / np.sum(errors * (counts - 1) / counts))
    return float(narrow * stdtrit(degrees, (1 + LEVEL) / 2) / Z)


def _mean_of_means(*strata: Floats, axis: int = -1) -> Any:
    return np.mean([values.mean(axis=axis) for values in strata], axis=0)


def _middle(*strata: Floats, axis: int = -1) -> Any:
    from scipy import stats

    return stats.trim_mean(np.concatenate(strata, axis=axis), CUT, axis=axis)
