"""Advantages under verl's signature: groups of any size, rows in any order, rows that verl added."""

import pytest

pytest.importorskip("verl", reason="verl is not installed here: make verl")


import numpy as np
import torch
import verl.trainer.ppo.core_algos as algorithms

import pmpo
from pmpo.foundation.errors import InputError
from pmpo.integrations.verl.loss import completion_advantages
from pmpo.integrations.verl.metrics import of_rewards
from pmpo.objective.advantages import ADVANTAGES


def estimate(kind, rewards, uids, lengths=None):
    """[B] by way of verl's registry, the reward on the last token of each completion."""
    lengths = lengths or [3] * len(rewards)
    mask = torch.zeros(len(rewards), max(lengths))
    scores = torch.zeros_like(mask)
    for row, length in enumerate(lengths):
        mask[row, :length] = 1
        scores[row, length - 1] = rewards[row]
    found, returns = algorithms.get_adv_estimator_fn(f"pmpo/{kind}")(
        token_level_rewards=scores, response_mask=mask, config=None, index=np.array(uids, dtype=object)
    )
    assert torch.equal(found, returns) and torch.equal(found != 0, (found != 0) & mask.bool())
    return found[:, 0]


@pytest.mark.parametrize("kind", ADVANTAGES)
def test_equals_that_of_groups_next_to_each_other(kind):
    rewards = torch.tensor([1.0, 0.0, 0.5, 0.25, 0.0, 0.0, 1.0, 0.0])
    order = [5, 0, 4, 1, 7, 2, 6, 3]
    uids = ["a" if row < 4 else "b" for row in order]
    wanted = pmpo.group_advantages(rewards, 4, kind)[order]
    assert estimate(kind, rewards[order].tolist(), uids) == pytest.approx(wanted, abs=1e-6)


def test_groups_of_any_size_and_a_group_of_one():
    found = estimate("grpo", [1.0, 0.0, 0.7, 1.0, 0.0, 0.0], ["a", "a", "single", "b", "b", "b"], [1, 3, 2, 3, 3, 3])
    wanted = [*pmpo.group_advantages(torch.tensor([1.0, 0.0]), 2), 0.0]
    wanted += [*pmpo.group_advantages(torch.tensor([1.0, 0.0, 0.0]), 3)]
    assert found == pytest.approx(torch.tensor([float(each) for each in wanted]), abs=1e-6)


@pytest.mark.parametrize("kind", ADVANTAGES)
def test_rows_that_verl_added_change_nothing(kind):
    rewards, uids = [1.0, 0.0, 0.5, 0.5], ["a", "a", "b", "b"]
    with_padding = estimate(kind, [*rewards, 0.0, 0.0], [*uids, "pad0123", "pad0123"])
    assert torch.equal(with_padding, torch.cat([estimate(kind, rewards, uids), torch.zeros(2)]))


def test_advantages_by_token_are_refused():
    mask = torch.tensor([[True, True, False], [True, True, True]])
    even = torch.tensor([[0.5, 0.5, 9.0], [-1.0, -1.0, -1.0]])
    assert completion_advantages(even, mask).tolist() == [0.5, -1.0]
    assert completion_advantages(even, torch.zeros_like(mask)).tolist() == [0.0, 0.0]
    with pytest.raises(InputError, match=r"completion 1 have advantages from -1 to 0\.5.*adv_estimator=pmpo/grpo"):
        completion_advantages(torch.tensor([[0.5, 0.5, 9.0], [-1.0, 0.5, -1.0]]), mask)


def test_metrics_of_rewards():
    found = of_rewards(torch.tensor([1.0, 0.0, 0.5, 0.5, 0.5, torch.nan]), ["a", "a", "b", "b", "b", "c"])
    assert found == pytest.approx({"reward": 0.5, "reward_std": 0.5**0.5 / 2, "frac_reward_zero_std": 0.5})
