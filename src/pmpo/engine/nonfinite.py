"""A step whose loss or gradient is not finite: what is decided, said and kept of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor

from pmpo.foundation.files import write_json, write_whole

Decision = Literal["step", "overflow", "raise", "skip"]


class NonFiniteLossError(RuntimeError):
    """A NaN or infinite loss or gradient, with the completion it came from."""


def decide(bad_loss: bool, bad_gradient: bool, on_nonfinite: str, overflowed: Callable[[], bool]) -> Decision:
    """What becomes of an optimiser step; every rank must give the same answers, and so reduce them first.

    Args:
        bad_loss: whether a micro-batch's loss was not finite.
        bad_gradient: whether the accumulated gradient is not finite on any rank.
        on_nonfinite: "skip" or "raise".
        overflowed: whether a scaler of the loss (fp16) answers for the gradient; asked only where that is in question.
    Returns: "step": take it. "overflow": leave it to the scaler, which skips it. "raise", "skip": as the user chose.
    """
    if not (bad_loss or bad_gradient):
        return "step"
    if not bad_loss and overflowed():
        return "overflow"
    return "raise" if on_nonfinite == "raise" else "skip"


def gradient_is_finite(parameters: Iterable[torch.nn.Parameter]) -> Tensor:
    """Whether every gradient that this process holds is finite, 0-dim bool on one device; of a shard, its own part."""
    grads = [own_part(parameter.grad) for parameter in parameters if parameter.grad is not None]
    return torch.stack([grad.isfinite().all() for grad in grads]).all() if grads else torch.tensor(True)


def weights_are_finite(model: torch.nn.Module) -> bool:
    """Whether every trained parameter that this process holds is finite; of a shard, its own part."""
    return all(bool(own_part(p).detach().isfinite().all()) for p in model.parameters() if p.requires_grad)


def own_part(tensor: Tensor) -> Tensor:
    """What this process holds of a tensor: all of it, or its shard, maybe empty, where FSDP2 or ZeRO-3 has spread it.

    A distributed tensor's own operations talk to the other processes, and collectives refuse it as it is. ZeRO-3 leaves
    an empty parameter with its shard as an attribute.
    """
    from torch.distributed.tensor import DTensor

    if isinstance(tensor, DTensor):
        return tensor.to_local()
    shard: Tensor = getattr(tensor, "ds_tensor", tensor)
    return shard


def describe_batch(tensors: Mapping[str, Any], mask_BT: Tensor, log_ratios_BT: Tensor | None) -> str:
    """A sentence on what is unusual in a micro-batch: where numbers are not finite, and how far the ratios went.

    Args:
        tensors: what to look at, by name; of those shaped like the mask the tokens that count. Others are passed over.
        mask_BT: 1 on tokens that count.
        log_ratios_BT: new minus old, nats; None where that is unknown.
    """
    mask_BT = mask_BT.bool()
    parts = []
    for name, value in tensors.items():
        if isinstance(value, Tensor) and value.is_floating_point():
            counted = value[mask_BT] if value.shape == mask_BT.shape else value
            bad = int((~counted.isfinite()).sum())
            if bad:
                parts.append(f"{bad} of {counted.numel()} numbers in {name} are not finite")
    if log_ratios_BT is not None:
        ratios = log_ratios_BT.detach()[mask_BT]
        ratios = ratios[ratios.isfinite()]
        if len(ratios):
            parts.append(f"log ratios range from {ratios.min():.3g} to {ratios.max():.3g} nats")
    lengths_B = mask_BT.sum(dim=1)
    parts.append(f"{len(mask_BT)} completions of {int(lengths_B.min())} to {int(lengths_B.max())} tokens")
    return "; ".join(parts)


def dump_batch(folder: Path, tensors: Mapping[str, Tensor], report: Mapping[str, Any]) -> Path:
    """Write a micro-batch for people to look at: `batch.safetensors`, and `report.json` with its texts.

    Returns: the folder, made where it is not there.
    """
    from safetensors.torch import save

    folder.mkdir(parents=True, exist_ok=True)
    kept = {name: value.detach().cpu().contiguous() for name, value in tensors.items()}
    write_whole(folder / "batch.safetensors", save(kept))
    write_json(folder / "report.json", dict(report))
    return folder
