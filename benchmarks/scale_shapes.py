"""What a round of RL training is made of: a model, a machine, a run and a layout, and their counts.

T is a number of tokens, F the ranks that share one copy of the training state (FSDP), bytes and FLOPs are whole numbers
of the formulas, without any efficiency; those are in `scale_time`.
"""

from __future__ import annotations

import heapq
import math
from dataclasses import dataclass
from functools import lru_cache
from math import prod

BF16, FP32 = 2, 4
"""Bytes of a number."""


@dataclass(frozen=True)
class Model:
    """A decoder with grouped-query attention and a gated MLP, biases on q, k and v: Qwen2's."""

    name: str
    layers: int
    hidden: int
    intermediate: int
    heads: int
    kv_heads: int
    head_dim: int
    vocabulary: int
    tied: bool = False

    @property
    def layer_shapes(self) -> tuple[tuple[int, ...], ...]:
        """Of a layer's parameters."""
        h, q, kv, i = self.hidden, self.heads * self.head_dim, self.kv_heads * self.head_dim, self.intermediate
        return ((q, h), (q,), (kv, h), (kv,), (kv, h), (kv,), (h, q), (i, h), (i, h), (h, i), (h,), (h,))

    @property
    def layer_parameters(self) -> int:
        return sum(map(prod, self.layer_shapes))

    @property
    def layer_matrices(self) -> int:
        """The part of a layer's parameters that tokens are multiplied with."""
        return sum(prod(shape) for shape in self.layer_shapes if len(shape) == 2)

    @property
    def head(self) -> int:
        return self.hidden * self.vocabulary

    @property
    def groups(self) -> list[tuple[tuple[int, ...], ...]]:
        """What FSDP gathers at once, as verl wraps it: layers, embedding and head (in the root where tied), root."""
        table, norm = (self.vocabulary, self.hidden), (self.hidden,)
        ends = [(table, norm)] if self.tied else [(table,), (table,), (norm,)]
        return [self.layer_shapes] * self.layers + ends

    @property
    def parameters(self) -> int:
        return sum(prod(shape) for group in self.groups for shape in group)

    @property
    def kv_bytes(self) -> int:
        """KV cache of a token in bf16."""
        return 2 * self.layers * self.kv_heads * self.head_dim * BF16


@dataclass(frozen=True)
class Hardware:
    """A GPU and its links as published: bytes, FLOP/s of dense bf16, bytes a second in one direction for each GPU."""

    name: str
    memory: float
    flops: float
    hbm: float
    link_inside: float
    link_between: float
    link_host: float
    per_node: int = 8


@dataclass(frozen=True)
class Run:
    """A round's settings, lengths in tokens.

    Attributes:
        mean_length, max_length: of completions; lengths are exponential, cut at the limit.
        updates: optimiser steps on a pass over the round's completions; `epochs` passes.
        micro_batch_tokens: at most so many at once, but a whole completion at least.
        chunk_tokens: of the head at once; 0: all logits of a micro-batch at once.
        reference: whether a KL term needs a reference model's log-probabilities.
        extra_pass: whether the objective needs sums over the update's ratios first (P3O).
    """

    prompts: int = 128
    group: int = 8
    prompt_length: int = 200
    mean_length: int = 1000
    max_length: int = 3000
    updates: int = 8
    epochs: int = 1
    micro_batch_tokens: int = 16_384
    chunk_tokens: int = 512
    reference: bool = False
    extra_pass: bool = False

    @property
    def completions(self) -> int:
        return self.prompts * self.group

    @property
    def mini_batch(self) -> int:
        """Completions of an update."""
        return self.completions // self.updates


@dataclass(frozen=True)
class Layout:
    """How a run lies on its GPUs.

    Attributes:
        fsdp: F. With fewer than all GPUs, copies of the state are held side by side (HSDP).
        rollout_tp: GPUs of a replica of the sampler.
        sequence_parallel: GPUs that share a completion in training (Ulysses).
        offload: whether the training state is in host memory during the rollout.
    """

    gpus: int
    fsdp: int
    rollout_tp: int = 1
    sequence_parallel: int = 1
    offload: bool = False


@lru_cache(maxsize=64)
def lengths(run: Run, count: int) -> tuple[float, ...]:
    """Completion lengths at `count` equally likely quantiles, longest first."""
    if run.mean_length >= run.max_length:
        return (float(run.max_length),) * count
    low, high = 1e-3, 1e3
    for _ in range(60):  # the scale, in units of the limit: its mean, cut, is low·(1 − exp(−1/low))
        middle = math.sqrt(low * high)
        short = middle * -math.expm1(-1 / middle) < run.mean_length / run.max_length
        low, high = (middle, high) if short else (low, middle)
    scale = low * run.max_length
    return tuple(min(run.max_length, -scale * math.log((i + 0.5) / count)) for i in range(count))


@lru_cache(maxsize=64)
def busiest(run: Run, completions: int, ranks: int) -> tuple[float, float]:
    """Tokens of the rank that has most, prompts included, and how many others one of them attends to on average.

    Completions are dealt longest first to the rank that has the least.
    """
    heap = [(0.0, 0.0)] * ranks
    for length in lengths(run, completions):
        whole = run.prompt_length + length
        heapq.heapreplace(heap, (heap[0][0] + whole, heap[0][1] + whole**2))
    tokens, squares = max(heap)
    return tokens, squares / 2 / tokens


def forward_flops(model: Model, tokens: float, context: float) -> float:
    """2 for every weight that a token meets, and 4 · heads · head_dim for every token that it attends to, a layer."""
    attention = 4 * model.layers * model.heads * model.head_dim * context
    return tokens * (2 * (model.layers * model.layer_matrices + model.head) + attention)


def recomputed_flops(model: Model, tokens: float, context: float) -> float:
    """Of checkpointing every layer: its forward again but for its last product, whose result no gradient needs."""
    last = 2 * model.layers * model.intermediate * model.hidden
    return forward_flops(model, tokens, context) - tokens * (2 * model.head + last)


def update_flops(model: Model, tokens: float, context: float, checkpointing: bool = True) -> float:
    """Forward, backward (twice the forward) and what checkpointing computes again."""
    again = recomputed_flops(model, tokens, context) if checkpointing else 0.0
    return 3 * forward_flops(model, tokens, context) + again
