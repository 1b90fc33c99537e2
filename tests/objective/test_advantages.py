"""Advantages by hand, and exactly 0 for a group whose rewards are equal up to the rounding of their sum."""

import math

import pytest
import torch

import pmpo
from pmpo.objective.advantages import ADVANTAGES, EQUAL_ULPS

DTYPES = (torch.float32, torch.float64, torch.bfloat16)


def test_advantages_by_hand():
    rewards = torch.tensor([1.0, 0.0, 0.0, 0.0])
    std = 0.5
    assert pmpo.group_advantages(rewards, 4).tolist() == pytest.approx(
        [0.75 / (std + 1e-4)] + [-0.25 / (std + 1e-4)] * 3
    )
    assert pmpo.group_advantages(rewards, 4, "dr_grpo").tolist() == [0.75, -0.25, -0.25, -0.25]
    assert pmpo.group_advantages(rewards, 4, "rloo").tolist() == pytest.approx([1.0, -1 / 3, -1 / 3, -1 / 3])
    batch_std = torch.tensor([1.0, 0.0, 0.0, 0.0]).std().item()
    assert pmpo.group_advantages(rewards, 2, "batch").tolist() == pytest.approx(
        [0.5 / (batch_std + 1e-4), -0.5 / (batch_std + 1e-4), 0.0, 0.0]
    )


@pytest.mark.parametrize("kind", ADVANTAGES)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("reward", [0.1, 0.2, 0.7, 0.9])
def test_equal_rewards_give_exactly_zero_for_every_group_size(reward, dtype, kind):
    for size in range(2, 65):
        # beside a group that differs, so that a standard deviation over the batch is not 0
        rewards = torch.cat([torch.full((size,), reward), torch.arange(size) % 2]).to(dtype)
        advantages = pmpo.group_advantages(rewards, size, kind)
        assert (advantages[:size] == 0).all() and (advantages[size:] != 0).any()
        assert pmpo.equal_groups(rewards, size).tolist() == [True, False]


@pytest.mark.parametrize("kind", ADVANTAGES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_rewards_that_differ_by_the_rounding_of_a_weighted_sum_give_zero(dtype, kind):
    """0.1 + 0.2 + 0.7 and 0.7 + 0.2 + 0.1 are one reward: eight functions, added in 64 different orders."""
    g = torch.Generator().manual_seed(0)
    terms = torch.rand(8, generator=g, dtype=dtype) * torch.rand(8, generator=g, dtype=dtype)
    rewards = torch.zeros(64, dtype=dtype)
    for row in torch.stack([torch.randperm(8, generator=g) for _ in range(64)]).T:
        rewards = rewards + terms[row]
    assert rewards.max() > rewards.min(), "the case must differ by rounding"
    for size in (2, 8, 64):
        assert (pmpo.group_advantages(rewards, size, kind) == 0).all()


def test_a_real_difference_of_two_parts_in_a_million_is_seen():
    rewards = torch.tensor([1.0, 1.0 + 2e-6])
    assert pmpo.equal_groups(rewards, 2).tolist() == [False]
    assert pmpo.group_advantages(rewards, 2, "dr_grpo")[1] > 0
    # 16-bit rewards are not sums in 16 bits: their last digit is a difference
    assert pmpo.equal_groups(torch.tensor([1.0, 1.0078125], dtype=torch.bfloat16), 2).tolist() == [False]
    # rewards of any scale: the comparison is relative
    assert pmpo.equal_groups(torch.tensor([1e-9, 2e-9, 1e9, 1e9 * (1 + 1e-7)]), 2).tolist() == [False, True]


def test_the_size_of_cancelling_terms_can_be_given():
    """0.1 + 0.2 − 0.3 is 3e-8 in one order and 0 in another."""
    terms = torch.tensor([[0.1, 0.2, -0.3], [-0.3, 0.2, 0.1]])
    rewards = (terms[:, 0] + terms[:, 1]) + terms[:, 2]
    assert rewards[0] != rewards[1]
    assert pmpo.equal_groups(rewards, 2).tolist() == [False]
    assert pmpo.equal_groups(rewards, 2, magnitudes=terms.abs().sum(1)).tolist() == [True]
    step = EQUAL_ULPS * torch.finfo(torch.float32).eps * 0.6
    assert pmpo.equal_groups(torch.tensor([0.0, 1.5 * step]), 2, magnitudes=torch.full((2,), 0.6)).tolist() == [False]


def test_groups_of_one_missing_and_infinite_rewards():
    nan, inf = math.nan, math.inf
    assert pmpo.equal_groups(torch.tensor([0.3, 0.9]), 1).tolist() == [True, True]
    assert pmpo.equal_groups(torch.tensor([nan, nan, 0.3, nan, 0.3, 0.4]), 2).tolist() == [True, True, False]
    assert pmpo.equal_groups(torch.tensor([inf, inf, inf, 0.3, inf, -inf, inf, nan]), 2).tolist() == [
        True, False, False, True,
    ]  # fmt: skip
    assert pmpo.equal_groups(torch.zeros(0), 4).tolist() == []


@pytest.mark.parametrize("kind", ADVANTAGES)
def test_groups_of_one_and_missing_rewards_give_zero(kind):
    assert pmpo.group_advantages(torch.tensor([0.3, 0.9]), 1, kind).tolist() == [0.0, 0.0]
    advantages = pmpo.group_advantages(torch.tensor([1.0, math.nan, 0.0, math.nan, math.nan, math.nan]), 3, kind)
    assert advantages[1] == 0 and advantages[0] == -advantages[2] != 0 and (advantages[3:] == 0).all()


def test_advantages_refuse_what_has_no_meaning():
    with pytest.raises(ValueError, match=r"did you mean 'dr_grpo'"):
        pmpo.group_advantages(torch.ones(4), 2, "drgrpo")
    with pytest.raises(ValueError, match="5 rewards and group_size 2"):
        pmpo.group_advantages(torch.ones(5), 2)
    with pytest.raises(ValueError, match="5 rewards and group_size 2"):
        pmpo.equal_groups(torch.ones(5), 2)
    with pytest.raises(ValueError, match=r"`magnitudes` must be \[4\]"):
        pmpo.equal_groups(torch.ones(4), 2, magnitudes=torch.ones(2))
    with pytest.raises(ValueError, match="Reward 1 is inf"):
        pmpo.group_advantages(torch.tensor([0.0, math.inf]), 2)
