"""A tile of logits [n, c], n tokens by a part of the vocabulary: what is read off it, and its gradient in its place.

N tokens, V words of the vocabulary. Functions of torch, a few rows at a time so that what they need besides stays in
the processor's cache; where TRL has Triton kernels for it, those.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from pmpo.integrations.trl.host.head import FOLDS, kernels_on

AT_ONCE = 2**17
"""Logits whose exponentials are taken at once on a CPU: half a megabyte."""


@dataclass(frozen=True)
class Transform:
    """What a model does to the product: z = soft cap of (logit_scale · y), divided by the temperature.

    Attributes:
        scale: 1 for most models.
        softcap: z is softcap · tanh(scale · y / softcap) before the division; None for most models.
    """

    temperature: float = 1.0
    scale: float = 1.0
    softcap: float | None = None

    def ready(self, tile: Tensor) -> None:
        """Logits in the place of the product, unless there are kernels, which do that themselves."""
        if kernels_on(tile.device):
            return
        if self.softcap is not None:
            tile.mul_(self.scale / self.softcap).tanh_().mul_(self.softcap / self.temperature)
        elif self.scale != self.temperature:
            tile.mul_(self.scale / self.temperature)

    def gradient_(self, gradient: Tensor, logits: Tensor) -> None:
        """The product's gradient in the place of that of the logits."""
        if self.softcap is not None:
            gradient.mul_(1.0 - (logits * (self.temperature / self.softcap)).square())
        if self.scale != self.temperature:
            gradient.mul_(self.scale / self.temperature)

    def facts(self) -> dict[str, float | bool]:
        """As TRL's kernels are told."""
        return {
            "logit_scale": self.scale,
            "softcap": self.softcap or 1.0,
            "inv_t": 1 / self.temperature,
            "HAS_SOFTCAP": self.softcap is not None,
        }


class Sums:
    """What a token needs of all its logits, in float32, tile by tile.

    Attributes:
        largest, total, moment: max z, Σ exp(z − max z) and Σ z·exp(z − max z) of what was folded so far, [N].
        chosen: z of the token that came, [N].
        entropy: whether `moment` is wanted.
    """

    def __init__(self, targets: Tensor, entropy: bool) -> None:
        like = {"dtype": torch.float32, "device": targets.device}
        self.targets, self.entropy = targets, entropy
        self.largest = torch.full(targets.shape, -torch.inf, **like)
        self.total, self.moment, self.chosen = (torch.zeros(targets.shape, **like) for _ in range(3))

    def log_z(self) -> Tensor:
        """log Σ exp z, [N]."""
        return self.largest + self.total.log()

    def entropies(self) -> Tensor:
        """Nats, [N]."""
        return self.log_z() - self.moment / self.total

    def fold(self, tile: Tensor, tokens: slice, start: int, transform: Transform) -> None:
        """Add a tile as `Transform.ready` has left it: of `tokens`, and of the vocabulary from `start`."""
        if kernels_on(tile.device):
            FOLDS.forward(self, tile, tokens, start, transform.facts())
            return
        for part in _pieces(tile, tokens):
            self._fold_piece(tile[part.rows], part.tokens, start)

    def _fold_piece(self, z: Tensor, tokens: slice, start: int) -> None:
        before, chosen = self.largest[tokens], self.targets[tokens, None] - start
        largest = torch.maximum(before, z.amax(-1))
        shrunk, weight = (before - largest).exp(), (z - largest[:, None]).exp_()
        self.total[tokens] = self.total[tokens] * shrunk + weight.sum(-1)
        if self.entropy:
            self.moment[tokens] = self.moment[tokens] * shrunk + weight.mul_(z).sum(-1)
        self.largest[tokens] = largest
        here = (chosen >= 0) & (chosen < z.shape[1])
        found = z.gather(-1, chosen.clamp(0, z.shape[1] - 1))
        self.chosen[tokens] = torch.where(here, found, self.chosen[tokens, None])[:, 0]


@dataclass(frozen=True)
class Gradients:
    """Gradients of a tile of logits z: d log p / dz = [target] − p, d entropy / dz = −p (log p + entropy).

    Attributes:
        targets, log_z, entropies: [N].
        of_log_probs, of_entropies: gradients of the loss in each token's log-probability and entropy, [N]; None for 0.
    """

    targets: Tensor
    log_z: Tensor
    entropies: Tensor
    of_log_probs: Tensor | None
    of_entropies: Tensor | None
    transform: Transform

    def write(self, tile: Tensor, tokens: slice, start: int) -> None:
        """The gradient of the products in the place of a tile as `Transform.ready` has left it."""
        if kernels_on(tile.device):
            FOLDS.backward(self, tile, tokens, start, self.transform.facts())
            return
        for part in _pieces(tile, tokens):
            self._write_piece(tile[part.rows], part.tokens, start)

    def _write_piece(self, z: Tensor, tokens: slice, start: int) -> None:
        logits = z.clone() if self.transform.softcap is not None else z
        log_p = z.sub_(self.log_z[tokens, None])
        factor = torch.zeros_like(self.log_z[tokens, None])
        if self.of_log_probs is not None:
            factor = -self.of_log_probs[tokens, None]
        if self.of_entropies is not None:
            factor = factor - self.of_entropies[tokens, None] * (log_p + self.entropies[tokens, None])
        log_p.exp_().mul_(factor)
        if self.of_log_probs is not None:
            chosen = self.targets[tokens, None] - start
            here = (chosen >= 0) & (chosen < z.shape[1])
            gain = torch.where(here, self.of_log_probs[tokens, None], 0.0)
            z.scatter_add_(-1, chosen.clamp(0, z.shape[1] - 1), gain)
        self.transform.gradient_(z, logits)


@dataclass(frozen=True)
class _Piece:
    """Rows of a tile, and the same rows among all tokens."""

    rows: slice
    tokens: slice


def _pieces(tile: Tensor, tokens: slice) -> Iterator[_Piece]:
    height = max(1, AT_ONCE // tile.shape[1])
    for first in range(0, tile.shape[0], height):
        last = min(first + height, tile.shape[0])
        yield _Piece(slice(first, last), slice(tokens.start + first, tokens.start + last))
