"""The Triton kernel of the policy loss as a function of tensors.

Runs on a GPU, and on a CPU in Triton's interpreter where TRITON_INTERPRET=1 was set before the first import of Triton.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import torch
from torch import Tensor

from pmpo.kernels.plan import CannotFuseError, Plan, Target
from pmpo.kernels.rows import DIAGNOSTICS, Rows

try:
    import triton
    import triton.language as tl
    from triton.runtime.interpreter import InterpretedFunction
except ImportError as error:
    raise CannotFuseError(
        "The Triton kernel needs Triton, which is not installed: CUDA builds of torch bring it along; elsewhere "
        "`pip install triton` (Linux)."
    ) from error

from pmpo.kernels.triton_kernel import policy_loss_kernel

LONGEST = 32768
"""Tokens of a completion that one program can hold."""


def run(
    plan: Plan,
    scalars: list[Any],
    log_probs_BT: Tensor,
    old_log_probs_BT: Tensor,
    mask_BT: Tensor,
    advantages_B: Tensor,
    exponent_B: Tensor | None = None,
    weights_BT: Tensor | None = None,
    ref_log_probs_BT: Tensor | None = None,
) -> Rows:
    """Loss, gradient and diagnostics of every completion, without waiting for the device.

    Args:
        plan, scalars: of the objective (`pmpo.kernels.plan`).
        log_probs_BT: log π_θ, nats, any floating-point type; rows may be apart, tokens of a row lie side by side.
        old_log_probs_BT, ref_log_probs_BT: log π_old and log π_ref, nats. Without the latter there is no KL to it.
        mask_BT: bool.
        advantages_B: A.
        exponent_B: p, where plan.target is GIVEN; rows that take part in nothing count as p = 1.
        weights_BT: ρ; None for 1.
    Returns: `Rows`: losses and diagnostics in float32 (float64 for float64 log probabilities). 16-bit gradients are
        clamped to the range of their type.
    Raises: CannotFuseError for tensors that are not on a GPU, and for completions of more than 32,768 tokens.
    """
    _check(log_probs_BT, (plan.target == Target.GIVEN) == (exponent_B is not None))
    rows, width = log_probs_BT.shape
    wide = torch.float64 if log_probs_BT.dtype == torch.float64 else torch.float32
    make = {"dtype": wide, "device": log_probs_BT.device}
    losses_B, diagnostics = torch.empty(rows, **make), torch.empty(len(DIAGNOSTICS), rows, **make)
    gradient_BT = torch.empty((rows, width), dtype=log_probs_BT.dtype, device=log_probs_BT.device)
    flags = torch.empty((2, rows), dtype=torch.uint8, device=log_probs_BT.device)
    given = [_rows_apart(each) for each in (log_probs_BT, old_log_probs_BT, mask_BT.view(torch.uint8))]
    given += [None if each is None else _rows_apart(each) for each in (weights_BT, ref_log_probs_BT)]
    new_BT, old_BT, counted_BT, rho_BT, reference_BT = given
    if rows:
        policy_loss_kernel[(rows,)](
            new_BT, old_BT, counted_BT, advantages_B.contiguous(),
            None if exponent_B is None else exponent_B.contiguous(), rho_BT, reference_BT,
            _on_device(scalars, log_probs_BT.device),
            losses_B, gradient_BT, diagnostics, flags,
            rows, width, *(0 if each is None else each.stride(0) for each in given),
            **formulas(plan, scalars, log_probs_BT.dtype), **shape(width),
            QUADS=counted_BT.data_ptr() % 4 == 0 == counted_BT.stride(0) % 4,
        )  # fmt: skip
    return Rows(losses_B, gradient_BT, diagnostics, *flags.view(torch.bool).unbind())


def formulas(plan: Plan, scalars: list[Any], dtype: torch.dtype) -> dict[str, Any]:
    """What of an objective is compiled into the kernel: its constant arguments but for the block."""
    old_kl_coef = scalars[-1]
    return {
        "REGION": int(plan.region),
        "TARGET": int(plan.target),
        "ONE_SIDED": plan.one_sided,
        "OVER_UNCLIPPED": plan.over_unclipped,
        "BIAS_CORRECTION": plan.kl_bias_correction,
        "OLD_KL": isinstance(old_kl_coef, Tensor) or old_kl_coef != 0.0,
        "LARGEST": torch.finfo(dtype).max if dtype.itemsize == 2 else float("inf"),
        "WIDE": tl.float64 if dtype == torch.float64 else tl.float32,
    }


def shape(width: int) -> dict[str, Any]:
    """How many tokens a program holds, by how many threads, and whether it must read them twice.

    Eight tokens a thread, in warps of 32 threads, up to the 32 warps that a program can have.
    """
    block = triton.next_power_of_2(max(width, _SMALLEST_BLOCK))
    return {"BLOCK": block, "AGAIN": block >= _READ_AGAIN, "num_warps": min(32, max(1, block // 256))}


_SMALLEST_BLOCK = 32
_READ_AGAIN = 16384
"""Block from which a thread has no registers left for all that the gradient needs of its tokens."""


def _check(log_probs_BT: Tensor, exponent_fits: bool) -> None:
    if not exponent_fits:
        raise ValueError(
            "`exponent_B` is p of every completion where plan.target is GIVEN, and None where p is solved."
        )
    if log_probs_BT.shape[1] > LONGEST:
        raise CannotFuseError(
            f"completions of {log_probs_BT.shape[1]} tokens do not fit on the chip: the Triton kernel holds up to "
            f"{LONGEST}; write implementation='reference'"
        )
    if not (log_probs_BT.is_cuda or isinstance(policy_loss_kernel, InterpretedFunction)):
        raise CannotFuseError(
            f"the Triton kernel runs on a GPU, and the log probabilities are on {log_probs_BT.device}"
        )


def _rows_apart(values_BT: Tensor) -> Tensor:
    return values_BT if values_BT.stride(1) == 1 else values_BT.contiguous()


def _on_device(scalars: list[Any], device: torch.device) -> Tensor:
    """The scalars as one float64 tensor; facts of the batch that are on the device stay there."""
    late = {
        place: each for place, each in enumerate(scalars) if isinstance(each, Tensor) and each.device == device != _CPU
    }
    known = tuple(0.0 if place in late else float(each) for place, each in enumerate(scalars))
    numbers = _copied(known, device)
    if late:
        numbers = numbers.clone()
        for place, each in late.items():
            numbers[place] = each
    return numbers


_CPU = torch.device("cpu")


@lru_cache(maxsize=64)
def _copied(numbers: tuple[float, ...], device: torch.device) -> Tensor:
    return torch.tensor(numbers, dtype=torch.float64).to(device, non_blocking=True)
