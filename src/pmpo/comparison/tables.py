"""The tables of a study, made from its runs: what `pmpo compare` prints and `pmpo report` draws.

`measure` says which number of a run is compared: "score", its last held-out measurement, or "area", the mean height of
its curve. A run that diverged or crashed has score 0, so that it counts against its objective.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from itertools import permutations
from typing import Any

import numpy as np

from pmpo.comparison.curves import area
from pmpo.comparison.estimate import NOTHING
from pmpo.comparison.intervals import interquartile_mean, mean
from pmpo.comparison.learning_rates import good_range, mean_of_runs, tuned
from pmpo.comparison.paired import (
    mean_of_estimates,
    paired_difference,
    paired_improvement,
    probability_of_improvement,
)
from pmpo.comparison.results import CRASHED, DIVERGED, FINISHED, RunResult, by_cell
from pmpo.comparison.table_rows import (
    CellSummary,
    ImprovementMatrix,
    PairedToBaseline,
    RegimeCell,
    Robustness,
    RolloutsToTarget,
    TunedScore,
)
from pmpo.comparison.targets import median_time, time_to_target
from pmpo.foundation.errors import InputError

RATE = "learning_rate"
_MEASURES = {"score": lambda run: run.score, "area": area}
COLLAPSE = 0.5
"""A run that ends below this share of its own best measurement has lost what it had."""


def collapsed(run: RunResult) -> bool:
    """Whether nothing came of a run: it diverged, crashed, or lost more than half of the best score that it had."""
    scores = [point.score for point in run.curve if math.isfinite(point.score)]
    return run.status != FINISHED or not scores or run.score < COLLAPSE * max(scores)


def summarise_cells(results: Sequence[RunResult], *, measure: str = "score") -> list[CellSummary]:
    """Every objective in every cell, in the order of the results."""
    take = _measure(measure)
    return [
        CellSummary(
            objective=objective,
            settings=dict(cell),
            seeds=tuple(run.seed for run in runs),
            values=tuple(take(run) for run in runs),
            mean=mean([take(run) for run in runs]),
            interquartile_mean=interquartile_mean([take(run) for run in runs]),
            diverged=sum(run.status == DIVERGED for run in runs),
            crashed=sum(run.status == CRASHED for run in runs),
            collapsed=sum(map(collapsed, runs)),
        )
        for cell, objectives in by_cell(results).items()
        for objective, runs in objectives.items()
    ]


def paired_to_baseline(
    results: Sequence[RunResult], baseline: str, *, measure: str = "score"
) -> list[PairedToBaseline]:
    """Every objective but the baseline in every cell that has the baseline, on common seeds.

    Raises: InputError when no run is of the baseline.
    """
    take = _measure(measure)
    known = sorted({run.objective for run in results})
    if baseline not in known:
        raise InputError(f"No run is of the baseline {baseline!r}; the objectives are {', '.join(known) or 'none'}.")
    rows = []
    for cell, objectives in by_cell(results).items():
        theirs = {run.seed: take(run) for run in objectives.get(baseline, ())}
        for objective, runs in objectives.items():
            ours = {run.seed: take(run) for run in runs if run.seed in theirs}
            if objective == baseline or not ours:
                continue
            a, b = list(ours.values()), [theirs[seed] for seed in ours]
            rows.append(
                PairedToBaseline(
                    objective=objective,
                    baseline=baseline,
                    settings=dict(cell),
                    seeds=tuple(ours),
                    differences=tuple(x - y for x, y in zip(a, b, strict=True)),
                    difference=paired_difference(a, b),
                    improvement=paired_improvement(a, b),
                )
            )
    return rows


def improvement_matrix(results: Sequence[RunResult], *, measure: str = "score") -> ImprovementMatrix:
    """Probabilities of improvement between all objectives, each the mean over the cells that both have runs in."""
    take = _measure(measure)
    cells = [{o: [take(run) for run in runs] for o, runs in cell.items()} for cell in by_cell(results).values()]
    names = tuple(dict.fromkeys(run.objective for run in results))
    found = {
        (a, b): [probability_of_improvement(cell[a], cell[b]) for cell in cells if a in cell and b in cell]
        for a, b in permutations(names, 2)
    }
    return ImprovementMatrix(
        objectives=names,
        probability={pair: mean_of_estimates(estimates) for pair, estimates in found.items()},
        cells={pair: len(estimates) for pair, estimates in found.items()},
    )


def tuned_scores(results: Sequence[RunResult], *, measure: str = "score") -> list[TunedScore]:
    """Every objective in every regime at its best learning rate, chosen on other seeds than those reported."""
    rows = []
    for settings, objective, rates, seeds, values_RS in _by_rate(results, measure):
        choice, found = tuned(values_RS)
        there = [s for s in range(len(seeds)) if math.isfinite(found[s])]
        rows.append(
            TunedScore(
                objective=objective,
                settings=settings,
                seeds=tuple(seeds[s] for s in there),
                rates=tuple(rates[choice[s]] for s in there),
                values=tuple(float(found[s]) for s in there),
                best_rate=rates[int(np.nanargmax(mean_of_runs(values_RS)))],
                score=mean([found[s] for s in there]),
            )
        )
    return rows


def robustness(results: Sequence[RunResult], *, measure: str = "score") -> list[Robustness]:
    """Every objective in every regime: the range of good learning rates, and the share of collapsed runs."""
    lost = [run for run in results if collapsed(run)]
    rows = []
    for settings, objective, rates, _, values_RS in _by_rate(results, measure):
        means = mean_of_runs(values_RS)
        first, last = good_range(means)
        mine = [run for run in lost if run.objective == objective and _regime(run) == settings]
        runs = int(np.isfinite(values_RS).sum())
        rows.append(
            Robustness(
                objective=objective,
                settings=settings,
                means=dict(zip(rates, map(float, means), strict=True)),
                best_rate=rates[int(np.nanargmax(means))],
                lowest=rates[first],
                highest=rates[last],
                collapsed=len(mine) / runs,
                runs=runs,
            )
        )
    return rows


def rollouts_to_target(
    results: Sequence[RunResult], target: float, *, baseline: str | None = None
) -> list[RolloutsToTarget]:
    """Every objective in every cell; the horizon is the smallest budget of the cell's runs."""
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
        theirs = times.get(baseline or "", {})
        for objective, mine in times.items():
            both = [seed for seed in mine if seed in theirs]
            rollouts, censored = zip(*mine.values(), strict=True)
            rows.append(
                RolloutsToTarget(
                    objective=objective,
                    settings=dict(cell),
                    target=target,
                    seeds=tuple(mine),
                    rollouts=rollouts,
                    censored=censored,
                    reached=len(mine) - sum(censored),
                    runs=len(mine),
                    median=median_time(rollouts, censored),
                    restricted_mean=mean(rollouts),
                    horizon=horizon,
                    difference=paired_difference([mine[s][0] for s in both], [theirs[s][0] for s in both])
                    if both and objective != baseline
                    else None,
                )
            )
    return rows


