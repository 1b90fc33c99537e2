"""The part of `PMPOTrainer` that computes the loss: the objective's policy term, and what TRL adds to it.

TRL's own loss still runs, with its policy and KL terms switched off, so the forward pass, the high-entropy mask, the
entropy bonus with its controller, the MoE auxiliary loss and their metrics stay TRL's code; the policy term and the KL
penalty are `pmpo.policy_loss`. The reasons are in docs/decisions/0003.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from pmpo.integrations.trl.measuring import Measures
from pmpo.integrations.trl.passing import OF_PICTURES, Completions, PassesWithoutWaste
from pmpo.integrations.trl.skipping import SkipsNonFinite
from pmpo.integrations.trl.token_sampling import SamplesTokens
from pmpo.kernels.choice import Implementation, choose
from pmpo.objective.batch import BatchContext
from pmpo.objective.presets import Objective
from pmpo.objective.ratio_sums import ratio_sums


class ObjectiveLoss(PassesWithoutWaste, Measures, SkipsNonFinite, SamplesTokens):
    """TRL's trainer with an objective of the family in place of its policy term."""

    policy_objective: Objective
    implementation: Implementation
    """What computes the policy loss, and why."""
    _slice_tokens: Tensor | None = None
    """Tokens of every micro-batch of the round under way, over all processes; None until they are asked for."""
    _ratio_sums: tuple[int, Tensor | None] = (-1, None)
    """`round_step` at the first micro-batch of the newest update whose sums were asked for, and the sums."""

    def use_objective(self, objective: Objective) -> None:
        """Train with `objective`; switches TRL's own policy term to what costs and logs least."""
        self.policy_objective = objective
        self.implementation = choose(objective, self.args.implementation, self.accelerator.device)
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
        completions = self.completions_of(inputs)
        if completions is not None:
            inputs = self.without_padding(inputs, completions)
        shared_terms, log_probs_BT, entropies_BT = self._forward_pass(model, inputs, completions)
        given = self._tensors(log_probs_BT, inputs)
        context = self._context(inputs, self.mode)
        if "ratio_sums" in self.policy_objective.needs and self.mode == "train":
            context = replace(context, ratio_sums=self._step_ratio_sums(model, given))
        result = self.implementation.policy_loss(
            **given,
            advantages=inputs["advantages"],
            batch=context,
            ref_log_probs=inputs.get("ref_per_token_logps"),
        )
        mask_BT = given["mask"]
        self._measure(result, mask_BT, entropies_BT)
        self.offer_tokens(result, log_probs_BT, inputs)
        # Ranks sum in the mathematics, but DDP averages gradients.
        loss = result.loss * (self.accelerator.num_processes if self.mode == "train" else 1)
        if shared_terms is not None:
            loss = loss + shared_terms
        return self.guard(loss, result, inputs, log_probs_BT)

    def _tensors(self, log_probs_BT: Tensor, inputs: dict[str, Any]) -> dict[str, Any]:
        """What of a micro-batch both `policy_loss` and `ratio_sums` take."""
        mask_BT = inputs["completion_mask"]
        if "tool_mask" in inputs:
            mask_BT = mask_BT * inputs["tool_mask"]
        old_BT = inputs.get("old_per_token_logps")
        old_BT = log_probs_BT.detach() if old_BT is None else old_BT
        return {
            "log_probs": log_probs_BT,
            "old_log_probs": old_BT,
            "mask": mask_BT,
            "loss_weights": self._loss_weights(log_probs_BT, old_BT, mask_BT, inputs),
            "sampler_log_probs": (
                inputs.get("sampling_per_token_logps") if self.policy_objective.uses_sampler else None
            ),
        }

    @torch.no_grad()
    def _step_ratio_sums(self, model: Any, given: dict[str, Any]) -> Tensor:
        """Sums over the ratios of this update, over its micro-batches and all ranks.

        Where an update has several micro-batches, they are found at its first one by a pass over all of them with the
        policy as it is then.
        """
        accumulation = self.current_gradient_accumulation_steps
        first = self.round_step // accumulation * accumulation
        if accumulation > 1 and self._ratio_sums[0] == first and self.round_step > first:
            return self._ratio_sums[1]
        sums = torch.zeros(3, dtype=torch.float64, device=given["mask"].device)
        for step in range(first, first + accumulation):
            part = given
            if accumulation > 1:
                inputs = self.round_buffer[step % self.args.steps_per_generation]
                part = self._tensors(super().log_probs_of(model, **self._pass_of(inputs))[0], inputs)
            sums += ratio_sums(objective=self.policy_objective, **part)
        self._ratio_sums = first, self.accelerator.reduce(sums, reduction="sum")
        return self._ratio_sums[1]

    def _forward_pass(
        self, model: Any, inputs: dict[str, Any], completions: Completions | None
    ) -> tuple[Tensor | None, Tensor, Tensor | None]:
        """TRL's terms besides the policy's, log-probabilities and entropies; None for terms that there are none of, and
        for entropies that TRL has logged itself. TRL's own loss waits for the device at every metric."""
        if self.entropy_coef or self.use_adaptive_entropy or self.aux_loss_enabled or self.top_entropy_quantile < 1.0:
            terms = self._terms_besides_the_policy(model, inputs)
            log_probs_BT, _, _ = self._forward
            entropies_BT = None
        elif completions is not None:
            terms = None
            log_probs_BT, entropies_BT = self.log_probs_in_passes(model, self._pass_of(inputs), completions)
        else:
            terms = None
            log_probs_BT, entropies_BT, _ = self.log_probs_of(model, **self._pass_of(inputs), compute_entropy=True)
        self._forward = None
        return terms, log_probs_BT, entropies_BT

    def _pass_of(self, inputs: dict[str, Any]) -> dict[str, Any]:
        """What TRL's forward pass takes of a micro-batch."""
        ids = torch.cat([inputs["prompt_ids"], inputs["completion_ids"]], dim=1)
        mask = torch.cat([inputs["prompt_mask"], inputs["completion_mask"]], dim=1)
        pictures = {name: inputs[name] for name in OF_PICTURES if name in inputs}
        return {
            "input_ids": ids,
            "attention_mask": mask,
            "logits_to_keep": inputs["completion_ids"].shape[1],
            **pictures,
        }

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
        facts["step"] = self.state.global_step
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
