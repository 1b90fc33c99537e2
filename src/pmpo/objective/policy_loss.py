"""The policy loss of every objective in the family: clip, find p, take the power mean, weigh, sum.

This is the reference: it defines the result. pmpo/kernels has faster forms of it.

Equation: docs/equations.md.

>>> import pmpo
>>> new = torch.tensor([[-1.0, -2.0]], requires_grad=True)
>>> result = policy_loss(new, torch.tensor([[-1.0, -1.9]]), torch.ones(1), torch.ones(1, 2), pmpo.objective("gmpo"))
>>> round(result.loss.item(), 4)
-0.9512
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor

from pmpo.objective.batch import SATURATION_NATS, BatchContext, fill_masked, per_completion
from pmpo.objective.diagnostics import Diagnostics, diagnose
from pmpo.objective.facts import ExponentFacts, ExponentRule
from pmpo.objective.kl import kl_estimate
from pmpo.objective.loss_inputs import (
    LossInputs,
    PlainInputs,
    check_needs,
    checked_inputs,
    decoupled,
    plain_inputs,
    saturated,
)
from pmpo.objective.power_mean import power_mean
from pmpo.objective.presets import LOST_ESS, Objective
from pmpo.objective.ratio_sums import with_ratio_sums
from pmpo.objective.region import Clipped, TrustRegion
from pmpo.objective.weighting import sequence_weights

OLD_KL_NATS = 10.0
"""Where a token's estimate of the KL to the old policy stops growing exponentially, nats: that of P3O's code. A token
that is e^10 times less likely than when it was sampled would otherwise be the whole gradient."""


@dataclass(frozen=True)
class PolicyLoss:
    """A scalar loss, differentiable in the log probabilities, with diagnostics of each completion and its tokens."""

    loss: Tensor
    diagnostics: Diagnostics
    find_facts: Callable[[], ExponentFacts] = field(repr=False)

    @property
    def facts(self) -> ExponentFacts:
        """What the exponent rule was shown, token by token; carries no gradient. A fused kernel does not keep it, and
        computes it when it is asked for."""
        return self.find_facts()


def policy_loss(
    log_probs: Tensor,
    old_log_probs: Tensor,
    advantages: Tensor,
    mask: Tensor,
    objective: Objective,
    batch: BatchContext | None = None,
    *,
    loss_weights: Tensor | None = None,
    ref_log_probs: Tensor | None = None,
    sampler_log_probs: Tensor | None = None,
) -> PolicyLoss:
    """loss = − Σ_i ω_i ρ̄_i A_i M_{p_i}(c_i; ρ_i) + kl_coef · Σ_i ω_i KL_i + old_kl_coef · Σ_i ω_i KL_old,i.

    Args:
        log_probs, old_log_probs: log π_θ, differentiable, and log π_old, a constant; nats, [B, T].
        advantages: A, [B]. A = 0 gives J = 0.
        mask: bool (or 0/1) [B, T], True on tokens that count. NaN and inf elsewhere change nothing.
        objective: from `pmpo.objective(name, ...)`.
        batch: facts of the whole optimiser step; with its counts, calls for parts of it sum to the loss of the whole.
        loss_weights: ρ >= 0, [B, T] or [B, 1], constants, the measure over tokens (see `LossInputs`). Default: 1.
        ref_log_probs: log π_ref, nats, [B, T]; needed when objective.kl_coef > 0.
        sampler_log_probs: log π_sampler, nats, [B, T], of the policy that drew the completions where that was not the
            one of old_log_probs; NaN where it is not known. The objective's `correction` multiplies ρ by the bounded
            ratio π_old/π_sampler, or its `old_policy` "sampler" puts it in the place of π_old. Default: they are one.
    Returns: PolicyLoss in float32 (float64 for float64 inputs). A completion without tokens contributes 0; log ratios
        beyond ±80 nats are saturated there, with gradient 0.
    Raises: ValueError when shapes disagree, when `batch` lacks a fact that the objective needs, and for
        `sampler_log_probs` that the objective would ignore.
    """
    check_needs(objective, batch, ref_log_probs)
    old_log_probs, loss_weights = decoupled(objective, old_log_probs, sampler_log_probs, mask, loss_weights)
    plain = plain_inputs(log_probs, old_log_probs, advantages, mask, loss_weights, ref_log_probs)
    given = with_ratio_sums(objective, checked_inputs(plain, batch))
    clipped = _clip_tokens(objective.trust_region, given)
    facts = given.facts(clipped)
    p_B = _exponents(objective.exponent, facts, given)
    mean_B = power_mean(clipped.log_ratios_BT, given.mask_BT, p_B, weights=given.weights_BT)
    surrogate_B, clipped_mean = _clip_mean(objective.trust_region, mean_B, given)
    gain_B = torch.where(given.active_B, given.advantages_B * given.mean_weights() * surrogate_B, 0.0)
    omega_B = sequence_weights(given.counts_B, objective.sequence_weight, given.batch, objective.max_completion_length)
    kl_B = _reference_kl(objective, given)
    loss = -(omega_B * gain_B).sum()
    if given.ref_log_probs_BT is not None:
        loss = loss + objective.kl_coef * (omega_B * kl_B).sum()
    if objective.old_kl_coef != 0.0:
        loss = loss + _old_kl_weight(objective, given) * (omega_B * _old_kl(given)).sum()
    return PolicyLoss(loss, diagnose(given, facts, p_B, mean_B, kl_B, clipped_mean), lambda: facts)


@torch.no_grad()
def token_facts(objective: Objective, plain: PlainInputs, batch: BatchContext) -> ExponentFacts:
    """What `policy_loss` shows the exponent rule of a call, token by token."""
    given = with_ratio_sums(objective, checked_inputs(plain, batch))
    return given.facts(_clip_tokens(objective.trust_region, given))


def _clip_tokens(region: TrustRegion, given: LossInputs) -> Clipped:
    """c of every token; l itself where the region clips the mean alone."""
    tokens = region.of_tokens
    if tokens is not None:
        more = {"log_probs_BT": given.log_probs_BT.detach()} if tokens.sees_probabilities else {}
        return tokens.apply(given.log_ratios_BT, given.advantages_B, given.batch, **more)
    untouched_BT = torch.zeros_like(given.mask_BT)
    return Clipped(given.log_ratios_BT, untouched_BT, untouched_BT)


@torch.no_grad()
def _exponents(rule: ExponentRule, facts: ExponentFacts, given: LossInputs) -> Tensor:
    """p, [B]. A rule may be undefined on completions that take part in nothing: they get p = 1."""
    return torch.where(given.active_B, per_completion(rule(facts), given.log_probs_BT, "exponent"), 1.0)


def _clip_mean(region: TrustRegion, mean_B: Tensor, given: LossInputs) -> tuple[Tensor, Clipped | None]:
    """M after a region that clips it, and what that has clipped, [B, 1]; M itself for one that clips tokens."""
    if region.of_sequence is None:
        return mean_B, None
    clipped = region.of_sequence.apply(mean_B.log().unsqueeze(1), given.advantages_B, given.batch)
    return clipped.log_ratios_BT.squeeze(1).exp(), clipped


def _reference_kl(objective: Objective, given: LossInputs) -> Tensor:
    """KL(π_θ ‖ π_ref), nats per token, [B]; 0 without a reference."""
    if given.ref_log_probs_BT is None:
        return torch.zeros_like(given.advantages_B)
    x_BT = fill_masked(given.ref_log_probs_BT - given.log_probs_BT, given.mask_BT)
    ratio_BT = None
    if objective.kl_bias_correction:  # ratio times estimate is held at 80 nats, as each of them is
        size_BT = x_BT.detach().clamp(0.0, SATURATION_NATS) + x_BT.detach().abs().log1p()
        raw_BT = saturated(given.raw_log_ratios_BT, given.mask_BT)
        ratio_BT = torch.minimum(raw_BT, SATURATION_NATS - size_BT).exp()
    return kl_estimate(x_BT, given.mask_BT, token_weights_BT=ratio_BT)


def _old_kl(given: LossInputs) -> Tensor:
    """KL(π_θ ‖ π_old), nats per counted token, [B]; a token with ρ = 0 is not held back."""
    return kl_estimate(-given.log_ratios_BT, given.mask_BT, largest=OLD_KL_NATS)


def _old_kl_weight(objective: Objective, given: LossInputs) -> float | Tensor:
    if objective.old_kl_coef != LOST_ESS:
        return float(objective.old_kl_coef)
    return (1.0 - given.batch.ratio_ess).to(given.log_probs_BT)
