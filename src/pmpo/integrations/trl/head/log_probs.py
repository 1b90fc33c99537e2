"""Log-probabilities and entropies of tokens, from hidden states and the head's weights, forward and backward.

N tokens, V words, H the hidden size. Logits exist one tile at a time; a micro-batch whose logits are no larger than a
tile keeps them for the backward pass, which else computes them again: one product of four. The gradient of 16-bit
weights is added up in float32 for one part of the vocabulary at a time, so that no float32 copy of all weights exists.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from pmpo.integrations.trl.head.products import Precision, common_half, inner, multiply, terms
from pmpo.integrations.trl.head.tiles import Gradients, Sums, Transform
from pmpo.integrations.trl.host.head import gathered

TOKENS, WORDS = 4096, 8192
"""Of a tile, at most: in float32 half the bytes of TRL's of 4096 by 32,768 in 16 bits."""
FEWEST = 16
"""Rows of a product. Libraries sum products of fewer rows in another order, and a token's log-probability should not
depend on how many others lie beside it: old and new ones would differ by a rounding before the first update."""


def log_probs_of(
    hidden: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    targets: Tensor,
    transform: Transform,
    precision: Precision,
    entropy: bool = True,
) -> tuple[Tensor, Tensor | None]:
    """log p of every target and the entropy of its distribution, nats, float32 [N].

    Args:
        hidden: [N, H]. weight: [V, H]. bias: [V]. Floating point, of any types.
        targets: int64 [N], 0..V−1.
    """
    keep = torch.is_grad_enabled() and (hidden.requires_grad or weight.requires_grad)
    count = targets.shape[0]
    if 0 < count < FEWEST:
        hidden = torch.nn.functional.pad(hidden, (0, 0, 0, FEWEST - count))
        targets = torch.nn.functional.pad(targets, (0, FEWEST - count))
    found, entropies = _LogProbs.apply(hidden, weight, bias, targets, transform, precision, entropy, keep)
    return found[:count], None if entropies is None else entropies[:count]


class _Head:
    """Logits of a head and the tokens before it, tile by tile."""

    def __init__(
        self, hidden: Tensor, weight: Tensor, bias: Tensor | None, transform: Transform, precision: Precision
    ) -> None:
        self.hidden, self.weight, self.bias = hidden, weight, bias
        self.transform, self.precision = transform, precision
        self.half = common_half(hidden, weight)
        self.count, self.vocabulary = hidden.shape[0], weight.shape[0]

    @property
    def fits(self) -> bool:
        """Whether all logits take no more than a tile."""
        return self.count * self.vocabulary <= TOKENS * WORDS

    def buffer(self, whole: bool) -> Tensor:
        """Memory for a tile, or for all of them."""
        tile = min(TOKENS, self.count) * min(WORDS, self.vocabulary)
        return self.hidden.new_empty(self.count * self.vocabulary if whole else tile, dtype=torch.float32)

    def parts(self) -> Iterator[tuple[slice, tuple[Tensor, ...]]]:
        """Parts of the vocabulary, with the terms of their weights."""
        for start in range(0, self.vocabulary, WORDS):
            part = slice(start, min(start + WORDS, self.vocabulary))
            yield part, terms(self.weight[part], self.precision, self.half)

    def rows(self) -> Iterator[tuple[slice, tuple[Tensor, ...]]]:
        """Tokens of a tile, with the terms of their hidden states."""
        for start in range(0, self.count, TOKENS):
            tokens = slice(start, min(start + TOKENS, self.count))
            yield tokens, terms(self.hidden[tokens], self.precision, self.half)

    def tile(self, buffer: Tensor, whole: bool, tokens: slice, words: slice) -> Tensor:
        """The part of a buffer for these, the same memory for all unless the buffer is for the whole."""
        height, width = tokens.stop - tokens.start, words.stop - words.start
        first = words.start * self.count + tokens.start * width if whole else 0
        return buffer[first : first + height * width].view(height, width)

    def product(self, tile: Tensor, hidden: tuple[Tensor, ...], weight: tuple[Tensor, ...], words: slice) -> None:
        """hidden · weightᵀ + bias into the tile, and there made into logits."""
        left, right = inner(hidden, weight)
        multiply(left, right.t(), tile)
        if self.bias is not None:
            tile.add_(self.bias[words].float())
        self.transform.ready(tile)


