"""The policy loss of every objective in the family: clip, find p, take the power mean, weigh, sum.

Equation: docs/equations.md.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from pmpo.objective.batch import (
    SATURATION_NATS,
    BatchContext,
    check_mask,
    fill_masked,
    full_precision,
    per_completion,
    token_counts,
)
from pmpo.objective.exponents import ExponentFacts
from pmpo.objective.kl import kl_estimate
from pmpo.objective.power_mean import normalized_ess, power_mean
from pmpo.objective.presets import Objective
from pmpo.objective.region import Clipped
from pmpo.objective.weighting import sequence_weights


@dataclass(frozen=True)
class Diagnostics:
    """What happened to each completion; every field is [B] and carries no gradient.

    Attributes:
        exponent: p.
        clip_fraction: f, share of counted tokens that the trust region changed (one-sided); for a
            sequence-level region 1 where the completion was clipped.
        clip_fraction_two_sided: share of counted tokens outside the range whatever the sign of A.
        ess: nESS at p of the clipped log ratios.
        power_mean: M, the completion's ratio after token clipping (before a sequence-level clip).
        max_abs_log_ratio: largest |l|, nats.
        max_log_ratio, min_log_ratio: both envelopes of l, nats.
        kl: estimate of KL(π_old ‖ π_θ), nats per token.
        kl_ref: estimate of KL(π_θ ‖ π_ref), nats per token; 0 without a reference.
        active: bool, A ≠ 0 and at least one token: only these rows belong in statistics.
        nonfinite: bool, a counted log ratio, advantage or weight is NaN or infinite.
    """

    exponent: Tensor
    clip_fraction: Tensor
    clip_fraction_two_sided: Tensor
    ess: Tensor
    power_mean: Tensor
    max_abs_log_ratio: Tensor
    max_log_ratio: Tensor
    min_log_ratio: Tensor
    kl: Tensor
    kl_ref: Tensor
    active: Tensor
    nonfinite: Tensor


@dataclass(frozen=True)
class PolicyLoss:
    """A scalar loss, differentiable in the log probabilities, and per-completion diagnostics."""

    loss: Tensor
    diagnostics: Diagnostics


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
) -> PolicyLoss:
    """loss = − Σ_i ω_i ρ̄_i A_i M_{p_i}(c_i; ρ_i) + kl_coef · Σ_i ω_i KL_i.

    Args:
        log_probs: log π_θ(y_t), nats, [B, T], differentiable. 16-bit inputs are computed in float32.
        old_log_probs: log π_old(y_t), nats, [B, T]; a constant.
        advantages: A, [B]. A = 0 gives J = 0.
        mask: bool (or 0/1) [B, T], True on tokens that count. NaN and inf elsewhere change nothing.
        objective: from `pmpo.objective(name, ...)`.
        batch: global facts of the optimiser step. With its counts given, micro-batches and ranks sum to the loss
            of the whole batch; without them the call is the whole batch.
        loss_weights: ρ >= 0, [B, T] or [B, 1], constants: an entropy mask, a rollout-correction ratio, an
            off-policy mask. ρ̄ is their mean over counted tokens and M the weighted power mean, so that at p = 1
            every token's term is multiplied by its own ρ.
        ref_log_probs: log π_ref(y_t), nats, [B, T]; needed when objective.kl_coef > 0.
    Returns: PolicyLoss; the loss is a 0-dim tensor in float32 (float64 for float64 inputs). Log ratios beyond
        ±80 nats are saturated there with gradient 0. A completion without tokens contributes 0.
    Raises: ValueError when shapes disagree, or when `batch` lacks a fact that the objective needs.
    Source: docs/equations.md; arXiv 2601.22521 and the papers listed at each preset.

    >>> import pmpo
    >>> new = torch.tensor([[-1.0, -2.0]], requires_grad=True)
    >>> result = policy_loss(new, torch.tensor([[-1.0, -1.9]]), torch.ones(1), torch.ones(1, 2), pmpo.objective("gmpo"))
    >>> round(result.loss.item(), 4)
    -0.9512
    """
    batch = batch if batch is not None else BatchContext()
    _check_needs(objective, batch, ref_log_probs)
    mask_BT = check_mask(log_probs, mask)
    check_mask(old_log_probs, mask)
    new_BT = full_precision(log_probs)
    advantages_B = per_completion(advantages, new_BT, "advantages").detach()
    raw_BT = new_BT - old_log_probs.detach().to(new_BT.dtype)
    log_ratios_BT = fill_masked(raw_BT, mask_BT).clamp(-SATURATION_NATS, SATURATION_NATS)
    weights_BT = _loss_weights(loss_weights, mask_BT, new_BT)

    token_level = objective.trust_region.level == "token"
    clipped = (
        objective.trust_region.apply(log_ratios_BT, advantages_B, batch)
        if token_level
        else Clipped(log_ratios_BT, torch.zeros_like(mask_BT), torch.zeros_like(mask_BT))
    )
    facts = _facts(log_ratios_BT, clipped, mask_BT, advantages_B, batch)
    active_B = (advantages_B != 0) & mask_BT.any(dim=1)
    with torch.no_grad():  # a rule may be undefined on rows that take part in nothing: they get p = 1
        exponent_B = torch.where(active_B, per_completion(objective.exponent(facts), new_BT, "exponent"), 1.0)
    mean_B = power_mean(clipped.log_ratios_BT, mask_BT, exponent_B, weights=weights_BT)
    surrogate_B, sequence_clip = mean_B, None
    if not token_level:
        sequence_clip = objective.trust_region.apply(mean_B.log().unsqueeze(1), advantages_B, batch)
        surrogate_B = sequence_clip.log_ratios_BT.squeeze(1).exp()

    counts_B = token_counts(mask_BT, new_BT.dtype)
    share_B = weights_BT.sum(dim=1) / counts_B.clamp(min=1.0)
    objective_B = torch.where(active_B, advantages_B * share_B * surrogate_B, 0.0)
    omega_B = sequence_weights(mask_BT, objective.sequence_weight, batch, objective.max_completion_length, new_BT.dtype)
    loss = -(omega_B * objective_B).sum()
    kl_ref_B = torch.zeros_like(advantages_B)
    if ref_log_probs is not None:
        kl_ref_B = _reference_kl(new_BT, ref_log_probs, log_ratios_BT, mask_BT, objective)
        loss = loss + objective.kl_coef * (omega_B * kl_ref_B).sum()
    finite_BT = raw_BT.isfinite() & weights_BT.isfinite()
    nonfinite_B = (~finite_BT & mask_BT).any(dim=1) | ~advantages_B.isfinite()
    return PolicyLoss(loss, _diagnose(facts, exponent_B, mean_B, kl_ref_B, active_B, nonfinite_B, sequence_clip))


def _check_needs(objective: Objective, batch: BatchContext, ref_log_probs: Tensor | None) -> None:
    for name in objective.needs:
        if getattr(batch, name) is None:
            raise ValueError(
                f"Objective '{objective.name}' needs `{name}` of the generation batch: pass "
                f"batch=pmpo.BatchContext({name}=...), computed over all ranks."
            )
    if objective.kl_coef > 0 and ref_log_probs is None:
        raise ValueError(
            f"Objective '{objective.name}' has kl_coef={objective.kl_coef} and needs `ref_log_probs` [B, T]: pass "
            "the reference model's log probabilities, or write objective(..., kl_coef=0.0)."
        )


def _loss_weights(loss_weights: Tensor | None, mask_BT: Tensor, like_BT: Tensor) -> Tensor:
    if loss_weights is None:
        return mask_BT.to(like_BT.dtype)
    if loss_weights.dim() != 2 or loss_weights.shape[0] != mask_BT.shape[0]:
        raise ValueError(
            f"`loss_weights` must be [B, T] or [B, 1] with B = {mask_BT.shape[0]}, got {list(loss_weights.shape)}."
        )
    return fill_masked(loss_weights.detach().to(like_BT.dtype).expand(mask_BT.shape), mask_BT)


def _facts(
    log_ratios_BT: Tensor, clipped: Clipped, mask_BT: Tensor, advantages_B: Tensor, batch: BatchContext
) -> ExponentFacts:
    return ExponentFacts(
        log_ratios_BT=log_ratios_BT.detach(),
        clipped_log_ratios_BT=clipped.log_ratios_BT.detach(),
        mask_BT=mask_BT,
        changed_BT=clipped.changed_BT,
        outside_BT=clipped.outside_BT,
        advantages_B=advantages_B,
        batch=batch,
    )


def _reference_kl(
    new_BT: Tensor, ref_log_probs: Tensor, log_ratios_BT: Tensor, mask_BT: Tensor, objective: Objective
) -> Tensor:
    check_mask(ref_log_probs, mask_BT)
    x_BT = fill_masked(ref_log_probs.detach().to(new_BT.dtype) - new_BT, mask_BT)
    ratio_BT = None
    if objective.kl_bias_correction:  # ratio times estimate is held at 80 nats, as each of them is
        size_BT = x_BT.detach().clamp(0.0, SATURATION_NATS) + x_BT.detach().abs().log1p()
        ratio_BT = torch.minimum(log_ratios_BT, SATURATION_NATS - size_BT).exp()
    return kl_estimate(x_BT, mask_BT, token_weights_BT=ratio_BT)


@torch.no_grad()
def _diagnose(
    facts: ExponentFacts,
    exponent_B: Tensor,
    mean_B: Tensor,
    kl_ref_B: Tensor,
    active_B: Tensor,
    nonfinite_B: Tensor,
    sequence_clip: Clipped | None,
) -> Diagnostics:
    l_BT, mask_BT = facts.log_ratios_BT, facts.mask_BT
    if sequence_clip is None:
        one_sided_B, two_sided_B = facts.clip_fraction("one_sided"), facts.clip_fraction("two_sided")
    else:
        one_sided_B = sequence_clip.changed_BT.squeeze(1).to(l_BT.dtype)
        two_sided_B = sequence_clip.outside_BT.squeeze(1).to(l_BT.dtype)
    return Diagnostics(
        exponent=exponent_B.clone(),
        clip_fraction=one_sided_B,
        clip_fraction_two_sided=two_sided_B,
        ess=normalized_ess(facts.clipped_log_ratios_BT, mask_BT, exponent_B),
        power_mean=mean_B.detach(),
        max_abs_log_ratio=l_BT.abs().amax(dim=1),
        max_log_ratio=_envelope(l_BT, mask_BT, -torch.inf).amax(dim=1).nan_to_num(neginf=0.0),
        min_log_ratio=_envelope(l_BT, mask_BT, torch.inf).amin(dim=1).nan_to_num(posinf=0.0),
        kl=kl_estimate(l_BT, mask_BT),
        kl_ref=kl_ref_B.detach(),
        active=active_B,
        nonfinite=nonfinite_B,
    )


def _envelope(values_BT: Tensor, mask_BT: Tensor, outside: float) -> Tensor:
    return fill_masked(values_BT, mask_BT, outside)
