"""Trust regions that stop the gradient outside [−d, u]; those with another map are in maps.py.

Sign-aware and one-sided, the PPO min rule:  A > 0: c = min(l, u);  A < 0: c = max(l, −d). `TwoSidedClip` does it
whatever the sign of A. Bounds named `ratio_*` are distances from ratio 1 (the ε of GRPO), except `ratio_max`, the ratio
itself; bounds named `log_ratio_*` are nats. Equations: docs/equations.md.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from types import MappingProxyType
from typing import ClassVar

import torch
from torch import Tensor

from pmpo.objective.batch import BatchContext, exact_scalar
from pmpo.objective.region import Bound, Clipped, TrustRegion


@dataclass(frozen=True)
class RatioClip(TrustRegion):
    """Token ratios within [1 − ratio_low, 1 + ratio_high]: GRPO 0.2/0.2, DAPO 0.2/0.28.

    Attributes:
        ratio_low: ε_low, distance of the lower bound from ratio 1, in [0, 1]; 1 is no lower bound.
        ratio_high: ε_high, distance of the upper bound from ratio 1.
    """

    ratio_low: float = 0.2
    ratio_high: float = 0.2

    def bounds(self, batch: BatchContext) -> tuple[Bound, Bound]:
        return _down(self.ratio_low), math.log1p(self.ratio_high)

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_ratio_bounds(self.ratio_low, self.ratio_high)


@dataclass(frozen=True)
class LogRatioClip(TrustRegion):
    """Token log ratios within [−log_ratio_low, log_ratio_high] nats: GMPO and PMPO 0.4, ratios (0.67, 1.49).

    Attributes:
        log_ratio_low: distance of the lower bound from 0, nats.
        log_ratio_high: distance of the upper bound from 0, nats.
    """

    log_ratio_low: float = 0.4
    log_ratio_high: float = 0.4

    def bounds(self, batch: BatchContext) -> tuple[Bound, Bound]:
        return self.log_ratio_low, self.log_ratio_high

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("log_ratio_low", "log_ratio_high"):
            if getattr(self, name) < 0:
                raise ValueError(
                    f"`{name}` is a distance from 0 in nats and must not be negative, got {getattr(self, name)}. "
                    "GMPO and PMPO use 0.4 for both."
                )


@dataclass(frozen=True)
class SequenceRatioClip(RatioClip):
    """min(M·A, clip(M, 1 − ratio_low, 1 + ratio_high)·A), no token clip: GSPO 3e-4/4e-4, HölderPO 0.2."""

    level: ClassVar[str] = "sequence"


@dataclass(frozen=True)
class FeedbackAdaptiveClip(TrustRegion):
    """Ratio clip whose upper bound follows the rewards (FAC of APMPO).

    ε_high = ratio_high_min + (ratio_high_max − ratio_high_min)·tanh(μ_R/(σ_R + std_floor)); ε_low is fixed.
    ε_high never leaves [ratio_high_min, ratio_high_max]: a mean reward below 0, where tanh is negative, and one that
    is NaN (no completion was scored, or σ_R is not known) count as 0, the narrowest bound. Rewards that all agree
    on a positive number (σ_R = 0) give the widest.

    Attributes:
        ratio_low: ε_low, distance of the lower bound from ratio 1, in [0, 1].
        ratio_high_min: narrowest distance of the upper bound from ratio 1, where the rewards are low or spread.
        ratio_high_max: widest distance of the upper bound, where the rewards are high and agree.
        std_floor: added to σ_R, in units of reward.
    """

    ratio_low: float = 0.2
    ratio_high_min: float = 0.2
    ratio_high_max: float = 0.4
    std_floor: float = 1e-6
    needs: ClassVar[tuple[str, ...]] = ("reward_mean", "reward_std")

    def bounds(self, batch: BatchContext) -> tuple[Bound, Bound]:
        mean, std = exact_scalar(batch.reward_mean), exact_scalar(batch.reward_std)
        share = torch.tanh(mean / (std + self.std_floor)).nan_to_num(nan=0.0)
        high = self.ratio_high_min + (self.ratio_high_max - self.ratio_high_min) * share
        return _down(self.ratio_low), torch.log1p(high.clamp(self.ratio_high_min, self.ratio_high_max))

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_ratio_bounds(self.ratio_low, self.ratio_high_min)
        if self.ratio_high_max < self.ratio_high_min:
            raise ValueError(
                f"`ratio_high_max` ({self.ratio_high_max}) is below `ratio_high_min` ({self.ratio_high_min}): "
                "swap them. APMPO uses 0.2 and 0.4."
            )
        if self.std_floor < 0.0:
            raise ValueError(
                f"`std_floor` is added to a standard deviation and must not be negative, got {self.std_floor}."
            )


@dataclass(frozen=True)
class TwoSidedClip(LogRatioClip):
    """c = clip(l, −d, u) whatever the sign of A: a token outside gets no gradient, also where it should come back."""

    refused = MappingProxyType({"dual_clip_ratio": "already stops the gradient above log_ratio_high where A < 0"})

    def apply(self, log_ratios_BT: Tensor, advantages_B: Tensor, batch: BatchContext) -> Clipped:
        down, up = self.bounds_like(log_ratios_BT, batch)
        outside_BT = (log_ratios_BT > up) | (log_ratios_BT < -down)
        bounded_BT = log_ratios_BT.detach().clamp(-down, up)
        clipped_BT = torch.where(outside_BT, bounded_BT, log_ratios_BT)
        return Clipped(clipped_BT, outside_BT & (advantages_B != 0).unsqueeze(1), outside_BT)


@dataclass(frozen=True)
class NoClip(TrustRegion):
    """c = l, for ablations."""

    has_bounds: ClassVar[bool] = False

    def bounds(self, batch: BatchContext) -> tuple[Bound, Bound]:
        return math.inf, math.inf


def _down(ratio_low: float) -> float:
    """d of a ratio bound, nats: no ratio is below 1 − 1."""
    return -math.log1p(-ratio_low) if ratio_low < 1.0 else math.inf


def _check_ratio_bounds(low: float, high: float) -> None:
    if not 0.0 <= low <= 1.0:
        raise ValueError(
            f"`ratio_low` is the ε of 1 − ε and must lie in [0, 1] (1: no lower bound), got {low}. For a bound in "
            "nats use LogRatioClip(log_ratio_low=...)."
        )
    if high < 0.0:
        raise ValueError(f"`ratio_high` is the ε of 1 + ε and must not be negative, got {high}.")
