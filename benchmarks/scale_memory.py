"""Bytes on a GPU: training state, activations, logits, KV cache."""

from __future__ import annotations

from math import prod

from scale_shapes import BF16, FP32, Hardware, Layout, Model, Run

USABLE = 0.9
"""Of the memory; CUDA, NCCL and fragments have the rest."""
ROLLOUT_WORKSPACE = 4e9
"""Of the sampler, for activations and CUDA graphs."""
STATE = {"weights": FP32, "gradients": FP32, "Adam": 2 * FP32}
"""Bytes a parameter. Masters, gradients and both moments are float32; bf16 copies live as long as their layer."""


def padded(shape: tuple[int, ...], ranks: int) -> int:
    """Numbers of a parameter whose rows are shared equally, with the rows that FSDP2 adds until they divide."""
    return -(-shape[0] // ranks) * ranks * prod(shape[1:])


def shard(model: Model, ranks: int) -> float:
    """Parameters of one rank, padding included."""
    return sum(padded(shape, ranks) for group in model.groups for shape in group) / ranks


def state_bytes(model: Model, ranks: int) -> dict[str, float]:
    """Of one rank, by kind."""
    return {kind: each * shard(model, ranks) for kind, each in STATE.items()}


def unsharded_bytes(model: Model) -> float:
    """What is whole for a while: two layers (one computes, one arrives), then the head with its gradient in bf16 and,
    as it is sent, in float32."""
    return 2 * BF16 * model.layer_parameters + (BF16 + BF16 + FP32) * model.head


def layer_activation_bytes(model: Model, number: int = BF16) -> float:
    """What a layer keeps of a token for its backward pass, in transformers' Qwen2 with fused attention.

    Two norms: the input and a number in float32, the normalised and the scaled one; attention: q, k, v, result and a
    log-sum in float32 a head; MLP: gate, its SiLU, up, their product.
    """
    norms = 2 * ((FP32 + 2 * number) * model.hidden + FP32)
    attention = number * (2 * model.heads + 2 * model.kv_heads) * model.head_dim + FP32 * model.heads
    return norms + attention + 4 * number * model.intermediate


def activation_bytes(model: Model, tokens: float, checkpointing: bool = True, number: int = BF16) -> float:
    """Inputs of all layers, and inside of the one whose turn it is; without checkpointing the inside of all."""
    inside = layer_activation_bytes(model, number)
    if checkpointing:
        return tokens * (model.layers * number * model.hidden + inside)
    return tokens * model.layers * inside


def logits_bytes(model: Model, tokens: float, chunk_tokens: int = 0) -> float:
    """At the peak, in the backward pass: log-softmax, its gradient and that of the logits, all in float32."""
    at_once = min(tokens, chunk_tokens) if chunk_tokens else tokens
    return at_once * model.vocabulary * 3 * FP32


def training_bytes(model: Model, run: Run, layout: Layout) -> dict[str, float]:
    """A GPU's peak in the update, by kind."""
    tokens = max(run.micro_batch_tokens, (run.prompt_length + run.max_length) / layout.sequence_parallel)
    return {
        **state_bytes(model, layout.fsdp),
        "whole layers": unsharded_bytes(model),
        "activations": activation_bytes(model, tokens),
        "logits": logits_bytes(model, tokens, run.chunk_tokens),
    }


def kv_bytes(model: Model, tp: int) -> float:
    """KV cache of a token on one GPU of a replica; with fewer KV heads than GPUs each head lies on several."""
    return model.kv_bytes / min(tp, model.kv_heads)


def kv_room(model: Model, hardware: Hardware, layout: Layout) -> float:
    """Bytes for KV cache on a GPU during the rollout, beside the sampler's weights and what of the state stays."""
    kept = 0.0 if layout.offload else (STATE["weights"] + STATE["Adam"]) * shard(model, layout.fsdp)
    weights = BF16 * model.parameters / layout.rollout_tp
    return USABLE * hardware.memory - kept - weights - ROLLOUT_WORKSPACE


def fits(model: Model, hardware: Hardware, run: Run, layout: Layout) -> bool:
    """Whether the heads divide, the update fits, and in the rollout the cache of 8 of the longest completions."""
    if model.heads % layout.rollout_tp or model.heads % layout.sequence_parallel:
        return False
    longest = kv_bytes(model, layout.rollout_tp) * (run.prompt_length + run.max_length)
    room = kv_room(model, hardware, layout)
    return sum(training_bytes(model, run, layout).values()) < USABLE * hardware.memory and room > 8 * longest
