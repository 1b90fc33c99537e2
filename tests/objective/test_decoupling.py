"""Samples of another policy than that of the start of the round: the correction, and the centre of the ratio."""

import math

import pytest
import torch

import oracle
import pmpo
from batches import ALL, FACTS, batch, loss_and_grad, preset

CONTEXT = pmpo.BatchContext(**FACTS)


def sampled(old, spread=0.5):
    noise = torch.randn(old.shape, generator=torch.Generator().manual_seed(9), dtype=torch.float64)
    return old + spread * noise.to(old.dtype)


def test_by_hand():
    """π/π_start is (1.1, .9) and π_start/π_sampler (4, .5): ρ truncated at 2 is (2, .5), r at the sampler (4.4, .45)."""
    old = torch.tensor([[0.4, 0.5]], dtype=torch.float64).log()
    sampler = torch.tensor([[0.1, 1.0]], dtype=torch.float64).log()
    rest = (old, torch.ones(1, dtype=torch.float64), torch.ones(1, 2))
    new = (old.exp() * torch.tensor([[1.1, 0.9]], dtype=torch.float64)).log()

    def loss(**changes):
        objective = pmpo.objective("grpo", trust_region="none", **changes)
        return pmpo.policy_loss(new, *rest, objective, sampler_log_probs=sampler).loss.item()

    assert loss(correction="truncate:ratio_max=2") == pytest.approx(-(2 * 1.1 + 0.5 * 0.9) / 2, rel=1e-12)
    assert loss(correction="mask:ratio_max=2") == pytest.approx(-0.5 * 0.9 / 2, rel=1e-12)
    assert loss(correction="truncate:level=sequence,ratio_max=1.5") == pytest.approx(-1.5 * 1.0, rel=1e-12)
    assert loss(old_policy="sampler") == pytest.approx(-(4.4 + 0.45) / 2, rel=1e-12)


@pytest.mark.parametrize("level", ["token", "sequence"])
@pytest.mark.parametrize("kind", ["truncate", "mask"])
def test_the_corrected_grpo_equals_the_oracle(kind, level):
    new, old, advantages, mask = inputs = batch(3)
    sampler = sampled(old)
    sampler[2, 0] = math.nan  # reported nothing: ratio 1
    objective = preset("grpo", correction={"kind": kind, "level": level, "ratio_max": 1.5, "ratio_min": 0.6})
    loss, _ = loss_and_grad(inputs, objective, CONTEXT, sampler_log_probs=sampler)
    expected = 0.0
    for i, m in enumerate(mask):
        if not m.any():
            continue
        rho = oracle.rollout_weight(old[i][m].tolist(), sampler[i][m].tolist(), f"{level}_{kind}", 0.6, 1.5)
        ratios = (new - old)[i][m].exp().tolist()
        weights = [rho] * len(ratios) if level == "sequence" else rho
        terms = [
            w * oracle.grpo_surrogate([r], advantages[i].item(), 0.2, 0.2) for w, r in zip(weights, ratios, strict=True)
        ]
        expected -= math.fsum(terms) / len(terms) / len(mask)
    assert loss.item() == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("name", ALL)
def test_a_correction_is_the_loss_weights_of_rollout_weights(name):
    inputs = _, old, _, mask = batch(4)
    sampler, mine = sampled(old), torch.rand(mask.shape, dtype=torch.float64)
    rho = pmpo.rollout_weights(old, sampler, mask, mode="token_truncate", ratio_max=2.0)
    plain = preset(name, old_policy="start")
    corrected = preset(name, old_policy="start", correction=pmpo.TruncatedCorrection())
    for given, weights in ((None, rho), (mine, rho * mine)):
        loss, gradient = loss_and_grad(inputs, corrected, CONTEXT, loss_weights=given, sampler_log_probs=sampler)
        expected, expected_gradient = loss_and_grad(inputs, plain, CONTEXT, loss_weights=weights)
        assert torch.equal(loss, expected) and torch.equal(gradient, expected_gradient)


@pytest.mark.parametrize("name", ALL)
def test_the_centre_at_the_sampler_is_the_sampler_as_the_old_policy(name):
    new, old, advantages, mask = inputs = batch(5)
    sampler = sampled(old)
    there = preset(name, old_policy="sampler", correction=None)
    loss, gradient = loss_and_grad(inputs, there, CONTEXT, sampler_log_probs=sampler)
    expected, expected_gradient = loss_and_grad((new, sampler, advantages, mask), there, CONTEXT)
    assert torch.equal(loss, expected) and torch.equal(gradient, expected_gradient)
    nothing = torch.full_like(old, math.nan)
    loss, gradient = loss_and_grad(inputs, there, CONTEXT, sampler_log_probs=nothing)
    expected, expected_gradient = loss_and_grad(inputs, there, CONTEXT)
    assert torch.equal(loss, expected) and torch.equal(gradient, expected_gradient)


