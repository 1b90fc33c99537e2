"""Loss weights ρ as the measure over tokens: of M, nESS, f, p and the diagnostics."""

import math
from dataclasses import replace

import pytest
import torch

import oracle
import pmpo
from batches import ALL, FACTS, batch, log_ratio_rows, loss_and_grad, preset
from pmpo.objective.kl import kl_estimate

F64 = torch.float64
CONTEXT = pmpo.BatchContext(**FACTS)


def weights_of(mask, seed=0, dtype=F64):
    """ρ from 0 to 2, a third of them 0."""
    g = torch.Generator().manual_seed(seed)
    rho = 2 * torch.rand(mask.shape, generator=g, dtype=F64)
    return (rho * (torch.rand(mask.shape, generator=g) > 1 / 3)).to(dtype)


def test_ess_by_hand():
    """Ratios 1 and 3 with ρ 3 and 1: (3·1 + 1·3)² / (4·(3·1 + 1·9)) = 36/48."""
    c, mask = torch.tensor([[0.0, math.log(3)]], dtype=F64), torch.ones(1, 2, dtype=torch.bool)
    rho = torch.tensor([[3.0, 1.0]], dtype=F64)
    assert pmpo.normalized_ess(c, mask, 1.0, weights=rho).item() == pytest.approx(0.75, rel=1e-14)
    assert pmpo.normalized_ess(c, mask, 0.0, weights=rho).item() == 1.0


@pytest.mark.parametrize("p", [-1.0, 0.0, 0.4, 1.0])
def test_a_weight_of_three_is_a_token_that_stands_three_times(p):
    once = torch.tensor([[0.3, -0.5, 1.2]], dtype=F64)
    rho = torch.tensor([[1.0, 3.0, 2.0]], dtype=F64)
    again = torch.tensor([[0.3, -0.5, -0.5, -0.5, 1.2, 1.2]], dtype=F64)
    mask, mask_again = torch.ones_like(once, dtype=torch.bool), torch.ones_like(again, dtype=torch.bool)
    for function in (pmpo.power_mean, pmpo.normalized_ess, pmpo.solve_exponent):
        number = 0.9 if function is pmpo.solve_exponent else p
        expected = function(again, mask_again, number)
        assert torch.allclose(function(once, mask, number, weights=rho), expected, rtol=1e-13, atol=1e-13), function


@pytest.mark.parametrize("seed", range(5))
def test_ess_and_exponent_equal_the_oracle(seed):
    inputs = batch(seed, spread=1.0)
    mask = inputs[3]
    rho = weights_of(mask, seed)
    c = (inputs[0] - inputs[1]).clamp(-0.4, 0.4)
    got_ess = pmpo.normalized_ess(c, mask, 0.7, weights=rho)
    got_p = pmpo.solve_exponent(c, mask, 0.97, weights=rho)
    got_m = pmpo.power_mean(c, mask, 0.7, weights=rho)
    for i in range(len(mask)):
        row, w = c[i][mask[i]].tolist(), rho[i][mask[i]].tolist()
        if sum(w) == 0:
            assert (got_ess[i], got_p[i], got_m[i]) == (1.0, 1.0, 1.0)
            continue
        kept = [(x, y) for x, y in zip(row, w, strict=True) if y > 0]
        values, measure = [x for x, _ in kept], [y for _, y in kept]
        assert got_ess[i].item() == pytest.approx(oracle.ess(values, 0.7, measure), rel=1e-13)
        assert got_p[i].item() == pytest.approx(oracle.bisect_exponent(values, 0.97, measure), abs=1e-6)
        assert got_m[i].item() == pytest.approx(oracle.power_mean(values, 0.7, measure), rel=1e-13)


