"""`logits_precision`: how the products behind log-probabilities are rounded.

    float32   in float32, forward and backward; on CUDA in TF32 where `tf32` says so
    bf16x3    on tensor cores: float32 numbers as sums of two bfloat16 ones, summed in float32; gradients as of "bf16"
    bf16      on tensor cores: float32 numbers rounded to bfloat16, summed in float32
    host      TRL's own: inputs and, before the log-softmax, logits rounded to 16 bits, unless cast_lm_head_to_fp32

Where hidden states and weights have 16 bits already, "bf16x3" and "bf16" are one exact product in that type. Errors
and costs: docs/measured/head.md.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Any, get_args

import torch
from torch import Tensor

from pmpo.foundation.errors import unknown_name
from pmpo.integrations.trl.head.log_probs import log_probs_of
from pmpo.integrations.trl.head.products import Precision
from pmpo.integrations.trl.head.tiles import Transform
from pmpo.integrations.trl.host.head import own_heads

VALUES = (*get_args(Precision), "host")
TENSOR_CORES = (8, 0)
"""The first compute capability with bfloat16."""
OUTPUTS = {"log_probs", "entropy"}


def missing(device: torch.device) -> str | None:
    """Why 16-bit products with a float32 result cannot run on a device; None where they can."""
    if device.type != "cuda":
        return f"a {device.type} device has no 16-bit product with a float32 result in torch {torch.__version__}"
    if torch.version.hip is not None:
        return "they were not tried on ROCm"
    if "dtype_out" not in torch.ops.aten.mm.overloads():
        return f"torch {torch.__version__} has none: they came with 2.8"
    if torch.cuda.get_device_capability(device) < TENSOR_CORES:
        return f"{torch.cuda.get_device_name(device)} has no bfloat16"
    return _tried(device)


def _tried(device: torch.device) -> str | None:
    """One small product, since no device stands behind this project's tests."""
    left, right = (torch.linspace(-1.0, 1.0, 64 * 64, device=device).bfloat16().view(64, 64) for _ in range(2))
    try:
        found = torch.mm(left, right, out_dtype=torch.float32)
    except RuntimeError as error:
        return f"a trial of one failed ({error})"
    exact = left.double() @ right.double()
    return None if torch.allclose(found.double(), exact, atol=1e-4) else "a trial of one was not exact"


def default_precision(device: torch.device) -> str:
    """The cheapest that keeps ratios within 1e-3 nats (docs/measured/head.md): bf16x3 on CUDA, float32 elsewhere."""
    return "bf16x3" if missing(device) is None else "float32"


def check_precision(value: str, device: torch.device, cast_by_trl: bool) -> None:
    """Refuse what cannot work, or would do nothing.

    Raises: ValueError with what to write instead.
    """
    if value not in VALUES:
        raise ValueError(unknown_name("logits_precision", value, VALUES))
    if value in ("bf16", "bf16x3") and device.type == "cuda" and (reason := missing(device)) is not None:
        raise ValueError(
            f"logits_precision={value!r} needs 16-bit products with a float32 result, and {reason}: write "
            "logits_precision='float32'."
        )
    if value == "bf16" and cast_by_trl:
        raise ValueError(
            "logits_precision='bf16' rounds the weights of the head that cast_lm_head_to_fp32=True keeps in float32: "
            "remove one of the two."
        )


def heads_of(precision: str) -> AbstractContextManager[None]:
    """While TRL builds its trainer, the heads that it adds to policy and reference have this precision."""
    if precision == "host":
        return nullcontext()

    def log_probs(
        hidden: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        targets: Tensor,
        temperature: float,
        width: int,
        softcap: float | None,
        scale: float,
        outputs: tuple[str, ...],
    ) -> tuple[Any, ...]:
        """As TRL calls its own, whose tiles are of another width."""
        if not set(outputs) <= OUTPUTS:
            raise ValueError(
                f"The head of logits_precision={precision!r} gives {', '.join(sorted(OUTPUTS))}, and TRL asks for "
                f"{', '.join(outputs)}: write logits_precision='host'."
            )
        transform = Transform(temperature, scale, softcap)
        found, entropies = log_probs_of(hidden, weight, bias, targets, transform, precision, "entropy" in outputs)
        return found, entropies, None, None, None

    return own_heads(log_probs)
