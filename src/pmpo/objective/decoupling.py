"""Where the samples came from, apart from where the round began: the correction, and the centre of the ratio.

Three policies meet in a loss: π_θ, which is trained; π_start, which it was when the round began (`old_log_probs`); and
π_sampler, which drew the completions. They part when rollouts are rounds old, or when another engine samples. Either
the ratio stays centred at π_start, and a correction ρ = π_start/π_sampler weighs the tokens; or the ratio and its trust
region are centred at π_sampler. Equations: docs/equations.md.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Literal, get_args

import torch
from torch import Tensor

from pmpo.foundation.errors import unknown_name
from pmpo.objective.batch import check_mask, full_precision
from pmpo.objective.correction import ratio_bounds, rollout_weights

OldPolicy = Literal["start", "sampler"]
OLD_POLICIES = {
    "start": "log π_old is the policy at the start of the round",
    "sampler": "log π_old is the policy that drew the completion, as it reported itself",
}
"""What the ratio and its trust region are centred at."""

CorrectionLevel = Literal["token", "sequence"]


class Correction(ABC):
    """Base of the corrections: token weights that make up for the samples coming from another policy."""

    @abstractmethod
    def weights(self, start_log_probs: Tensor, sampler_log_probs: Tensor, mask: Tensor) -> Tensor:
        """ρ >= 0, [B, T] or [B, 1], constants.

        Args:
            start_log_probs: log π_start, nats, [B, T].
            sampler_log_probs: log π_sampler, nats, [B, T]; NaN where the sampler reported none, which is ratio 1.
            mask: bool (or 0/1) [B, T], True on tokens that count.
        """


@dataclass(frozen=True)
class _Bounded(Correction):
    """A correction that bounds the ratio π_start/π_sampler in one of the modes of `rollout_weights`.

    Attributes:
        level: whose ratio it is: each token's, or the product over the completion, one weight for all of its tokens.
        ratio_max: the largest ratio; infinity for no bound.
        ratio_min: the smallest; none for 0.
    """

    level: CorrectionLevel = "token"
    ratio_max: float = 2.0
    ratio_min: float | None = None

    def __post_init__(self) -> None:
        if self.level not in get_args(CorrectionLevel):
            raise ValueError(unknown_name("level of a correction", self.level, get_args(CorrectionLevel)))
        ratio_bounds(self.ratio_min, self.ratio_max)

    def _rho(self, action: str, start_log_probs: Tensor, sampler_log_probs: Tensor, mask: Tensor) -> Tensor:
        return rollout_weights(
            start_log_probs,
            sampler_log_probs,
            mask,
            mode=f"{self.level}_{action}",
            ratio_min=self.ratio_min,
            ratio_max=self.ratio_max,
        )


@dataclass(frozen=True)
class TruncatedCorrection(_Bounded):
    """ρ = clip(π_start/π_sampler, ratio_min, ratio_max): truncated importance sampling (TIS)."""

    def weights(self, start_log_probs: Tensor, sampler_log_probs: Tensor, mask: Tensor) -> Tensor:
        return self._rho("truncate", start_log_probs, sampler_log_probs, mask)


@dataclass(frozen=True)
class MaskedCorrection(_Bounded):
    """ρ = π_start/π_sampler within [ratio_min, ratio_max], else 0: IcePop by tokens, MIS by sequences."""

    def weights(self, start_log_probs: Tensor, sampler_log_probs: Tensor, mask: Tensor) -> Tensor:
        return self._rho("mask", start_log_probs, sampler_log_probs, mask)


CORRECTIONS: dict[str, type[Correction]] = {
    "truncate": TruncatedCorrection,
    "mask": MaskedCorrection,
}


def check_pair(correction: Correction | None, old_policy: str) -> None:
    """Refuse what is no correction, no centre, or both at once.

    Raises: ValueError with what to write instead.
    """
    if correction is not None and not isinstance(correction, Correction):
        raise ValueError(f"`correction` must be a Correction, a name of one, or none, got {correction!r}.")
    if old_policy not in OLD_POLICIES:
        raise ValueError(unknown_name("old policy", old_policy, OLD_POLICIES))
    if correction is not None and old_policy == "sampler":
        raise ValueError(
            f"old_policy 'sampler' centres the ratio at the sampler, so that the correction {correction} would count "
            "the sampler twice: write old_policy: start to correct, or correction: none to keep the centre."
        )


@torch.no_grad()
def centre(start_log_probs: Tensor, sampler_log_probs: Tensor, mask: Tensor) -> Tensor:
    """log π_sampler, [B, T], and log π_start where the sampler reported none (NaN).

    Raises: ValueError when the shapes disagree.
    """
    check_mask(sampler_log_probs, mask)
    start_BT = full_precision(start_log_probs)
    sampler_BT = sampler_log_probs.to(start_BT.dtype)
    return torch.where(sampler_BT.isnan(), start_BT, sampler_BT)
