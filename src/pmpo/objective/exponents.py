"""Exponent rules: which power mean a completion gets. Each is a small callable on frozen facts.

A rule's dataclass fields are its options, in Python, in YAML and in records. A rule of your own is a dataclass with
`__call__`, or a function, that takes `ExponentFacts` and returns a number or a [B] tensor: it is named
"package.module:Name" or "file.py:Name" (examples/custom_exponent.py), or has an entry in `EXPONENTS`.
Equations: docs/equations.md.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import ClassVar, Literal, get_args

import torch
from torch import Tensor

from pmpo.foundation.errors import unknown_name
from pmpo.objective.batch import BatchContext, exact_scalar
from pmpo.objective.facts import READINGS, ExponentFacts, Reading
from pmpo.objective.power_mean import normalized_ess
from pmpo.objective.solver import solve_exponent
from pmpo.objective.target_maps import RampMap, TargetMap

EssOver = Literal["clipped", "unclipped"]
Schedule = Literal["linear", "cosine", "step"]


@dataclass(frozen=True)
class FixedExponent:
    """p is a number: GRPO 1, GMPO and GSPO 0, harmonic −1.

    Attributes:
        value: p itself, any finite number.
    """

    value: float
    reads_tokens: ClassVar[bool] = False

    def __post_init__(self) -> None:
        if not math.isfinite(self.value):
            raise ValueError(f"The exponent must be a finite number, got {self.value}.")

    def __call__(self, facts: ExponentFacts) -> float:
        return self.value


@dataclass(frozen=True)
class ClipAwareESS:
    """PMPO: p falls from 1 to 0 as more of the trajectory is clipped, through the effective sample size.

    target τ = e + (1 − e)·g(f) with e = nESS(1); p is the largest in [0, 1] with nESS(p) >= τ. Loss weights ρ are
    the measure of f and nESS.

    Attributes:
        reading: which tokens f counts. "one_sided": those that the sign-aware clip changed. "two_sided": those
            outside the range whatever the sign of A.
        target: g, a non-decreasing map from f to [0, 1] with g(0) = 0 and g(1) = 1 (`LinearMap`, `PowerMap`,
            `RampMap` or your own), or a number: an absolute target τ in (0, 1] that ignores f.
        over: "clipped" takes the ESS over c, whose weights share the gradient; "unclipped" over l, which also
            shows the spread that the clip has flattened.
    Source: arXiv 2601.22521, whose exact map is not known to this project; docs/decisions/0002.
    """

    reading: Reading = "two_sided"
    target: TargetMap | float = field(default_factory=RampMap, metadata={"part": "target"})
    over: EssOver = "clipped"

    def __post_init__(self) -> None:
        if self.reading not in READINGS:
            raise ValueError(unknown_name("clip-fraction reading", self.reading, READINGS))
        if self.over not in get_args(EssOver):
            raise ValueError(unknown_name("choice of log ratios for the ESS", self.over, get_args(EssOver)))
        if isinstance(self.target, int | float) and not 0.0 < self.target <= 1.0:
            raise ValueError(f"An absolute ESS target is a share of tokens and must lie in (0, 1], got {self.target}.")
        if not isinstance(self.target, int | float) and not callable(self.target):
            raise ValueError(f"`target` must be a map such as RampMap(0.1), or a number, got {self.target!r}.")

    def __call__(self, facts: ExponentFacts) -> Tensor:
        log_ratios_BT, target = self.solved_over(facts), self.target_ess(facts)
        return solve_exponent(log_ratios_BT, facts.mask_BT, target, weights=facts.weights_BT)

    def solved_over(self, facts: ExponentFacts) -> Tensor:
        """The log ratios whose nESS is to meet the target, nats, [B, T]."""
        return facts.clipped_log_ratios_BT if self.over == "clipped" else facts.log_ratios_BT

    def target_ess(self, facts: ExponentFacts) -> float | Tensor:
        """τ: a number, or [B]."""
        if isinstance(self.target, int | float):
            return float(self.target)
        ess_at_one_B = normalized_ess(self.solved_over(facts), facts.mask_BT, 1.0, weights=facts.weights_BT)
        return ess_at_one_B + (1.0 - ess_at_one_B) * self.target(facts.clip_fraction(self.reading))


@dataclass(frozen=True)
class RewardAnnealed:
    """APMPO: p = exp(−γ·μ_R), μ_R in [0, 1] the mean reward of the whole generation batch.

    Attributes:
        gamma: γ, how fast p falls from 1 as the rewards rise.
    """

    gamma: float = 0.8
    needs: ClassVar[tuple[str, ...]] = ("reward_mean",)
    reads_tokens: ClassVar[bool] = False

    def __call__(self, facts: ExponentFacts) -> Tensor:
        return torch.exp(-self.gamma * exact_scalar(facts.batch.reward_mean))


@dataclass(frozen=True)
class ScheduledExponent:
    """HölderPO: p = start + (end − start)·s(progress), linear 2 → −2 on mathematics, 1 → −1 on agents.

    `progress` is that of the update, from 0 at the first (p is exactly `start`) to 1 at the last (p is exactly
    `end`): update k of K has progress k/(K − 1), and a run of a single update 0. All micro-batches of an update
    share it. It is clamped to [0, 1], so that p stays at `end` in a run that goes on.

    Attributes:
        start: p at the first update.
        end: p at the last.
        shape: "linear"; "cosine" (slow at both ends); "step" (`start` until half-way, then `end`).
        steps: updates after which p stays at `end`, whatever the length of the run (HölderPO's script: 500); none for
            the whole run.
    """

    start: float = 2.0
    end: float = -2.0
    shape: Schedule = "linear"
    steps: int | None = None
    reads_tokens: ClassVar[bool] = False

    @property
    def needs(self) -> tuple[str, ...]:
        """Where the training stands: as a share of it, or in steps."""
        return ("progress",) if self.steps is None else ("step",)

    def __post_init__(self) -> None:
        if self.shape not in get_args(Schedule):
            raise ValueError(unknown_name("exponent schedule", self.shape, get_args(Schedule)))
        if self.steps is not None and self.steps < 2:
            raise ValueError(f"`steps` is how many updates p takes from start to end, at least 2, got {self.steps}.")

    def _progress(self, batch: BatchContext) -> Tensor:
        if self.steps is None:
            return exact_scalar(batch.progress).clamp(0.0, 1.0)
        return (exact_scalar(batch.step).double() / (self.steps - 1)).clamp(0.0, 1.0)

    def __call__(self, facts: ExponentFacts) -> Tensor:
        progress = self._progress(facts.batch)
        if self.shape == "cosine":
            progress = 0.5 - 0.5 * torch.cos(math.pi * progress)
        elif self.shape == "step":
            progress = (progress >= 0.5).to(progress.dtype)
        return torch.where(progress == 1.0, self.end, self.start + (self.end - self.start) * progress)


@dataclass(frozen=True)
class SignedExponent:
    """p = center − scale·sign(A): a token that has already moved the way that it is pushed gets less of the gradient.

    A·M_p is a lower bound of A·M_center for either sign. About center 0 rewarded tokens whose ratio has risen and
    punished ones whose ratio has fallen weigh less than equally; about center 1, less than by their ratio.

    Attributes:
        scale: how far p is from its center, at least 0; 0 is one power mean for both signs.
        center: p between the signs: 0 is the geometric mean, 1 the arithmetic one, which weighs tokens by their ratio.
    """

    scale: float = 1.0
    center: float = 0.0
    reads_tokens: ClassVar[bool] = False

    def __post_init__(self) -> None:
        if not (math.isfinite(self.scale) and self.scale >= 0.0):
            raise ValueError(f"`scale` is a distance of p from its center: a finite number >= 0, got {self.scale}.")
        if not math.isfinite(self.center):
            raise ValueError(f"`center` must be a finite number (0 geometric, 1 arithmetic), got {self.center}.")

    def __call__(self, facts: ExponentFacts) -> Tensor:
        return self.center - self.scale * facts.advantages_B.sign()


EXPONENTS: dict[str, type] = {
    "fixed": FixedExponent,
    "clip_aware_ess": ClipAwareESS,
    "reward_annealed": RewardAnnealed,
    "scheduled": ScheduledExponent,
    "signed": SignedExponent,
}
