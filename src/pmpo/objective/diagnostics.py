"""What happened to each completion in a call of `policy_loss`."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from pmpo.objective.batch import fill_masked
from pmpo.objective.facts import ExponentFacts
from pmpo.objective.kl import kl_estimate
from pmpo.objective.loss_inputs import LossInputs
from pmpo.objective.power_mean import normalized_ess
from pmpo.objective.region import Clipped


@dataclass(frozen=True)
class Diagnostics:
    """What happened to each completion; every field is [B] and carries no gradient.

    Loss weights ρ are the measure over tokens of every field but `kl_ref`: a token with ρ = 0 is in none of them.

    Attributes:
        exponent: p.
        clip_fraction: f, share of tokens that the trust region changed (one-sided); 1 where it clipped the completion
            as a whole.
        clip_fraction_two_sided: share of tokens outside the range whatever the sign of A.
        ess: nESS at p of the clipped log ratios.
        power_mean: M, the completion's ratio after token clipping (before a sequence-level clip).
        max_abs_log_ratio: largest |l|, nats.
        max_log_ratio, min_log_ratio: both envelopes of l, nats.
        kl: estimate of KL(π_old ‖ π_θ), nats per token; where ρ is the ratio of π_old to the policy that sampled,
            the weighted mean is the one that π_old asks for.
        kl_ref: estimate of KL(π_θ ‖ π_ref), nats per token, as it stands in the loss: over all counted tokens,
            whatever their ρ; 0 without a reference.
        active: bool, A ≠ 0 and at least one token with ρ ≠ 0: only these rows belong in statistics.
        nonfinite: bool, the row's advantage, KL to the reference, a weight, or a log ratio whose ρ is not 0 is NaN
            or infinite.
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


@torch.no_grad()
def diagnose(
    given: LossInputs,
    facts: ExponentFacts,
    exponent_B: Tensor,
    mean_B: Tensor,
    kl_ref_B: Tensor,
    sequence_clip: Clipped | None,
) -> Diagnostics:
    """The diagnostics of one call of `policy_loss`; `sequence_clip` holds [B, 1] where the mean itself is clipped."""
    l_BT, mask_BT, rho_BT = facts.log_ratios_BT, facts.mask_BT, facts.weights_BT
    weighted_BT = given.weighted_BT  # l is 0 elsewhere
    one_sided_B, two_sided_B = facts.clip_fraction("one_sided"), facts.clip_fraction("two_sided")
    if sequence_clip is not None:
        one_sided_B = torch.where(sequence_clip.changed_BT.squeeze(1), 1.0, one_sided_B)
        two_sided_B = torch.where(sequence_clip.outside_BT.squeeze(1), 1.0, two_sided_B)
    return Diagnostics(
        exponent=exponent_B.clone(),
        clip_fraction=one_sided_B,
        clip_fraction_two_sided=two_sided_B,
        ess=normalized_ess(facts.clipped_log_ratios_BT, mask_BT, exponent_B, weights=rho_BT),
        power_mean=mean_B.detach(),
        max_abs_log_ratio=l_BT.abs().amax(dim=1),
        max_log_ratio=fill_masked(l_BT, weighted_BT, -torch.inf).amax(dim=1).nan_to_num(neginf=0.0),
        min_log_ratio=fill_masked(l_BT, weighted_BT, torch.inf).amin(dim=1).nan_to_num(posinf=0.0),
        kl=kl_estimate(l_BT, mask_BT, measure_BT=rho_BT),
        kl_ref=kl_ref_B.detach(),
        active=given.active_B,
        nonfinite=given.nonfinite(kl_ref_B),
    )
