"""The part of `PMPOTrainer` that computes the loss: the objective's policy term, and what TRL adds to it.

TRL's own loss still runs, with its policy and KL terms switched off, so the forward pass, the high-entropy mask, the
entropy bonus with its controller, the MoE auxiliary loss and their metrics stay TRL's code; the policy term and the KL
penalty are `pmpo.policy_loss`. The reasons are in docs/decisions/0003.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from pmpo.integrations.trl.measuring import Measures
from pmpo.integrations.trl.skipping import SkipsNonFinite
from pmpo.integrations.trl.token_sampling import SamplesTokens
from pmpo.objective.batch import BatchContext
from pmpo.objective.policy_loss import policy_loss
from pmpo.objective.presets import Objective


class ObjectiveLoss(Measures, SkipsNonFinite, SamplesTokens):
    """TRL's trainer with an objective of the family in place of its policy term."""

    policy_objective: Objective
    _slice_tokens: Tensor | None = None
    """Tokens of every micro-batch of the round under way, over all processes; None until they are asked for."""

    def use_objective(self, objective: Objective) -> None:
        """Train with `objective`; switches TRL's own policy term to what costs and logs least."""
        self.policy_objective = objective
        # What TRL's loss still reads while its policy term is switched off.
        self.loss_type, self.importance_sampling_level = "grpo", "token"
        self.epsilon_low = self.epsilon_high = 0.2

    def make_round(self, rows: list[dict[str, Any]]) -> dict[str, Any]:
        self._slice_tokens = None
        return super().make_round(rows)

    def log_probs_of(self, model: Any, *positional: Any, **inputs: Any) -> Any:
        self._forward = super().log_probs_of(model, *positional, **inputs)
        return self._forward

    def get_high_entropy_mask(self, *args: Any, **kwargs: Any) -> Tensor:
        self._entropy_mask: Tensor = super().get_high_entropy_mask(*args, **kwargs)
        return self._entropy_mask

    def loss_of(self, model: Any, inputs: dict[str, Any]) -> Tensor:
        """The objective's loss, and the terms of TRL's that are not the policy's."""
        shared_terms = self._terms_besides_the_policy(model, inputs)
        log_probs_BT = self._forward[0]
        self._forward = None
        mask_BT = inputs["completion_mask"]
        if "tool_mask" in inputs:
            mask_BT = mask_BT * inputs["tool_mask"]
        old_BT = inputs.get("old_per_token_logps")
        old_BT = log_probs_BT.detach() if old_BT is None else old_BT
        result = policy_loss(
            log_probs_BT,
            old_BT,
            inputs["advantages"],
            mask_BT,
            self.policy_objective,
            self._context(inputs, self.mode),
            loss_weights=self._loss_weights(log_probs_BT, old_BT, mask_BT, inputs),
            ref_log_probs=inputs.get("ref_per_token_logps"),
        )
        self._measure(result, mask_BT)
        self.offer_tokens(result, log_probs_BT, inputs)
        # Ranks sum in the mathematics, but DDP averages gradients.
        loss = result.loss * (self.accelerator.num_processes if self.mode == "train" else 1) + shared_terms
        return self.guard(loss, result, inputs, log_probs_BT)

    def _terms_besides_the_policy(self, model: Any, inputs: dict[str, Any]) -> Tensor:
        """Entropy bonus and MoE auxiliary loss by TRL's own code, on ratios of exactly 1 and advantages of 0."""
        beta, self.beta = self.beta, 0.0
        neutral = {key: value for key, value in inputs.items() if key != "old_per_token_logps"}
        neutral["advantages"] = torch.zeros_like(inputs["advantages"])
        if "importance_sampling_ratio" in inputs:
            neutral["importance_sampling_ratio"] = torch.ones_like(inputs["importance_sampling_ratio"])
        try:
            with self._without_metrics_of_the_policy():
                terms = super().loss_of(model, neutral)
        finally:
            self.beta = beta
        return terms

    def _loss_weights(self, log_probs_BT: Tensor, old_BT: Tensor, mask_BT: Tensor, inputs: Any) -> Tensor | None:
        """ρ: product of the high-entropy mask, the off-policy mask and vLLM's importance ratio, where they are on."""
        factors = []
        if self.top_entropy_quantile < 1.0:
            factors.append(self._entropy_mask.float())
        if self.off_policy_mask_threshold is not None:
            factors.append(
                self.get_off_policy_mask(
                    advantages=inputs["advantages"].unsqueeze(1),
                    per_token_logps=log_probs_BT,
                    sampling_per_token_logps=inputs.get("sampling_per_token_logps", old_BT),
                    mask=mask_BT,
                    off_policy_threshold=self.off_policy_mask_threshold,
                ).float()
            )
        if self.use_vllm and self.vllm_importance_sampling_correction:
            factors.append(inputs["importance_sampling_ratio"].float())
        if not factors:
            return None
        weights = factors[0]
        for factor in factors[1:]:
            weights = weights * factor
        return weights

    def _context(self, inputs: dict[str, Any], mode: str) -> BatchContext:
        """Counts of the whole optimiser step (in evaluation: of the call) and statistics of the generation batch."""
        facts = {name: inputs[name] for name in ("reward_mean", "reward_std")}
        facts["progress"] = min(1.0, self.state.global_step / max(1, self.state.max_steps - 1))  # 1 at the last update
        if mode == "eval":
            return BatchContext(**facts)
        accumulation = self.current_gradient_accumulation_steps
        sequences = len(inputs["advantages"]) * accumulation * self.accelerator.num_processes
        tokens = self._step_tokens(accumulation) if self.policy_objective.sequence_weight == "token" else None
        return BatchContext(**facts, num_sequences=sequences, num_tokens=tokens)

    def _step_tokens(self, accumulation: int) -> Tensor:
        """Σ n_j over the micro-batches of this optimiser step and all ranks, from the buffered generation."""
        if self._slice_tokens is None:
            masks = [s["completion_mask"] * s.get("tool_mask", 1) for s in self.round_buffer]
            self._slice_tokens = self.accelerator.reduce(torch.stack([m.sum() for m in masks]), reduction="sum")
        first = self.round_step // accumulation * accumulation
        slices = [step % self.args.steps_per_generation for step in range(first, first + accumulation)]
        return self._slice_tokens[slices].sum()
