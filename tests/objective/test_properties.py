"""Every preset on drawn shapes, masks, dtypes and extremes: finite, blind to masked places, and free of order."""

import math
from dataclasses import replace
from itertools import pairwise

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import oracle
import pmpo
from batches import ALL, FACTS, SUMS
from pmpo.objective.kl import kl_estimate

DTYPES = (torch.float32, torch.float64, torch.bfloat16, torch.float16)
EXTREMES = (50.0, -50.0, 100.0, -100.0, 1000.0, -1000.0)
POISON = (math.nan, math.inf, -math.inf, 1e30, -1e30)
quickly = settings(max_examples=60, deadline=None, derandomize=True, database=None)


@st.composite
def batches(draw, rows=5, width=7):
    """new, old, reference log-probabilities, advantages and mask; some log ratios far out, some rows all masked."""
    rows, width = draw(st.integers(1, rows)), draw(st.integers(1, width))
    dtype = draw(st.sampled_from(DTYPES))
    g = torch.Generator().manual_seed(draw(st.integers(0, 2**31)))
    old = -3 * torch.rand(rows, width, generator=g, dtype=torch.float64)
    new = old + draw(st.sampled_from((0.0, 0.1, 1.0))) * torch.randn(rows, width, generator=g, dtype=torch.float64)
    ref = old + torch.randn(rows, width, generator=g, dtype=torch.float64)
    far = torch.rand(rows, width, generator=g) < draw(st.sampled_from((0.0, 0.2, 1.0)))
    new = torch.where(far, old + draw(st.sampled_from(EXTREMES)), new)
    ref = torch.where(far, new + draw(st.sampled_from(EXTREMES)), ref)
    mask = torch.rand(rows, width, generator=g) < draw(st.sampled_from((0.0, 0.5, 1.0)))
    advantages = draw(st.lists(st.sampled_from((-2.0, -1e-3, 0.0, 1e-3, 2.0)), min_size=rows, max_size=rows))
    return (*(x.to(dtype) for x in (new, old, ref)), torch.tensor(advantages, dtype=dtype), mask)


@st.composite
def families(draw):
    """All presets, with or without the KL, its bias correction and a dual clip."""
    switches = {"kl_coef": draw(st.sampled_from((0.0, 0.1))), "kl_bias_correction": draw(st.booleans())}
    cap = draw(st.sampled_from((None, 3.0)))
    presets = [pmpo.objective(name, max_completion_length=20, **switches) for name in ALL]
    return [one if one.trust_region.refused else _capped(one, cap) for one in presets]


def _capped(one, cap):
    return replace(one, trust_region=replace(one.trust_region, dual_clip_ratio=cap))


def loss_and_gradient(inputs, objective, weights=None):
    new, old, ref, advantages, mask = inputs
    new = new.clone().requires_grad_()
    context = pmpo.BatchContext(**FACTS, num_sequences=8, num_tokens=40, ratio_sums=SUMS)
    result = pmpo.policy_loss(
        new, old, advantages, mask, objective, context, loss_weights=weights, ref_log_probs=ref
    )  # fmt: skip
    result.loss.backward()
    return result, new.grad


@quickly
@given(batches(), families())
def test_loss_gradient_and_diagnostics_are_finite(inputs, family):
    for objective in family:
        result, gradient = loss_and_gradient(inputs, objective)
        assert result.loss.isfinite() and gradient.isfinite().all()
        for name in result.diagnostics.__dataclass_fields__:
            assert getattr(result.diagnostics, name).isfinite().all(), name
        assert not result.diagnostics.nonfinite.any()
        assert (gradient[~inputs[-1]] == 0).all()


@quickly
@given(batches(), families(), st.sampled_from(POISON), st.sampled_from(POISON))
def test_anything_at_a_masked_place_changes_no_bit(inputs, family, one, another):
    new, old, ref, advantages, mask = inputs
    weights = torch.ones(mask.shape)
    dirty = [torch.where(mask, x, junk) for x, junk in ((new, one), (old, another), (ref, one), (weights, another))]
    for objective in family:
        clean, gradient = loss_and_gradient(inputs, objective, weights)
        spoiled, spoiled_gradient = loss_and_gradient((*dirty[:3], advantages, mask), objective, dirty[3])
        assert torch.equal(clean.loss, spoiled.loss) and torch.equal(gradient, spoiled_gradient)
        for name in clean.diagnostics.__dataclass_fields__:
            assert torch.equal(getattr(clean.diagnostics, name), getattr(spoiled.diagnostics, name)), name


def _close(a, b, dtype):
    """Sums in another order: equal to the rounding of the dtype, relative to the largest entry."""
    step = {torch.bfloat16: 2e-2, torch.float16: 2e-3, torch.float32: 2e-5, torch.float64: 1e-10}[dtype]
    return (a.double() - b.double()).abs().max() <= step * a.double().abs().max() + 1e-30


