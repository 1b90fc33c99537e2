"""The exponent of one completion, solved on the chip: Newton's method in a bracket, as in pmpo.objective.solver.

Where the reference compares nESS with its target τ, this compares 1 − nESS with 1 − τ = (1 − nESS(1))·(1 − g(f)), which
has all its digits where the log ratios of a completion hardly differ.
"""

from __future__ import annotations

import torch
import triton
import triton.language as tl

from pmpo.kernels.plan import Target
from pmpo.kernels.triton_math import bounded, log1p, moments
from pmpo.objective.solver import BISECTIONS, MAX_EVALUATIONS

_POWER = tl.constexpr(int(Target.POWER))
_RAMP = tl.constexpr(int(Target.RAMP))
_ABSOLUTE = tl.constexpr(int(Target.ABSOLUTE))
_NEWTONS = tl.constexpr(MAX_EVALUATIONS - 1)
_HALVINGS_32 = tl.constexpr(BISECTIONS[torch.float32])
_HALVINGS_64 = tl.constexpr(BISECTIONS[torch.float64])


@triton.jit
def target_deficit(deficit_at_1, clip_fraction, number, TARGET: tl.constexpr):
    """1 − τ: of an absolute target, or (1 − nESS(1))·(1 − g(f))."""
    share = clip_fraction
    if TARGET == _POWER:
        share = tl.where(share > 0.0, tl.exp(number * tl.log(tl.where(share > 0.0, share, 1.0))), share)
    if TARGET == _RAMP:
        share = share / number
        share = tl.where(share > 1.0, 1.0, share)
    return tl.where(TARGET == _ABSOLUTE, 1.0 - number, deficit_at_1 * (1.0 - share))


@triton.jit
def _spread(deficit):
    """√(−log nESS): about p·σ for log ratios of standard deviation σ."""
    return tl.sqrt(-log1p(-deficit))


@triton.jit
def solve(y, rho, total, absent, highest, lowest, deficit_at_1, slope_at_1, target):
    """The p in [0, 1] at which 1 − nESS(p) is `target`, for a target below that at p = 1.

    Ends where the target is met to eight machine epsilons, where p no longer moves, and after the reference's number
    of evaluations: Newton's, then as many halvings of the bracket where these have left it open.

    Args: the first six as `moments`.
    """
    single: tl.constexpr = y.dtype == tl.float32
    rounding: tl.constexpr = 1e-6 if single else 2e-15
    met: tl.constexpr = 1e-5 if single else 1e-7  # error of nESS below which halving does not follow
    evaluations: tl.constexpr = _NEWTONS + (_HALVINGS_32 if single else _HALVINGS_64)
    least: tl.constexpr = 1e-19 if single else 1e-154  # keeps divisions finite
    floor = (1.0 - deficit_at_1) * (1.0 + slope_at_1)  # that nESS falls to exponentially, far out
    floor = tl.where(floor < 0.0, 0.0, floor)
    goal, goal_above = _spread(target), 1.0 - target - floor
    goal_is_far = goal_above < 0.3 * (1.0 - floor)
    log_goal = tl.log(bounded(goal_above, least, 1.0))

    low = tl.full((), 0.0, y.dtype)
    high = low + 1.0
    best, error = low, target  # p = 0 has nESS = 1
    p = bounded(goal / _spread(deficit_at_1), 0.0, 1.0)
    count = 0
    is_open = error > rounding * target
    while is_open:
        _log_mean, ess, deficit, slope = moments(y, rho, total, absent, highest, lowest, p)
        gap = deficit - target
        best = tl.where(tl.abs(gap) < error, p, best)
        error = tl.where(tl.abs(gap) < error, tl.abs(gap), error)
        low = tl.where(gap <= 0.0, p, low)
        high = tl.where(gap <= 0.0, high, p)
        fall = bounded(-slope, least, float("inf"))  # of log nESS
        spread = _spread(deficit)
        step = p - (spread - goal) * 2.0 * spread / fall
        above = bounded(ess - floor, least, 1.0)
        far = p + (tl.log(above) - log_goal) * above / (fall * ess + least)
        step = tl.where(goal_is_far & (deficit > 0.1), far, step)
        inside = (step > low) & (step < high) & (count < _NEWTONS)
        previous = p
        p = tl.where(inside, step, 0.5 * (low + high))
        count += 1
        is_open = (error > rounding * target) & (p != previous) & (count < evaluations)
        is_open = is_open & ((count != _NEWTONS) | (error > met))
    return best


@triton.jit
def solved_exponent(y, rho, total, absent, highest, lowest, clip_fraction, number, active, TARGET: tl.constexpr):
    """p of a completion: 1 where it takes part in nothing, or meets its target there.

    Args: the first six as `moments`; number: of `SCALARS`, the target's.
    """
    p = tl.full((), 1.0, y.dtype)
    _log_mean, _ess, deficit, slope = moments(y, rho, total, absent, highest, lowest, p)
    target = target_deficit(deficit, clip_fraction, number, TARGET)
    # Not deficit > target: where a log ratio is NaN the reference has p = 0, as has `solve`
    if active & ((deficit <= target) == False):  # noqa: E712
        p = solve(y, rho, total, absent, highest, lowest, deficit, slope, target)
    return p
