"""Functions and classes of TRL and transformers that are no promise of theirs, and attributes of other things than the
trainer."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from typing import Any

import torch
from torch import nn
from transformers.trainer import TRAINER_STATE_NAME
from trl.models.utils import unwrap_model_for_generation
from trl.trainer.utils import RepeatSampler, get_config_model_id, is_async_callable

__all__ = [
    "TRAINER_STATE_NAME",
    "RepeatSampler",
    "attention_of",
    "facts_of",
    "generating_model",
    "get_config_model_id",
    "is_async_callable",
    "report_histogram",
]


def generating_model(wrapped: Any, accelerator: Any) -> contextlib.AbstractContextManager[nn.Module]:
    """The model of a trainer's `model_wrapped`, ready to generate: unwrapped, and gathered where it is sharded."""
    context: contextlib.AbstractContextManager[nn.Module] = unwrap_model_for_generation(wrapped, accelerator)
    return context


def report_histogram(callbacks: Iterable[Any], name: str, values: list[float], step: int) -> None:
    """Hand a histogram to TensorBoard and W&B, where their callbacks are on; a Trainer's log holds scalars only."""
    for callback in callbacks:
        writer = getattr(callback, "tb_writer", None)
        if writer is not None:
            writer.add_histogram(name, torch.tensor(values), step)
        wandb = getattr(callback, "_wandb", None)
        if wandb is not None and wandb.run is not None:
            wandb.log({name: wandb.Histogram(values)}, commit=False)


def facts_of(config: Any) -> dict[str, Any]:
    """A model's configuration as it is saved, without the folder or name that it was loaded from."""
    return {name: value for name, value in config.to_dict().items() if name != "_name_or_path"}


def attention_of(config: Any) -> str | None:
    """The attention implementation that a model runs, which is in no saved configuration."""
    found: str | None = getattr(config, "_attn_implementation", None)
    return found
