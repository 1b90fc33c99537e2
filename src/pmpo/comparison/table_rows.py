"""The rows of a study's tables.

A *cell* is one choice of every varied setting. A *regime* is a cell without its learning rate. `measure` says which
number of a run is compared: "score" (its last held-out measurement) or "area" (mean height of its curve); a run that
diverged or crashed has score 0.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pmpo.comparison.estimate import Estimate


@dataclass(frozen=True)
class CellSummary:
    """One objective in one cell.

    Attributes:
        settings: of the cell.
        seeds, values: one a run, in the order of the seeds; values are the measure.
        mean, interquartile_mean: of the values.
        diverged, crashed, collapsed: runs; collapsed ones are all that are of no use, the other two included.
    """

    objective: str
    settings: Mapping[str, Any]
    seeds: tuple[int, ...]
    values: tuple[float, ...]
    mean: Estimate
    interquartile_mean: Estimate
    diverged: int
    crashed: int
    collapsed: int


@dataclass(frozen=True)
class PairedToBaseline:
    """One objective beside the baseline in one cell, on the seeds that both have.

    Attributes:
        differences: objective minus baseline, one a seed.
        difference: their mean.
        improvement: probability that the objective is better on a seed, ties ½.
    """

    objective: str
    baseline: str
    settings: Mapping[str, Any]
    seeds: tuple[int, ...]
    differences: tuple[float, ...]
    difference: Estimate
    improvement: Estimate


@dataclass(frozen=True)
class ImprovementMatrix:
    """Probability that a run of one objective is better than one of another, ties ½, mean over the cells.

    Attributes:
        probability: {(row, column): P(row > column)} for every ordered pair of different objectives.
        cells: {(row, column): cells in which both have runs}.
    """

    objectives: tuple[str, ...]
    probability: Mapping[tuple[str, str], Estimate]
    cells: Mapping[tuple[str, str], int]


@dataclass(frozen=True)
class TunedScore:
    """One objective in one regime at its best learning rate, chosen on other seeds than those reported.

    Attributes:
        settings: of the regime.
        rates: the rate that the other seeds chose, one a seed.
        values: the value at it, one a seed.
        best_rate: the one that all seeds together choose.
    """

    objective: str
    settings: Mapping[str, Any]
    seeds: tuple[int, ...]
    rates: tuple[float, ...]
    values: tuple[float, ...]
    best_rate: float
    score: Estimate


@dataclass(frozen=True)
class Robustness:
    """How much one objective depends on its learning rate in one regime.

    Attributes:
        means: {rate: mean value}.
        best_rate: the one with the highest mean.
        lowest, highest: the ends of the unbroken range of tried rates around it with at least 90 % of its mean.
        collapsed: share of all runs that are of no use.
        runs: their number.
    """

    objective: str
    settings: Mapping[str, Any]
    means: Mapping[float, float]
    best_rate: float
    lowest: float
    highest: float
    collapsed: float
    runs: int

    @property
    def width(self) -> float:
        """highest / lowest: 1 where one rate alone is good."""
        return self.highest / self.lowest if self.lowest else 1.0


@dataclass(frozen=True)
class RolloutsToTarget:
    """Completions that one objective needs in one cell until its score reaches a target.

    Attributes:
        reached, runs: how many of how many runs reached it; the others are censored at the end of their budget.
        rollouts: one a run, in the order of the seeds; of a censored run its budget.
        median: by Kaplan and Meier, inf where fewer than half of the runs reach it.
        restricted_mean: mean of min(rollouts, horizon), which censored runs have as well.
        horizon: the budget up to which the mean counts.
        difference: restricted mean minus the baseline's on the same seeds; None for the baseline, or without one.
    """

    objective: str
    settings: Mapping[str, Any]
    target: float
    seeds: tuple[int, ...]
    rollouts: tuple[float, ...]
    censored: tuple[bool, ...]
    reached: int
    runs: int
    median: Estimate
    restricted_mean: Estimate
    horizon: float
    difference: Estimate | None


@dataclass(frozen=True)
class RegimeCell:
    """Who wins a regime, each objective at its tuned learning rate, and by how much.

    Attributes:
        settings: of the regime.
        scores: {objective: tuned score}, best first.
        winner, runner_up: by the mean over all seeds; "" where there is none.
        margin: winner minus runner-up, both chosen on other seeds than those whose difference counts.
        agreement: share of the seeds whose others choose this winner.
    """

    settings: Mapping[str, Any]
    scores: Mapping[str, Estimate]
    winner: str
    runner_up: str
    margin: Estimate
    agreement: float


@dataclass(frozen=True)
class AgainstBest:
    """One objective in one cell beside the best of all others there.

    Attributes:
        best: label of the other with the highest mean.
        difference: objective minus it, on common seeds.
        improvement: probability that a run of the objective is better than one of it, ties ½.
    """

    objective: str
    best: str
    settings: Mapping[str, Any]
    difference: Estimate
    improvement: Estimate


@dataclass(frozen=True)
class Overall:
    """One objective over all cells of a study.

    Attributes:
        cells: over which; the same for every objective.
        mean, interquartile_mean: of the measure.
        difference: mean over the cells of the differences to the baseline on common seeds; None for the baseline, or
            without one.
    """

    objective: str
    cells: int
    mean: Estimate
    interquartile_mean: Estimate
    difference: Estimate | None
