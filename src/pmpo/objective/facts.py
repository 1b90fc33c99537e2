"""What an exponent rule is: a callable on frozen facts of the completions. The members: exponents.py."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol, get_args

from torch import Tensor

from pmpo.objective.batch import BatchContext, masked_mean

Reading = Literal["one_sided", "two_sided"]
READINGS: tuple[str, ...] = get_args(Reading)


@dataclass(frozen=True)
class ExponentFacts:
    """What a rule may look at; nothing here carries a gradient.

    Attributes:
        log_ratios_BT: l, nats, before the trust region.
        clipped_log_ratios_BT: c, nats, after it.
        mask_BT: bool, tokens that count.
        weights_BT: ρ ≥ 0, the measure over tokens: the loss weights, 1 without them, 0 on masked tokens. Every
            statistic that decides p takes it, so that a token without gradient decides nothing.
        changed_BT: bool, tokens that the sign-aware clip changed.
        outside_BT: bool, tokens outside the range whatever the sign of A.
        advantages_B: A.
        batch: the global facts of the optimiser step.
    """

    log_ratios_BT: Tensor
    clipped_log_ratios_BT: Tensor
    mask_BT: Tensor
    weights_BT: Tensor
    changed_BT: Tensor
    outside_BT: Tensor
    advantages_B: Tensor
    batch: BatchContext

    def clip_fraction(self, reading: str) -> Tensor:
        """f = Σ ρ·clipped / Σ ρ, [B] in [0, 1], in one of the two `READINGS`; 0 where Σρ = 0."""
        clipped_BT = self.changed_BT if reading == "one_sided" else self.outside_BT
        return masked_mean(clipped_BT.to(self.log_ratios_BT.dtype), self.mask_BT, self.weights_BT)


class ExponentRule(Protocol):
    """What an exponent rule is called with.

    Optional class attributes: `needs` names the BatchContext fields without which the rule is not defined;
    `reads_tokens = False` says that it looks at nothing of [B, T], so that a fused kernel can be given its p.
    """

    def __call__(self, facts: ExponentFacts) -> float | Tensor: ...
