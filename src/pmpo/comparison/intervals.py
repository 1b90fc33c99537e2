"""Means and interquartile means over seeds, with 95 % intervals that cover at five seeds."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pmpo.comparison.estimate import LEVEL, NOTHING, Estimate

Floats = NDArray[np.float64]


def mean(values_N: ArrayLike) -> Estimate:
    """Mean over runs, with Student's t interval; one run shows no spread: an infinite interval."""
    from scipy import stats

    values_N = np.asarray(values_N, dtype=np.float64)
    if not values_N.size:
        return NOTHING
    value = float(values_N.mean())
    if values_N.size < 2:
        return Estimate(value, -math.inf, math.inf, 1)
    error = float(values_N.std(ddof=1)) / math.sqrt(values_N.size)
    reach = float(stats.t.ppf((1 + LEVEL) / 2, values_N.size - 1)) * error
    return Estimate(value, value - reach, value + reach, values_N.size)


def interquartile_mean(values_N: ArrayLike) -> Estimate:
    """Mean of the middle half of the runs, a quarter (rounded down) cut off at each end."""
    from scipy import stats

    values_N = np.asarray(values_N, dtype=np.float64)
    if not values_N.size:
        return NOTHING
    whole = mean(values_N)
    middle = float(stats.trim_mean(values_N, 0.25))
    return Estimate(middle, middle - (whole.value - whole.low), middle + (whole.high - whole.value), values_N.size)