@quickly
@given(batches(), families(), st.randoms(use_true_random=False), st.integers(0, 4), st.sampled_from(POISON))
def test_the_order_of_rows_and_more_padding_change_nothing(inputs, family, random, columns, junk):
    new, old, ref, advantages, mask = inputs
    order = list(range(len(mask)))
    random.shuffle(order)

    def moved(x, fill):
        return torch.cat([x[order], torch.full((len(mask), columns), float(fill)).to(x.dtype)], 1)

    others = (moved(new, junk), moved(old, junk), moved(ref, junk), advantages[order], moved(mask, False))
    for objective in family:
        result, gradient = loss_and_gradient(inputs, objective)
        other, other_gradient = loss_and_gradient(others, objective)
        # the loss is a sum with cancellation: compared on the scale of its terms
        terms = result.diagnostics.power_mean.abs().max() * 2 + result.diagnostics.kl_ref.abs().max() + 1
        assert (other.loss - result.loss).abs() <= (1e-10 if new.dtype == torch.float64 else 2e-5) * terms
        assert _close(gradient[order], other_gradient[:, : mask.shape[1]], new.dtype)
        assert (other_gradient[:, mask.shape[1] :] == 0).all()


@quickly
@given(batches(), st.booleans(), st.sampled_from((0.0, 1e-3, 1.0)))
def test_the_kl_estimate_is_finite_and_not_negative(inputs, weighted, coefficient):
    new, _, ref, _, mask = inputs
    wide = new.double() if new.dtype == torch.float64 else new.float()
    x = (ref.to(wide.dtype) - wide).requires_grad_()
    weights = torch.full_like(wide, 3.0) if weighted else None
    estimate = kl_estimate(x, mask, token_weights_BT=weights)
    (coefficient * estimate.sum()).backward()
    assert estimate.isfinite().all() and (estimate >= -1e-6).all() and x.grad.isfinite().all()
    assert (estimate[~mask.any(dim=1)] == 0).all()


nats = st.lists(st.floats(-5.0, 5.0), min_size=1, max_size=12)


@quickly
@given(nats, st.floats(0.0, 8.0), st.sampled_from((-2.0, -1e-3, 1e-3, 2.0)), st.sampled_from((0.0, 1.0)))
def test_a_signed_exponent_never_promises_more_than_the_mean_at_its_center(log_ratios, scale, advantage, center):
    """A·M_p ≤ A·M_q for p = q − k·sign(A), and the opposite sign promises more; the larger k, the further."""
    l_BT = torch.tensor([log_ratios], dtype=torch.float64)
    sign = math.copysign(1.0, advantage)
    counted = torch.ones_like(l_BT) > 0
    exponents = (-scale - 1.0, -scale, 0.0, scale)
    terms = [advantage * pmpo.power_mean(l_BT, counted, center + p * sign).item() for p in exponents]
    slack = 1e-12 * max(map(abs, terms))
    assert all(low <= high + slack for low, high in pairwise(terms))


@quickly
@given(nats, st.sampled_from((-4.0, -1.0, -0.3, 0.3, 1.0, 4.0)))
def test_the_slope_of_the_mean_in_p_is_a_divergence(log_ratios, p):
    """∂/∂p log M_p = KL(w ‖ 1/n)/p² >= 0, by differences of 60 digits: why the sign decides which side is the bound."""
    w = oracle.token_weights(log_ratios, p)
    divergence = math.fsum(x * math.log(len(w) * x) for x in w if x > 0)
    step = 1e-5
    high, low = (math.log(oracle.power_mean(log_ratios, p + h)) for h in (step, -step))
    assert (high - low) / (2 * step) == pytest.approx(divergence / p**2, abs=1e-6)
    assert divergence >= -1e-12


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("sign", [1.0, -1.0])
@pytest.mark.parametrize("extreme", [100.0, -100.0, 1000.0, -1000.0])
def test_a_token_beyond_80_nats_counts_as_80_and_gets_no_gradient(name, sign, extreme):
    """The documented saturation of the policy term."""
    objective = pmpo.objective(name, kl_coef=0.0, max_completion_length=20)
    old = torch.full((1, 3), -1.0)
    far, held = old.clone(), old.clone()
    far[0, 1] += extreme
    held[0, 1] += math.copysign(80.0, extreme)
    rest = (old, old, torch.tensor([sign]), torch.ones(1, 3, dtype=torch.bool))
    result, gradient = loss_and_gradient((far, *rest), objective)
    same, _ = loss_and_gradient((held, *rest), objective)
    assert gradient[0, 1] == 0 and torch.equal(result.loss, same.loss)


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_gradient_beyond_the_range_of_the_dtype_is_its_largest_number(dtype):
    """A reference 50 nats away has a KL gradient of 5e21, and float16 ends at 65504."""
    new, mask = torch.zeros(1, 2, dtype=dtype), torch.ones(1, 2, dtype=torch.bool)
    ref = torch.tensor([[50.0, 0.0]], dtype=dtype)
    objective = pmpo.objective("grpo", kl_coef=0.1)
    _, gradient = loss_and_gradient((new, new, ref, torch.ones(1, dtype=dtype), mask), objective)
    assert gradient.isfinite().all() and gradient[0, 0] <= (-65504.0 if dtype == torch.float16 else -1e19)
