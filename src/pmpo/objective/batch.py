"""Shapes, checks and the only masked reductions of the library.

Shape suffixes used everywhere in `pmpo`:
    B   completions in the (micro-)batch
    T   completion tokens, padded
    G   completions per prompt (a group)
so `log_ratios_BT` is a [B, T] tensor and `exponent_B` holds one number per completion. Log ratios, log
probabilities and KL are in nats; ratios are plain numbers; shares lie in [0, 1].
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

SATURATION_NATS = 80.0
"""Log ratios are saturated at ±80 nats: exp(80) = 5.5e34 is the last round number whose mean over a batch is
still finite in float32. Beyond it the value stays and the token's gradient is 0."""


@dataclass(frozen=True)
class BatchContext:
    """Global facts of the optimiser step that a micro-batch cannot know by itself.

    The statistics of the rewards and the progress belong to the whole generation batch over all ranks; the two
    counts belong to the whole optimiser step over all micro-batches and ranks, so that micro-batch losses *sum*
    to the loss of the whole batch.

    Attributes:
        reward_mean: μ_R, mean reward of the generation batch; a number or a 0-dim tensor. Needed by the
            reward-annealed exponent and the feedback-adaptive trust region, which expect rewards in [0, 1].
        reward_std: σ_R, their population standard deviation. Needed by the feedback-adaptive trust region.
        progress: where the training stands, in [0, 1]: 0 at the first optimiser step and 1 at the last, so step k
            of K has k/(K − 1). Needed by the scheduled exponent.
        num_sequences: N, completions in the optimiser step. Default: the rows of the call.
        num_tokens: Σ n_j, counted tokens in the optimiser step. Default: the counted tokens of the call.
        ratio_sums: (Σ ρr, Σ ρr², Σ ρ) over the counted tokens of the optimiser step, [3], float64: the sums over
            micro-batches and ranks of what `pmpo.ratio_sums` gives for each. Needed by the effective-sample-size cap
            where the call is a part of the step; by itself, a call computes its own.
        step: k, optimiser steps that the training has made before this one: 0 at the first. Needed by a scheduled
            exponent that is given its length in steps.
    """

    reward_mean: float | Tensor | None = None
    reward_std: float | Tensor | None = None
    progress: float | Tensor | None = None
    num_sequences: int | float | Tensor | None = None
    num_tokens: int | float | Tensor | None = None
    ratio_sums: Tensor | None = None
    step: int | float | Tensor | None = None

    @property
    def ratio_ess(self) -> Tensor:
        """Effective sample size of the step's ratios, (Σ ρr)²/(Σ ρ · Σ ρr²) in (0, 1], 0-dim; 1 for an empty one."""
        first, second, count = exact_scalar(self.ratio_sums).unbind()
        return torch.where(count == 0.0, 1.0, first.square() / torch.where(count == 0.0, 1.0, count * second))


def exact_scalar(value: float | Tensor | None) -> Tensor:
    """A fact of the batch as a tensor: Python numbers keep their 53 bits, tensors their dtype and device."""
    return value.detach() if isinstance(value, Tensor) else torch.tensor(value, dtype=torch.float64)


class _Widened(torch.autograd.Function):
    """float32 of a 16-bit tensor; a gradient beyond the range of the 16-bit type comes back as its largest number."""

    generate_vmap_rule = True

    @staticmethod
    def forward(values: Tensor) -> Tensor:
        return values.float()

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor], output: Tensor) -> None:
        ctx.narrow = inputs[0].dtype

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        largest = torch.finfo(ctx.narrow).max
        return gradient.clamp(-largest, largest).to(ctx.narrow)

    @staticmethod
    def jvp(ctx: Any, tangent: Tensor) -> Tensor:
        return tangent.float()


def full_precision(values: Tensor) -> Tensor:
    """`values` in float32 if they come in a 16-bit type, unchanged if float32 or float64.

    A gradient beyond the 16-bit type's range (65504 for float16) comes back as its largest number, not as infinity.
    """
    if not values.is_floating_point():
        raise ValueError(f"Expected a floating-point tensor, got {values.dtype}: convert it with `.float()`.")
    if values.dtype not in (torch.float16, torch.bfloat16):
        return values
    wide: Tensor = _Widened.apply(values)  # type: ignore[no-untyped-call]
    return wide


def check_mask(values_BT: Tensor, mask_BT: Tensor) -> Tensor:
    """The mask as bool, after checking that both tensors are [B, T].

    Raises: ValueError when the shapes disagree or are not two-dimensional.
    """
    if values_BT.dim() != 2 or values_BT.shape != mask_BT.shape:
        raise ValueError(
            f"Expected two tensors of one shape [B, T], got values {list(values_BT.shape)} and mask "
            f"{list(mask_BT.shape)}: pass one mask entry per completion token."
        )
    return mask_BT if mask_BT.dtype == torch.bool else mask_BT != 0


def per_completion(values: float | Tensor, like_BT: Tensor, name: str) -> Tensor:
    """`values` (a number, a 0-dim tensor or [B]) as a [B] tensor with dtype and device of `like_BT`.

    Raises: ValueError when a tensor has any other shape.
    """
    tensor = torch.as_tensor(values, dtype=like_BT.dtype, device=like_BT.device)
    if tensor.dim() == 0:
        return tensor.expand(like_BT.shape[0])
    if tensor.shape != like_BT.shape[:1]:
        raise ValueError(
            f"`{name}` must be a number or a tensor of shape [{like_BT.shape[0]}] (one per completion), "
            f"got shape {list(tensor.shape)}."
        )
    return tensor


def fill_masked(values_BT: Tensor, mask_BT: Tensor, value: float = 0.0) -> Tensor:
    """`values_BT` with every masked-out entry replaced, so that NaN and inf there reach neither pass."""
    return torch.where(mask_BT, values_BT, torch.full_like(values_BT, value))


def token_counts(mask_BT: Tensor, dtype: torch.dtype) -> Tensor:
    """n_i, the counted tokens of each completion, [B]."""
    return mask_BT.sum(dim=1).to(dtype)


def masked_mean(values_BT: Tensor, mask_BT: Tensor, weights_BT: Tensor | None = None) -> Tensor:
    """Mean over the counted tokens of each completion, Σ ρ v / Σ ρ, [B]; a completion with Σρ = 0 gives 0.

    Without `weights_BT` ρ is 1 on every counted token. Values where ρ is 0 are never used.

    >>> masked_mean(torch.tensor([[1.0, 3.0, 9.0]]), torch.tensor([[True, True, False]]))
    tensor([2.])
    """
    if weights_BT is None:
        total_B = fill_masked(values_BT, mask_BT).sum(dim=1)
        return total_B / token_counts(mask_BT, values_BT.dtype).clamp(min=1.0)
    weights_BT = fill_masked(weights_BT, mask_BT)
    sum_B = weights_BT.sum(dim=1)
    total_B = (weights_BT * fill_masked(values_BT, mask_BT & (weights_BT != 0))).sum(dim=1)
    return total_B / torch.where(sum_B == 0, 1.0, sum_B)
