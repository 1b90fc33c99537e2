"""Exponent rules that are tried in the tabular policy. A configuration names them by file:

    pmpo train --objective gmpo --trust_region log_ratio:log_ratio_low=0.8,log_ratio_high=0.8 \
        --exponent benchmarks/tabular_rules.py:Governor
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

import pmpo


@dataclass(frozen=True)
class AlongSign:
    """p = scale·sign(A), the opposite of `signed`: a token that moved the way it is pushed is pushed more."""

    scale: float = 1.0

    def __call__(self, facts: pmpo.ExponentFacts) -> Tensor:
        return self.scale * facts.advantages_B.sign()


@dataclass(frozen=True)
class Tilted:
    """p = tilt − brake·sign(A): `signed` about another centre than 0.

    Attributes:
        tilt: the mean of the two exponents; 1 is that of importance sampling.
        brake: half of their difference; above 0 every token has a place where rewarded and punished pulls balance.
    """

    tilt: float = 0.5
    brake: float = 0.25

    def __call__(self, facts: pmpo.ExponentFacts) -> Tensor:
        return self.tilt - self.brake * facts.advantages_B.sign()


@dataclass(frozen=True)
class Governor:
    """p = tilt + sign(A)·k, k = max(−brake, gain·(1 − ℓ/set_point)), ℓ = Σ ρ l² / Σ ρ |l| of the completion.

    Speeds up while the tokens of a completion are near where the round began, and brakes once they are `set_point`
    nats away. ℓ is the distance that a random nat of movement has gone: tokens that did not move change nothing.

    Attributes:
        tilt: p where a completion is at the set point.
        gain: k at rest.
        set_point: the distance ℓ at which k changes its sign, nats.
        brake: the largest −k.
    """

    tilt: float = 0.5
    gain: float = 1.0
    set_point: float = 0.5
    brake: float = 0.5

    def __call__(self, facts: pmpo.ExponentFacts) -> Tensor:
        moved_BT = facts.weights_BT * facts.log_ratios_BT.abs()
        total_B = moved_BT.sum(dim=1)
        square_B = (moved_BT * facts.log_ratios_BT.abs()).sum(dim=1)
        distance_B = square_B / total_B.clamp(min=torch.finfo(total_B.dtype).tiny)
        push_B = (self.gain * (1.0 - distance_B / self.set_point)).clamp(min=-self.brake)
        return self.tilt + facts.advantages_B.sign() * push_B
