"""Per-completion diagnostics, gathered to the numbers of a log event.

Which numbers: the entries of the catalogue (`pmpo.engine.metric_catalogue`) that have a column.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from pmpo.engine.metric_catalogue import OBJECTIVE
from pmpo.objective.diagnostics import Diagnostics
from pmpo.objective.policy_loss import PolicyLoss

_REDUCED = [metric for metric in OBJECTIVE if metric.column]
_COLUMNS = (*dict.fromkeys(metric.column for metric in _REDUCED), "active")
HISTOGRAM_BINS = 20


Gather = Callable[[Tensor], Tensor]
"""[N, K] of this rank to [N of all ranks, K]; the same on all of them."""
_MOST_PENDING = 256
"""Micro-batches that a window remembers before they are settled, however seldom is logged."""


def stack(diagnostics: Diagnostics) -> Tensor:
    """[B, K] float32: one gather over ranks then serves every metric."""
    return torch.stack([getattr(diagnostics, name).float() for name in _COLUMNS], dim=1)


class Window:
    """What has been gathered since the last log event, over optimiser steps, micro-batches and ranks.

    A micro-batch is only remembered (`defer`), and all of them are gathered together (`settle`): nothing waits for the
    device in between. Sums and counts, so that a mean is that of the window's completions however they lie in
    micro-batches.

    Attributes:
        exponents: p of every active completion.
    """

    def __init__(self) -> None:
        columns = len(_COLUMNS) - 1
        self._rows = self._active = 0
        self._counts, self._sums = (torch.zeros(columns, dtype=torch.float64) for _ in range(2))
        self._lowest = torch.full((columns,), torch.inf, dtype=torch.float64)
        self._highest = -self._lowest
        self._loss = self._loss_weight = 0.0
        self._kl = self._entropy = 0.0
        self._micro_batches = 0
        self._pending: list[Tensor] = []
        self.exponents: list[float] = []

    def defer(
        self, result: PolicyLoss, mask_BT: Tensor, share: float | None, entropies_BT: Tensor | None = None
    ) -> None:
        """Remember a micro-batch's loss and diagnostics, those of this rank.

        Args:
            mask_BT: 1 on tokens that count.
            share: the part of an optimiser step that this rank's micro-batch is, whose losses sum to the step's; None
                where the loss is a mean over its completions (evaluation).
            entropies_BT: of the policy, nats; None leaves `entropy` alone.
        """
        tokens_B = mask_BT.sum(dim=1).float()
        factor, weight = (float(len(tokens_B)),) * 2 if share is None else (1.0, share)
        first_B = torch.zeros_like(tokens_B)
        first_B[0] = 1.0
        entropy_B = torch.zeros_like(tokens_B)
        if entropies_BT is not None:
            entropy_B = (entropies_BT.detach().float() * mask_BT).sum(dim=1)
        loss_B = torch.where(first_B > 0, result.loss.detach().float() * factor, 0.0)
        place_B = torch.full_like(tokens_B, len(self._pending))
        kl_B = tokens_B * result.diagnostics.kl_ref.float()
        more = (place_B, loss_B, weight * first_B, kl_B, entropy_B, tokens_B)
        self._pending.append(torch.cat([stack(result.diagnostics), torch.stack(more, dim=1)], dim=1).detach())

    @property
    def is_full(self) -> bool:
        """Whether so much is remembered that it should be settled though nothing is logged; the same on every rank."""
        return len(self._pending) >= _MOST_PENDING

    def settle(self, gather: Gather = lambda tensor: tensor) -> None:
        """Add what is remembered, of all ranks: every rank calls this, having remembered as many completions."""
        if not self._pending:
            return
        table = gather(torch.cat(self._pending)).cpu().double()
        self._pending = []
        self.add(table[:, : len(_COLUMNS)])
        places, numbers = table[:, len(_COLUMNS)].long(), table[:, len(_COLUMNS) + 1 :]
        sums = numbers.new_zeros(int(places.max()) + 1, numbers.shape[1]).index_add(0, places, numbers)
        loss, weight, kl, entropy, tokens = sums.unbind(dim=1)
        for one_loss, one_weight in zip(loss.tolist(), weight.tolist(), strict=True):
            self.add_loss(one_loss, one_weight)
        self._kl += (kl / tokens.clamp(min=1.0)).sum().item()
        self._entropy += (entropy / tokens.clamp(min=1.0)).sum().item()
        self._micro_batches += len(sums)

    def pop_settled(self) -> Window:
        """What is settled, which this window forgets; what is remembered stays."""
        settled, left = Window(), self._pending
        vars(settled).update({**vars(self), "_pending": []})
        vars(self).update({**vars(Window()), "_pending": left})
        return settled

    @property
    def kl(self) -> float:
        """KL(π_θ ‖ π_ref), nats per token of a micro-batch over all ranks, and their mean, as TRL's."""
        return self._kl / max(self._micro_batches, 1)

    @property
    def entropy(self) -> float:
        """Of the policy, as `kl`."""
        return self._entropy / max(self._micro_batches, 1)

    def add_result(self, result: PolicyLoss, mask_BT: Tensor, share: float | None) -> None:
        """`defer` and `settle` at once, of this rank alone."""
        self.defer(result, mask_BT, share)
        self.settle()

    def add(self, stacked: Tensor) -> None:
        """The completions of one micro-batch, a `stack` of all ranks; numbers that are not finite take no part."""
        table = stacked.cpu().double()
        active = table[table[:, -1] > 0, :-1]
        self._rows += len(table)
        self._active += len(active)
        if not len(active):
            return
        finite = active.isfinite()
        self._counts += finite.sum(dim=0)
        self._sums += active.masked_fill(~finite, 0.0).sum(dim=0)
        self._lowest = torch.minimum(self._lowest, active.masked_fill(~finite, torch.inf).amin(dim=0))
        self._highest = torch.maximum(self._highest, active.masked_fill(~finite, -torch.inf).amax(dim=0))
        exponents = active[:, 0]
        self.exponents.extend(exponents[exponents.isfinite()].tolist())

    def add_loss(self, total: float, weight: float) -> None:
        """Part of a loss, and the share of an optimiser step (in evaluation: the completions) that it stands for."""
        if math.isfinite(total):
            self._loss += total
            self._loss_weight += weight

    def metrics(self) -> dict[str, float]:
        """The numbers to log; NaN for a statistic of the active completions where there are none, {} of no batch."""
        if not self._rows:
            return {}
        present = self._counts > 0
        found = {
            "mean": self._sums / self._counts,
            "min": torch.where(present, self._lowest, torch.nan),
            "max": torch.where(present, self._highest, torch.nan),
        }
        named = {metric.name: found[metric.reduction][_COLUMNS.index(metric.column)].item() for metric in _REDUCED}
        loss = self._loss / self._loss_weight if self._loss_weight else torch.nan
        return {"policy_loss": loss, "active_completions": self._active / self._rows, **named}

    def state(self) -> dict[str, Any]:
        """What a checkpoint keeps of the window under way: numbers, tensors and lists."""
        return dict(vars(self))

    def load(self, state: Mapping[str, Any]) -> None:
        """Go on from a `state`."""
        vars(self).update({name: value.cpu() if isinstance(value, Tensor) else value for name, value in state.items()})
        self._pending = list(self._pending)


def histogram(values: list[float]) -> dict[str, Any] | None:
    """Counts over [min(0, smallest), max(1, largest)] in 20 bins, with the edges; None without values."""
    if not values:
        return None
    tensor = torch.tensor(values)
    low, high = min(0.0, float(tensor.min())), max(1.0, float(tensor.max()))
    counts = torch.histc(tensor, bins=HISTOGRAM_BINS, min=low, max=high)
    edges = torch.linspace(low, high, HISTOGRAM_BINS + 1)
    return {"edges": [round(e, 4) for e in edges.tolist()], "counts": [int(c) for c in counts.tolist()]}