def regime_grid(results: Sequence[RunResult], *, measure: str = "score") -> list[RegimeCell]:
    """Every regime: who wins it, each objective at its tuned learning rate."""
    regimes: dict[tuple[tuple[str, Any], ...], list[TunedScore]] = {}
    for row in tuned_scores(results, measure=measure):
        regimes.setdefault(tuple(sorted(row.settings.items())), []).append(row)
    return [_regime_cell(dict(settings), rows) for settings, rows in regimes.items()]


def _regime_cell(settings: Mapping[str, Any], rows: list[TunedScore]) -> RegimeCell:
    rows = sorted((row for row in rows if row.values), key=lambda row: -row.score.value)
    seeds = [seed for seed in (rows[0].seeds if rows else ()) if all(seed in row.seeds for row in rows)]
    values_OS = np.array([[dict(zip(row.seeds, row.values, strict=True))[seed] for seed in seeds] for row in rows])
    margins, agree = [], 0
    if len(rows) > 1 and len(seeds) > 1:
        for s in range(len(seeds)):
            order = np.argsort(-np.delete(values_OS, s, axis=1).mean(axis=1), kind="stable")
            margins.append(values_OS[order[0], s] - values_OS[order[1], s])
            agree += int(order[0] == 0)
    return RegimeCell(
        settings=settings,
        scores={row.objective: row.score for row in rows},
        winner=rows[0].objective if rows else "",
        runner_up=rows[1].objective if len(rows) > 1 else "",
        margin=mean(margins) if margins else NOTHING,
        agreement=agree / len(margins) if margins else math.nan,
    )


def _until(run: RunResult, target: float, horizon: float) -> tuple[float, bool]:
    """Rollouts to the target, and whether they are censored.

    A run that broke off would never have reached it: censored at the horizon, not where it broke, which would flatter.
    """
    reached = time_to_target(run, target)
    return (reached, False) if reached is not None and reached <= horizon else (horizon, True)


def _by_rate(
    results: Iterable[RunResult], measure: str
) -> Iterable[tuple[dict[str, Any], str, list[float], list[int], np.ndarray]]:
    """For every regime and objective its rates, rising, its seeds, and the values [rates, seeds], NaN without a run."""
    take = _measure(measure)
    groups: dict[tuple[Any, ...], list[RunResult]] = {}
    for run in results:
        groups.setdefault((tuple(sorted(_regime(run).items())), run.objective), []).append(run)
    for (settings, objective), runs in groups.items():
        rates = sorted({float(run.settings.get(RATE, math.nan)) for run in runs})
        seeds = sorted({run.seed for run in runs})
        values = np.full((len(rates), len(seeds)), np.nan)
        for run in runs:
            values[rates.index(float(run.settings.get(RATE, math.nan))), seeds.index(run.seed)] = take(run)
        yield dict(settings), objective, rates, seeds, values


def _regime(run: RunResult) -> dict[str, Any]:
    return {name: value for name, value in run.settings.items() if name != RATE}


def _measure(name: str) -> Any:
    if name not in _MEASURES:
        raise InputError(f"Unknown measure {name!r}; write one of {', '.join(_MEASURES)}.")
    return _MEASURES[name]
