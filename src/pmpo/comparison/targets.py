"""Rollouts until a score is reached; a run that never reaches it is censored, neither dropped nor counted as one."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pmpo.comparison.estimate import NOTHING, Estimate, Z
from pmpo.comparison.results import RunResult

Floats = NDArray[np.float64]


def rollouts_until(run: RunResult, target: float) -> float | None:
    """Completions sampled before the first measurement of at least `target`; None when no measurement reaches it."""
    return next((float(point.rollouts) for point in run.curve if point.score >= target), None)


def median_time(times_N: ArrayLike, censored_N: ArrayLike) -> Estimate:
    """Median of times of which some are only known to be longer than given (Kaplan and Meier).

    The interval holds every time at which Wilson's interval of the share still waiting, with the effective number of
    runs that Greenwood's variance leaves (Rothman, 1978), holds ½. At five runs it reaches from the first to the last.

    Returns: inf where that share does not fall to ½.
    """
    from scipy import stats

    times, censored = np.asarray(times_N, dtype=np.float64), np.asarray(censored_N, dtype=bool)
    if not times.size:
        return NOTHING
    if censored.all():  # scipy has no curve without an event
        return Estimate(math.inf, float(times.min()), math.inf, times.size)
    waiting = stats.ecdf(stats.CensoredData.right_censored(times, censored)).sf
    at_U, share_U = waiting.quantiles, waiting.probabilities
    low_U, high_U = _band(at_U, share_U, times, censored)
    return Estimate(_fallen(at_U, share_U), _fallen(at_U, low_U), _fallen(at_U, high_U), times.size)


def _band(at_U: Floats, share_U: Floats, times_N: Floats, censored_N: NDArray[np.bool_]) -> tuple[Floats, Floats]:
    """Wilson's interval of the share still waiting after each time."""
    at_risk = np.array([(times_N >= time).sum() for time in at_U], dtype=np.float64)
    events = np.array([((times_N == time) & ~censored_N).sum() for time in at_U], dtype=np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        greenwood = share_U**2 * np.cumsum(events / (at_risk * (at_risk - events)))
        n_U = share_U * (1 - share_U) / greenwood
    n_U = np.where(np.isfinite(n_U), n_U, at_risk.max())  # all or none still wait: there Greenwood's variance is 0
    centre = share_U + Z**2 / (2 * n_U)
    reach = Z * np.sqrt(share_U * (1 - share_U) / n_U + (Z / (2 * n_U)) ** 2)
    return (centre - reach) / (1 + Z**2 / n_U), (centre + reach) / (1 + Z**2 / n_U)


def _fallen(at_U: Floats, share_U: Floats) -> float:
    """The first time at which a share is ½ or less."""
    fallen = np.flatnonzero(share_U <= 0.5)
    return float(at_U[fallen[0]]) if fallen.size else math.inf
