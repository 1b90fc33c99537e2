"""Group-relative advantages as estimators of verl, `algorithm.adv_estimator=pmpo/grpo`: the numbers of the TRL side.

verl's own grpo divides by std + 1e-6, and gives the only completion of its group its reward for an advantage; here it
is std + 1e-4, and such a group teaches nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from pmpo.integrations.verl.host import is_padding
from pmpo.objective.advantages import group_advantages


def estimator(kind: str) -> Callable[..., tuple[Tensor, Tensor]]:
    """An advantage estimator with verl's signature."""

    def estimate(
        token_level_rewards: Tensor, response_mask: Tensor, index: Sequence[Any], **_: Any
    ) -> tuple[Tensor, Tensor]:
        """(advantages, returns), both [B, T] and the same.

        Args:
            token_level_rewards: [B, T], whose sum over tokens is the reward.
            response_mask: [B, T].
            index: the prompt of every row; groups may differ in size.
        """
        rewards_B = token_level_rewards.sum(dim=-1)
        padding_B = torch.tensor([is_padding(uid) for uid in index])
        rewards_B = rewards_B.masked_fill(padding_B.to(rewards_B.device), torch.nan)
        advantages_BT = uneven_groups(rewards_B, index, kind).unsqueeze(-1) * response_mask
        return advantages_BT, advantages_BT

    estimate.__name__ = f"pmpo_{kind}"
    return estimate


def uneven_groups(rewards_B: Tensor, index: Sequence[Any], kind: str) -> Tensor:
    """Advantages where groups differ in size and their rows lie anywhere, [B]."""
    table_PG, rows = group_table(rewards_B, index)
    found_PG = group_advantages(table_PG.flatten(), table_PG.shape[1], kind).view_as(table_PG)
    advantages_B = torch.zeros_like(rewards_B)
    for group_G, members in zip(found_PG, rows, strict=True):
        advantages_B[members] = group_G[: len(members)].to(rewards_B.dtype)
    return advantages_B


def group_table(rewards_B: Tensor, index: Sequence[Any]) -> tuple[Tensor, list[list[int]]]:
    """Rewards by groups, [P, G] for the largest G, NaN where a group has fewer; and the rows of each group."""
    rows: dict[Any, list[int]] = {}
    for row, uid in enumerate(index):
        rows.setdefault(uid, []).append(row)
    table_PG = rewards_B.new_full((len(rows), max(map(len, rows.values()))), torch.nan)
    for group_G, members in zip(table_PG, rows.values(), strict=True):
        group_G[: len(members)] = rewards_B[members]
    return table_PG, list(rows.values())
