"""Which implementation computes the policy loss: the reference, or a kernel that fuses it.

reference   pmpo/objective, in torch's own operations: any objective, any device, differentiable twice.
fused       one pass over memory: in C++ on the CPU (compiled once for the machine, in about five seconds; needs a
            C++ compiler), in Triton on CUDA devices. The same numbers within the error budget of
            docs/benchmarks.md; differentiable once.
auto        fused where it can be, else the reference: fused asks that every part of the objective is the library's
            own, and that a compiler or Triton is there. It is chosen once, and says why.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Literal, get_args

import torch
from torch import Tensor

from pmpo.foundation.errors import InputError, unknown_name
from pmpo.kernels import cpu
from pmpo.kernels.build import find_compiler, library
from pmpo.kernels.fused import Backend, eager_ratio_sums, fused_policy_loss
from pmpo.kernels.plan import CannotFuseError, Plan, plan_of
from pmpo.objective.batch import BatchContext
from pmpo.objective.policy_loss import PolicyLoss
from pmpo.objective.policy_loss import policy_loss as reference_policy_loss
from pmpo.objective.presets import Objective

Name = Literal["auto", "fused", "reference"]
IMPLEMENTATIONS: tuple[str, ...] = get_args(Name)


@dataclass(frozen=True)
class Implementation:
    """What computes the policy loss of one objective on one kind of device; made by `choose`.

    Attributes:
        name: "reference" or "fused".
        reason: why it is that one, as the rest of a sentence.
        plan, backend: of a fused one.
    """

    name: str
    reason: str
    objective: Objective
    plan: Plan | None = None
    backend: Backend | None = None

    def __str__(self) -> str:
        return f"{self.name}: {self.reason}"

    def policy_loss(
        self,
        log_probs: Tensor,
        old_log_probs: Tensor,
        advantages: Tensor,
        mask: Tensor,
        batch: BatchContext | None = None,
        *,
        loss_weights: Tensor | None = None,
        ref_log_probs: Tensor | None = None,
        sampler_log_probs: Tensor | None = None,
    ) -> PolicyLoss:
        """As `pmpo.policy_loss`, of the objective that it was chosen for."""
        if self.plan is None or self.backend is None:
            compute = reference_policy_loss
        else:
            compute = functools.partial(fused_policy_loss, self.backend, self.plan)
        return compute(
            log_probs,
            old_log_probs,
            advantages,
            mask,
            self.objective,
            batch,
            loss_weights=loss_weights,
            ref_log_probs=ref_log_probs,
            sampler_log_probs=sampler_log_probs,
        )


def choose(objective: Objective, implementation: str = "auto", device: str | torch.device = "cpu") -> Implementation:
    """The implementation of an objective's policy loss.

    Args:
        implementation: "auto", "fused" or "reference".
        device: where the tensors will be.
    Returns: `Implementation`, whose `reason` says why it is the one.
    Raises: InputError for an unknown name, and for "fused" where it cannot be, with the reason.

    >>> import pmpo
    >>> print(choose(pmpo.objective("pmpo"), "reference"))
    reference: as asked for
    """
    if implementation not in IMPLEMENTATIONS:
        raise InputError(unknown_name("implementation", implementation, IMPLEMENTATIONS))
    if implementation == "reference":
        return Implementation("reference", "as asked for", objective)
    try:
        plan, backend = plan_of(objective), _backend(torch.device(device).type)
    except CannotFuseError as error:
        if implementation == "auto":
            return Implementation("reference", str(error), objective)
        raise InputError(
            f"implementation 'fused' cannot compute {objective.name} on {torch.device(device).type}: {error}. Write "
            "auto or reference."
        ) from error
    return Implementation("fused", backend.name, objective, plan, backend)


def policy_loss(
    log_probs: Tensor,
    old_log_probs: Tensor,
    advantages: Tensor,
    mask: Tensor,
    objective: Objective,
    batch: BatchContext | None = None,
    *,
    loss_weights: Tensor | None = None,
    ref_log_probs: Tensor | None = None,
    sampler_log_probs: Tensor | None = None,
    implementation: str = "reference",
) -> PolicyLoss:
    find = choose if implementation == "reference" else _chosen  # an objective is compared by all of its data
    return find(objective, implementation, log_probs.device.type).policy_loss(
        log_probs,
        old_log_probs,
        advantages,
        mask,
        batch,
        loss_weights=loss_weights,
        ref_log_probs=ref_log_probs,
        sampler_log_probs=sampler_log_probs,
    )


policy_loss.__doc__ = f"""{reference_policy_loss.__doc__}
    `implementation` is "reference", "fused" or "auto" (pmpo/kernels/choice.py). A loop over updates chooses once,
    `pmpo.choose(objective, "auto", device).policy_loss(...)`.
"""


@functools.lru_cache(maxsize=64)
def _chosen(objective: Objective, implementation: str, device: str) -> Implementation:
    return choose(objective, implementation, device)


def _backend(device: str) -> Backend:
    """The kernel for a kind of device.

    Raises: CannotFuseError without one.
    """
    if device == "cpu":
        library()
        return Backend(f"C++ on the CPU, compiled by {find_compiler()}", cpu.run, cpu.ratio_sums)
    if device == "cuda":
        from pmpo.kernels import triton_launch  # where Triton is

        return Backend("Triton on CUDA", triton_launch.run, eager_ratio_sums)
    raise CannotFuseError(f"there is no kernel for {device}")
