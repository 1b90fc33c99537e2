"""What `policy_loss` is given, checked once and with every default filled in."""

from __future__ import annotations

from dataclasses import dataclass

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
from pmpo.objective.decoupling import centre
from pmpo.objective.facts import ExponentFacts
from pmpo.objective.presets import Objective
from pmpo.objective.region import Clipped


@dataclass(frozen=True)
class LossInputs:
    """Tensors of one shape, floating-point type and device.

    Attributes:
        log_probs_BT: log π_θ, nats, differentiable; float32 or float64.
        raw_log_ratios_BT: log π_θ − log π_old, nats, as it came.
        log_ratios_BT: l, the same saturated at ±80 nats, 0 on tokens without weight.
        mask_BT: bool, tokens that count.
        counts_B: n, how many they are.
        weights_BT: ρ >= 0, 0 on masked tokens: an entropy mask, a rollout-correction ratio (`rollout_weights`), an
            off-policy mask. ρ is the measure over tokens of M, nESS and f, and ρ̄ its mean over counted tokens, so that
            at p = 1 every token's term is multiplied by its own ρ. For ρ of 0 and 1 everything equals dropping the
            tokens with ρ = 0 from the mask, except for the factor ρ̄, the sequence weight (n counts them) and the KL to
            the reference. A completion with Σρ = 0 is inactive, with p = 1.
        weighted_BT: bool, tokens that count with ρ ≠ 0.
        advantages_B: A.
        active_B: bool, completions that take part: A ≠ 0 and a token with ρ ≠ 0.
        batch: facts of the whole optimiser step.
        ref_log_probs_BT: log π_ref, nats; None without a reference.
    """

    log_probs_BT: Tensor
    raw_log_ratios_BT: Tensor
    log_ratios_BT: Tensor
    mask_BT: Tensor
    counts_B: Tensor
    weights_BT: Tensor
    weighted_BT: Tensor
    advantages_B: Tensor
    active_B: Tensor
    batch: BatchContext
    ref_log_probs_BT: Tensor | None

    def mean_weights(self) -> Tensor:
        """ρ̄, the mean of ρ over the counted tokens of each completion, [B]."""
        return self.weights_BT.sum(dim=1) / self.counts_B.clamp(min=1.0)

    def facts(self, clipped: Clipped) -> ExponentFacts:
        """What an exponent rule may look at."""
        return ExponentFacts(
            log_ratios_BT=self.log_ratios_BT.detach(),
            clipped_log_ratios_BT=clipped.log_ratios_BT.detach(),
            mask_BT=self.mask_BT,
            weights_BT=self.weights_BT,
            changed_BT=clipped.changed_BT,
            outside_BT=clipped.outside_BT,
            advantages_B=self.advantages_B,
            batch=self.batch,
        )

    def nonfinite(self, kl_ref_B: Tensor) -> Tensor:
        """Completions of which a counted number is NaN or infinite, bool [B]."""
        finite_BT = self.raw_log_ratios_BT.isfinite() & self.weights_BT.isfinite()
        wrong_B = (~finite_BT & self.weighted_BT).any(dim=1)
        return wrong_B | ~self.advantages_B.isfinite() | ~kl_ref_B.isfinite()


@dataclass(frozen=True)
class PlainInputs:
    """The arguments of `policy_loss`, checked, in one floating-point type: float32, or float64 for float64.

    Attributes:
        log_probs_BT: log π_θ, nats, differentiable.
        old_log_probs_BT: log π_old, nats.
        mask_BT: bool, tokens that count.
        advantages_B: A.
        weights_BT: ρ, as given, [B, T]; None for 1.
        ref_log_probs_BT: log π_ref, nats; None without a reference.
    """

    log_probs_BT: Tensor
    old_log_probs_BT: Tensor
    mask_BT: Tensor
    advantages_B: Tensor
    weights_BT: Tensor | None
    ref_log_probs_BT: Tensor | None


