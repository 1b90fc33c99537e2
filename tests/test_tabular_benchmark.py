"""The tabular policy of benchmarks/: runs side by side are runs alone, and its rules are what they say."""

import math
import sys
from pathlib import Path

import pytest
import torch

import pmpo

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "benchmarks"))

from tabular_policy import Problem, Regime, expected_reward, train
from tabular_rules import Governor

SMALL = Problem(positions=4, vocabulary=3, rounds=6, completions=16, minibatches=2)


@pytest.mark.parametrize("regime", [Regime(), Regime(staleness=2, noise=0.5, epochs=2)])
def test_rates_side_by_side_are_rates_alone(regime):
    objective = pmpo.objective("gmpo", correction="truncate")
    both = train(SMALL, regime, objective, (0.1, 0.4), seeds=2)
    alone = train(SMALL, regime, objective, (0.4,), seeds=2)
    torch.testing.assert_close(both[:, 1:], alone)
    assert both.shape == (2, 2, SMALL.rounds + 1)


def test_it_learns_and_old_samples_cost_something_without_a_correction():
    longer = Problem(positions=4, vocabulary=3, rounds=30, completions=16, minibatches=2)
    fresh = train(longer, Regime(), pmpo.objective("gmpo"), (0.2,), seeds=3)
    old = train(longer, Regime(staleness=8), pmpo.objective("gmpo", old_policy="sampler"), (0.2,), seeds=3)
    assert fresh[..., -1].mean() > 0.8 > fresh[..., 0].mean() + 0.3
    assert old.mean() < fresh.mean()


def test_rewards():
    right = torch.tensor([1.0, 1.0, 0.5, 1.0])
    assert expected_reward(right, Problem()) == pytest.approx(3.5 / 4)
    assert expected_reward(right, Problem(reward="blocks", block=2)) == pytest.approx(1.5 / 2)
    assert expected_reward(right, Problem(reward="prefix")) == pytest.approx((1 + 1 + 0.5 + 0.5) / 4)


def exponents(rule):
    log_ratios = torch.tensor([[0.1, -0.3, 0.0], [0.1, -0.3, 0.0], [0.0, 0.0, 0.0]], dtype=torch.float64)
    old = torch.full_like(log_ratios, -1.0)
    advantages = torch.tensor([1.0, -1.0, 1.0])
    objective = pmpo.objective("gmpo", exponent=rule)
    result = pmpo.policy_loss(old + log_ratios, old, advantages, torch.ones_like(old), objective)
    return result.diagnostics.exponent.tolist()


def test_exponents_by_hand():
    """The mean distance of a nat is (0.01 + 0.09)/(0.1 + 0.3) = 0.25, whatever stays at 0."""
    assert exponents(Governor(tilt=1.0, rest=0.5, slope=4.0)) == pytest.approx([0.5, 1.5, 1.5])
    assert exponents(Governor(tilt=1.0, slope=40.0, brake=2.0)) == pytest.approx([-1.0, 3.0, 1.0])


def pull(place, rule, tokens):
    """Gradient of −loss at one token's log ratio in a completion that is rewarded three times as much as punished."""
    old = torch.zeros(2, tokens, dtype=torch.float64)
    moved = torch.tensor(place, dtype=torch.float64, requires_grad=True)
    first = torch.zeros(tokens, dtype=torch.float64).index_fill(0, torch.tensor([0]), 1.0)
    objective = pmpo.objective("grpo", trust_region="none", exponent=rule)
    advantages = torch.tensor([3.0, -1.0], dtype=torch.float64)
    loss = pmpo.policy_loss((moved * first).expand(2, tokens), old, advantages, torch.ones_like(old), objective).loss
    return -torch.autograd.grad(loss, moved)[0].item()


@pytest.mark.parametrize("tilt", [0.0, 0.5, 1.0])
def test_a_token_comes_to_rest_where_its_credit_balances(tilt):
    """log 3 over p₋ − p₊ = 2, among many tokens that did not move; without a brake, or alone, it goes on."""
    rest = math.log(3.0) / 2
    assert (
        pull(rest - 0.02, pmpo.SignedExponent(1.0, tilt), 4000)
        > 0
        > pull(rest + 0.02, pmpo.SignedExponent(1.0, tilt), 4000)
    )
    assert pull(rest + 0.5, pmpo.SignedExponent(0.0, tilt), 4000) > 0
    assert pull(rest + 0.5, pmpo.SignedExponent(1.0, tilt), 1) > 0
