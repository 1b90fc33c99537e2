"""Facts of a generation batch, and the sentences about settings that make an objective pointless."""

import dataclasses

import pytest
import torch

import pmpo
from pmpo.engine.batch_statistics import (
    range_warning,
    reward_facts,
    silent_groups,
    silent_share,
    weighted_sums,
)

NAN = float("nan")


def test_facts_are_of_the_completions_that_have_a_reward():
    facts = reward_facts(torch.tensor([0.0, 1.0, NAN, 1.0]))
    assert facts["reward_mean"].item() == pytest.approx(2 / 3)
    assert facts["reward_std"].item() == pytest.approx((2 / 9) ** 0.5)
    assert {name: value.item() for name, value in reward_facts(torch.full((3,), NAN)).items()} == {
        "reward_mean": 0.0,
        "reward_std": 0.0,
    }


def test_a_completion_without_any_reward_has_no_sum_and_one_with_some_has_theirs():
    rewards = torch.tensor([[1.0, 2.0], [NAN, 2.0], [NAN, NAN]])
    sums = weighted_sums(rewards, torch.tensor([0.5, 2.0]))
    assert sums[:2].tolist() == [4.5, 4.0] and sums[2].isnan()


def test_with_several_functions_a_group_is_silent_by_trls_definition():
    """Sums that are equal up to rounding; where each function is normalised by itself, every function."""
    sums = torch.tensor([[0.1, 0.2], [0.3, 0.0], [0.2, 0.1], [0.0, 0.3]])
    constants = torch.tensor([[0.1, 0.7], [0.1, 0.7], [0.1, NAN], [0.1, 0.7]])
    unweighted = torch.tensor([[0.1, 0.0], [0.1, 1.0], [0.1, 0.0], [0.1, 1.0]])
    both = torch.cat([sums, constants[:2].repeat(2, 1), unweighted])
    ones, first = torch.ones(2), torch.tensor([1.0, 0.0])
    assert silent_groups(both, ones, 4, "sum_then_normalize").tolist() == [True, True, False]
    assert silent_groups(both, ones, 4, "normalize_then_sum").tolist() == [False, True, False]
    assert silent_groups(constants, ones, 4, "normalize_then_sum").tolist() == [True]
    assert silent_groups(constants, ones, 4, "sum_then_normalize").tolist() == [False], "a missing part lowers the sum"
    assert silent_groups(unweighted, first, 4, "normalize_then_sum").tolist() == [True]
    assert silent_groups(unweighted, first, 4, "sum_then_normalize").tolist() == [True]
    assert silent_groups(torch.full((4, 2), NAN), ones, 4, "sum_then_normalize").tolist() == [True]


def test_groups_without_rewards_are_in_no_share():
    rewards = torch.tensor([1.0, 1.0, 0.0, 1.0, NAN, NAN])
    silent = silent_groups(rewards[:, None], torch.ones(1), 2, "sum_then_normalize")
    assert silent.tolist() == [True, False, True]
    assert silent_share(rewards, silent) == pytest.approx(1 / 3)


def test_rewards_out_of_range_matter_to_objectives_that_read_them():
    apmpo, pmpo_ = pmpo.objective("apmpo"), pmpo.objective("pmpo")
    far = torch.tensor([0.0, 3.0, NAN])
    assert "'apmpo' reads the mean reward as a share in [0, 1], but rewards range from 0 to 3" in range_warning(
        apmpo, far
    )
    assert range_warning(pmpo_, far) is None and range_warning(apmpo, torch.tensor([0.0, 1.0, NAN])) is None
    assert range_warning(dataclasses.replace(apmpo, name="mine"), torch.full((2,), NAN)) is None
