"""Per-completion diagnostics reduced to the numbers of a training log."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import torch
from torch import Tensor

from pmpo.objective.policy_loss import Diagnostics

_COLUMNS = (
    "exponent",
    "clip_fraction",
    "clip_fraction_two_sided",
    "ess",
    "power_mean",
    "max_log_ratio",
    "min_log_ratio",
    "kl",
    "kl_ref",
    "active",
)
_NAMES = {
    "clip_fraction/one_sided": ("clip_fraction", "mean"),
    "clip_fraction/two_sided": ("clip_fraction_two_sided", "mean"),
    "exponent/mean": ("exponent", "mean"),
    "exponent/min": ("exponent", "min"),
    "exponent/max": ("exponent", "max"),
    "ess/mean": ("ess", "mean"),
    "ess/min": ("ess", "min"),
    "power_mean/mean": ("power_mean", "mean"),
    "power_mean/min": ("power_mean", "min"),
    "power_mean/max": ("power_mean", "max"),
    "log_ratio/max": ("max_log_ratio", "max"),
    "log_ratio/min": ("min_log_ratio", "min"),
    "kl_old": ("kl", "mean"),
}
HISTOGRAM_BINS = 20


def stack(diagnostics: Diagnostics) -> Tensor:
    """[B, K] float32: one gather over ranks then serves every metric."""
    return torch.stack([getattr(diagnostics, name).float() for name in _COLUMNS], dim=1)


def reduce(stacked: Tensor, with_reference: bool) -> dict[str, float]:
    """Metrics of a gathered [B, K] stack over active completions (A ≠ 0, at least one token); NaN if there are none.

    `kl` (to the reference model) is over all completions, since the penalty is.
    """
    table = dict(zip(_COLUMNS, stacked.unbind(dim=1), strict=True))
    active = table["active"] > 0
    metrics = {"active_completions": active.float().mean()}
    for name, (column, how) in _NAMES.items():
        values = table[column][active]
        metrics[name] = getattr(values, how)() if values.numel() else torch.tensor(torch.nan, device=stacked.device)
    if with_reference:
        metrics["kl"] = table["kl_ref"].mean()
    numbers = torch.stack([value.to(stacked.device) for value in metrics.values()]).tolist()
    return dict(zip(metrics, numbers, strict=True))


def active_exponents(stacked: Tensor) -> list[float]:
    """Exponents of the active completions."""
    values: list[float] = stacked[stacked[:, _COLUMNS.index("active")] > 0, _COLUMNS.index("exponent")].tolist()
    return values


def keep_extremes(metrics: defaultdict[str, list[float]]) -> None:
    """Over a logging window our minima and maxima stay extremes; TRL would average them."""
    for name, (_, how) in _NAMES.items():
        present = [value for value in metrics.get(name, []) if value == value]
        if how in ("min", "max") and present:
            metrics[name] = [min(present) if how == "min" else max(present)]


def histogram(values: list[float]) -> dict[str, Any] | None:
    """Counts over [min(0, smallest), max(1, largest)] in 20 bins, with the edges; None without values."""
    if not values:
        return None
    tensor = torch.tensor(values)
    low, high = min(0.0, float(tensor.min())), max(1.0, float(tensor.max()))
    counts = torch.histc(tensor, bins=HISTOGRAM_BINS, min=low, max=high)
    edges = torch.linspace(low, high, HISTOGRAM_BINS + 1)
    return {"edges": [round(e, 4) for e in edges.tolist()], "counts": [int(c) for c in counts.tolist()]}
