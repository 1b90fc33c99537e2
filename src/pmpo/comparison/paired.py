"""Two objectives beside each other: differences on the same seeds, and the probability that one is better."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from pmpo.comparison.estimate import LEVEL, NOTHING, Estimate
from pmpo.comparison.intervals import mean


def paired_difference(ours_N: ArrayLike, theirs_N: ArrayLike) -> Estimate:
    """Mean of the differences on the same seeds.

    Args:
        ours_N, theirs_N: entry i of both is of seed i.
    Raises: ValueError when their lengths differ.
    """
    return mean(_differences(ours_N, theirs_N))


def paired_improvement(ours_N: ArrayLike, theirs_N: ArrayLike) -> Estimate:
    """Probability that ours is better on one and the same seed, ties ½; Wilson's interval."""
    from scipy import stats

    differences = _differences(ours_N, theirs_N)
    n = differences.size
    if not n:
        return NOTHING
    share = float(np.mean(np.where(differences == 0, 0.5, differences > 0)))
    z2 = float(stats.norm.ppf((1 + LEVEL) / 2)) ** 2
    centre, reach = share + z2 / (2 * n), math.sqrt(z2 * share * (1 - share) / n + (z2 / (2 * n)) ** 2)
    return Estimate(share, (centre - reach) / (1 + z2 / n), (centre + reach) / (1 + z2 / n), n)


def probability_of_improvement(ours_N: ArrayLike, theirs_M: ArrayLike) -> Estimate:
    """Probability that a run of ours is better than one of theirs, ties ½: Mann and Whitney's U / (N·M), as rliable's.

    The interval is Newcombe's (2006, method 5): the θ whose own standard error reaches the value seen. It does not
    collapse where every run of ours is better, as a bootstrap's does.
    """
    from scipy import stats
    from scipy.optimize import brentq

    ours, theirs = np.asarray(ours_N, dtype=np.float64), np.asarray(theirs_M, dtype=np.float64)
    if not ours.size or not theirs.size:
        return NOTHING
    above = ours[:, None] - theirs[None, :]
    value = float(np.mean(np.where(above == 0, 0.5, above > 0)))
    half, pairs = (ours.size + theirs.size) / 2 - 1, ours.size * theirs.size
    z = float(stats.norm.ppf((1 + LEVEL) / 2))

    def beyond(theta: float) -> float:
        spread = theta * (1 - theta) * (1 + half * (1 - theta) / (2 - theta) + half * theta / (1 + theta)) / pairs
        return (theta - value) ** 2 - z * z * spread

    inside = 1e-9  # 0 and 1 solve the equation as well where they are the value
    low = 0.0 if value == 0 else brentq(beyond, 0.0, value - inside)
    high = 1.0 if value == 1 else brentq(beyond, value + inside, 1.0)
    return Estimate(value, float(low), float(high), min(ours.size, theirs.size))


def mean_of_estimates(estimates: Sequence[Estimate]) -> Estimate:
    """Mean over cells of independent estimates, with the interval that recovers their variances (Zou and Donner, 2008).

    low = mean − √(Σ (value − low)²) / K, and high alike: each side keeps the shape of the intervals it is made of.
    """
    if not estimates:
        return NOTHING
    value = float(np.mean([one.value for one in estimates]))
    down = math.hypot(*(one.value - one.low for one in estimates)) / len(estimates)
    up = math.hypot(*(one.high - one.value for one in estimates)) / len(estimates)
    return Estimate(value, value - down, value + up, sum(one.n for one in estimates))


def _differences(ours_N: ArrayLike, theirs_N: ArrayLike) -> np.ndarray:
    ours, theirs = np.asarray(ours_N, dtype=np.float64), np.asarray(theirs_N, dtype=np.float64)
    if ours.shape != theirs.shape or ours.ndim != 1:
        raise ValueError(f"Pairs need as many of ours as of theirs; got shapes {ours.shape} and {theirs.shape}.")
    return ours - theirs
