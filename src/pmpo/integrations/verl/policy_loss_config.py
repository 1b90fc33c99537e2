"""verl's section `actor.policy_loss` with a place for an objective that is no preset."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, get_args

from verl.workers.config import PolicyLossConfig as HostPolicyLossConfig

from pmpo.foundation.errors import InputError, unknown_name
from pmpo.integrations.verl.chosen import NAME, is_ours, objective_of
from pmpo.kernels.choice import IMPLEMENTATIONS

NonFinite = Literal["skip", "raise"]


@dataclass
class PolicyLossConfig(HostPolicyLossConfig):
    """As verl's, and:

    Attributes:
        loss_mode: "pmpo", or "pmpo/" and a preset.
        objective: what `pmpo.objective` takes: a name, a text, or a mapping. Default: the preset of the loss mode.
        nonfinite: what happens where a counted number is NaN or infinite: "skip" leaves the update out, as verl does
            by itself with a gradient that is not finite, and counts it; "raise" stops with the completion's place.
        implementation: what computes the loss: "reference", "fused" or "auto" (`pmpo.choose`).
    """

    loss_mode: str = NAME
    objective: Any = None
    nonfinite: NonFinite = "skip"
    implementation: str = "auto"

    def __post_init__(self) -> None:
        if not is_ours(self.loss_mode):
            raise InputError(
                f"policy_loss._target_ is pmpo's and loss_mode is {self.loss_mode}: write loss_mode={NAME}, or leave "
                "out _target_."
            )
        if self.nonfinite not in get_args(NonFinite):
            raise InputError(unknown_name("choice of policy_loss.nonfinite", self.nonfinite, get_args(NonFinite)))
        if self.implementation not in IMPLEMENTATIONS:
            raise InputError(unknown_name("policy_loss.implementation", self.implementation, IMPLEMENTATIONS))
        objective_of(self)
