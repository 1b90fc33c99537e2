"""The CPU's kernel, cpu.cpp, called on tensors."""

from __future__ import annotations

import ctypes
from typing import Any

import torch
from torch import Tensor

from pmpo.kernels.build import library
from pmpo.kernels.plan import SCALARS, Plan
from pmpo.kernels.rows import DIAGNOSTICS, Rows

TOKENS_OF_A_THREAD = 100_000
"""Below, which is some milliseconds, threads wait for each other longer than they work, on a busy machine above all."""


class _Plan(ctypes.Structure):
    _fields_ = [(name, ctypes.c_int) for name in Plan.__dataclass_fields__]


class _Scalars(ctypes.Structure):
    _fields_ = [(name, ctypes.c_double) for name in SCALARS]


class _Call(ctypes.Structure):
    _fields_ = [
        *((name, ctypes.c_void_p) for name in (
            "new_log_probs", "old_log_probs", "weights", "reference", "advantages", "exponents", "mask", "gradient",
            "diagnostics", "residual", "losses", "active", "nonfinite", "evaluations", "sums",
        )),
        ("rows", ctypes.c_long),
        ("width", ctypes.c_long),
    ]  # fmt: skip


def run(
    plan: Plan,
    scalars: list[Any],
    log_probs_BT: Tensor,
    old_log_probs_BT: Tensor,
    mask_BT: Tensor,
    advantages_B: Tensor,
    exponent_B: Tensor | None,
    weights_BT: Tensor | None,
    ref_log_probs_BT: Tensor | None,
    solver: tuple[Tensor, Tensor] | None = None,
) -> Rows:
    """Losses, gradient and diagnostics of every completion.

    Args:
        plan, scalars: from pmpo.kernels.plan.
        log_probs_BT, old_log_probs_BT, ref_log_probs_BT: nats; float32 or float64, as every number here.
        mask_BT: bool.
        advantages_B: A.
        exponent_B: p, where the plan's target is GIVEN.
        weights_BT: ρ; None for 1.
        solver: int32 and floating point [B], filled with the solver's evaluations and its residual |nESS(p) − τ|.
    Raises: CannotFuseError where the kernel cannot be made.
    """
    rows = len(mask_BT)
    gradient_BT = torch.empty_like(log_probs_BT, memory_format=torch.contiguous_format)
    diagnostics = log_probs_BT.new_empty(len(DIAGNOSTICS), rows)
    losses_B = torch.empty(rows, dtype=torch.float64)
    active_B, nonfinite_B = torch.empty(rows, dtype=torch.bool), torch.empty(rows, dtype=torch.bool)
    evaluations, residual = solver if solver is not None else (None, None)
    _call(
        plan,
        scalars,
        log_probs_BT.dtype,
        new_log_probs=log_probs_BT,
        old_log_probs=old_log_probs_BT,
        weights=weights_BT,
        reference=ref_log_probs_BT,
        advantages=advantages_B,
        exponents=exponent_B,
        mask=mask_BT,
        gradient=gradient_BT,
        diagnostics=diagnostics,
        residual=residual,
        losses=losses_B,
        active=active_B,
        nonfinite=nonfinite_B,
        evaluations=evaluations,
    )
    return Rows(losses_B, gradient_BT, diagnostics, active_B, nonfinite_B)


def ratio_sums(log_probs_BT: Tensor, old_log_probs_BT: Tensor, mask_BT: Tensor, weights_BT: Tensor | None) -> Tensor:
    """(Σ ρr, Σ ρr², Σ ρ) over the counted tokens of a call, [3], float64."""
    sums = torch.empty(len(mask_BT), 3, dtype=torch.float64)
    _call(
        None,
        None,
        log_probs_BT.dtype,
        new_log_probs=log_probs_BT,
        old_log_probs=old_log_probs_BT,
        weights=weights_BT,
        mask=mask_BT,
        sums=sums,
    )
    return sums.sum(dim=0)


def _call(plan: Plan | None, scalars: list[Any] | None, dtype: torch.dtype, **tensors: Tensor | None) -> None:
    held = {name: tensor.contiguous() for name, tensor in tensors.items() if tensor is not None}  # until the call ends
    rows, width = held["mask"].shape
    call = _Call(**{name: tensor.data_ptr() for name, tensor in held.items()}, rows=rows, width=width)
    entry = library()["pmpo_run_float" if dtype == torch.float32 else "pmpo_run_double"]
    entry(
        None
        if plan is None
        else ctypes.byref(_Plan(*(int(getattr(plan, name)) for name in Plan.__dataclass_fields__))),
        None if scalars is None else ctypes.byref(_Scalars(*(float(value) for value in scalars))),
        ctypes.byref(call),
        ctypes.c_int(max(1, min(torch.get_num_threads(), rows, rows * width // TOKENS_OF_A_THREAD))),
    )
