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
class Governor:
    """p = tilt + sign(A)·k, k = max(−brake, rest − slope·ℓ), ℓ = Σ ρ l² / Σ ρ |l| of the completion, nats.

    The farther the tokens of a completion are from where the round began, the harder p brakes. ℓ is how far a random
    nat of movement has gone: tokens that did not move change nothing.

    Attributes:
        tilt: what the exponents of both signs are moved by; 1 is importance sampling, 0 the geometric mean.
        rest: k where nothing has moved; above 0 the rule speeds up until ℓ = rest/slope.
        slope: how much k falls with a nat of ℓ.
        brake: the largest −k.
    """

    tilt: float = 1.0
    rest: float = 0.0
    slope: float = 5.0
    brake: float = 2.0

    def __call__(self, facts: pmpo.ExponentFacts) -> Tensor:
        distance_BT = facts.log_ratios_BT.abs()
        moved_B = (facts.weights_BT * distance_BT).sum(dim=1)
        square_B = (facts.weights_BT * distance_BT.square()).sum(dim=1)
        mean_B = square_B / moved_B.clamp(min=torch.finfo(moved_B.dtype).tiny)
        return self.tilt + facts.advantages_B.sign() * (self.rest - self.slope * mean_B).clamp(min=-self.brake)
