"""Rollouts until a score is reached; a run that never reaches it is censored, neither dropped nor counted as one."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

from pmpo.comparison.estimate import LEVEL, NOTHING, Estimate
from pmpo.comparison.results import RunResult


def time_to_target(run: RunResult, target: float) -> float | None:
    """Rollouts at the first measurement of at least `target`; None when no measurement reaches it."""
    return next((float(point.rollouts) for point in run.curve if point.score >= target), None)


def median_time(times_N: ArrayLike, censored_N: ArrayLike) -> Estimate:
    """Kaplan and Meier's median of times of which some are only known to be longer than given.

    Returns: inf where the curve does not fall to ½; the interval is where the curve's own interval (log-log) holds ½
        (Brookmeyer and Crowley, 1982).
    """
    from scipy import stats

    times, censored = np.asarray(times_N, dtype=np.float64), np.asarray(censored_N, dtype=bool)
    if not times.size:
        return NOTHING
    if censored.all():
        return Estimate(math.inf, float(times.min()), math.inf, times.size)
    survival = stats.ecdf(stats.CensoredData.right_censored(times, censored)).sf
    at, left = survival.quantiles, survival.probabilities
    with np.errstate(divide="ignore", invalid="ignore"):
        band = survival.confidence_interval(LEVEL, method="log-log")
    low, high = np.nan_to_num(band.low.probabilities, nan=0.0), np.nan_to_num(band.high.probabilities, nan=1.0)
    return Estimate(_first(at, left), _first(at, low), _first(at, high), times.size)


def _first(at: np.ndarray, survival: np.ndarray) -> float:
    fallen = np.flatnonzero(survival <= 0.5)
    return float(at[fallen[0]]) if fallen.size else math.inf
