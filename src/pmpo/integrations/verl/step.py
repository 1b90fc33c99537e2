"""What of the optimiser step under way verl's loss function is not told: the facts of the whole batch.

The worker opens a step around verl's own update; the policy loss, which verl calls inside, looks it up. So verl's loss
function stays verl's, with its entropy and KL terms.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from pmpo.objective.policy_loss import PolicyLoss


@dataclass
class Step:
    """An optimiser step of one rank.

    Attributes:
        facts: fields of `BatchContext`: statistics of the generation batch, progress, N.
        ratio_sums: those of the step, where the objective asks for them.
        sampler_log_probs: log π_sampler of the micro-batch under way, nats, [B, T].
        result: what the policy loss of the micro-batch under way came to, its mask and log π_θ, both [B, T].
        sums: a collector in whose place no loss is computed: the pass that finds `ratio_sums`.
    """

    facts: dict[str, Any]
    ratio_sums: Tensor | None = None
    sampler_log_probs: Tensor | None = None
    result: tuple[PolicyLoss, Tensor, Tensor] | None = None
    sums: list[Tensor] | None = field(default=None)


_STEP: ContextVar[Step | None] = ContextVar("pmpo_step", default=None)


def current_step() -> Step | None:
    """The step under way; None under a trainer that is not ours."""
    return _STEP.get()


@contextmanager
def during(step: Step) -> Iterator[None]:
    """The step is the one under way."""
    token = _STEP.set(step)
    try:
        yield
    finally:
        _STEP.reset(token)
