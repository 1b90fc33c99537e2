"""The identities of docs/equations.md, in float64 to 1e-12, on random and extreme batches."""

import math

import pytest
import torch

import oracle
import pmpo
from batches import ALL, FACTS, batch, log_ratio_rows, loss_and_grad, preset

TOLERANCE = 1e-12
CONTEXT = pmpo.BatchContext(**FACTS)


def agree(inputs, objective, expected):
    loss, _ = loss_and_grad(inputs, objective, CONTEXT)
    assert loss.item() == pytest.approx(expected, abs=TOLERANCE, rel=TOLERANCE)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("name", ALL)
def test_every_preset_equals_the_oracle(name, seed):
    inputs = batch(seed)
    expected = oracle.loss(name, log_ratio_rows(inputs), inputs[2].tolist(), 20, **FACTS)
    # pmpo's p comes from a solver whose budget is 1e-6; M is flat around it
    slack = 1e-6 if name == "pmpo" else TOLERANCE
    loss, _ = loss_and_grad(inputs, preset(name), CONTEXT)
    assert loss.item() == pytest.approx(expected, abs=slack)


@pytest.mark.parametrize("seed", range(5))
def test_m1_with_the_ratio_clip_is_grpos_clipped_surrogate(seed):
    inputs = batch(seed, spread=1.0)
    rows, advantages = log_ratio_rows(inputs), inputs[2].tolist()
    expected = -sum(
        oracle.grpo_surrogate([math.exp(x) for x in r], a, 0.2, 0.2) if r else 0.0
        for r, a in zip(rows, advantages, strict=True)
    ) / len(rows)
    agree(inputs, pmpo.objective("pmpo", trust_region=pmpo.RatioClip(), exponent=1), expected)


@pytest.mark.parametrize("seed", range(5))
def test_m0_with_the_log_clip_is_gmpo_and_with_the_sequence_clip_gspo(seed):
    inputs = batch(seed, spread=1.0)
    rows, advantages = log_ratio_rows(inputs), inputs[2].tolist()
    pairs = [(r, a) for r, a in zip(rows, advantages, strict=True) if r]
    gmpo = -sum(oracle.gmpo_surrogate(r, a, 0.4, 0.4) for r, a in pairs) / len(rows)
    gspo = -sum(oracle.gspo_surrogate(r, a, 3e-4, 4e-4) for r, a in pairs) / len(rows)
    agree(inputs, pmpo.objective("pmpo", exponent=0), gmpo)
    region = pmpo.SequenceRatioClip(ratio_low=3e-4, ratio_high=4e-4)
    agree(inputs, pmpo.objective("grpo", trust_region=region, exponent=0), gspo)


@pytest.mark.parametrize("seed", range(5))
def test_apmpos_text_equals_a_times_m_of_the_clipped_log_ratios(seed):
    inputs = batch(seed, spread=1.0)
    rows, advantages = log_ratio_rows(inputs), inputs[2].tolist()
    expected = -sum(
        oracle.apmpo_surrogate(r, a, 0.2, 0.3, 0.6) for r, a in zip(rows, advantages, strict=True) if r and a
    ) / len(rows)
    agree(inputs, pmpo.objective("grpo", trust_region=pmpo.RatioClip(ratio_high=0.3), exponent=0.6), expected)


def test_pmpo_without_clipping_is_p1_and_saturated_is_p0():
    quiet, loud = batch(0, spread=0.05), batch(0, spread=3.0)
    region = pmpo.LogRatioClip()
    for inputs, p in ((quiet, 1.0), (loud, 0.0)):
        adaptive, gradient = loss_and_grad(inputs, pmpo.objective("pmpo"), CONTEXT)
        fixed, expected = loss_and_grad(inputs, pmpo.objective("pmpo", exponent=p, trust_region=region), CONTEXT)
        assert adaptive.item() == pytest.approx(fixed.item(), abs=TOLERANCE)
        assert torch.allclose(gradient, expected, atol=TOLERANCE, rtol=0)


@pytest.mark.parametrize("p", [-2.0, 0.0, 1.0, 2.0])
def test_equal_ratios_give_every_exponent_the_same_gradient(p):
    new, _, advantages, mask = batch(0)
    inputs = (new, new.clone(), advantages, mask)
    _, gradient = loss_and_grad(inputs, pmpo.objective("gmpo", exponent=p), CONTEXT)
    _, expected = loss_and_grad(inputs, pmpo.objective("grpo"), CONTEXT)
    assert torch.allclose(gradient, expected, atol=TOLERANCE, rtol=0)


def test_the_gradient_is_a_times_m_times_w_on_tokens_that_are_not_clipped():
    inputs = batch(3, spread=0.5)
    new, old, advantages, mask = inputs
    objective = pmpo.objective("gmpo", exponent=0.7)
    _, gradient = loss_and_grad(inputs, objective, CONTEXT)
    lengths = mask.sum(1)
    for i in range(len(mask)):
        log_ratios = (new - old)[i][mask[i]].tolist()
        a = advantages[i].item()
        expected = torch.zeros(mask.shape[1], dtype=torch.float64)
        if a and log_ratios:
            c = [oracle.clip(x, a, 0.4, 0.4) for x in log_ratios]
            m, w = oracle.power_mean(c, 0.7), oracle.token_weights(c, 0.7)
            for t, (x, y) in enumerate(zip(log_ratios, c, strict=True)):
                expected[t] = -a * m * w[t] * (x == y) / len(mask)
        assert torch.allclose(gradient[i], expected, atol=TOLERANCE), (i, lengths[i])
