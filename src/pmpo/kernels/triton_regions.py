"""What trust regions do with a token's log ratio, and the two KL penalties, token by token."""

from __future__ import annotations

import triton
import triton.language as tl

from pmpo.kernels.plan import Region
from pmpo.kernels.triton_math import bounded, excess, expm1, log1p
from pmpo.objective.batch import SATURATION_NATS
from pmpo.objective.correction import _COMPLEMENT_FLOOR

_MIN_RULE = tl.constexpr(int(Region.MIN_RULE))
_TWO_SIDED = tl.constexpr(int(Region.TWO_SIDED))
_PASSING_CAP = tl.constexpr(int(Region.PASSING_CAP))
_SOFT_GATE = tl.constexpr(int(Region.SOFT_GATE))
_DIVERGENCE_TV = tl.constexpr(int(Region.DIVERGENCE_TV))
_LOG_4 = tl.constexpr(1.3862943611198906)
_FLOOR = tl.constexpr(_COMPLEMENT_FLOOR)
_SATURATION = tl.constexpr(SATURATION_NATS)


@triton.jit
def min_rule(log_ratio, advantage, down, up, log_cap):
    """c of the min rule; bool, what it has changed; bool, what is outside whatever the sign of A."""
    none = float("inf")
    bottom = tl.where(advantage < 0.0, -down, -none)
    top = tl.where(advantage > 0.0, up, tl.where(advantage < 0.0, log_cap, none))
    return (
        bounded(log_ratio, bottom, top),
        (log_ratio > top) | (log_ratio < bottom),
        (log_ratio > up) | (log_ratio < -down),
    )


@triton.jit
def _moved(log_ratio, log_prob, REGION: tl.constexpr):
    """A token's divergence from the old policy, with the sign of π_θ − π_old."""
    old_log_prob = log_prob - log_ratio
    new, old = tl.exp(log_prob), tl.exp(old_log_prob)
    moved = new - old
    if REGION != _DIVERGENCE_TV:
        new_others, old_others = -expm1(log_prob), -expm1(old_log_prob)
        new_others = tl.where(new_others < 0.0, 0.0, new_others)
        old_others = tl.where(old_others < 0.0, 0.0, old_others)
        others = tl.log(old_others + _FLOOR) - tl.log(new_others + _FLOOR)
        size = tl.abs(old * (old_log_prob - log_prob) + old_others * others)
        moved = tl.where(moved > 0.0, size, tl.where(moved < 0.0, -size, 0.0))
    return moved


@triton.jit
def token_region(log_ratio, log_prob, advantage, numbers, REGION: tl.constexpr):
    """What the region makes of log ratios l.

    Args:
        log_prob: log π_θ, for regions that look at probabilities; else anything.
        numbers: (down, up, log_cap, tau_positive, tau_negative, fall, rise) of `SCALARS`.
    Returns: c, nats; ∂c/∂l; bool, tokens that count as clipped where A is not 0 (one-sided); bool, those outside the
        range whatever the sign of A (two-sided).
    """
    down, up, log_cap, tau_positive, tau_negative, fall, rise = numbers
    slope = tl.full(log_ratio.shape, 1.0, log_ratio.dtype)
    if REGION == _MIN_RULE:
        c, clipped, outside = min_rule(log_ratio, advantage, down, up, log_cap)
        slope = tl.where(clipped, 0.0, slope)
    elif REGION == _TWO_SIDED:
        outside = (log_ratio > up) | (log_ratio < -down)
        c, clipped = bounded(log_ratio, -down, up), outside
        slope = tl.where(outside, 0.0, slope)
    elif REGION == _PASSING_CAP:
        outside = log_ratio > up
        c, clipped = tl.where(outside, up, log_ratio), outside
    elif REGION == _SOFT_GATE:
        tau = tl.where(advantage > 0.0, tau_positive, tau_negative)
        z = tau * expm1(log_ratio)
        faded = tl.exp(-tl.abs(z))
        c = tl.where(z < 0.0, z, 0.0) - log1p(faded) + (_LOG_4 - tl.log(tau))
        slope = tl.where(z < 0.0, 1.0, faded) / (1.0 + faded) * tau * tl.exp(log_ratio)
        clipped = tl.full(log_ratio.shape, False, tl.int1)
        outside = clipped
    else:
        moved, above = _moved(log_ratio, log_prob, REGION), log_ratio > up
        far = moved * tl.where(advantage > 0.0, 1.0, -1.0) > tl.where(advantage > 0.0, rise, fall)
        c, clipped, outside = tl.where(above, up, log_ratio), far | above, (moved > rise) | (moved < -fall) | above
        slope = tl.where(far, 0.0, slope)
    return c, slope, clipped, outside


@triton.jit
def reference_kl(x, raw, BIAS_CORRECTION: tl.constexpr):
    """A token's estimate of KL(π_θ ‖ π_ref) from x = log π_ref − log π_θ, and its derivative in log π_θ.

    Args:
        raw: log π_θ − log π_old as it came, whose ratio multiplies the estimate under the bias correction.
    """
    held = tl.where(x > _SATURATION, _SATURATION, x)
    estimate = excess(held) + tl.where(x > _SATURATION, _SATURATION - x, 0.0)
    slope = 1.0 - tl.where(x <= _SATURATION, tl.exp(held), 0.0)
    if BIAS_CORRECTION:  # ratio times estimate is held at 80 nats, as each of them is
        cap = _SATURATION - (bounded(x, 0.0, _SATURATION) + log1p(tl.abs(x)))
        free = bounded(raw, -_SATURATION, _SATURATION)
        ratio = tl.exp(tl.where(free > cap, cap, free))
        share = tl.where(free < cap, 1.0, tl.where(free == cap, 0.5, 0.0))  # minimum() halves a tie
        share = tl.where(free == raw, share, 0.0)
        slope = (slope + estimate * share) * ratio
        estimate = estimate * ratio
    return estimate, slope


@triton.jit
def old_kl(log_ratio, LARGEST: tl.constexpr):
    """A token's estimate of KL(π_θ ‖ π_old), which stops growing exponentially at LARGEST nats, and its slope in l."""
    held = tl.where(-log_ratio > LARGEST, LARGEST, -log_ratio)
    estimate = excess(held) + tl.where(-log_ratio > LARGEST, -log_ratio - LARGEST, 0.0)
    return estimate, 1.0 - tl.where(-log_ratio <= LARGEST, tl.exp(held), 0.0)
