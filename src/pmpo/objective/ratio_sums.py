"""Sums over the ratios of a whole optimiser step, from which its effective sample size follows.

A call of `policy_loss` that is a part of a step (a micro-batch, a rank) cannot know them. They need the policy of the
update itself: one forward pass without gradient over all parts of the step, before the first of them is trained on.

    sums = sum(pmpo.ratio_sums(log_probs, old, mask, objective) for each part, under torch.no_grad())
    sums = all_reduce(sums)                                             # over ranks
    pmpo.policy_loss(…, pmpo.BatchContext(…, ratio_sums=sums))          # for each part
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from pmpo.objective.batch import BatchContext
from pmpo.objective.loss_inputs import LossInputs, checked_inputs, decoupled, plain_inputs
from pmpo.objective.presets import Objective


@torch.no_grad()
def ratio_sums(
    log_probs: Tensor,
    old_log_probs: Tensor,
    mask: Tensor,
    objective: Objective,
    *,
    loss_weights: Tensor | None = None,
    sampler_log_probs: Tensor | None = None,
) -> Tensor:
    """(Σ ρr, Σ ρr², Σ ρ) over the counted tokens of a call, to be summed over the calls of an optimiser step.

    Args:
        log_probs, old_log_probs, mask, loss_weights, sampler_log_probs: as `policy_loss` will get them.
        objective: decides what the ratio is centred at and which correction is in ρ.
    Returns: [3], float64, without gradient: what `BatchContext(ratio_sums=)` takes after summing.
    Raises: ValueError when shapes disagree, and for `sampler_log_probs` that the objective would ignore.
    """
    old_log_probs, loss_weights = decoupled(objective, old_log_probs, sampler_log_probs, mask, loss_weights)
    zeros_B = log_probs.new_zeros(log_probs.shape[0])
    return sums_of(checked_inputs(plain_inputs(log_probs, old_log_probs, zeros_B, mask, loss_weights, None), None))


def with_ratio_sums(objective: Objective, given: LossInputs) -> LossInputs:
    """The inputs with the step's sums in their batch, for an objective that needs them.

    Raises: ValueError where they are not given and the call is, or may be, a part of the step.
    """
    if not lacks_ratio_sums(objective, given.batch, len(given.counts_B)):
        return given
    return replace(given, batch=replace(given.batch, ratio_sums=sums_of(given)))


def lacks_ratio_sums(objective: Objective, batch: BatchContext, rows: int) -> bool:
    """Whether a call of so many completions must find the step's sums by itself.

    Raises: ValueError where it must and is, or may be, a part of the step.
    """
    if "ratio_sums" not in objective.needs or batch.ratio_sums is not None:
        return False
    counts = (batch.num_sequences, batch.num_tokens)
    whole = counts == (None, None) or (isinstance(batch.num_sequences, int | float) and batch.num_sequences == rows)
    if not whole:
        raise ValueError(
            f"Objective '{objective.name}' caps ratios at the effective sample size of the whole optimiser step, and "
            f"this call has {rows} completions of num_sequences={batch.num_sequences}: sum pmpo.ratio_sums(...) over "
            "the micro-batches and ranks of the step, and pass batch=pmpo.BatchContext(ratio_sums=...)."
        )
    return True


@torch.no_grad()
def sums_of(given: LossInputs) -> Tensor:
    """(Σ ρr, Σ ρr², Σ ρ) of inputs that are checked."""
    rho_BT, ratios_BT = given.weights_BT.double(), given.log_ratios_BT.detach().double().exp()
    rho_BT = torch.where(given.weighted_BT, rho_BT, 0.0)
    return torch.stack([(rho_BT * ratios_BT).sum(), (rho_BT * ratios_BT.square()).sum(), rho_BT.sum()])
