"""The policy loss by a fused kernel: `pmpo.objective.policy_loss`, in one pass over memory for loss and gradient."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from pmpo.kernels.plan import Plan, Target, scalars
from pmpo.kernels.rows import DIAGNOSTICS, Rows
from pmpo.objective.batch import BatchContext, per_completion
from pmpo.objective.diagnostics import Diagnostics
from pmpo.objective.facts import ExponentFacts
from pmpo.objective.loss_inputs import PlainInputs, check_needs, checked_inputs, decoupled, plain_inputs
from pmpo.objective.policy_loss import PolicyLoss, token_facts
from pmpo.objective.presets import Objective
from pmpo.objective.ratio_sums import lacks_ratio_sums, sums_of


@dataclass(frozen=True)
class Backend:
    """A kernel that computes a plan.

    Attributes:
        name: what it is called in a sentence.
        run: (plan, scalars, log_probs_BT, old_log_probs_BT, mask_BT, advantages_B, exponent_B, weights_BT,
            ref_log_probs_BT) -> Rows.
        ratio_sums: (log_probs_BT, old_log_probs_BT, mask_BT, weights_BT) -> [3], float64.
    """

    name: str
    run: Callable[..., Rows]
    ratio_sums: Callable[..., Tensor]


def fused_policy_loss(
    backend: Backend,
    plan: Plan,
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
) -> PolicyLoss:
    """As `pmpo.objective.policy_loss.policy_loss`; differentiable once."""
    check_needs(objective, batch, ref_log_probs)
    old_log_probs, loss_weights = decoupled(objective, old_log_probs, sampler_log_probs, mask, loss_weights)
    plain = plain_inputs(log_probs, old_log_probs, advantages, mask, loss_weights, ref_log_probs)
    batch = batch if batch is not None else BatchContext()
    with torch.no_grad():
        tensors = (plain.log_probs_BT.detach(), plain.old_log_probs_BT, plain.mask_BT)
        if lacks_ratio_sums(objective, batch, len(plain.mask_BT)):
            batch = replace(batch, ratio_sums=backend.ratio_sums(*tensors, plain.weights_BT))
        rows = backend.run(
            plan,
            scalars(objective, batch, len(plain.mask_BT), plain.mask_BT.sum, plain.log_probs_BT),
            *tensors,
            plain.advantages_B,
            _exponents(objective, plain, batch) if plan.target is Target.GIVEN else None,
            plain.weights_BT,
            plain.ref_log_probs_BT,
        )
        loss = rows.losses_B.sum().to(plain.log_probs_BT.dtype)
    return PolicyLoss(
        _WithGradient.apply(plain.log_probs_BT, loss, rows.gradient_BT),  # type: ignore[no-untyped-call]
        Diagnostics(
            **dict(zip(DIAGNOSTICS, rows.diagnostics, strict=True)), active=rows.active, nonfinite=rows.nonfinite
        ),
        lambda: token_facts(objective, plain, batch),
    )


def eager_ratio_sums(
    log_probs_BT: Tensor, old_log_probs_BT: Tensor, mask_BT: Tensor, weights_BT: Tensor | None
) -> Tensor:
    """(Σ ρr, Σ ρr², Σ ρ) by the reference, for a backend that has nothing faster."""
    none_B = log_probs_BT.new_zeros(len(mask_BT))
    plain = PlainInputs(log_probs_BT, old_log_probs_BT, mask_BT, none_B, weights_BT, None)
    return sums_of(checked_inputs(plain, None))


def _exponents(objective: Objective, plain: PlainInputs, batch: BatchContext) -> Tensor:
    """p of a rule that does not look at tokens: it is shown none."""
    none_B0 = plain.log_probs_BT.detach()[:, :0]
    no_B0 = plain.mask_BT[:, :0]
    facts = ExponentFacts(none_B0, none_B0, no_B0, none_B0, no_B0, no_B0, plain.advantages_B, batch)
    return per_completion(objective.exponent(facts), plain.log_probs_BT, "exponent")


class _WithGradient(torch.autograd.Function):
    """A loss whose gradient is known already."""

    @staticmethod
    def forward(ctx: Any, log_probs_BT: Tensor, loss: Tensor, gradient_BT: Tensor) -> Tensor:
        ctx.save_for_backward(gradient_BT)
        return loss

    @staticmethod
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor, None, None]:
        if torch.is_grad_enabled():
            raise RuntimeError(
                "A fused policy loss has no second derivative, which create_graph=True asks for: write "
                "implementation='reference'."
            )
        (gradient_BT,) = ctx.saved_tensors
        return gradient_BT * upstream, None, None
