"""The policy loss of one completion a program: forward and backward in one pass over memory.

A completion is read once and stays on the chip. Everything is float32 (float64 for float64 log probabilities), whatever
the dtype of the tensors. Nothing is added across programs, so that the result does not depend on their order.
"""

from __future__ import annotations

import triton
import triton.language as tl

from pmpo.kernels.plan import SCALARS, Target
from pmpo.kernels.triton_math import bounded, excess, isfinite, moments, sum_2
from pmpo.kernels.triton_regions import min_rule, old_kl, reference_kl, token_region
from pmpo.kernels.triton_solver import solved_exponent
from pmpo.objective.batch import SATURATION_NATS
from pmpo.objective.policy_loss import OLD_KL_NATS

_GIVEN = tl.constexpr(int(Target.GIVEN))
_SATURATION = tl.constexpr(SATURATION_NATS)
_OLD_KL_NATS = tl.constexpr(OLD_KL_NATS)
_MEAN_DOWN = tl.constexpr(SCALARS.index("mean_down"))  # and from there mean_up, mean_log_cap
_TARGET = tl.constexpr(SCALARS.index("target"))
_OMEGA = tl.constexpr(SCALARS.index("omega"))  # and omega_per_token
_KL_COEF = tl.constexpr(SCALARS.index("kl_coef"))  # and old_kl_coef
_COUNT = tl.constexpr(0xFFFF)  # of an integer that holds four counts of up to 2^15


@triton.jit
def _number(scalars_ptr, place, WIDE: tl.constexpr):
    return tl.load(scalars_ptr + place).to(WIDE)


@triton.jit
def _numbers_of_tokens(scalars_ptr, WIDE: tl.constexpr):
    """The first seven of the `SCALARS`, those of the region of tokens."""
    down, up, log_cap = _number(scalars_ptr, 0, WIDE), _number(scalars_ptr, 1, WIDE), _number(scalars_ptr, 2, WIDE)
    tau_positive, tau_negative = _number(scalars_ptr, 3, WIDE), _number(scalars_ptr, 4, WIDE)
    return down, up, log_cap, tau_positive, tau_negative, _number(scalars_ptr, 5, WIDE), _number(scalars_ptr, 6, WIDE)


@triton.jit
def _counts(counted, weighted, bad, missing):
    """How many tokens each of four masks has, by one sum; a completion has at most 2^15."""
    packed = counted.to(tl.int64) + (weighted.to(tl.int64) << 16) + (bad.to(tl.int64) << 32)
    packed = tl.sum(packed + (missing.to(tl.int64) << 48), axis=0)
    return packed & _COUNT, (packed >> 16) & _COUNT, (packed >> 32) & _COUNT, packed >> 48


@triton.jit
def _measure(weights_ptr, counted, inside, lane, WIDE: tl.constexpr):
    """ρ over its largest, where it is not 0, where it is finite; Σ of it, Σρ.

    Without weights ρ is the number 1, which costs no register, and both sums are left to the count of tokens.
    """
    rho, weighted, finite = tl.full((), 1.0, WIDE), counted, counted
    total, sum_ = rho, rho
    if weights_ptr is not None:
        rho = tl.where(counted, tl.load(weights_ptr + lane, mask=inside, other=0.0).to(WIDE), 0.0)
        weighted, finite = rho != 0.0, isfinite(rho)
        largest = tl.max(rho, axis=0)
        largest = tl.where(largest == 0.0, 1.0, largest)
        rho = rho / largest
        total = tl.sum(rho, axis=0)
        sum_ = total * largest
        total = tl.where(total == 0.0, 1.0, total)
    return rho, weighted, finite, total, sum_


@triton.jit
def _write(diagnostics_ptr, rows, p, one_sided, two_sided, deficit, mean, largest, high, low, kl, kl_ref):
    """One column of `Rows.diagnostics`."""
    tl.store(diagnostics_ptr, p)
    tl.store(diagnostics_ptr + rows, one_sided)
    tl.store(diagnostics_ptr + 2 * rows, two_sided)
    tl.store(diagnostics_ptr + 3 * rows, 1.0 - deficit)
    tl.store(diagnostics_ptr + 4 * rows, mean)
    tl.store(diagnostics_ptr + 5 * rows, largest)
    tl.store(diagnostics_ptr + 6 * rows, high)
    tl.store(diagnostics_ptr + 7 * rows, low)
    tl.store(diagnostics_ptr + 8 * rows, kl)
    tl.store(diagnostics_ptr + 9 * rows, kl_ref)


