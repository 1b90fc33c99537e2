"""The policy loss as verl calls it: `pmpo.policy_loss` with the counts of the whole optimiser step.

verl's engine sums the losses of micro-batches and averages gradients over ranks, so the part of a rank times the
number of ranks is the loss of the step. verl adds its own entropy and KL terms (`entropy_coeff`, `use_kl_loss`), so the
objective's KL is not counted here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from pmpo.foundation.errors import InputError
from pmpo.integrations.verl.chosen import objective_of
from pmpo.integrations.verl.step import Step, current_step
from pmpo.kernels.choice import policy_loss
from pmpo.objective.batch import BatchContext
from pmpo.objective.policy_loss import PolicyLoss
from pmpo.objective.presets import Objective
from pmpo.objective.ratio_sums import ratio_sums


def objective_policy_loss(
    old_log_prob: Tensor,
    log_prob: Tensor,
    advantages: Tensor,
    response_mask: Tensor,
    loss_agg_mode: str = "token-mean",
    config: Any = None,
    rollout_is_weights: Tensor | None = None,
) -> tuple[Tensor, dict[str, float]]:
    """The loss of a micro-batch, for verl's registry of policy losses.

    Args:
        old_log_prob, log_prob: log π_old and log π_θ, nats, [B, T].
        advantages: A, [B, T], the same on all tokens of a completion.
        response_mask: [B, T], true on tokens that count.
        loss_agg_mode: checked against the objective at start, unused here: the sequence weight is the objective's.
        config: verl's actor section, whose `global_batch_info` has the counts of the step.
        rollout_is_weights: ρ of verl's rollout correction, [B, T].
    Returns: the loss of this micro-batch times the number of ranks, and scalars to log (under our trainer none: there
        the worker logs exact ones).
    Raises: InputError for advantages by token, and where the objective needs what only our trainer brings.
    """
    objective, step = objective_of(config.policy_loss), current_step()
    mask_BT = response_mask.bool()
    given = {
        "log_probs": log_prob,
        "old_log_probs": old_log_prob,
        "mask": mask_BT,
        "loss_weights": rollout_is_weights,
        "sampler_log_probs": _sampler(objective, step),
    }
    objective = replace(objective, kl_coef=0.0, kl_bias_correction=False)
    if step is not None and step.sums is not None:
        step.sums.append(ratio_sums(objective=objective, **given))
        return log_prob.sum() * 0.0, {}
    counts = config.global_batch_info
    result = policy_loss(
        advantages=completion_advantages(advantages, mask_BT),
        objective=_with_length(objective, config),
        batch=_context(objective, step, counts),
        implementation=config.policy_loss.get("implementation", "auto"),
        **given,
    )
    _guard(result, config.policy_loss)
    loss = result.loss * counts.get("dp_size", 1)
    if step is None:
        return loss, _scalars(result)
    step.result = (result, mask_BT, log_prob.detach())
    return loss, {}


def completion_advantages(advantages_BT: Tensor, mask_BT: Tensor) -> Tensor:
    """A of every completion, [B]; 0 for one without counted tokens.

    Raises: InputError where a completion's tokens differ in it.
    """
    highest_B = torch.where(mask_BT, advantages_BT, -torch.inf).amax(dim=1)
    lowest_B = torch.where(mask_BT, advantages_BT, torch.inf).amin(dim=1)
    differ_B = mask_BT.any(dim=1) & ((highest_B - lowest_B) > 1e-5 * highest_B.abs().clamp(min=1e-6))
    if differ_B.any():
        row = int(differ_B.nonzero()[0])
        raise InputError(
            f"The tokens of completion {row} have advantages from {lowest_B[row]:g} to {highest_B[row]:g}: a power "
            "mean of its ratios needs one advantage for all of them. Write algorithm.adv_estimator=pmpo/grpo."
        )
    return torch.where(mask_BT.any(dim=1), highest_B, 0.0)


def _sampler(objective: Objective, step: Step | None) -> Tensor | None:
    if not objective.uses_sampler:
        return None
    if step is None or step.sampler_log_probs is None:
        raise InputError(
            f"Objective '{objective.name}' reads the sampler's log-probabilities: write "
            "actor_rollout_ref.rollout.calculate_log_probs=True and trainer.v1.trainer_mode=pmpo."
        )
    return step.sampler_log_probs


def _with_length(objective: Objective, config: Any) -> Objective:
    """L_max of the constant sequence weight from verl's setting for the same thing."""
    if objective.sequence_weight != "constant" or objective.max_completion_length is not None:
        return objective
    if config.loss_scale_factor is None:
        raise InputError(
            f"Objective '{objective.name}' divides by the generation limit: write "
            "actor_rollout_ref.actor.loss_scale_factor=${data.max_response_length}."
        )
    return replace(objective, max_completion_length=config.loss_scale_factor)


def _context(objective: Objective, step: Step | None, counts: Mapping[str, Any]) -> BatchContext:
    """Facts of the step. Without our trainer there are the counts alone."""
    facts = {} if step is None else {**step.facts, "ratio_sums": step.ratio_sums}
    missing = [need for need in objective.needs if facts.get(need) is None]
    if missing:
        raise InputError(
            f"Objective '{objective.name}' needs {' and '.join(missing)} of the whole batch, which verl does not tell "
            "a policy loss: write trainer.v1.trainer_mode=pmpo."
        )
    facts.setdefault("num_sequences", counts.get("global_batch_size"))
    tokens = counts.get("batch_num_tokens") if objective.sequence_weight == "token" else None
    return BatchContext(**facts, num_tokens=tokens)


def _guard(result: PolicyLoss, policy_loss_config: Any) -> None:
    """Stop at a number that is not finite, where that was asked for; verl leaves out such an update by itself."""
    if policy_loss_config.get("nonfinite", "skip") != "raise":
        return
    wrong = result.diagnostics.nonfinite.nonzero().flatten().tolist()
    if wrong:
        raise FloatingPointError(
            f"Completions {wrong} of a micro-batch have a log-probability, an advantage or a weight that is NaN or "
            "infinite (policy_loss.nonfinite=raise)."
        )


def _scalars(result: PolicyLoss) -> dict[str, float]:
    """Means over the active completions of a micro-batch, which verl averages again; neutral numbers without any."""
    found = result.diagnostics
    if not found.active.any():
        return {"actor/exponent": 1.0, "actor/clip_fraction": 0.0, "actor/ess": 1.0, "actor/ppo_kl": 0.0}
    means = torch.stack([found.exponent, found.clip_fraction, found.ess, found.kl])[:, found.active].mean(dim=1)
    names = ("actor/exponent", "actor/clip_fraction", "actor/ess", "actor/ppo_kl")
    return dict(zip(names, means.tolist(), strict=True))
