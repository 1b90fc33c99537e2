"""What a run's folder says of the run, as a study's row has it. Loads no trainer."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pmpo.comparison.results import Point
from pmpo.foundation.files import read_json_lines

_WORTH_A_LOOK = (
    "reward", "entropy", "kl", "kl_old", "grad_norm", "exponent/mean", "ess/mean", "clip_fraction/one_sided",
    "log_ratio/max", "log_ratio/min", "frac_reward_zero_std", "completions/mean_length",
)  # fmt: skip
"""Metrics of the last log event that a row keeps."""
KEYS = {"pass_at_1": "value", "reward": "reward"}
"""{score: its name in held_out.jsonl}."""


def curve_of(
    measured: Iterable[Mapping[str, Any]], score: str, updates_per_round: int, completions_per_round: int
) -> tuple[Point, ...]:
    """The held-out measurements of a run; a round that has begun was sampled whole.

    Args:
        measured: rows of held_out.jsonl.
    """
    return tuple(
        Point(
            step=row["step"],
            rollouts=-(-row["step"] // updates_per_round) * completions_per_round,
            score=math.nan if row.get(KEYS[score]) is None else row[KEYS[score]],
        )
        for row in measured
    )


def measured_in(folder: Path) -> list[dict[str, Any]]:
    """The rows of held_out.jsonl."""
    return read_json_lines(folder / "held_out.jsonl")


def summary_of(folder: Path) -> dict[str, Any]:
    """summary.json; {} where the run did not come to its end."""
    path = folder / "summary.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


def more_of(folder: Path) -> dict[str, Any]:
    """Numbers of the last log event, and the warnings that the run gave."""
    rows = [row for row in read_json_lines(folder / "metrics.jsonl") if "loss" in row]
    last = rows[-1] if rows else {}
    found = {name: float(f"{last[name]:.4g}") for name in _WORTH_A_LOOK if isinstance(last.get(name), int | float)}
    warnings = summary_of(folder).get("warnings")
    return found | ({"warnings": warnings} if warnings else {})
