"""policy_loss: gradcheck, invariances, weights, KL, extremes, degenerate input, diagnostics, errors."""

import math
from dataclasses import replace

import pytest
import torch

import pmpo
from batches import ALL, FACTS, SUMS, batch, loss_and_grad, preset, smooth

CONTEXT = pmpo.BatchContext(**FACTS)


def counts(mask):
    return pmpo.BatchContext(**FACTS, num_sequences=len(mask), num_tokens=mask.sum())


@pytest.mark.parametrize("p", [-2.0, -1.0, 0.0, 1e-8, 0.3, 1.0, 2.0])
@pytest.mark.parametrize("region", ["ratio", "log_ratio", "two_sided_log_ratio", "sequence_ratio", "soft_gate", "none"])
def test_gradcheck(p, region):
    new, old, advantages, mask = batch(5, rows=4, width=5)
    objective = pmpo.objective("grpo", exponent=p, trust_region=region)
    assert torch.autograd.gradcheck(
        lambda x: pmpo.policy_loss(x, old, advantages, mask, objective).loss, new.requires_grad_()
    )


@pytest.mark.parametrize("name", ALL)
def test_gradcheck_of_the_reference_kl(name):
    new, old, advantages, mask = batch(6, rows=4, width=5)
    # p is a constant for the gradient, so numerical differences need it fixed
    objective = pmpo.objective(smooth(name, exponent=0.5), kl_coef=0.3, kl_bias_correction=True)
    assert torch.autograd.gradcheck(
        lambda x: pmpo.policy_loss(x, old, advantages, mask, objective, CONTEXT, ref_log_probs=old - 0.1).loss,
        new.requires_grad_(),
    )


@pytest.mark.parametrize("pieces", [1, 2, 4, 8])
@pytest.mark.parametrize("name", ALL)
def test_splitting_into_micro_batches_changes_nothing(name, pieces):
    inputs = batch(1)
    whole, gradient = loss_and_grad(inputs, preset(name), CONTEXT)
    size = len(inputs[3]) // pieces
    cut = [tuple(x[k : k + size] for x in inputs) for k in range(0, len(inputs[3]), size)]
    sums = sum(pmpo.ratio_sums(new, old, mask, preset(name)) for new, old, _, mask in cut)
    context = replace(counts(inputs[3]), ratio_sums=sums)
    parts = [loss_and_grad(part, preset(name), context) for part in cut]
    assert sum(p[0] for p in parts).item() == pytest.approx(whole.item(), abs=1e-10)
    assert torch.allclose(torch.cat([p[1] for p in parts]), gradient, atol=1e-10, rtol=0)


@pytest.mark.parametrize("name", ALL)
def test_padding_changes_nothing(name):
    new, old, advantages, mask = inputs = batch(2)
    whole, gradient = loss_and_grad(inputs, preset(name), CONTEXT)
    junk = torch.full((len(mask), 5), math.nan, dtype=new.dtype)
    wide = (
        torch.cat([new, junk], 1),
        torch.cat([old, junk], 1),
        advantages,
        torch.cat([mask, torch.zeros(len(mask), 5, dtype=torch.bool)], 1),
    )
    loss, wide_gradient = loss_and_grad(wide, preset(name), CONTEXT)
    assert loss.item() == pytest.approx(whole.item(), abs=1e-10)
    assert torch.allclose(wide_gradient[:, : mask.shape[1]], gradient, atol=1e-10, rtol=0)
    assert (wide_gradient[:, mask.shape[1] :] == 0).all()


@pytest.mark.parametrize("name", ALL)
def test_permuting_completions_and_tokens_changes_nothing(name):
    new, old, advantages, mask = inputs = batch(3)
    whole, gradient = loss_and_grad(inputs, preset(name), CONTEXT)
    rows, columns = torch.randperm(len(mask)), torch.randperm(mask.shape[1])
    shuffled = (new[rows][:, columns], old[rows][:, columns], advantages[rows], mask[rows][:, columns])
    loss, moved = loss_and_grad(shuffled, preset(name), CONTEXT)
    assert loss.item() == pytest.approx(whole.item(), abs=1e-10)
    assert torch.allclose(moved, gradient[rows][:, columns], atol=1e-10, rtol=0)


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("sign", [1.0, -1.0])
@pytest.mark.parametrize("extreme", [50.0, -50.0, 80.0, -80.0, 100.0, -1000.0, 1000.0])
def test_extreme_log_ratios_stay_finite_in_float32(name, sign, extreme):
    new = torch.tensor([[-0.1 + extreme, -0.2, -0.3]])
    old = torch.tensor([[-0.1, -0.25, -0.2]])
    inputs = (new, old, torch.tensor([sign]), torch.ones(1, 3, dtype=torch.bool))
    loss, gradient = loss_and_grad(inputs, preset(name), CONTEXT)
    assert loss.isfinite() and gradient.isfinite().all()


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("poison", [math.nan, math.inf, -math.inf, 1000.0])
def test_masked_places_change_nothing_bitwise(name, poison):
    new, old, advantages, mask = inputs = batch(4, dtype=torch.float32)
    whole, gradient = loss_and_grad(inputs, preset(name), CONTEXT)
    dirty = (torch.where(mask, new, poison), torch.where(mask, old, -poison), advantages, mask)
    loss, dirty_gradient = loss_and_grad(dirty, preset(name), CONTEXT)
    assert torch.equal(loss, whole) and torch.equal(gradient, dirty_gradient)


