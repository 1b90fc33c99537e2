"""Peaks of a small model's update on long completions, counted beside the arithmetic."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn

from memory_arithmetic import own_head_bytes
from pmpo.integrations.trl.head.log_probs import log_probs_of
from pmpo.integrations.trl.head.tiles import Transform
from scale_counted import Live, Row, built, checkpointed
from scale_memory import activation_bytes, layer_activation_bytes, logits_bytes
from scale_shapes import FP32, Model

LONG = Model("small, long", 4, 64, 256, 4, 2, 16, 8192)
LENGTHS = (3_000, 8_192, 16_384)
Head = Callable[[torch.Tensor, torch.Tensor, torch.Tensor], torch.Tensor]


def whole(hidden: torch.Tensor, weight: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Through all logits at once."""
    return (hidden @ weight.t()).log_softmax(-1).gather(-1, targets[:, None])[:, 0]


def chunked(hidden: torch.Tensor, weight: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    return log_probs_of(hidden, weight, None, targets, Transform(), "float32")[0]


def peak(module: nn.Module, length: int, head: Head) -> int:
    """Bytes of forward and backward of one completion, gradients included, weights not."""
    given = torch.randint(0, LONG.vocabulary, (1, length + 1), generator=torch.Generator().manual_seed(0))
    module.zero_grad(set_to_none=True)
    with Live() as live:
        hidden = module.model(given[:, :-1], use_cache=False).last_hidden_state[0]
        head(hidden, module.lm_head.weight, given[0, 1:]).sum().backward()
    return live.peak


def arithmetic(length: int, checkpoints: bool, head: Head) -> float:
    """Activations, and above them the larger of the head and of one layer's backward pass; gradients of all weights.

    Gradients exist from the head's on: at the head's peak its own, which its arithmetic counts; at the first layer's
    all of them.
    """
    norm = 3 * FP32 * LONG.hidden * length  # the last one: input, normalised, scaled
    kept = activation_bytes(LONG, length, checkpointing=checkpoints, number=FP32) + norm
    inside = length * layer_activation_bytes(LONG, FP32)
    last = kept - inside if checkpoints else kept  # at the head no layer is computed again
    logits = logits_bytes(LONG, length) + FP32 * (length * LONG.hidden + LONG.head)
    at_head = last + (logits if head is whole else own_head_bytes(LONG, length, "float32"))
    return max(at_head, kept + FP32 * LONG.parameters)


def rows() -> list[Row]:
    """Each length, with and without checkpoints, logits at once and chunked."""
    found = []
    for checkpoints in (False, True):
        module = built(LONG)
        module.config.max_position_embeddings = max(LENGTHS)
        if checkpoints:
            checkpointed(module)
        for head in (whole, chunked):
            for length in LENGTHS:
                what = (
                    f"{length:,} tokens, {'checkpointed' if checkpoints else 'no checkpoints'}, {head.__name__} logits"
                )
                found.append(Row(what, peak(module, length, head), arithmetic(length, checkpoints, head)))
    return found
