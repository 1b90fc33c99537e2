"""Elementary functions that Triton lacks, and the moments of a completion's token weights.

A completion's tokens are the lanes of one tensor [BLOCK] of float32 or float64; everything else is a scalar. NaN
passes through, which is why there is `where` in the place of maximum and minimum, which drop it.
"""

from __future__ import annotations

import triton
import triton.language as tl

_CENTRED_NATS = tl.constexpr(20.0)
"""Largest p(c − c̄) at which squares of expm1 are still summed in float32: e^40 times a million tokens is 2e23."""


@triton.jit
def _series(x):
    """(expm1(x) − x)/x² for |x| <= 1: to x⁹ in float32, to x¹⁸ in float64."""
    sum_ = tl.full(x.shape, 0.0, x.dtype)
    if x.dtype == tl.float64:
        sum_ = sum_ + 1.0
        for step in tl.static_range(8):
            sum_ = 1.0 + sum_ * x * (1.0 / (20 - step))
        sum_ = sum_ * x * (1.0 / 479001600)  # 12!
    sum_ = sum_ + 1.0 / 39916800
    sum_ = sum_ * x + 1.0 / 3628800
    sum_ = sum_ * x + 1.0 / 362880
    sum_ = sum_ * x + 1.0 / 40320
    sum_ = sum_ * x + 1.0 / 5040
    sum_ = sum_ * x + 1.0 / 720
    sum_ = sum_ * x + 1.0 / 120
    sum_ = sum_ * x + 1.0 / 24
    sum_ = sum_ * x + 1.0 / 6
    return sum_ * x + 0.5


@triton.jit
def expm1(x):
    """exp(x) − 1."""
    return tl.where(tl.abs(x) < 1.0, x + x * x * _series(x), tl.exp(x) - 1.0)


@triton.jit
def excess(x):
    """exp(x) − 1 − x, which is x²/2 near 0: the estimate of a KL."""
    return tl.where(tl.abs(x) < 1.0, x * x * _series(x), tl.exp(x) - 1.0 - x)


@triton.jit
def log1p(x):
    """log(1 + x) for x > −1: the rounding of 1 + x is divided out again."""
    plus = 1.0 + x
    rounded = plus - 1.0
    return tl.where(rounded == 0.0, x, tl.log(plus) * (x / tl.where(rounded == 0.0, 1.0, rounded)))


@triton.jit
def bounded(x, low, high):
    """x within [low, high]; NaN stays."""
    return tl.where(x > high, high, tl.where(x < low, low, x))


@triton.jit
def isfinite(x):
    return tl.abs(x) < float("inf")


@triton.jit
def sum_2(a, b):
    """Σa and Σb, by one exchange between the threads of a program."""
    return tl.split(tl.sum(tl.join(a, b), axis=0))


@triton.jit
def moments(y, rho, total, absent, highest, lowest, p):
    """What a completion's weights ρ·exp(p·y) say.

    Args:
        y: c − c̄, nats; 0 where ρ is 0.
        rho: ρ, of which the largest is 1; or the number 1 for every lane, of which `absent` are no tokens.
        total: Σρ over tokens, 1 where that is 0.
        highest, lowest: largest and smallest y.
    Returns: log(Σρe^{py}/Σρ), which is p(log M − c̄); nESS(p); 1 − nESS(p), the variance of the weights over their mean
        square, which has all its digits where nESS is near 1; and the derivative of log nESS in p.
    """
    peak = tl.where(p > 0.0, p * highest, p * lowest)
    log_mean, ess, deficit, slope = peak, peak, peak, peak
    if peak <= _CENTRED_NATS:  # a lane that is no token has y = 0, and adds 0
        grown = expm1(p * y)
        mean, lean = sum_2(rho * grown, rho * grown * y)
        square, more = sum_2(rho * grown * grown, rho * grown * grown * y)
        mean, lean, square, more = mean / total, lean / total, square / total, more / total
        second = 1.0 + 2.0 * mean + square  # the mean of e^{2py}
        log_mean = log1p(mean)
        ess = (1.0 + mean) * (1.0 + mean) / second
        deficit = (square - mean * mean) / second
        slope = 2.0 * (lean / (1.0 + mean) - (2.0 * lean + more) / second)
    else:
        terms = tl.exp(p * y - peak)
        first, lean = sum_2(rho * terms, rho * terms * y)
        second, more = sum_2(rho * terms * terms, rho * terms * terms * y)
        none = tl.exp(-peak)
        first, second = first - absent * none, second - absent * none * none
        log_mean = peak + tl.log(first / total)
        ess = first * first / (total * second)
        deficit = 1.0 - ess
        slope = 2.0 * (lean / first - more / second)
    return log_mean, bounded(ess, 0.0, 1.0), bounded(deficit, 0.0, 1.0), slope