@pytest.mark.parametrize("changes", [{"correction": "truncate"}, {"correction": "mask"}, {"old_policy": "sampler"}])
@pytest.mark.parametrize("name", ["grpo", "pmpo", "gspo"])
def test_without_the_sampler_and_with_the_start_as_the_sampler_nothing_changes(name, changes):
    inputs = batch(6)
    plain = loss_and_grad(inputs, preset(name), CONTEXT)
    objective = preset(name, **changes)
    for sampler in (None, inputs[1], torch.full_like(inputs[1], math.nan)):
        for got, expected in zip(
            loss_and_grad(inputs, objective, CONTEXT, sampler_log_probs=sampler), plain, strict=True
        ):
            assert torch.equal(got, expected)


@pytest.mark.parametrize("changes", [{"correction": "truncate"}, {"old_policy": "sampler"}])
@pytest.mark.parametrize("poison", [math.nan, math.inf, -math.inf])
def test_masked_places_of_the_sampler_change_no_bit(changes, poison):
    inputs = _, old, _, mask = batch(7, dtype=torch.float32)
    sampler, objective = sampled(old), preset("pmpo", **changes)
    clean = loss_and_grad(inputs, objective, CONTEXT, sampler_log_probs=sampler)
    dirty = loss_and_grad(inputs, objective, CONTEXT, sampler_log_probs=torch.where(mask, sampler, poison))
    assert all(torch.equal(one, other) for one, other in zip(clean, dirty, strict=True))


@pytest.mark.parametrize("changes", [{"correction": "truncate"}, {"correction": "mask"}, {"old_policy": "sampler"}])
def test_gradcheck(changes):
    new, old, advantages, mask = batch(8, rows=4, width=5)
    objective, sampler = preset("gmpo", exponent=0.5, **changes), sampled(old)

    def loss(x):
        return pmpo.policy_loss(x, old, advantages, mask, objective, sampler_log_probs=sampler).loss

    assert torch.autograd.gradcheck(loss, new.requires_grad_())


def test_what_would_be_ignored_or_counted_twice_is_refused():
    new, old, advantages, mask = batch(0)
    with pytest.raises(ValueError, match=r"would ignore it: write .*correction='truncate'.*old_policy='sampler'"):
        pmpo.policy_loss(new, old, advantages, mask, preset("grpo"), sampler_log_probs=old)
    with pytest.raises(ValueError, match=r"one shape \[B, T\]"):
        pmpo.policy_loss(new, old, advantages, mask, preset("grpo", old_policy="sampler"), sampler_log_probs=old[:2])
    with pytest.raises(ValueError, match="`loss_weights` must be"):
        weights = torch.ones(mask.shape[1])
        objective = preset("grpo", correction="mask")
        pmpo.policy_loss(new, old, advantages, mask, objective, sampler_log_probs=old, loss_weights=weights)
    with pytest.raises(ValueError, match="count the sampler twice: write old_policy: start"):
        pmpo.objective("grpo", correction="truncate", old_policy="sampler")
    for changes, message in (
        ({"correction": 2.0}, "must be a Correction"),
        ({"correction": "truncat"}, "did you mean 'truncate'"),
        ({"correction": "truncate:ratio_max=0.5,ratio_min=1"}, "room between its bounds"),
        ({"correction": "mask:level=word"}, "'word'"),
        ({"old_policy": "now"}, "'now'"),
    ):
        with pytest.raises(ValueError, match=message):
            pmpo.objective("grpo", **changes)


def test_an_objective_says_whether_it_looks_at_the_sampler():
    assert [
        pmpo.objective("grpo", **c).uses_sampler for c in ({}, {"correction": "mask"}, {"old_policy": "sampler"})
    ] == [
        False,
        True,
        True,
    ]
    assert pmpo.objective("grpo:correction=none") == pmpo.objective("grpo")
    assert "correction TruncatedCorrection" in pmpo.objective("grpo", correction="truncate").describe()
    assert "at the sampler" in pmpo.objective("grpo", old_policy="sampler").describe()