class _LogProbs(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        hidden: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        targets: Tensor,
        transform: Transform,
        precision: Precision,
        entropy: bool,
        keep: bool,
    ) -> tuple[Tensor, Tensor | None]:
        ctx.set_materialize_grads(False)
        sums = Sums(targets, entropy)
        head = _Head(hidden, weight, bias, transform, precision)
        stored = keep and head.fits
        buffer = head.buffer(stored)
        for words, weight_terms in head.parts():
            for tokens, hidden_terms in head.rows():
                tile = head.tile(buffer, stored, tokens, words)
                head.product(tile, hidden_terms, weight_terms, words)
                sums.fold(tile, tokens, words.start, transform)
        log_z = sums.log_z()
        entropies = sums.entropies() if entropy else None
        ctx.save_for_backward(hidden, weight, bias, targets, log_z, log_z if entropies is None else entropies)
        ctx.transform, ctx.precision = transform, precision
        ctx.kept = buffer if stored else None
        return sums.chosen - log_z, entropies

    @staticmethod
    def backward(ctx: Any, of_log_probs: Tensor | None, of_entropies: Tensor | None) -> Any:  # type: ignore[override]
        hidden, weight, bias, targets, log_z, entropies = ctx.saved_tensors
        steps = [None if one is None else one.float().contiguous() for one in (of_log_probs, of_entropies)]
        gradients = Gradients(targets, log_z, entropies, *steps, ctx.transform)
        with gathered(weight, bias):
            head = _Head(hidden, weight, bias, ctx.transform, ctx.precision)
            found = _backward(head, gradients, ctx.kept, ctx.needs_input_grad)
        ctx.kept = None  # its numbers are gradients now: a second backward pass computes it again
        return *found, None, None, None, None, None


def _backward(
    head: _Head, gradients: Gradients, kept: Tensor | None, needs: tuple[bool, ...]
) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
    """Gradients of hidden states, weights and bias, in their types."""
    of_hidden = _zeros(head.hidden, torch.float32, needs[0])
    of_weight = _zeros(head.weight, head.weight.dtype, needs[1])
    of_bias = None if head.bias is None else _zeros(head.bias, torch.float32, needs[2])
    stored = kept is not None
    buffer = kept if stored else head.buffer(whole=False)
    for words, weight_terms in head.parts():
        part = None if of_weight is None else of_weight[words].float()  # itself where it is float32
        for tokens, hidden_terms in head.rows():
            tile = head.tile(buffer, stored, tokens, words)
            if not stored:
                head.product(tile, hidden_terms, weight_terms, words)
            gradients.write(tile, tokens, words.start)
            if of_bias is not None:
                of_bias[words] += tile.sum(0)
            step = tile.to(weight_terms[0].dtype)
            if of_hidden is not None:
                multiply(step, weight_terms[0], of_hidden[tokens], add=words.start > 0)
            if part is not None:
                multiply(step.t(), hidden_terms[0], part, add=tokens.start > 0)
        if of_weight is not None and of_weight.dtype != torch.float32:
            of_weight[words] = part
    return (
        None if of_hidden is None else of_hidden.to(head.hidden.dtype),
        of_weight,
        None if of_bias is None else of_bias.to(head.bias.dtype),
    )


def _zeros(like: Tensor, dtype: torch.dtype, needed: bool) -> Tensor | None:
    return torch.zeros_like(like, dtype=dtype) if needed else None
