"""The policy loss of one completion a program: forward and backward in one pass over memory.

A completion is read once and stays on the chip; of one that is too long for that, only c − c̄ stays, and the gradient
reads the tokens again, out of the cache. Everything is float32 (float64 for float64 log probabilities), whatever the
dtype of the tensors. Nothing is added across programs, so that the result does not depend on their order.
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
    return packed & _COUNT, (packed >> 16) & _COUNT, (packed >> 32) & _COUNT, (packed >> 48) != 0


@triton.jit
def _tokens(
    log_probs_ptr, old_ptr, mask_ptr, weights_ptr, advantage, numbers, inside, lane,
    REGION: tl.constexpr, CACHE: tl.constexpr, WIDE: tl.constexpr,
):  # fmt: skip
    """A completion's tokens: log π_θ and raw log ratio; where they count, and count with ρ ≠ 0; ρ and l; the region's.

    Without weights ρ is the number 1, which costs no register; c is 0 where ρ is 0.
    """
    counted = tl.load(mask_ptr + lane, mask=inside, other=0, cache_modifier=CACHE) != 0
    log_prob = tl.load(log_probs_ptr + lane, mask=inside, other=0.0, cache_modifier=CACHE).to(WIDE)
    raw = log_prob - tl.load(old_ptr + lane, mask=inside, other=0.0, cache_modifier=CACHE).to(WIDE)
    rho, weighted = tl.full((), 1.0, WIDE), counted
    if weights_ptr is not None:
        rho = tl.load(weights_ptr + lane, mask=inside, other=0.0, cache_modifier=CACHE).to(WIDE)
        rho = tl.where(counted, rho, 0.0)
        weighted = rho != 0.0
    log_ratio = tl.where(weighted, bounded(raw, -_SATURATION, _SATURATION), 0.0)
    c, slope, clipped, outside = token_region(log_ratio, log_prob, advantage, numbers, REGION)
    return log_prob, raw, counted, weighted, rho, log_ratio, tl.where(weighted, c, 0.0), slope, clipped, outside


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
def _write(diagnostics_ptr, rows, p, one_sided, two_sided, ess, mean, largest, high, low, kl, kl_ref):
    """One column of `Rows.diagnostics`."""
    tl.store(diagnostics_ptr, p)
    tl.store(diagnostics_ptr + rows, one_sided)
    tl.store(diagnostics_ptr + 2 * rows, two_sided)
    tl.store(diagnostics_ptr + 3 * rows, ess)
    tl.store(diagnostics_ptr + 4 * rows, mean)
    tl.store(diagnostics_ptr + 5 * rows, largest)
    tl.store(diagnostics_ptr + 6 * rows, high)
    tl.store(diagnostics_ptr + 7 * rows, low)
    tl.store(diagnostics_ptr + 8 * rows, kl)
    tl.store(diagnostics_ptr + 9 * rows, kl_ref)


@triton.jit
def _clipped_mean(scalars_ptr, log_mean, advantage, WIDE: tl.constexpr):
    """M; M after the region that clips it; whether it was clipped; whether it is outside whatever the sign of A."""
    down, up = _number(scalars_ptr, _MEAN_DOWN, WIDE), _number(scalars_ptr, _MEAN_DOWN + 1, WIDE)
    log_cap = _number(scalars_ptr, _MEAN_DOWN + 2, WIDE)
    log_surrogate, held, beyond = min_rule(log_mean, advantage, down, up, log_cap)
    mean = tl.exp(log_mean)
    return mean, tl.where(held, tl.exp(log_surrogate), mean), held, beyond


@triton.jit(do_not_specialize_on_alignment=["mask_ptr"])
def policy_loss_kernel(
    log_probs_ptr, old_ptr, mask_ptr, advantages_ptr, exponent_ptr, weights_ptr, reference_ptr, scalars_ptr,
    losses_ptr, gradient_ptr, diagnostics_ptr, flags_ptr,
    rows, width, log_probs_stride, old_stride, mask_stride, weights_stride, reference_stride,
    REGION: tl.constexpr, TARGET: tl.constexpr, ONE_SIDED: tl.constexpr, OVER_UNCLIPPED: tl.constexpr,
    BIAS_CORRECTION: tl.constexpr, OLD_KL: tl.constexpr, LARGEST: tl.constexpr, WIDE: tl.constexpr,
    QUADS: tl.constexpr, AGAIN: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """One completion; `pmpo.kernels.triton_launch.run` has the tensors.

    No exponent: it is solved. No weights: ρ = 1. LARGEST is the largest number of the gradient's dtype; QUADS whether
    rows of the mask begin at multiples of four bytes; AGAIN whether the gradient reads the tokens again.
    """
    row = tl.program_id(0).to(tl.int64)
    lane = tl.arange(0, BLOCK)
    inside = lane < width
    log_probs_ptr += row * log_probs_stride
    old_ptr += row * old_stride
    mask_ptr += row * mask_stride
    if QUADS:  # no more: sixteen bytes a thread would be the layout of all tensors, with 64 bytes a thread of float32
        mask_ptr = tl.multiple_of(mask_ptr, 4)
    if weights_ptr is not None:
        weights_ptr += row * weights_stride
    if reference_ptr is not None:
        reference_ptr += row * reference_stride
    advantage = tl.load(advantages_ptr + row).to(WIDE)
    numbers = _numbers_of_tokens(scalars_ptr, WIDE)
    log_prob, raw, counted, weighted, rho, log_ratio, c, slope, clipped, outside = _tokens(
        log_probs_ptr, old_ptr, mask_ptr, weights_ptr, advantage, numbers, inside, lane, REGION, "", WIDE
    )

    bad = weighted & (isfinite(raw) == False)  # noqa: E712
    if weights_ptr is not None:
        bad = bad | (weighted & (isfinite(rho) == False))  # noqa: E712
    counts, weighted_counts, bads, missing = _counts(counted, weighted, bad, log_ratio != log_ratio)
    count = tl.where(counts > 0, counts.to(WIDE), 1.0)
    largest, total, mean_weight = tl.full((), 1.0, WIDE), count, tl.where(counts > 0, 1.0, 0.0).to(WIDE)
    absent = (BLOCK - counts).to(WIDE)
    if weights_ptr is not None:
        largest = tl.max(rho, axis=0)
        largest = tl.where(largest == 0.0, 1.0, largest)
        rho = rho / largest
        total, absent = tl.sum(rho, axis=0), tl.full((), 0.0, WIDE)
        mean_weight = total * largest / count
        total = tl.where(total == 0.0, 1.0, total)
    active = (advantage != 0.0) & (weighted_counts > 0)

    one_sided, two_sided = sum_2(tl.where(clipped & weighted, rho, 0.0), tl.where(outside & weighted, rho, 0.0))
    one_sided, two_sided = tl.where(advantage != 0.0, one_sided / total, 0.0), two_sided / total
    center, kl = sum_2(rho * c, rho * excess(log_ratio))
    center, kl = center / total, kl / total
    high = tl.max(tl.where(weighted, log_ratio, -float("inf")), axis=0)
    low = tl.min(tl.where(weighted, log_ratio, float("inf")), axis=0)
    high, low = (
        tl.where((weighted_counts == 0) | missing, 0.0, high),
        tl.where((weighted_counts == 0) | missing, 0.0, low),
    )
    size = tl.where(missing, float("nan"), tl.where(high > -low, high, -low))

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
    log_growth, ess, _deficit, _slope = moments(y, rho, total, absent, highest, lowest, p)
    log_mean = center + tl.where(p == 0.0, 0.0, log_growth / tl.where(p == 0.0, 1.0, p))
    mean, surrogate, held, beyond = _clipped_mean(scalars_ptr, log_mean, advantage, WIDE)

    if AGAIN:
        log_prob, raw, counted, weighted, rho, log_ratio, c, slope, clipped, outside = _tokens(
            log_probs_ptr, old_ptr, mask_ptr, weights_ptr, advantage, numbers, inside, lane, REGION, ".cg", WIDE
        )
        rho, y = rho / largest, tl.where(weighted, c - center, 0.0)
    flows = weighted & (tl.abs(raw) <= _SATURATION)
    penalty, penalty_slope, kl_ref = _penalties(
        reference_ptr, scalars_ptr, log_prob, raw, log_ratio, flows, counted, inside, lane, count,
        BIAS_CORRECTION, OLD_KL, WIDE,
    )  # fmt: skip
    gain = tl.where(active, advantage * mean_weight, 0.0)
    omega = _number(scalars_ptr, _OMEGA, WIDE) + _number(scalars_ptr, _OMEGA + 1, WIDE) * counts.to(WIDE)
    pull = tl.where(held, 0.0, gain * mean / total)
    pulled = tl.where(flows, pull * rho * tl.exp(p * y - log_growth) * slope, 0.0)
    gradient = bounded(omega * (penalty_slope - pulled), -LARGEST, LARGEST)
    tl.store(gradient_ptr + row * width + lane, gradient.to(gradient_ptr.dtype.element_ty), mask=inside)
    tl.store(losses_ptr + row, omega * (penalty - tl.where(active, gain * surrogate, 0.0)))
    _write(
        diagnostics_ptr + row, rows, p, tl.where(held, 1.0, one_sided), tl.where(beyond, 1.0, two_sided), ess,
        mean, size, high, low, kl, kl_ref,
    )  # fmt: skip
    nonfinite = (bads > 0) | (isfinite(advantage) == False) | (isfinite(kl_ref) == False)  # noqa: E712
    tl.store(flags_ptr + row, active.to(tl.uint8))
    tl.store(flags_ptr + rows + row, nonfinite.to(tl.uint8))
