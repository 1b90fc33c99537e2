"""What the sampler itself says of the tokens that it draws, read while transformers generates."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn


class SamplerWatch:
    """Hangs on a model while it generates: adds noise to its logits, and keeps the log-probability of each token drawn.

    Only those of the newest step are kept whole, so a long completion takes no more memory than a short one.

    Args:
        noise: standard deviation of the Gaussian noise on every logit, nats; 0 adds none and draws no random numbers.
        temperature: of the sampling, > 0.
    """

    def __init__(self, noise: float, temperature: float) -> None:
        self.noise, self.temperature = noise, temperature
        self._drawn: list[Tensor] = []  # [B] of every step but the newest
        self._newest_BV: Tensor | None = None

    @contextlib.contextmanager
    def on(self, model: nn.Module) -> Iterator[None]:
        """While the model generates once."""
        self._drawn, self._newest_BV = [], None
        hook = model.register_forward_hook(self._after_forward, with_kwargs=True)
        try:
            yield
        finally:
            hook.remove()

    def log_probs(self, completion_ids: list[list[int]]) -> list[list[float]]:
        """Of the completions that were generated, nats, before top-p and top-k; as long as each of them."""
        steps = max(map(len, completion_ids), default=0)
        columns = self._drawn[:steps]
        if self._newest_BV is not None and len(columns) < steps:
            last = torch.tensor([ids[steps - 1] if len(ids) == steps else 0 for ids in completion_ids])
            columns.append(_at(self._newest_BV, last.to(self._newest_BV.device)))
        rows = torch.stack(columns, dim=1).tolist() if columns else [[] for _ in completion_ids]
        return [row[: len(ids)] for row, ids in zip(rows, completion_ids, strict=True)]

    def _after_forward(self, model: nn.Module, positional: Any, given: dict[str, Any], output: Any) -> Any:
        if self._newest_BV is not None:
            ids = given["input_ids"] if "input_ids" in given else positional[0]
            self._drawn.append(_at(self._newest_BV, ids[:, -1]))
        logits_BV = output.logits[:, -1]
        if self.noise:
            logits_BV = logits_BV + self.noise * torch.randn_like(logits_BV)
            output.logits = torch.cat([output.logits[:, :-1], logits_BV.unsqueeze(1)], dim=1)
        self._newest_BV = (logits_BV.float() / self.temperature).log_softmax(dim=-1)
        return output


def _at(log_probs_BV: Tensor, ids_B: Tensor) -> Tensor:
    return log_probs_BV.gather(1, ids_B.unsqueeze(1)).squeeze(1)
