"""Trust regions that are no clip: caps that let the gradient pass, a gate, a mask by divergence, two levels at once.

Those that stop the gradient at bounds are in trust_region.py. Equations: docs/equations.md.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import ClassVar

import torch
from torch import Tensor

from pmpo.objective.batch import BatchContext
from pmpo.objective.correction import Divergence, check_divergence, signed_divergence
from pmpo.objective.region import Bound, Clipped, TrustRegion
from pmpo.objective.trust_region import SequenceRatioClip, TwoSidedClip


class _PassingCap(TrustRegion):
    """c = sg(min(l, u)) + l − sg(l) for both signs of A: the ratio is capped, and no gradient stops."""

    refused = MappingProxyType({"dual_clip_ratio": "already caps the ratio for both signs of A"})

    def apply(self, log_ratios_BT: Tensor, advantages_B: Tensor, batch: BatchContext) -> Clipped:
        _, up = self.bounds_like(log_ratios_BT, batch)
        above_BT = log_ratios_BT > up
        passed_BT = up + (log_ratios_BT - log_ratios_BT.detach())  # the value of u with the gradient of l
        clipped_BT = torch.where(above_BT, passed_BT, log_ratios_BT)
        return Clipped(clipped_BT, above_BT & (advantages_B != 0).unsqueeze(1), above_BT)


@dataclass(frozen=True)
class PassThroughClip(_PassingCap):
    """CISPO: c = sg(min(l, log ratio_max)) + l − sg(l), for both signs of A: the ratio is capped, no gradient stops.

    At p = 1 a token's gradient is −A·min(r, ratio_max)/n. There is no lower bound.

    Attributes:
        ratio_max: the largest ratio itself, not a distance from 1 (TRL's epsilon_high of loss_type cispo; ScaleRL
            recommends 5).
    Source: arXiv 2506.13585 eq. 4 and 5, with the lower bound off as there; 2510.13786.
    """

    ratio_max: float = 5.0

    def bounds(self, batch: BatchContext) -> tuple[Bound, Bound]:
        return math.inf, math.log(self.ratio_max)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.ratio_max < 1.0:
            raise ValueError(
                f"`ratio_max` is the largest ratio itself and must be at least 1, got {self.ratio_max}. For CISPO "
                "write 5; a distance from 1 belongs to ratio_high of RatioClip."
            )


@dataclass(frozen=True)
class EssCap(_PassingCap):
    """P3O: the ratio is capped at the effective sample size of the optimiser step, and no gradient stops.

    u = log ESS with ESS = (Σ ρr)²/(Σ ρ · Σ ρr²) over all counted tokens of the step, in (0, 1]: 1 where every ratio is
    1, less the more they spread, so that stale data weigh less as a whole.

    Source: arXiv 2605.12380; 1905.01756.
    """

    needs: ClassVar[tuple[str, ...]] = ("ratio_sums",)

    def bounds(self, batch: BatchContext) -> tuple[Bound, Bound]:
        return math.inf, batch.ratio_ess.log()


@dataclass(frozen=True)
class SoftGate(TrustRegion):
    """SAPO: c = log((4/τ)·sigmoid(τ(r − 1))), τ = temperature_pos where A > 0, else temperature_neg.

    At p = 1 a token's gradient is −A·4σ(1 − σ)·r/n with σ = sigmoid(τ(r − 1)): GRPO's at r = 1, fading on both sides.
    Nothing is clipped, so the clip fraction is 0. At r = 1 the value of M is 2/τ, not 1.

    Attributes:
        temperature_pos: τ where A > 0; a larger one fades faster.
        temperature_neg: τ where A < 0.
    Source: arXiv 2511.20347.
    """

    temperature_pos: float = 1.0
    temperature_neg: float = 1.05
    refused = MappingProxyType({"dual_clip_ratio": "already lets the gradient fade where the ratio grows"})
    has_bounds: ClassVar[bool] = False

    def bounds(self, batch: BatchContext) -> tuple[Bound, Bound]:
        return math.inf, math.inf

    def apply(self, log_ratios_BT: Tensor, advantages_B: Tensor, batch: BatchContext) -> Clipped:
        advantages_B1 = advantages_B.unsqueeze(1).to(log_ratios_BT)
        positive_B1 = torch.full_like(advantages_B1, self.temperature_pos)
        tau_B1 = torch.where(advantages_B1 > 0, positive_B1, self.temperature_neg)
        gated_BT = torch.nn.functional.logsigmoid(tau_B1 * torch.expm1(log_ratios_BT)) + math.log(4.0) - tau_B1.log()
        untouched_BT = torch.zeros_like(log_ratios_BT, dtype=torch.bool)
        return Clipped(gated_BT, untouched_BT, untouched_BT)

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("temperature_pos", "temperature_neg"):
            if getattr(self, name) <= 0.0:
                raise ValueError(f"`{name}` must be positive, got {getattr(self, name)}. SAPO uses 1.0 and 1.05.")


@dataclass(frozen=True)
class DivergenceClip(TrustRegion):
    """DPPO: a token's gradient stops where its probability, not its ratio, has moved too far in the direction of A.

    c = sg(min(l, log ratio_cap)), plus l − sg(l) on tokens that are near by `divergence_mask`: the value is capped as
    CISPO's, and a token that is too far keeps its value and loses its gradient.

    Attributes:
        divergence: of the two outcomes "this token" and "another one": "tv", |π_θ − π_old|, or "kl", the KL of π_old
            to π_θ.
        low: largest divergence of a token whose probability fell, where A < 0; a probability for tv, nats for kl.
        high: largest divergence of one whose probability rose, where A > 0.
        ratio_cap: the largest ratio itself.
    Source: arXiv 2602.04879; verl's dppo_tv and dppo_kl, whose script has 0.15 for tv and 0.05 for kl.
    """

    divergence: Divergence = "tv"
    low: float = 0.15
    high: float = 0.15
    ratio_cap: float = 20.0
    refused = MappingProxyType({"dual_clip_ratio": "already caps the ratio at ratio_cap"})
    sees_probabilities: ClassVar[bool] = True

    def bounds(self, batch: BatchContext) -> tuple[Bound, Bound]:
        return math.inf, math.log(self.ratio_cap)

    def apply(
        self, log_ratios_BT: Tensor, advantages_B: Tensor, batch: BatchContext, log_probs_BT: Tensor | None = None
    ) -> Clipped:
        if log_probs_BT is None:
            raise ValueError("DivergenceClip looks at probabilities: pass `log_probs_BT`, log π_θ, nats, [B, T].")
        values_BT = log_ratios_BT.detach()
        moved_BT = signed_divergence(log_probs_BT, log_probs_BT - values_BT, self.divergence)
        risen_BT, fallen_BT = moved_BT > self.high, moved_BT < -self.low
        far_BT = torch.where((advantages_B > 0).unsqueeze(1), risen_BT, fallen_BT)
        above_BT = values_BT > math.log(self.ratio_cap)
        capped_BT = values_BT.clamp(max=math.log(self.ratio_cap))
        clipped_BT = torch.where(far_BT, capped_BT, capped_BT + (log_ratios_BT - values_BT))
        held_BT = (far_BT | above_BT) & (advantages_B != 0).unsqueeze(1)
        return Clipped(clipped_BT, held_BT, risen_BT | fallen_BT | above_BT)

    def __post_init__(self) -> None:
        check_divergence(self.divergence, low=self.low, high=self.high)
        if not 1.0 <= self.ratio_cap < math.inf:
            raise ValueError(f"`ratio_cap` is the largest ratio itself, at least 1, got {self.ratio_cap}. DPPO has 20.")
        self.check_refused()


@dataclass(frozen=True)
class TwoLevelClip(TrustRegion):
    """Two regions, one after the other: log ratios of tokens go through the first, the completion's mean the second.

    Attributes:
        tokens: a region of tokens.
        sequence: a region of the mean.
    Source: `sequence_w_clip` in the code of arXiv 2605.12058.
    """

    tokens: TrustRegion = field(default_factory=TwoSidedClip, metadata={"part": "trust_region"})
    sequence: TrustRegion = field(default_factory=SequenceRatioClip, metadata={"part": "trust_region"})
    level: ClassVar[str] = "both"
    refused = MappingProxyType({"dual_clip_ratio": "has one in each of its regions"})

    @property
    def of_tokens(self) -> TrustRegion:
        return self.tokens

    @property
    def of_sequence(self) -> TrustRegion:
        return self.sequence

    def bounds(self, batch: BatchContext) -> tuple[Bound, Bound]:
        return self.tokens.bounds(batch)

    def __post_init__(self) -> None:
        for name, level in (("tokens", "token"), ("sequence", "sequence")):
            if getattr(getattr(self, name), "level", None) != level:
                raise ValueError(
                    f"`{name}` must be a trust region that works on the {level}, got {getattr(self, name)!r}: write "
                    "tokens: log_ratio and sequence: sequence_ratio."
                )
        self.check_refused()