@pytest.mark.parametrize("seed", range(5))
def test_weighted_pmpo_equals_the_oracle(seed):
    inputs = batch(seed, spread=0.6)
    rho = weights_of(inputs[3], seed)
    rows, advantages = log_ratio_rows(inputs), inputs[2].tolist()
    weights = [r[m].tolist() for r, m in zip(rho, inputs[3], strict=True)]
    terms = [oracle.weighted_pmpo(*each) for each in zip(rows, advantages, weights, strict=True)]
    loss, _ = loss_and_grad(inputs, preset("pmpo"), CONTEXT, loss_weights=rho)
    assert loss.item() == pytest.approx(-math.fsum(terms) / len(rows), abs=1e-7)


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("region", [None, "log_ratio"])
def test_weights_of_zero_and_one_drop_tokens_from_every_statistic(name, region):
    """An entropy mask decides as if the other tokens were not there; only the share ρ̄ tells that they were."""
    new, old, advantages, mask = inputs = batch(11, spread=0.6)
    keep = mask & (torch.rand(mask.shape, generator=torch.Generator().manual_seed(1)) > 0.4)
    objective = preset(name) if region is None else preset(name, trust_region=region, exponent="clip_aware_ess")
    objective = replace(objective, sequence_weight="sequence", old_kl_coef=0.0)
    masked = pmpo.policy_loss(*inputs, objective, CONTEXT, loss_weights=keep.double()).diagnostics
    dropped = pmpo.policy_loss(new, old, advantages, keep, objective, CONTEXT).diagnostics
    for field in masked.__dataclass_fields__:
        assert torch.equal(getattr(masked, field), getattr(dropped, field)), field
    loss, gradient = loss_and_grad(inputs, objective, CONTEXT, loss_weights=keep.double())
    share = keep.sum(1) / mask.sum(1).clamp(min=1).double()
    scaled = (new, old, advantages * share, keep)
    expected, expected_gradient = loss_and_grad(scaled, objective, CONTEXT)
    assert loss.item() == pytest.approx(expected.item(), abs=1e-14)
    assert torch.allclose(gradient, expected_gradient, atol=1e-14)


def test_a_token_without_weight_no_longer_decides_the_exponent():
    """The exploding token of ten is masked out of the loss: p stays 1, where it fell to 0 before."""
    old = torch.zeros(1, 10, dtype=F64)
    new = old + 0.01
    new[0, 0] = 3.0
    rho = torch.ones(1, 10, dtype=F64)
    inputs = (new, old, -torch.ones(1, dtype=F64), torch.ones(1, 10, dtype=torch.bool))
    with_it = pmpo.policy_loss(*inputs, pmpo.objective("pmpo")).diagnostics
    rho[0, 0] = 0.0
    without = pmpo.policy_loss(*inputs, pmpo.objective("pmpo"), loss_weights=rho).diagnostics
    assert with_it.exponent.item() == pytest.approx(0.0, abs=1e-6) and without.exponent.item() == 1.0
    assert without.clip_fraction_two_sided.item() == 0.0 and without.ess.item() == 1.0
    assert without.max_abs_log_ratio.item() == pytest.approx(0.01) and without.kl.item() < 1e-4


@pytest.mark.parametrize("name", ALL)
def test_a_completion_whose_weights_are_all_zero_is_inactive(name):
    inputs = batch(0)
    rho = torch.ones_like(inputs[0])
    rho[2] = 0.0
    result = pmpo.policy_loss(*inputs, preset(name), CONTEXT, loss_weights=rho)
    assert not result.diagnostics.active[2] and result.diagnostics.exponent[2] == 1.0
    _, gradient = loss_and_grad(inputs, preset(name), CONTEXT, loss_weights=rho)
    assert (gradient[2] == 0).all() and (gradient != 0).any()
    assert all(getattr(result.diagnostics, f)[2].isfinite() for f in result.diagnostics.__dataclass_fields__)


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("poison", [math.nan, math.inf, -math.inf])
def test_anything_at_a_place_of_weight_zero_changes_no_bit(name, poison):
    new, old, advantages, mask = inputs = batch(4, dtype=torch.float32)
    rho = weights_of(mask, dtype=torch.float32)
    whole, gradient = loss_and_grad(inputs, preset(name), CONTEXT, loss_weights=rho)
    dirty = (torch.where(rho == 0, poison, new), torch.where(rho == 0, -poison, old), advantages, mask)
    loss, dirty_gradient = loss_and_grad(dirty, preset(name), CONTEXT, loss_weights=rho)
    assert torch.equal(loss, whole) and torch.equal(gradient, dirty_gradient)
    assert not pmpo.policy_loss(*dirty, preset(name), CONTEXT, loss_weights=rho).diagnostics.nonfinite.any()


