"""The trust regions that are no plain min rule, each against hand values and its paper's gradient."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import oracle
import pmpo
from batches import batch, log_ratio_rows, loss_and_grad

EMPTY = pmpo.BatchContext()
F64 = torch.float64


def one_row(ratios, advantage, objective, **changes):
    """Loss and gradient of one completion with the given ratios."""
    new = torch.tensor([ratios], dtype=F64).log()
    inputs = (new, torch.zeros_like(new), torch.tensor([advantage], dtype=F64), torch.ones_like(new, dtype=torch.bool))
    loss, gradient = loss_and_grad(inputs, pmpo.objective(objective, **changes), EMPTY)
    return loss.item(), gradient[0].tolist()


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_cispo_by_hand(sign):
    """Ratios 2 and 8 under a cap of 5: the value is 3.5, and both tokens keep a gradient, 2/2 and 5/2."""
    loss, gradient = one_row([2.0, 8.0], sign, "cispo")
    assert loss == pytest.approx(-sign * 3.5, rel=1e-14)
    assert gradient == pytest.approx([-sign * 1.0, -sign * 2.5], rel=1e-14)


def test_sapo_by_hand():
    """sigmoid(ln 3) = 3/4: at r = 1 + ln 3 the gate is 4·(3/4) = 3 and its slope 4·(3/4)(1/4) = 3/4, times r."""
    r = 1 + math.log(3)
    loss, gradient = one_row([1.0, r], 1.0, "sapo")
    assert loss == pytest.approx(-(2 + 3) / 2, rel=1e-14)
    assert gradient == pytest.approx([-1 / 2, -0.75 * r / 2], rel=1e-14)
    r = 1 + math.log(3) / 1.05
    loss, gradient = one_row([1.0, r], -1.0, "sapo")
    assert loss == pytest.approx((2 + 3) / 1.05 / 2, rel=1e-14)
    assert gradient == pytest.approx([1 / 2, 0.75 * r / 2], rel=1e-14)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("name", ["cispo", "sapo"])
def test_gradients_are_those_of_the_papers(name, seed):
    inputs = batch(seed, spread=2.0)
    _, gradient = loss_and_grad(inputs, pmpo.objective(name), EMPTY)
    new, _, advantages, mask = inputs
    n = mask.sum(1).tolist()
    for i, (row, a) in enumerate(zip(log_ratio_rows(inputs), advantages.tolist(), strict=True)):
        if not row:
            continue
        ratios = [math.exp(x) for x in row]
        if name == "cispo":
            expected, weight = oracle.cispo_gradient(ratios, a, 5.0), n[i] / sum(n)
        else:
            expected, weight = oracle.sapo_gradient(ratios, a, 1.0, 1.05), 1 / len(new)
        got = gradient[i][mask[i]].tolist()
        assert got == pytest.approx([-weight * g for g in expected], rel=1e-12, abs=1e-15)


@pytest.mark.parametrize("p", [-2.0, 0.0, 0.5, 1.0])
@pytest.mark.parametrize("name", ["cispo", "sapo"])
def test_at_ratio_one_every_exponent_has_grpos_gradient(name, p):
    new, _, advantages, mask = batch(1)
    inputs = (new, new.clone(), advantages, mask)
    _, gradient = loss_and_grad(inputs, pmpo.objective(name, exponent=p), EMPTY)
    weight = pmpo.OBJECTIVES[name].sequence_weight
    _, expected = loss_and_grad(inputs, pmpo.objective("grpo", sequence_weight=weight), EMPTY)
    assert torch.allclose(gradient, expected, atol=1e-14, rtol=1e-12)


@pytest.mark.parametrize("p", [-1.0, 0.0, 1.0, 2.0])
def test_two_sided_clip_equals_the_oracle_and_stops_the_gradient_whatever_the_sign(p):
    region = pmpo.TwoSidedClip(log_ratio_low=0.3, log_ratio_high=0.3)
    inputs = batch(2, spread=0.8)
    loss, gradient = loss_and_grad(inputs, pmpo.objective("holderpo", exponent=p, trust_region=region), EMPTY)
    rows = list(zip(log_ratio_rows(inputs), inputs[2].tolist(), strict=True))
    expected = -math.fsum(oracle.two_sided_surrogate(r, a, 0.3, p) for r, a in rows if r) / len(rows)
    assert loss.item() == pytest.approx(expected, abs=1e-13)
    outside = ((inputs[0] - inputs[1]).abs() > 0.3) & inputs[3]
    assert outside.any() and (gradient[outside] == 0).all() and (gradient != 0).any()


def test_what_counts_as_clipped():
    log_ratios = torch.tensor([[0.0, 2.0, -2.0]] * 3, dtype=F64)
    advantages = torch.tensor([1.0, -1.0, 0.0], dtype=F64)
    capped = pmpo.PassThroughClip().apply(log_ratios, advantages, EMPTY)
    assert capped.changed_BT.tolist() == [[False, True, False]] * 2 + [[False] * 3]
    assert capped.outside_BT.tolist() == [[False, True, False]] * 3
    gated = pmpo.SoftGate().apply(log_ratios, advantages, EMPTY)
    assert not gated.changed_BT.any() and not gated.outside_BT.any()
    both = pmpo.TwoSidedClip().apply(log_ratios, advantages, EMPTY)
    assert both.changed_BT.tolist() == [[False, True, True]] * 2 + [[False] * 3]
    assert both.log_ratios_BT.tolist() == [[0.0, 0.4, -0.4]] * 3


def test_the_clip_aware_exponent_works_with_the_cap_and_an_absolute_target_with_every_region():
    inputs = batch(3, spread=2.0)
    capped = pmpo.objective("cispo", exponent="clip_aware_ess")
    p = pmpo.policy_loss(*inputs, capped, EMPTY).diagnostics.exponent
    assert (p < 1).any()
    for region in (
        pmpo.objective("pmpo").trust_region,
        *(r() for r in (pmpo.SoftGate, pmpo.NoClip, pmpo.SequenceRatioClip)),
    ):
        objective = pmpo.objective("pmpo", trust_region=region, exponent=pmpo.ClipAwareESS(target=0.98))
        d = pmpo.policy_loss(*inputs, objective, EMPTY).diagnostics
        inside = d.active & (d.exponent < 1)
        assert inside.any() and (d.ess[inside] - 0.98).abs().max() < 1e-6


def high(region, mean, std):
    return math.expm1(region.bounds(pmpo.BatchContext(reward_mean=mean, reward_std=std))[1].item())


def test_feedback_adaptive_bound_by_hand():
    region = pmpo.FeedbackAdaptiveClip()
    assert high(region, 0.5, 0.25) == pytest.approx(0.2 + 0.2 * math.tanh(2.0), abs=1e-5)
    assert high(region, 1.0, 0.0) == pytest.approx(0.4, abs=1e-12)
    for mean, std in ((-0.5, 0.25), (-5.0, 0.0), (0.0, 0.0), (math.nan, 0.3), (math.nan, math.nan), (0.5, math.nan)):
        assert high(region, mean, std) == pytest.approx(0.2, abs=1e-12), (mean, std)
    wide = pmpo.FeedbackAdaptiveClip(ratio_high_min=0.1, ratio_high_max=0.5)
    assert high(wide, -0.9, 0.1) == pytest.approx(0.1, abs=1e-12)


numbers = st.one_of(st.floats(-1e6, 1e6), st.sampled_from([0.0, -1.0, math.nan, math.inf, -math.inf]))


@settings(max_examples=200, deadline=None)
@given(
    numbers, st.one_of(st.floats(0, 1e6), st.sampled_from([0.0, math.nan, math.inf])), st.floats(0, 1), st.floats(0, 1)
)
def test_the_feedback_adaptive_bound_never_leaves_its_range(mean, std, low, more):
    region = pmpo.FeedbackAdaptiveClip(ratio_high_min=low, ratio_high_max=low + more)
    _, up = region.bounds(pmpo.BatchContext(reward_mean=mean, reward_std=std))
    assert math.log1p(low) - 1e-15 <= up.item() <= math.log1p(low + more) + 1e-15