@pytest.mark.parametrize("name", ALL)
def test_bfloat16_inputs_are_computed_in_float32(name):
    new, old, advantages, mask = batch(4, dtype=torch.bfloat16)
    loss, gradient = loss_and_grad((new, old, advantages, mask), preset(name), CONTEXT)
    wide, _ = loss_and_grad((new.float(), old.float(), advantages.float(), mask), preset(name), CONTEXT)
    assert loss.dtype == torch.float32 and torch.equal(loss, wide) and gradient.dtype == torch.bfloat16


def test_float32_error_budget_against_float64():
    """Relative to the largest gradient: 1e-5 for every preset at ordinary spreads."""
    for name in ALL:
        _, truth = loss_and_grad(batch(7), preset(name), CONTEXT)
        _, single = loss_and_grad(batch(7, dtype=torch.float32), preset(name), CONTEXT)
        assert (single - truth).abs().max() <= 1e-5 * truth.abs().max(), name


@pytest.mark.parametrize("name", ALL)
def test_empty_and_zero_advantage_batches_give_zero(name):
    new, old, advantages, mask = batch(0)
    for inputs in ((new, old, advantages, torch.zeros_like(mask)), (new, old, torch.zeros_like(advantages), mask)):
        objective = preset(name, old_kl_coef=0.0)  # a penalty holds completions without an advantage, too
        loss, gradient = loss_and_grad(inputs, objective, CONTEXT)
        assert loss.item() == 0.0 and (gradient == 0).all()


def test_nan_in_a_counted_place_is_named_and_not_hidden():
    new, old, advantages, mask = batch(0)
    new[2, 0] = math.nan
    result = pmpo.policy_loss(new, old, advantages, mask, pmpo.objective("pmpo"))
    assert result.diagnostics.nonfinite.nonzero().flatten().tolist() == [2]
    assert not result.loss.isfinite()


@pytest.mark.parametrize("name", ALL)
def test_no_value_is_read_back_to_the_host(name):
    """Fake tensors have no values: .item(), bool() or a branch on data would raise."""
    from torch._subclasses.fake_tensor import FakeTensorMode

    with FakeTensorMode():
        new, old = torch.empty(4, 6, requires_grad=True), torch.empty(4, 6)
        facts = pmpo.BatchContext(*(torch.empty(()) for _ in range(5)), ratio_sums=torch.empty(3), step=torch.empty(()))
        mask = torch.empty(4, 6, dtype=torch.bool)
        result = pmpo.policy_loss(new, old, torch.empty(4), mask, preset(name), facts)
        result.loss.backward()
        with pytest.raises(Exception, match="_local_scalar_dense"):
            result.loss.item()


def test_loss_weights_multiply_each_token_at_p1():
    new, old, advantages, mask = inputs = batch(8)
    rho = torch.rand(mask.shape, dtype=torch.float64)
    loss, gradient = loss_and_grad(inputs, pmpo.objective("grpo"), None, loss_weights=rho)
    x = new.clone().requires_grad_()
    ratio = (x - old).exp()
    a = advantages[:, None]
    terms = torch.min(ratio * a, ratio.clamp(0.8, 1.2) * a) * rho
    expected = -((terms * mask).sum(1) / mask.sum(1).clamp(min=1)).mean()
    expected.backward()
    assert loss.item() == pytest.approx(expected.item(), abs=1e-12)
    assert torch.allclose(gradient, x.grad, atol=1e-12)


