"""What a fused kernel is told about an objective: which of the known formulas, and their numbers.

A kernel knows the library's own parts. An objective with a part of a user's own has no plan, and the reference runs it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import IntEnum
from typing import Any

import torch
from torch import Tensor

from pmpo.objective.batch import BatchContext, exact_scalar
from pmpo.objective.exponents import ClipAwareESS
from pmpo.objective.facts import ExponentRule
from pmpo.objective.maps import DivergenceClip, PassThroughClip, SoftGate
from pmpo.objective.presets import LOST_ESS, Objective
from pmpo.objective.region import TrustRegion
from pmpo.objective.target_maps import LinearMap, PowerMap, RampMap
from pmpo.objective.trust_region import NoClip, TwoSidedClip
from pmpo.objective.weighting import sequence_weights


class Region(IntEnum):
    """The map l -> c of tokens. A region without bounds is the min rule with bounds at infinity."""

    MIN_RULE = 0
    TWO_SIDED = 1
    PASSING_CAP = 2
    SOFT_GATE = 3
    DIVERGENCE_TV = 4
    DIVERGENCE_KL = 5


class Target(IntEnum):
    """Where p comes from: GIVEN, one number a completion; else solved, for the target τ = e + (1 − e)·g(f)."""

    GIVEN = 0
    LINEAR = 1
    POWER = 2
    RAMP = 3
    ABSOLUTE = 4


SCALARS = (
    "down", "up", "log_cap",                # of tokens: bounds, dual clip; nats
    "tau_positive", "tau_negative",         # of the soft gate
    "fall", "rise",                         # of the divergence
    "mean_down", "mean_up", "mean_log_cap", # of the completion's mean, nats
    "target",                               # kappa, saturation or τ itself
    "omega", "omega_per_token",             # ω = omega + omega_per_token·n
    "kl_coef", "old_kl_coef",
)  # fmt: skip
"""Numbers that a kernel is given, in this order."""


class CannotFuseError(ValueError):
    """Why no fused kernel can compute something, as a sentence."""


@dataclass(frozen=True)
class Plan:
    """The formulas of an objective.

    Attributes:
        region: the map of tokens.
        target: where p comes from.
        one_sided: whether f counts the tokens that the sign-aware clip changed, else those outside the bounds.
        over_unclipped: whether the effective sample size is taken over l, else over c.
        kl_bias_correction: whether the estimate of the KL to the reference is multiplied by the ratio.
    """

    region: Region
    target: Target
    one_sided: bool
    over_unclipped: bool
    kl_bias_correction: bool


def plan_of(objective: Objective) -> Plan:
    """The plan of an objective.

    Raises: CannotFuseError with the part that no kernel knows.
    """
    tokens, sequence = objective.trust_region.of_tokens, objective.trust_region.of_sequence
    if sequence is not None and type(sequence).apply is not TrustRegion.apply:
        raise CannotFuseError(f"trust region {type(sequence).__name__} clips a completion's mean by a rule of its own")
    rule = objective.exponent
    one_sided, over_unclipped = False, False
    if isinstance(rule, ClipAwareESS):
        one_sided, over_unclipped = rule.reading == "one_sided", rule.over == "unclipped"
    return Plan(
        region=_region(tokens),
        target=_target(rule),
        one_sided=one_sided,
        over_unclipped=over_unclipped,
        kl_bias_correction=objective.kl_bias_correction,
    )


_REGIONS: dict[Any, Region] = {
    TrustRegion.apply: Region.MIN_RULE,
    TwoSidedClip.apply: Region.TWO_SIDED,
    PassThroughClip.apply: Region.PASSING_CAP,  # EssCap's as well
    SoftGate.apply: Region.SOFT_GATE,
}
_TARGETS: dict[type, Target] = {LinearMap: Target.LINEAR, PowerMap: Target.POWER, RampMap: Target.RAMP}


def _region(region: TrustRegion | None) -> Region:
    if region is None:
        return Region.MIN_RULE
    if isinstance(region, DivergenceClip) and type(region).apply is DivergenceClip.apply:
        return Region.DIVERGENCE_TV if region.divergence == "tv" else Region.DIVERGENCE_KL
    if type(region).apply not in _REGIONS:
        raise CannotFuseError(f"trust region {type(region).__name__} maps log ratios by a rule of its own")
    return _REGIONS[type(region).apply]


def _target(rule: ExponentRule) -> Target:
    if not getattr(rule, "reads_tokens", True):
        return Target.GIVEN
    if type(rule) is not ClipAwareESS:
        name = getattr(rule, "__qualname__", type(rule).__name__)
        raise CannotFuseError(f"exponent rule {name} looks at tokens")
    if isinstance(rule.target, int | float):
        return Target.ABSOLUTE
    if type(rule.target) not in _TARGETS:
        name = getattr(rule.target, "__qualname__", type(rule.target).__name__)
        raise CannotFuseError(f"target map {name} is none of the library's")
    return _TARGETS[type(rule.target)]


def scalars(objective: Objective, batch: BatchContext, rows: int, tokens: Callable[[], Any], like: Tensor) -> list[Any]:
    """The `SCALARS`: Python numbers, but for facts of the batch that came as tensors, which stay 0-dim tensors.

    Args:
        rows: completions of the call, for ω where the step's number is not given.
        tokens: counts the tokens of the call, where ω needs them and the step's number is not given.
        like: decides the dtype that bounds are rounded to, as the reference rounds them.
    Raises: ValueError for the constant weight without max_completion_length.
    """
    inner, outer = objective.trust_region.of_tokens or NoClip(), objective.trust_region.of_sequence or NoClip()
    return [
        *_bounds(inner, batch, like),
        *((inner.temperature_pos, inner.temperature_neg) if isinstance(inner, SoftGate) else (1.0, 1.0)),
        *((inner.low, inner.high) if isinstance(inner, DivergenceClip) else (math.inf, math.inf)),
        *_bounds(outer, batch, like),
        _target_number(objective.exponent),
        *_omega(objective, batch, rows, tokens, like),
        objective.kl_coef,
        1.0 - batch.ratio_ess if objective.old_kl_coef == LOST_ESS else objective.old_kl_coef,
    ]


def _bounds(region: TrustRegion, batch: BatchContext, like: Tensor) -> tuple[Any, Any, float]:
    down, up = region.bounds(batch)
    cap = math.inf if region.dual_clip_ratio is None else math.log(region.dual_clip_ratio)
    return _rounded(down, like), _rounded(up, like), _rounded(cap, like)


def _rounded(value: float | Tensor, like: Tensor) -> Any:
    """A bound as the comparison with log ratios of that dtype sees it."""
    if isinstance(value, Tensor):
        return exact_scalar(value).to(like.dtype)
    return value if like.dtype == torch.float64 else torch.tensor(value, dtype=like.dtype).item()


def _target_number(rule: ExponentRule) -> float:
    target = getattr(rule, "target", 0.0)
    if isinstance(target, int | float):
        return float(target)
    return float(getattr(target, "kappa", getattr(target, "saturation", 1.0)))


def _omega(objective: Objective, batch: BatchContext, rows: int, tokens: Callable[[], Any], like: Tensor) -> Tensor:
    """ω is a line in n: its value at n = 0, and its rise from there to n = 1; [2], float64."""
    filled = replace(
        batch,
        num_sequences=rows if batch.num_sequences is None else batch.num_sequences,
        num_tokens=tokens() if batch.num_tokens is None and objective.sequence_weight == "token" else batch.num_tokens,
    )
    ends = torch.tensor([0.0, 1.0], dtype=torch.float64, device=like.device)
    at_0, at_1 = sequence_weights(ends, objective.sequence_weight, filled, objective.max_completion_length).unbind()
    return torch.stack([at_0, at_1 - at_0])