def plain_inputs(
    log_probs: Tensor,
    old_log_probs: Tensor,
    advantages: Tensor,
    mask: Tensor,
    loss_weights: Tensor | None,
    ref_log_probs: Tensor | None,
) -> PlainInputs:
    """The arguments of `policy_loss` as `PlainInputs`.

    Raises: ValueError when shapes disagree.
    """
    mask_BT = check_mask(log_probs, mask)
    check_mask(old_log_probs, mask)
    if ref_log_probs is not None:
        check_mask(ref_log_probs, mask)
    new_BT = full_precision(log_probs)
    if loss_weights is not None:
        _check_loss_weights(loss_weights, len(mask_BT))
        loss_weights = loss_weights.detach().to(new_BT.dtype).expand(mask_BT.shape)
    return PlainInputs(
        log_probs_BT=new_BT,
        old_log_probs_BT=old_log_probs.detach().to(new_BT.dtype),
        mask_BT=mask_BT,
        advantages_B=per_completion(advantages, new_BT, "advantages").detach(),
        weights_BT=loss_weights,
        ref_log_probs_BT=None if ref_log_probs is None else ref_log_probs.detach().to(new_BT.dtype),
    )


def checked_inputs(given: PlainInputs, batch: BatchContext | None) -> LossInputs:
    """`PlainInputs` with what follows from them token by token."""
    new_BT, mask_BT = given.log_probs_BT, given.mask_BT
    raw_BT = new_BT - given.old_log_probs_BT
    weights_BT = mask_BT.to(new_BT.dtype) if given.weights_BT is None else fill_masked(given.weights_BT, mask_BT)
    weighted_BT = mask_BT & (weights_BT != 0)
    return LossInputs(
        log_probs_BT=new_BT,
        raw_log_ratios_BT=raw_BT,
        log_ratios_BT=saturated(raw_BT, weighted_BT),
        mask_BT=mask_BT,
        counts_B=token_counts(mask_BT, new_BT.dtype),
        weights_BT=weights_BT,
        weighted_BT=weighted_BT,
        advantages_B=given.advantages_B,
        active_B=(given.advantages_B != 0) & weighted_BT.any(dim=1),
        batch=batch if batch is not None else BatchContext(),
        ref_log_probs_BT=given.ref_log_probs_BT,
    )


def check_needs(objective: Objective, batch: BatchContext | None, ref_log_probs: Tensor | None) -> None:
    """Refuse a call without a fact that the objective needs.

    Raises: ValueError with the argument that gives it.
    """
    for name in objective.needs:
        if name != "ratio_sums" and getattr(batch, name, None) is None:
            raise ValueError(
                f"Objective '{objective.name}' needs `{name}` of the generation batch: pass "
                f"batch=pmpo.BatchContext({name}=...), computed over all ranks."
            )
    if objective.kl_coef > 0 and ref_log_probs is None:
        raise ValueError(
            f"Objective '{objective.name}' has kl_coef={objective.kl_coef} and needs `ref_log_probs` [B, T]: pass "
            "the reference model's log probabilities, or write objective(..., kl_coef=0.0)."
        )


def decoupled(
    objective: Objective,
    old_log_probs: Tensor,
    sampler_log_probs: Tensor | None,
    mask: Tensor,
    loss_weights: Tensor | None,
) -> tuple[Tensor, Tensor | None]:
    """log π_old and ρ after what the objective does about a sampler that is not the policy at the start of the round.

    Args:
        sampler_log_probs: log π_sampler, nats, [B, T]; NaN where it is not known, which is ratio 1. None: the sampler
            was the policy at the start of the round, and nothing changes.
    Raises: ValueError for an objective that would ignore it, and when shapes disagree.
    """
    if sampler_log_probs is None:
        return old_log_probs, loss_weights
    if not objective.uses_sampler:
        raise ValueError(
            f"`sampler_log_probs` is given, and objective '{objective.name}' would ignore it: write objective(..., "
            "correction='truncate') to weigh tokens by the ratio to the sampler, objective(..., old_policy='sampler') "
            "to centre the trust region there, or leave it out."
        )
    if objective.correction is None:
        return centre(old_log_probs, sampler_log_probs, mask), loss_weights
    rho = objective.correction.weights(old_log_probs.detach(), sampler_log_probs.detach(), mask)
    if loss_weights is None:
        return old_log_probs, rho
    _check_loss_weights(loss_weights, len(mask))
    return old_log_probs, rho * loss_weights.detach().to(rho.dtype)


def saturated(raw_BT: Tensor, counted_BT: Tensor) -> Tensor:
    """Log ratios within ±80 nats, 0 where they do not count."""
    return fill_masked(raw_BT, counted_BT).clamp(-SATURATION_NATS, SATURATION_NATS)


def _check_loss_weights(loss_weights: Tensor, rows: int) -> None:
    if loss_weights.dim() != 2 or loss_weights.shape[0] != rows:
        raise ValueError(f"`loss_weights` must be [B, T] or [B, 1] with B = {rows}, got {list(loss_weights.shape)}.")