@pytest.mark.parametrize("name", ALL)
def test_a_weight_per_completion_scales_its_advantage(name):
    new, old, advantages, mask = inputs = batch(9)
    rho = torch.rand(len(mask), 1, dtype=torch.float64) + 0.1
    objective, context = preset(name, old_kl_coef=0.0), replace(CONTEXT, ratio_sums=SUMS)
    loss, gradient = loss_and_grad(inputs, objective, context, loss_weights=rho)
    scaled = (new, old, advantages * rho[:, 0], mask)
    expected, expected_gradient = loss_and_grad(scaled, objective, context)
    assert loss.item() == pytest.approx(expected.item(), abs=1e-12)
    assert torch.allclose(gradient, expected_gradient, atol=1e-12)


def test_tokens_of_weight_zero_get_no_gradient():
    inputs = batch(9)
    keep = torch.rand(inputs[3].shape, generator=torch.Generator().manual_seed(0)) > 0.5
    for name in ALL:
        _, gradient = loss_and_grad(inputs, preset(name), CONTEXT, loss_weights=keep.double())
        assert (gradient[~keep] == 0).all() and (gradient != 0).any()


def test_reference_kl_is_added_with_the_sequence_weights():
    new, old, _, mask = inputs = batch(10)
    ref = old - 0.3 * torch.rand_like(old)
    objective = pmpo.objective("dapo", kl_coef=0.5)
    loss, _ = loss_and_grad(inputs, objective, None, ref_log_probs=ref)
    plain, _ = loss_and_grad(inputs, pmpo.objective("dapo"), None)
    x = ref - new
    expected = ((x.exp() - x - 1) * mask).sum() / mask.sum()
    assert (loss - plain).item() == pytest.approx(0.5 * expected.item(), abs=1e-12)


def test_reference_kl_is_finite_for_a_thousand_nats():
    new, mask = torch.zeros(2, 3, requires_grad=True), torch.ones(2, 3)
    ref = torch.tensor([[1000.0, -1000.0, 0.0]] * 2)
    result = pmpo.policy_loss(new, torch.zeros(2, 3), torch.ones(2), mask, preset("grpo"), ref_log_probs=ref)
    (result.loss + result.diagnostics.kl_ref.sum()).backward()
    assert result.diagnostics.kl_ref.isfinite().all() and new.grad.isfinite().all()


def test_diagnostics_of_a_hand_made_batch():
    old = torch.zeros(3, 4)
    new = torch.tensor([[0.5, 0.0, 0.0, 9.0], [2.0, 0.0, 0.0, 0.0], [0.1, 0.1, 0.1, 0.1]])
    mask = torch.tensor([[1, 1, 1, 0], [1, 1, 1, 1], [1, 1, 1, 1]], dtype=torch.bool)
    advantages = torch.tensor([1.0, -1.0, 0.0])
    d = pmpo.policy_loss(new, old, advantages, mask, pmpo.objective("gmpo")).diagnostics
    assert d.clip_fraction.tolist() == pytest.approx([1 / 3, 0.0, 0.0])
    assert d.clip_fraction_two_sided.tolist() == pytest.approx([1 / 3, 0.25, 0.0])
    assert d.max_abs_log_ratio.tolist() == pytest.approx([0.5, 2.0, 0.1])
    assert d.max_log_ratio.tolist() == pytest.approx([0.5, 2.0, 0.1])
    assert d.min_log_ratio.tolist() == pytest.approx([0.0, 0.0, 0.1])
    assert d.power_mean.tolist() == pytest.approx([math.exp(0.4 / 3), math.exp(0.5), math.exp(0.1)])
    assert d.active.tolist() == [True, True, False]
    assert d.kl[1].item() == pytest.approx((math.exp(2) - 3) / 4)
    assert all(not getattr(d, f).requires_grad for f in d.__dataclass_fields__)


def test_missing_facts_are_asked_for_by_name():
    new, old, advantages, mask = batch(0)
    for name, fact in (("apmpo", "reward_mean"), ("holderpo", "progress")):
        with pytest.raises(ValueError, match=f"needs `{fact}`"):
            pmpo.policy_loss(new, old, advantages, mask, preset(name))
    with pytest.raises(ValueError, match="max_completion_length=3000"):
        pmpo.policy_loss(new, old, advantages, mask, pmpo.objective("dr_grpo"))
    with pytest.raises(ValueError, match="needs `ref_log_probs`"):
        pmpo.policy_loss(new, old, advantages, mask, pmpo.objective("apmpo"), CONTEXT)
    with pytest.raises(ValueError, match="`advantages` must be a number or a tensor of shape"):
        pmpo.policy_loss(new, old, advantages[:3], mask, pmpo.objective("grpo"))
    with pytest.raises(ValueError, match="`loss_weights` must be"):
        pmpo.policy_loss(new, old, advantages, mask, pmpo.objective("grpo"), loss_weights=torch.ones(3))