@triton.jit
def _penalties(
    reference_ptr, scalars_ptr, log_prob, raw, log_ratio, flows, counted, inside, lane, count,
    BIAS_CORRECTION: tl.constexpr, OLD_KL: tl.constexpr, WIDE: tl.constexpr,
):  # fmt: skip
    """Both KL penalties: their sum, weighted; its derivative in log π_θ; and the KL to the reference itself."""
    penalty, kl_ref = tl.full((), 0.0, WIDE), tl.full((), 0.0, WIDE)
    slope = tl.full(log_ratio.shape, 0.0, WIDE)
    if reference_ptr is not None:
        coef = _number(scalars_ptr, _KL_COEF, WIDE)
        x = tl.load(reference_ptr + lane, mask=inside, other=0.0).to(WIDE) - log_prob
        x, counted_raw = tl.where(counted, x, 0.0), tl.where(counted, raw, 0.0)
        estimate, rise = reference_kl(x, counted_raw, BIAS_CORRECTION)
        kl_ref = tl.sum(estimate, axis=0) / count
        penalty = coef * kl_ref
        slope = tl.where(counted, coef * rise / count, 0.0)
    if OLD_KL:
        coef = _number(scalars_ptr, _KL_COEF + 1, WIDE)
        estimate, rise = old_kl(log_ratio, _OLD_KL_NATS)
        penalty += coef * tl.sum(estimate, axis=0) / count
        slope += tl.where(flows, coef * rise / count, 0.0)
    return penalty, slope, kl_ref


