"""What a trust region is: a map l -> c of log ratios with a gradient of its choice. The members: trust_region.py."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import ClassVar

import torch
from torch import Tensor

from pmpo.objective.batch import BatchContext, exact_scalar

Bound = float | Tensor


@dataclass(frozen=True)
class Clipped:
    """What a trust region makes of log ratios.

    Attributes:
        log_ratios_BT: c, nats, differentiable in l.
        changed_BT: bool, tokens that the region's bounds hold (the one-sided reading of the clip fraction). Their
            gradient is exactly 0, except under a cap that lets it pass (`PassThroughClip`, `EssCap`).
        outside_BT: bool, tokens outside the bounds whatever the sign of A (the two-sided reading).
    """

    log_ratios_BT: Tensor
    changed_BT: Tensor
    outside_BT: Tensor


@dataclass(frozen=True)
class TrustRegion(ABC):
    """Base of all trust regions. One of your own gives `bounds`, or its own map in `apply`.

    Attributes:
        dual_clip_ratio: largest ratio that a token may reach where A < 0 (PPO's dual clip); above it the token's
            gradient stops. Must lie above the upper bound. None: no limit.
    """

    dual_clip_ratio: float | None = field(default=None, kw_only=True)

    level: ClassVar[str] = "token"
    """"token": c is made before the mean. "sequence": the mean itself is clipped. "both": one after the other."""
    needs: ClassVar[tuple[str, ...]] = ()
    """Fields of BatchContext without which the bounds are not defined."""
    has_bounds: ClassVar[bool] = True
    """Whether a token can count as clipped, which the clip-aware exponent reads."""
    sees_probabilities: ClassVar[bool] = False
    """Whether `apply` takes `log_probs_BT` as well, log π_θ, nats, [B, T], a constant."""
    refused: ClassVar[Mapping[str, str]] = {}
    """Options of the base that have no meaning here, each with the reason as the end of a sentence."""

    @property
    def of_tokens(self) -> TrustRegion | None:
        """The region that log ratios of tokens go through; None where only the mean is clipped."""
        return self if self.level == "token" else None

    @property
    def of_sequence(self) -> TrustRegion | None:
        """The region that the log of the mean goes through; None where only tokens are clipped."""
        return self if self.level == "sequence" else None

    @abstractmethod
    def bounds(self, batch: BatchContext) -> tuple[Bound, Bound]:
        """(d, u) in nats: the log ratio is free within [−d, u]."""

    def apply(self, log_ratios_BT: Tensor, advantages_B: Tensor, batch: BatchContext) -> Clipped:
        """c of log ratios [B, T] (or of a completion's log mean as [B, 1]): by default the min rule on `bounds`.

        where() rather than minimum(): at a tie minimum() would halve the gradient of a token that is not clipped.
        """
        down, up = self.bounds_like(log_ratios_BT, batch)
        positive_B1 = (advantages_B > 0).unsqueeze(1)
        negative_B1 = (advantages_B < 0).unsqueeze(1)
        above_BT, below_BT = log_ratios_BT > up, log_ratios_BT < -down
        clipped_BT = torch.where(positive_B1 & above_BT, up, log_ratios_BT)
        clipped_BT = torch.where(negative_B1 & below_BT, -down, clipped_BT)
        changed_BT = (positive_B1 & above_BT) | (negative_B1 & below_BT)
        if self.dual_clip_ratio is not None:
            cap = math.log(self.dual_clip_ratio)
            capped_BT = negative_B1 & (log_ratios_BT > cap)
            clipped_BT = torch.where(capped_BT, cap, clipped_BT)
            changed_BT = changed_BT | capped_BT
        return Clipped(clipped_BT, changed_BT, above_BT | below_BT)

    def bounds_like(self, log_ratios_BT: Tensor, batch: BatchContext) -> tuple[Tensor, Tensor]:
        """(d, u) with dtype and device of the log ratios."""
        down, up = self.bounds(batch)
        return exact_scalar(down).to(log_ratios_BT), exact_scalar(up).to(log_ratios_BT)

    def describe(self) -> str:
        """One line for a plan: the name and every bound with its unit."""
        values = ", ".join(
            f"{f.name}={getattr(self, f.name)}" for f in fields(self) if getattr(self, f.name) is not None
        )
        return f"{type(self).__name__}({values})"

    def __post_init__(self) -> None:
        for each in fields(self):
            value = getattr(self, each.name)
            if value is not None and not (isinstance(value, int | float) and math.isfinite(value)):
                raise ValueError(f"{type(self).__name__}.{each.name} must be a finite number, got {value!r}.")
        self.check_refused()
        if self.dual_clip_ratio is not None and self.dual_clip_ratio <= 1.0:
            raise ValueError(
                f"`dual_clip_ratio` is the largest ratio allowed where A < 0 and must exceed 1, got "
                f"{self.dual_clip_ratio}. PPO's usual value is 3."
            )

    def check_refused(self) -> None:
        """Refuse options of the base that have no meaning here.

        Raises: ValueError with the reason.
        """
        for name, reason in self.refused.items():
            if (value := getattr(self, name)) is not None:
                raise ValueError(
                    f"`{name}`={value} has no meaning for {type(self).__name__}, which {reason}: remove it."
                )
