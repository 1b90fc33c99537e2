"""Exponent rules and trust regions that are tried in the tabular policy and are no part of the library."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

import pmpo
from pmpo.objective.region import Clipped


@dataclass(frozen=True)
class AlongSign:
    """p = scale·sign(A), the opposite of `signed`: positive feedback for either sign of A."""

    scale: float = 1.0

    def __call__(self, facts: pmpo.ExponentFacts) -> Tensor:
        return self.scale * facts.advantages_B.sign()


@dataclass(frozen=True)
class BySign:
    """One p where A > 0, another where A < 0."""

    rewarded: float = 0.0
    punished: float = 1.0

    def __call__(self, facts: pmpo.ExponentFacts) -> Tensor:
        return torch.where(facts.advantages_B > 0, self.rewarded, self.punished)


@dataclass(frozen=True)
class SignedESS:
    """p = −sign(A)·k, k the largest in [0, scale] with nESS >= target: brake as far as the tokens still count."""

    target: float = 0.99
    scale: float = 1.0

    def __call__(self, facts: pmpo.ExponentFacts) -> Tensor:
        sign_B = facts.advantages_B.sign()
        lined_up_BT = -self.scale * sign_B.unsqueeze(1) * facts.clipped_log_ratios_BT
        k_B = pmpo.solve_exponent(lined_up_BT, facts.mask_BT, self.target, weights=facts.weights_BT)
        return -self.scale * sign_B * k_B


@dataclass(frozen=True)
class Turning:
    """p = sign(A)·(ahead − (ahead + brake)·g(f)): along the push while little is clipped, against it when much is."""

    ahead: float = 1.0
    brake: float = 1.0
    saturation: float = 0.2
    reading: str = "two_sided"

    def __call__(self, facts: pmpo.ExponentFacts) -> Tensor:
        share_B = (facts.clip_fraction(self.reading) / self.saturation).clamp(max=1.0)
        return facts.advantages_B.sign() * (self.ahead - (self.ahead + self.brake) * share_B)


@dataclass(frozen=True)
class GreedyGate(pmpo.TrustRegion):
    """c = s·w·tanh(s·l/w) where the token moves the way it is pushed, s = sign(A); l itself where it comes back."""

    width: float = 0.4
    has_bounds = False

    def bounds(self, batch):
        return self.width, self.width

    def apply(self, log_ratios_BT: Tensor, advantages_B: Tensor, batch) -> Clipped:
        greedy_BT = advantages_B.sign().unsqueeze(1) * log_ratios_BT > 0
        gated_BT = torch.where(greedy_BT, self.width * torch.tanh(log_ratios_BT / self.width), log_ratios_BT)
        outside_BT = log_ratios_BT.detach().abs() > self.width
        return Clipped(gated_BT, outside_BT & greedy_BT, outside_BT)
