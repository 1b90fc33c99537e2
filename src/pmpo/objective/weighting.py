"""Weights of completions in the loss, with the counts of the whole optimiser step.

Equations: docs/equations.md.
"""

from __future__ import annotations

import torch
from torch import Tensor

from pmpo.objective.batch import BatchContext, token_counts

SEQUENCE_WEIGHTS = ("sequence", "token", "constant")
"""sequence: 1/N. token: n_i/Σ_j n_j. constant: n_i/(N·L_max)."""


def sequence_weights(
    mask_BT: Tensor, kind: str, batch: BatchContext, max_completion_length: int | None, dtype: torch.dtype
) -> Tensor:
    """ω_i, [B]. The counts of `batch` make micro-batches and ranks sum to the loss of the whole batch.

    Raises: ValueError when `constant` has no max_completion_length (the padded width would do, but then padding
        would change the loss).
    """
    n_B = token_counts(mask_BT, dtype)
    num_sequences = _count(batch.num_sequences, mask_BT.shape[0], n_B)
    if kind == "sequence":
        return torch.ones_like(n_B) / num_sequences
    if kind == "token":
        return n_B / _count(batch.num_tokens, n_B.sum(), n_B)
    if max_completion_length is None:
        raise ValueError(
            "The constant sequence weight n_i/(N·L_max) needs L_max: write objective('dr_grpo', "
            "max_completion_length=3000) with the generation limit of your run."
        )
    return n_B / (num_sequences * max_completion_length)


def _count(given: int | float | Tensor | None, default: int | Tensor, like: Tensor) -> Tensor:
    """At least 1, so that an empty batch gives 0 and not 0/0."""
    count = torch.as_tensor(default if given is None else given, dtype=like.dtype, device=like.device)
    return count.clamp(min=1.0)
