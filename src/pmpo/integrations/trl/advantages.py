"""The part of `PMPOTrainer` that corrects TRL's advantages: those that TRL has not, and exactly 0 for equal rewards."""

from __future__ import annotations

import warnings
from typing import Any

from torch import Tensor

from pmpo.engine.batch_statistics import range_warning, reward_facts, silent_groups, silent_share, weighted_sums
from pmpo.integrations.trl.host.hooks import HostTrainer
from pmpo.objective.advantages import equal_groups, group_advantages
from pmpo.objective.presets import Objective

NOT_OF_TRL = ("rloo", "maxrl")
"""Advantages that TRL does not have."""


class Advantages(HostTrainer):
    """TRL's trainer with the advantages of the objective, and the statistics of a round's rewards.

    float32 gives seven rewards of 0.1 an R − mean of 7e-9, TRL's δ of 1e-4 makes that an advantage of 7e-5, and Adam
    rescales its gradient to full steps.
    """

    policy_objective: Objective
    _rewards: Tensor  # of all ranks, summed
    _rewards_per_function: Tensor  # of all ranks, [B, K]
    _warned_of_range = False

    def rewards_of(self, *args: Any, **kwargs: Any) -> Tensor:
        rewards_BK = super().rewards_of(*args, **kwargs)
        self._rewards_per_function = rewards_BK
        self._rewards = weighted_sums(rewards_BK, self.reward_weights)
        return rewards_BK

    def make_round(self, rows: list[dict[str, Any]]) -> dict[str, Any]:
        """TRL's, with the statistics of the whole round's rewards that the objective may need."""
        output = super().make_round(rows)
        output |= reward_facts(self._rewards)
        warning = None if self._warned_of_range else range_warning(self.policy_objective, self._rewards)
        if warning is not None:
            self._warned_of_range = True
            warnings.warn(warning, stacklevel=2)
        self._correct_advantages(output)
        return output

    def _correct_advantages(self, output: dict[str, Any]) -> None:
        """Put the objective's advantages of this rank into `output`, and those of all ranks into the table."""
        mode = self.mode
        group = self.num_generations if mode == "train" else self.num_generations_eval
        rewards_BK = self._rewards_per_function
        weights_K = self.reward_weights.to(rewards_BK.device)
        silent_P = silent_groups(rewards_BK, weights_K, group, self.multi_objective_aggregation)
        silent_B = silent_P.repeat_interleave(group)
        local = len(output["advantages"])
        own = slice(self.accelerator.process_index * local, (self.accelerator.process_index + 1) * local)
        logged = self.advantage_column  # it keeps no more than a generation's, of which an evaluation may have more
        values = list(logged)[-len(silent_B) :]
        if self.policy_objective.advantage in NOT_OF_TRL:
            own_B = group_advantages(self._rewards, group, self.policy_objective.advantage)
            output["advantages"] = own_B[own].to(output["advantages"].dtype)
            values = own_B.tolist()[-len(values) :]
        output["advantages"] = output["advantages"].masked_fill(silent_B[own], 0.0)
        for _ in values:
            logged.pop()
        silent = silent_B.tolist()[-len(values) :]
        logged.extend(0.0 if quiet else value for value, quiet in zip(values, silent, strict=True))
        self.metric_values[mode]["frac_reward_zero_std"][-1] = self._zero_std_share(silent_P)

    def _zero_std_share(self, silent_P: Tensor) -> float:
        """TRL's metric without its rounding: TRL compares a standard deviation in float32 with 1e-8."""
        if self.multi_objective_aggregation == "normalize_then_sum":
            return float(silent_P.all())
        if self.scale_rewards == "batch":
            return float(equal_groups(self._rewards, len(self._rewards)).all())
        return silent_share(self._rewards, silent_P)