@triton.jit
def policy_loss_kernel(
    log_probs_ptr, old_ptr, mask_ptr, advantages_ptr, exponent_ptr, weights_ptr, reference_ptr, scalars_ptr,
    losses_ptr, gradient_ptr, diagnostics_ptr, flags_ptr,
    rows, width, log_probs_stride, old_stride, mask_stride, weights_stride, reference_stride,
    REGION: tl.constexpr, TARGET: tl.constexpr, ONE_SIDED: tl.constexpr, OVER_UNCLIPPED: tl.constexpr,
    BIAS_CORRECTION: tl.constexpr, OLD_KL: tl.constexpr, LARGEST: tl.constexpr, WIDE: tl.constexpr,
    BLOCK: tl.constexpr,
):  # fmt: skip
    """One completion; `pmpo.kernels.triton_launch.run` has the tensors.

    No exponent: it is solved. No weights: ρ = 1. LARGEST is the largest number of the gradient's dtype.
    """
    row = tl.program_id(0).to(tl.int64)
    lane = tl.arange(0, BLOCK)
    inside = lane < width
    counted = tl.load(mask_ptr + row * mask_stride + lane, mask=inside, other=0) != 0
    log_prob = tl.load(log_probs_ptr + row * log_probs_stride + lane, mask=inside, other=0.0).to(WIDE)
    raw = log_prob - tl.load(old_ptr + row * old_stride + lane, mask=inside, other=0.0).to(WIDE)
    advantage = tl.load(advantages_ptr + row).to(WIDE)
    here = weights_ptr
    if weights_ptr is not None:
        here = weights_ptr + row * weights_stride
    rho, weighted, finite, total, sum_ = _measure(here, counted, inside, lane, WIDE)

    log_ratio = tl.where(weighted, bounded(raw, -_SATURATION, _SATURATION), 0.0)
    flows = weighted & (tl.abs(raw) <= _SATURATION)
    bad = weighted & ((finite & isfinite(raw)) == False)  # noqa: E712
    counts, weighted_counts, bads, missing = _counts(counted, weighted, bad, log_ratio != log_ratio)
    count = tl.where(counts > 0, counts.to(WIDE), 1.0)
    mean_weight, absent = sum_ / count, tl.full((), 0.0, WIDE)
    if weights_ptr is None:
        total, mean_weight, absent = count, tl.where(counts > 0, sum_, 0.0), (BLOCK - counts).to(WIDE)
    active = (advantage != 0.0) & (weighted_counts > 0)

    c, slope, clipped, outside = token_region(
        log_ratio, log_prob, advantage, _numbers_of_tokens(scalars_ptr, WIDE), REGION
    )
    one_sided, two_sided = sum_2(tl.where(clipped & weighted, rho, 0.0), tl.where(outside & weighted, rho, 0.0))
    one_sided, two_sided = tl.where(advantage != 0.0, one_sided / total, 0.0), two_sided / total
    c = tl.where(weighted, c, 0.0)
    center, kl = sum_2(rho * c, rho * excess(log_ratio))
    center, kl = center / total, kl / total
    y = tl.where(weighted, c - center, 0.0)
    highest, lowest = tl.max(y, axis=0), tl.min(y, axis=0)
    p = tl.full((), 1.0, WIDE)
    if TARGET == _GIVEN:
        p = tl.where(active, tl.load(exponent_ptr + row).to(WIDE), 1.0)
    else:
        fraction = one_sided if ONE_SIDED else two_sided
        number = _number(scalars_ptr, _TARGET, WIDE)
        if OVER_UNCLIPPED:
            z = tl.where(weighted, log_ratio - tl.sum(rho * log_ratio, axis=0) / total, 0.0)
            top, bottom = tl.max(z, axis=0), tl.min(z, axis=0)
            p = solved_exponent(z, rho, total, absent, top, bottom, fraction, number, active, TARGET)
        else:
            p = solved_exponent(y, rho, total, absent, highest, lowest, fraction, number, active, TARGET)
    log_mean, deficit, _slope = moments(y, rho, total, absent, highest, lowest, p)
    log_power_mean = center + tl.where(p == 0.0, 0.0, log_mean / tl.where(p == 0.0, 1.0, p))
    mean = tl.exp(log_power_mean)

    down, up = _number(scalars_ptr, _MEAN_DOWN, WIDE), _number(scalars_ptr, _MEAN_DOWN + 1, WIDE)
    log_cap = _number(scalars_ptr, _MEAN_DOWN + 2, WIDE)
    log_surrogate, held, beyond = min_rule(log_power_mean, advantage, down, up, log_cap)
    surrogate = tl.where(held, tl.exp(log_surrogate), mean)
    gain = tl.where(active, advantage * mean_weight, 0.0)
    omega = _number(scalars_ptr, _OMEGA, WIDE) + _number(scalars_ptr, _OMEGA + 1, WIDE) * counts.to(WIDE)
    here = reference_ptr
    if reference_ptr is not None:
        here = reference_ptr + row * reference_stride
    penalty, penalty_slope, kl_ref = _penalties(
        here, scalars_ptr, log_prob, raw, log_ratio, flows, counted, inside, lane, count, BIAS_CORRECTION, OLD_KL, WIDE
    )
    tl.store(losses_ptr + row, omega * (penalty - tl.where(active, gain * surrogate, 0.0)))

    pull = tl.where(held, 0.0, gain * mean / total)
    pulled = tl.where(flows, pull * rho * tl.exp(p * y - log_mean) * slope, 0.0)
    gradient = bounded(omega * (penalty_slope - pulled), -LARGEST, LARGEST)
    tl.store(gradient_ptr + row * width + lane, gradient.to(gradient_ptr.dtype.element_ty), mask=inside)

    high = tl.max(tl.where(weighted, log_ratio, -float("inf")), axis=0)
    low = tl.min(tl.where(weighted, log_ratio, float("inf")), axis=0)
    nowhere = (weighted_counts == 0) | (missing != 0)
    size = tl.where(high > -low, high, -low)
    _write(
        diagnostics_ptr + row, rows, p,
        tl.where(held, 1.0, one_sided), tl.where(beyond, 1.0, two_sided), deficit, mean,
        tl.where(nowhere, tl.where(missing != 0, float("nan"), 0.0), size),
        tl.where(nowhere, 0.0, high), tl.where(nowhere, 0.0, low), kl, kl_ref,
    )  # fmt: skip
    nonfinite = (bads > 0) | (isfinite(advantage) == False) | (isfinite(kl_ref) == False)  # noqa: E712
    tl.store(flags_ptr + row, active.to(tl.uint8))
    tl.store(flags_ptr + rows + row, nonfinite.to(tl.uint8))
