"""The table of completions that a target takes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pmpo.comparison.intervals import mean
from pmpo.comparison.paired import paired_difference
from pmpo.comparison.results import FINISHED, RunResult, by_cell
from pmpo.comparison.table_rows import RolloutsToTarget
from pmpo.comparison.targets import median_time, rollouts_until

_Times = Mapping[int, tuple[float, bool]]
"""{seed: (rollouts to the target, whether they are censored)}."""


def rollouts_to_target(
    results: Sequence[RunResult], target: float, *, baseline: str | None = None
) -> list[RolloutsToTarget]:
    """Every objective in every cell with a finished run; the horizon is the smallest budget of the cell's runs.

    All runs are followed up to one horizon, so that the restricted mean is the mean of min(rollouts, horizon), and its
    difference to the baseline pairs the seeds as every other difference does.
    """
    rows = []
    for cell, objectives in by_cell(results).items():
        everyone = [run for runs in objectives.values() for run in runs]
        budgets = [float(run.curve[-1].rollouts) for run in everyone if run.status == FINISHED and run.curve]
        if not budgets:
            continue
        horizon = min(budgets)
        times = {
            objective: {run.seed: _until(run, target, horizon) for run in runs}
            for objective, runs in objectives.items()
        }
        for objective, mine in times.items():
            theirs = times.get(baseline, {}) if baseline and baseline != objective else {}
            rows.append(_row(objective, dict(cell), target, horizon, mine, theirs))
    return rows


def _row(
    objective: str, settings: Mapping[str, Any], target: float, horizon: float, mine: _Times, theirs: _Times
) -> RolloutsToTarget:
    both = [seed for seed in mine if seed in theirs]
    rollouts, censored = zip(*mine.values(), strict=True)
    return RolloutsToTarget(
        objective=objective,
        settings=settings,
        target=target,
        seeds=tuple(mine),
        rollouts=rollouts,
        censored=censored,
        reached=len(mine) - sum(censored),
        runs=len(mine),
        median=median_time(rollouts, censored),
        restricted_mean=mean(rollouts),
        horizon=horizon,
        difference=paired_difference([mine[s][0] for s in both], [theirs[s][0] for s in both]) if both else None,
    )


def _until(run: RunResult, target: float, horizon: float) -> tuple[float, bool]:
    """Rollouts to the target, and whether they are censored.

    A run that broke off would never have reached it: censored at the horizon, not where it broke, which would flatter.
    """
    reached = rollouts_until(run, target)
    return (reached, False) if reached is not None and reached <= horizon else (horizon, True)