@pytest.mark.parametrize("function", [pmpo.power_mean, pmpo.token_weights, pmpo.normalized_ess, pmpo.solve_exponent])
def test_functions_never_use_a_value_of_weight_zero(function):
    c, mask = torch.tensor([[0.1, -0.3, 0.9]], dtype=F64), torch.ones(1, 3, dtype=torch.bool)
    rho = torch.tensor([[1.0, 0.0, 2.0]], dtype=F64)
    dirty = torch.tensor([[0.1, math.nan, 0.9]], dtype=F64)
    assert torch.equal(function(c, mask, 0.9, weights=rho), function(dirty, mask, 0.9, weights=rho))


def test_a_nan_weight_or_a_nan_kl_is_named():
    inputs = batch(0)
    rho = torch.ones_like(inputs[0])
    rho[2, 0] = math.nan
    result = pmpo.policy_loss(*inputs, preset("pmpo"), loss_weights=rho)
    assert result.diagnostics.nonfinite.nonzero().flatten().tolist() == [2] and not result.loss.isfinite()
    ref = inputs[1].clone()
    ref[3, 0] = math.nan
    result = pmpo.policy_loss(*inputs, pmpo.objective("grpo", kl_coef=0.1), ref_log_probs=ref)
    assert result.diagnostics.nonfinite.nonzero().flatten().tolist() == [3] and not result.loss.isfinite()


@pytest.mark.parametrize("scale", [1e-30, 1e-3, 7.0, 1e30])
def test_only_the_proportions_of_the_weights_decide(scale):
    inputs = batch(5, dtype=torch.float32)
    rho = weights_of(inputs[3], dtype=torch.float32)
    plain = pmpo.policy_loss(*inputs, preset("pmpo"), loss_weights=rho).diagnostics
    scaled = pmpo.policy_loss(*inputs, preset("pmpo"), loss_weights=rho * scale).diagnostics
    for field in ("exponent", "ess", "power_mean", "clip_fraction", "kl"):
        assert torch.allclose(getattr(plain, field), getattr(scaled, field), atol=1e-4), field


@pytest.mark.parametrize("p", [-1.0, 0.0, 1e-8, 0.5, 1.0])
@pytest.mark.parametrize("region", ["ratio", "log_ratio", "sequence_ratio", "soft_gate"])
def test_gradcheck_with_weights(p, region):
    new, old, advantages, mask = batch(5, rows=4, width=5)
    objective, rho = pmpo.objective("grpo", exponent=p, trust_region=region), weights_of(mask)
    assert torch.autograd.gradcheck(
        lambda x: pmpo.policy_loss(x, old, advantages, mask, objective, loss_weights=rho).loss, new.requires_grad_()
    )


def test_gradcheck_with_weights_at_the_adaptive_exponent():
    """p is a constant for the gradient: the adaptive loss has the gradient of the loss at that p."""
    new, old, advantages, mask = inputs = batch(6, rows=6, width=8, spread=1.0)
    rho = weights_of(mask)
    adaptive = preset("pmpo", exponent=pmpo.ClipAwareESS(target=0.99))
    p = pmpo.policy_loss(*inputs, adaptive, loss_weights=rho).diagnostics.exponent
    assert ((p > 0) & (p < 1)).any()
    fixed = preset("pmpo", exponent=lambda facts: p)
    assert torch.autograd.gradcheck(
        lambda x: pmpo.policy_loss(x, old, advantages, mask, fixed, loss_weights=rho).loss, new.clone().requires_grad_()
    )
    _, gradient = loss_and_grad(inputs, adaptive, None, loss_weights=rho)
    _, expected = loss_and_grad(inputs, fixed, None, loss_weights=rho)
    assert torch.equal(gradient, expected)


def test_the_kl_to_the_old_policy_follows_the_measure_and_the_penalty_does_not():
    inputs = batch(7)
    new, old, _, mask = inputs
    rho, ref = weights_of(mask), old - 0.1
    d = pmpo.policy_loss(
        *inputs, pmpo.objective("grpo", kl_coef=0.1), loss_weights=rho, ref_log_probs=ref
    ).diagnostics  # fmt: skip
    x = new - old
    k3 = (torch.expm1(x) - x) * rho * mask
    total = (rho * mask).sum(1)
    assert torch.allclose(d.kl, torch.where(total > 0, k3.sum(1) / total.clamp(min=1e-30), 0.0), atol=1e-14)
    assert torch.equal(d.kl_ref, kl_estimate(ref - new, mask))
