"""What TRL's own language-model head is made of, and how another one takes its place in a model."""

from __future__ import annotations

import contextlib
import types
from collections.abc import Callable, Iterator
from typing import Any

import torch
from trl.kernels import chunked_logprob
from trl.trainer import grpo_trainer
from trl.trainer.utils import maybe_gather_lm_head_ctx

__all__ = ["FOLDS", "gathered", "kernels_on", "own_heads"]

_BLOCK = 1024
"""Logits that a program of TRL's kernels reads at once."""

gathered = maybe_gather_lm_head_ctx


def kernels_on(device: torch.device) -> bool:
    """Whether TRL folds tiles with Triton there."""
    found: bool = chunked_logprob._use_triton(device)
    return found


class FOLDS:
    """TRL's Triton kernels over a tile of products, which they leave as they are, or turn into gradients.

    `sums` and `gradients` are those of `pmpo.integrations.trl.head.tiles`.
    """

    @staticmethod
    def forward(sums: Any, tile: torch.Tensor, tokens: slice, start: int, facts: dict[str, Any]) -> None:
        """Add a tile to the sums of its tokens."""
        unused = sums.total[tokens]  # sums that nobody asked for are read and not written
        chunked_logprob._forward_kernel[(tile.shape[0],)](
            tile, tile.stride(0), sums.targets[tokens], sums.largest[tokens], sums.total[tokens], sums.moment[tokens],
            unused, unused, unused, sums.chosen[tokens], start, tile.shape[1],
            HAS_ENTROPY=sums.entropy, HAS_LOG_SUM_SQ_PROBS=False, HAS_MEAN_LOGITS=False, HAS_IS_TOP1=False,
            BLOCK_SIZE=_BLOCK, **facts,
        )  # fmt: skip

    @staticmethod
    def backward(gradients: Any, tile: torch.Tensor, tokens: slice, start: int, facts: dict[str, Any]) -> None:
        """The gradient of the products in their place."""
        of_log_probs, of_entropies, log_z = gradients.of_log_probs, gradients.of_entropies, gradients.log_z[tokens]
        chunked_logprob._backward_kernel[(tile.shape[0], -(-tile.shape[1] // _BLOCK))](
            tile, tile.stride(0), gradients.targets[tokens], log_z, gradients.entropies[tokens],
            log_z if of_log_probs is None else of_log_probs[tokens],
            log_z if of_entropies is None else of_entropies[tokens],
            start, tile.shape[1],
            HAS_LOGPROB_GRAD=of_log_probs is not None, HAS_ENTROPY_GRAD=of_entropies is not None,
            BLOCK_SIZE=_BLOCK, **facts,
        )  # fmt: skip


@contextlib.contextmanager
def own_heads(log_probs: Callable[..., tuple[Any, ...]]) -> Iterator[None]:
    """While TRL builds its trainer, the heads that it adds to policy and reference compute by `log_probs`.

    Everything around that stays TRL's: hidden states, labels, sharded weights, auxiliary losses. Only the tokens that
    count are scored, on CPUs as well, where TRL scores prompts and padding too.

    Args:
        log_probs: takes hidden states [N, H], weight, bias, targets, temperature, the width of a tile, soft cap, scale
            and the names of the outputs, and returns five of them, None for those without a name.
    """
    theirs: Callable[..., None] = grpo_trainer.add_fused_lm_head
    names = {
        "_ChunkedLogProbFunction": types.SimpleNamespace(apply=log_probs),
        "_use_triton": lambda device: device.type == "cpu" or kernels_on(device),
    }

    def add_head(model: Any, *positional: Any, **given: Any) -> None:
        theirs(model, *positional, **{**given, "cast_lm_head_to_fp32": False})
        model.forward = types.MethodType(_with_names(model.forward.__func__, names), model)

    grpo_trainer.add_fused_lm_head = add_head
    try:
        yield
    finally:
        grpo_trainer.add_fused_lm_head = theirs


def _with_names(function: Any, names: dict[str, Any]) -> Any:
    """The same function, which finds these under the names of its module."""
    code, around = function.__code__, {**function.__globals__, **names}
    same = types.FunctionType(code, around, function.__name__, function.__defaults__, function.__closure__)
    same.__kwdefaults__ = function.__kwdefaults__
    same.__dict__.update(function.__dict__)
    return same
