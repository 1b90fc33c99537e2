"""`PMPOConfig`: TRL's GRPOConfig with the objective family in place of `loss_type`."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from trl import GRPOConfig

from pmpo.integrations.trl import config_checks as checks
from pmpo.integrations.trl import trl_losses
from pmpo.integrations.trl.filled import filled, plain, said
from pmpo.integrations.trl.head.install import check_precision, default_precision
from pmpo.integrations.trl.objective_fields import PARTS, ObjectiveFields
from pmpo.integrations.trl.options import PMPOOptions
from pmpo.integrations.trl.resolve import DEFAULT_OBJECTIVE, SCALE_REWARDS, resolve_objective
from pmpo.integrations.trl.rounds import (
    UPDATES_PER_GENERATION,
    check_groups,
    check_ratio_sums,
    check_round,
    check_token_counts,
    largest_round,
)
from pmpo.objective.presets import Objective


@dataclass
class PMPOConfig(PMPOOptions, GRPOConfig):
    """Configuration of `PMPOTrainer`.

    Every parameter of TRL's `GRPOConfig` keeps its meaning, except that `epsilon`, `epsilon_high`, `delta`, `beta`,
    `sapo_temperature_*`, `use_bias_correction_kl` and `scale_rewards` default to None, "as the objective has it", and
    that `vespo_*`, which belong to a loss outside the family, are refused. `loss_type` and `importance_sampling_level`
    choose the member of the family that TRL computes for them, with a warning (docs/decisions/0008). One generation
    batch feeds 8 optimiser steps unless `steps_per_generation` or `generation_batch_size` is given.

    What is not given is filled in (`objective`, `beta`, `scale_rewards`, `steps_per_generation`,
    `generation_batch_size`, `generation_chunk_size`, `logits_precision`, `on_nonfinite`), and filled in anew whenever
    the configuration is copied with changes (`dataclasses.replace`, `with_objective`) or a trainer is built from it.
    `PMPOConfig(**config.to_dict())` says all of it, the values filled in too.

    Raises: ValueError from construction, for every combination that could not work, with what to write instead.
    """

    def __post_init__(self) -> None:
        checks.check_values(self)
        self._settle_objective()
        steps, whole = said(self.steps_per_generation), said(self.generation_batch_size)
        # TRL derives one of the two from the other, and refuses to be given both.
        self.steps_per_generation = self._steps() if whole is None or steps is not None else None
        self.generation_batch_size = whole if steps is None else None
        super().__post_init__()
        self.steps_per_generation, self.generation_batch_size = steps, whole
        self._settle_rounds()
        self._settle_head()

    @property
    def resolved_objective(self) -> Objective:
        """The frozen objective that these fields describe, as they are now."""
        return resolve_objective(ObjectiveFields.of(self))

    @property
    def updates_per_generation(self) -> float:
        """Optimiser steps between two generations; 1 or less makes every ratio 1."""
        return self.steps_per_generation * self.num_iterations / self.gradient_accumulation_steps

    def fit_round(self, problems: int) -> str | None:
        """Make a round whose size was not given small enough for a data set, if a smaller one can be.

        Args:
            problems: rows of the training set.
        Returns: a sentence when the round was changed.
        """
        step = self.per_device_train_batch_size * self.world_size * self.gradient_accumulation_steps
        updates = self.steps_per_generation // self.gradient_accumulation_steps
        fitting = largest_round(step, self.num_generations, updates, problems)
        given = said(self.steps_per_generation), said(self.generation_batch_size)
        if given != (None, None) or fitting in (None, updates):
            return None
        wanted = self.generation_batch_size // self.num_generations
        self.steps_per_generation = filled(fitting * self.gradient_accumulation_steps)
        self.generation_batch_size = filled(step * fitting)
        return (
            f"A round of {updates} updates needs {wanted} different prompts, and there are {problems}: rounds have "
            f"{fitting} update{'' if fitting == 1 else 's'} (steps_per_generation={self.steps_per_generation}, "
            f"{self.generation_batch_size // self.num_generations} prompts)."
        )

    def with_objective(self, new: str | Mapping[str, Any] | Objective) -> PMPOConfig:
        """A copy with another objective; what the old one had filled in is filled in anew."""
        other = copy.copy(self)
        other.objective = new
        other.settle()
        return other

    def settle(self) -> None:
        """Fill in anew what was not given, from the fields as they are now, and check that all of it works together.

        `PMPOTrainer` calls this, so that a field assigned to after construction takes effect or is refused.

        Raises: ValueError as construction does.
        """
        checks.check_values(self)
        self._settle_objective()
        self._settle_rounds()
        self._settle_head()

    def check_unchanged(self, built: Objective) -> None:
        """Refuse fields that say another objective than the trainer was built with: it would go on with the old one.

        Raises: ValueError with both.
        """
        checks.check_unchanged(built, self.resolved_objective)

    def to_dict(self) -> dict[str, Any]:
        """As TRL's: plain values, what was filled in included. `objective` is the mapping of the settled one, which
        says the parts as well, whose own fields are therefore None: two ways to write one objective give one dict."""
        values = {name: plain(value) for name, value in super().to_dict().items()}
        return {**values, **dict.fromkeys(PARTS), "objective": self.resolved_objective.to_mapping()}

    def _settle_objective(self) -> None:
        given = ObjectiveFields.of(self)
        self.objective, self.exponent, self.trust_region = given.objective, given.exponent, given.trust_region
        self.correction = given.correction
        if given.objective is None and trl_losses.named_by(given) is None:
            self.objective = filled(DEFAULT_OBJECTIVE)
        resolved = resolve_objective(given)
        resolved.to_mapping()  # what has no data form could be neither saved nor resumed
        if said(self.beta) is None:
            self.beta = filled(float(resolved.kl_coef))
        if said(self.scale_rewards) is None:
            self.scale_rewards = filled(SCALE_REWARDS[resolved.advantage])
        if said(self.on_nonfinite) is None:
            self.on_nonfinite = filled("raise" if checks.steps_by_deepspeed(self) else "skip")
        checks.check_aggregation(self.multi_objective_aggregation, resolved.advantage)
        checks.check_correction(self.use_vllm, self.vllm_importance_sampling_correction, resolved)
        checks.check_skip(self.on_nonfinite, checks.steps_by_deepspeed(self))
        sentence = trl_losses.announcement(given, resolved)
        if sentence is not None and sentence != self.__dict__.get("_announced"):
            self._announced = sentence
            warnings.warn(sentence, stacklevel=4)

    def _steps(self) -> int:
        """Micro-batches of one round, where the round's size is not given."""
        steps: int | None = said(self.steps_per_generation)
        return UPDATES_PER_GENERATION * self.gradient_accumulation_steps if steps is None else steps

    def _settle_head(self) -> None:
        if said(self.logits_precision) is None:
            self.logits_precision = filled(default_precision(self.device))
        check_precision(self.logits_precision, self.device, self.cast_lm_head_to_fp32)

    def _settle_rounds(self) -> None:
        """`steps_per_generation` and `generation_batch_size`: one follows from the other, or both from neither."""
        steps, whole = said(self.steps_per_generation), said(self.generation_batch_size)
        micro_batch = self.per_device_train_batch_size * self.world_size
        check_round(steps, whole, micro_batch)
        if said(self.generation_chunk_size) is None:
            once = self.per_device_train_batch_size * self.gradient_accumulation_steps
            self.generation_chunk_size = filled(once if steps is None and whole is None else 0)
        if steps is None:
            self.steps_per_generation = filled(self._steps() if whole is None else whole // micro_batch)
        if whole is None:
            self.generation_batch_size = filled(micro_batch * self.steps_per_generation)
        check_groups(self.generation_batch_size, self.num_generations)
        generate_every = self.steps_per_generation * self.num_iterations
        if "ratio_sums" in self.resolved_objective.needs:
            check_ratio_sums(generate_every, self.gradient_accumulation_steps, self.top_entropy_quantile)
        elif self.resolved_objective.sequence_weight == "token":
            check_token_counts(generate_every, self.gradient_accumulation_steps)
