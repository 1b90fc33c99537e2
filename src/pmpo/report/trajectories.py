"""The completions of a run's tokens.jsonl (`pmpo.engine.token_sample`), checked, and what the objective did to them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, pairwise
from pathlib import Path
from typing import Any

import torch

from pmpo.foundation.files import read_json_lines
from pmpo.objective.power_mean import normalized_ess, token_weights

_NUMBERS = ("advantage", "exponent", "ess", "power_mean", "clip_fraction", "clip_fraction_two_sided")
_TRACKS = ("log_ratio", "clipped_log_ratio", "slope", "weight")


@dataclass(frozen=True)
class Trajectory:
    """One completion, token by token.

    Attributes:
        step: the update that it was part of.
        row: as in the file.
    """

    step: int
    row: Mapping[str, Any]

    @property
    def exponent(self) -> float:
        """The solved p."""
        return float(self.row["exponent"])

    @property
    def largest(self) -> float:
        """Largest |l|, nats."""
        return max(map(abs, self.row["log_ratio"]))

    def weights(self) -> list[float]:
        """ρ of every token."""
        return self.row.get("weight") or [float(state != "m") for state in self.row["state"]]

    def clipped(self) -> list[float]:
        """c of every token, nats."""
        return self.row.get("clipped_log_ratio") or self.row["log_ratio"]

    def slopes(self) -> list[float]:
        """∂c/∂l of every token."""
        return self.row.get("slope") or [float(state != "c") for state in self.row["state"]]

    def shares(self, exponent: float) -> list[float]:
        """Share of the gradient that every token gets at p: its weight in the mean, where the trust region lets it
        through. They sum to 1, or are all 0."""
        c_BT, mask_BT, rho_BT = self._tensors(self.clipped())
        weights = token_weights(c_BT, mask_BT, exponent, weights=rho_BT)[0].tolist()
        passed = [weight * slope for weight, slope in zip(weights, self.slopes(), strict=True)]
        total = sum(passed)
        return [value / total if total > 0 else 0.0 for value in passed]

    def heats(self, exponent: float) -> list[float]:
        """A token's share against an equal share of what passes the trust region: 1 where it is four times as much or
        more, −1 where it is a quarter or less, 0 where it is equal or nothing passes. `theme/microscope.js` has the
        same."""
        passing = [w > 0 and slope != 0 for w, slope in zip(self.weights(), self.slopes(), strict=True)]
        count = sum(passing)
        return [
            max(-1.0, min(1.0, round(math.log2(share * count) / 2, 3))) if passes and share > 0 else -float(passes)
            for share, passes in zip(self.shares(exponent), passing, strict=True)
        ]

    def ess(self, exponents: Sequence[float]) -> list[float]:
        """nESS at every p, over the log ratios that the run's rule solves p over."""
        over = self.row["log_ratio"] if self.row.get("ess_over") == "unclipped" else self.clipped()
        c_BT, mask_BT, rho_BT = (tensor.expand(len(exponents), -1) for tensor in self._tensors(over))
        found = normalized_ess(c_BT, mask_BT, torch.tensor(exponents, dtype=c_BT.dtype), weights=rho_BT)
        return [float(value) for value in found]

    def _tensors(self, log_ratios: Sequence[float]) -> tuple[Any, Any, Any]:
        rho_BT = torch.tensor([self.weights()], dtype=torch.float64)
        return torch.tensor([log_ratios], dtype=torch.float64), rho_BT > 0, rho_BT


def read_trajectories(folder: Path) -> list[Trajectory]:
    """Every completion of `<folder>/tokens.jsonl`, oldest first; [] without the file. What is none is left out."""
    events = [event for event in read_json_lines(folder / "tokens.jsonl") if isinstance(event, Mapping)]
    found = [(event.get("step"), row) for event in events for row in event.get("completions") or []]
    return [Trajectory(step, row) for step, row in found if isinstance(step, int) and _is_whole(row)]


def foremost(trajectories: Sequence[Trajectory]) -> dict[int, str]:
    """{index: why} of those to look at first: smallest p, largest |l|, highest clip fraction. One sets them apart."""
    found: dict[int, str] = {}
    ratios = [one.largest for one in trajectories]
    for name, keys in (
        ("smallest p", [-one.exponent for one in trajectories]),
        ("largest log ratio", ratios),
        ("most clipped", [float(one.row["clip_fraction"]) for one in trajectories]),
    ):
        best = max(range(len(keys)), key=lambda i, keys=keys: (keys[i], ratios[i]), default=None)  # type: ignore[misc]
        if best is not None and keys[best] > min(keys):
            found[best] = f"{found[best]}, {name}" if best in found else name
    return found or ({len(trajectories) - 1: "newest"} if trajectories else {})


def spread_out(count: int) -> list[int]:
    """0 … count − 1 in an order of which every beginning is spread evenly: the ends, the middle, the quarters, …

    >>> spread_out(5)
    [0, 4, 2, 1, 3]
    """
    order = [0, count - 1][:count]
    gaps = sorted(order)
    while len(order) < count:
        middles = [(low + high) // 2 for low, high in pairwise(gaps) if high - low > 1]
        order += middles
        gaps = sorted(order)
    return order


def _is_whole(row: Any) -> bool:
    """Whether every number of a completion is there and finite, and every track has a number for each token."""
    if not isinstance(row, Mapping) or not isinstance(row.get("tokens"), list) or not row["tokens"]:
        return False
    count = len(row["tokens"])
    tracks = [row[name] for name in _TRACKS if name in row]
    return (
        "log_ratio" in row
        and isinstance(row.get("state"), str)
        and all(len(track) == count for track in (row["state"], *tracks))
        and all(map(_is_finite, chain(*tracks, (row.get(name) for name in _NUMBERS))))
        and ("target_ess" not in row or _is_finite(row["target_ess"]))
    )


def _is_finite(value: Any) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)
