"""Trust regions: how far a token's (or a completion's) ratio may move before its gradient stops.

All are sign-aware and one-sided, the PPO min rule:  A > 0: c = min(l, u);  A < 0: c = max(l, −d).
Bounds named `ratio_*` are distances from ratio 1 (the ε of GRPO); bounds named `log_ratio_*` are nats.
Equations: docs/equations.md.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass, fields
from typing import ClassVar

import torch
from torch import Tensor

from pmpo.objective.batch import BatchContext, exact_scalar

Bound = float | Tensor


@dataclass(frozen=True)
class TrustRegion(ABC):
    """Base of all trust regions.

    Attributes:
        dual_clip_ratio: largest ratio that a completion with A < 0 may reach (PPO's dual clip); above it the
            token's gradient stops. Must lie above the upper bound. None: no limit.
    """

    dual_clip_ratio: float | None = None

    level: ClassVar[str] = "token"
    """"token": c is clipped before the mean. "sequence": the mean itself is clipped."""
    needs: ClassVar[tuple[str, ...]] = ()
    """Fields of BatchContext without which the bounds are not defined."""

    @abstractmethod
    def bounds(self, batch: BatchContext) -> tuple[Bound, Bound]:
        """(d, u) in nats: the log ratio is free within [−d, u]."""

    def describe(self) -> str:
        """One line for a plan: the name and every bound with its unit."""
        values = ", ".join(
            f"{f.name}={getattr(self, f.name)}" for f in fields(self) if getattr(self, f.name) is not None
        )
        return f"{type(self).__name__}({values})"

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if value is not None and not (isinstance(value, int | float) and math.isfinite(value)):
                raise ValueError(f"{type(self).__name__}.{field.name} must be a finite number, got {value!r}.")
        if self.dual_clip_ratio is not None and self.dual_clip_ratio <= 1.0:
            raise ValueError(
                f"`dual_clip_ratio` is the largest ratio allowed where A < 0 and must exceed 1, got "
                f"{self.dual_clip_ratio}. PPO's usual value is 3."
            )


@dataclass(frozen=True)
class RatioClip(TrustRegion):
    """Token ratios within [1 − ratio_low, 1 + ratio_high]: GRPO 0.2/0.2, DAPO 0.2/0.28."""

    ratio_low: float = 0.2
    ratio_high: float = 0.2

    def bounds(self, batch: BatchContext) -> tuple[Bound, Bound]:
        return -math.log1p(-self.ratio_low), math.log1p(self.ratio_high)

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_ratio_bounds(self.ratio_low, self.ratio_high)


@dataclass(frozen=True)
class LogRatioClip(TrustRegion):
    """Token log ratios within [−log_ratio_low, log_ratio_high] nats: GMPO and PMPO 0.4, ratios (0.67, 1.49)."""

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
    """

    ratio_low: float = 0.2
    ratio_high_min: float = 0.2
    ratio_high_max: float = 0.4
    std_floor: float = 1e-6
    needs: ClassVar[tuple[str, ...]] = ("reward_mean", "reward_std")

    def bounds(self, batch: BatchContext) -> tuple[Bound, Bound]:
        mean, std = exact_scalar(batch.reward_mean), exact_scalar(batch.reward_std)
        span = self.ratio_high_max - self.ratio_high_min
        return -math.log1p(-self.ratio_low), torch.log1p(
            self.ratio_high_min + span * torch.tanh(mean / (std + self.std_floor))
        )

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_ratio_bounds(self.ratio_low, self.ratio_high_min)
        if self.ratio_high_max < self.ratio_high_min:
            raise ValueError(
                f"`ratio_high_max` ({self.ratio_high_max}) is below `ratio_high_min` ({self.ratio_high_min}): "
                "swap them. APMPO uses 0.2 and 0.4."
            )


@dataclass(frozen=True)
class NoClip(TrustRegion):
    """c = l, for ablations."""

    def bounds(self, batch: BatchContext) -> tuple[Bound, Bound]:
        return math.inf, math.inf


TRUST_REGIONS: dict[str, type[TrustRegion]] = {
    "ratio": RatioClip,
    "log_ratio": LogRatioClip,
    "sequence_ratio": SequenceRatioClip,
    "feedback_adaptive": FeedbackAdaptiveClip,
    "none": NoClip,
}


@dataclass(frozen=True)
class Clipped:
    """What a trust region makes of log ratios.

    Attributes:
        log_ratios_BT: c, nats, differentiable in l; gradient 0 exactly on changed tokens.
        changed_BT: bool, tokens that the sign-aware clip changed (the one-sided reading of the clip fraction).
        outside_BT: bool, tokens outside the range whatever the sign of A (the two-sided reading).
    """

    log_ratios_BT: Tensor
    changed_BT: Tensor
    outside_BT: Tensor


def clip_tokens(log_ratios_BT: Tensor, advantages_B: Tensor, region: TrustRegion, batch: BatchContext) -> Clipped:
    """Apply a trust region to log ratios [B, T] (or to a completion's log mean as [B, 1]).

    where() rather than minimum(): at a tie minimum() would halve the gradient of a token that is not clipped.
    """
    down, up = (exact_scalar(bound).to(log_ratios_BT) for bound in region.bounds(batch))
    positive_B1 = (advantages_B > 0).unsqueeze(1)
    negative_B1 = (advantages_B < 0).unsqueeze(1)
    above_BT, below_BT = log_ratios_BT > up, log_ratios_BT < -down
    clipped_BT = torch.where(positive_B1 & above_BT, up, log_ratios_BT)
    clipped_BT = torch.where(negative_B1 & below_BT, -down, clipped_BT)
    changed_BT = (positive_B1 & above_BT) | (negative_B1 & below_BT)
    if region.dual_clip_ratio is not None:
        cap = math.log(region.dual_clip_ratio)
        capped_BT = negative_B1 & (log_ratios_BT > cap)
        clipped_BT = torch.where(capped_BT, cap, clipped_BT)
        changed_BT = changed_BT | capped_BT
    return Clipped(clipped_BT, changed_BT, above_BT | below_BT)


def _check_ratio_bounds(low: float, high: float) -> None:
    if not 0.0 <= low < 1.0:
        raise ValueError(
            f"`ratio_low` is the ε of 1 − ε and must lie in [0, 1), got {low}. For a bound in nats use "
            "LogRatioClip(log_ratio_low=...)."
        )
    if high < 0.0:
        raise ValueError(f"`ratio_high` is the ε of 1 + ε and must not be negative, got {high}.")
