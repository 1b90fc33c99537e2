"""The tables of a study, made from its runs: what `pmpo compare` prints and `pmpo report` draws.

All are offered here; those in which the learning rate is chosen, and that of the target, live in files of their own.
`measure` says which number of a run is compared: "score", its last held-out measurement, or "area", the mean height of
its curve. A run that diverged or crashed has score 0, so that it counts against its objective.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import permutations
from statistics import fmean

from pmpo.comparison.intervals import interquartile_mean, mean
from pmpo.comparison.measures import Measure, collapsed, measure_named
from pmpo.comparison.paired import (
    differences,
    paired_difference,
    paired_improvement,
    probability_of_improvement,
)
from pmpo.comparison.rate_tables import RATE, regime_grid, robustness, tuned_scores
from pmpo.comparison.results import CRASHED, DIVERGED, RunResult, by_cell
from pmpo.comparison.table_rows import (
    AgainstBest,
    CellSummary,
    ImprovementMatrix,
    Overall,
    PairedToBaseline,
    RegimeCell,
    Robustness,
    RolloutsToTarget,
    TunedScore,
)
from pmpo.comparison.target_table import rollouts_to_target
from pmpo.foundation.errors import InputError

__all__ = [
    "RATE",
    "AgainstBest",
    "CellSummary",
    "ImprovementMatrix",
    "Overall",
    "PairedToBaseline",
    "RegimeCell",
    "Robustness",
    "RolloutsToTarget",
    "TunedScore",
    "against_best",
    "collapsed",
    "improvement_matrix",
    "overall",
    "paired_to_baseline",
    "regime_grid",
    "robustness",
    "rollouts_to_target",
    "summarise_cells",
    "tuned_scores",
]


def summarise_cells(results: Sequence[RunResult], *, measure: str = "score") -> list[CellSummary]:
    """Every objective in every cell, in the order of the results."""
    take, rows = measure_named(measure), []
    for cell, objectives in by_cell(results).items():
        for objective, runs in objectives.items():
            values = tuple(take(run) for run in runs)
            rows.append(
                CellSummary(
                    objective=objective,
                    settings=dict(cell),
                    seeds=tuple(run.seed for run in runs),
                    values=values,
                    mean=mean(values),
                    interquartile_mean=interquartile_mean(values),
                    diverged=sum(run.status == DIVERGED for run in runs),
                    crashed=sum(run.status == CRASHED for run in runs),
                    collapsed=sum(map(collapsed, runs)),
                )
            )
    return rows


def paired_to_baseline(
    results: Sequence[RunResult], baseline: str, *, measure: str = "score"
) -> list[PairedToBaseline]:
    """Every objective but the baseline in every cell that has the baseline, on common seeds.

    Raises: InputError when no run is of the baseline.
    """
    take, rows = measure_named(measure), []
    _refuse_unknown(baseline, results)
    for cell, objectives in by_cell(results).items():
        for objective, runs in objectives.items():
            if objective == baseline:
                continue
            seeds, ours, theirs = _pairs(runs, objectives.get(baseline, ()), take)
            if seeds:
                apart = differences(ours, theirs)
                rows.append(
                    PairedToBaseline(
                        objective=objective,
                        baseline=baseline,
                        settings=dict(cell),
                        seeds=seeds,
                        differences=tuple(map(float, apart)),
                        difference=mean(apart),
                        improvement=paired_improvement(apart),
                    )
                )
    return rows


def improvement_matrix(results: Sequence[RunResult], *, measure: str = "score") -> ImprovementMatrix:
    """Probabilities of improvement between all objectives, each the mean over the cells in which both have runs."""
    take = measure_named(measure)
    cells = [{name: [take(run) for run in runs] for name, runs in cell.items()} for cell in by_cell(results).values()]
    names = tuple(dict.fromkeys(run.objective for run in results))
    common = {(a, b): [cell for cell in cells if a in cell and b in cell] for a, b in permutations(names, 2)}
    return ImprovementMatrix(
        objectives=names,
        probability={
            (a, b): probability_of_improvement([cell[a] for cell in both], [cell[b] for cell in both])
            for (a, b), both in common.items()
        },
        cells={pair: len(both) for pair, both in common.items()},
    )


def against_best(results: Sequence[RunResult], objective: str, *, measure: str = "score") -> list[AgainstBest]:
    """One objective beside the best of all others, in every cell that has it and another.

    The best of the others is chosen by its mean on the same runs, so it wins by its luck as well: what holds against it
    holds all the more against each of them.

    Raises: InputError when no run is of the objective.
    """
    take, rows = measure_named(measure), []
    _refuse_unknown(objective, results)
    for cell, objectives in by_cell(results).items():
        others = {name: runs for name, runs in objectives.items() if name != objective}
        if objective not in objectives or not others:
            continue
        best = max(others, key=lambda name: fmean(map(take, others[name])))
        _, ours, theirs = _pairs(objectives[objective], others[best], take)
        rows.append(
            AgainstBest(
                objective=objective,
                best=best,
                settings=dict(cell),
                difference=paired_difference(ours, theirs),
                improvement=probability_of_improvement(
                    [[take(run) for run in objectives[objective]]], [[take(run) for run in others[best]]]
                ),
            )
        )
    return rows


def overall(results: Sequence[RunResult], baseline: str | None = None, *, measure: str = "score") -> list[Overall]:
    """Every objective over all cells in which every objective has runs: a mean over other cells would compare them.

    The cells are the strata of the intervals, as rliable's tasks are. [] where no cell has them all.
    """
    take = measure_named(measure)
    if baseline is not None:
        _refuse_unknown(baseline, results)
    names = tuple(dict.fromkeys(run.objective for run in results))
    cells = [cell for cell in by_cell(results).values() if len(cell) == len(names)]
    rows = []
    for name in names if cells else ():
        values = [[take(run) for run in cell[name]] for cell in cells]
        pairs = [] if baseline in (None, name) else [_pairs(cell[name], cell[str(baseline)], take) for cell in cells]
        apart = [differences(ours, theirs) for seeds, ours, theirs in pairs if seeds]
        rows.append(
            Overall(
                objective=name,
                cells=len(cells),
                mean=mean(*values),
                interquartile_mean=interquartile_mean(*values),
                difference=mean(*apart) if apart else None,
            )
        )
    return rows


def _pairs(
    mine: Sequence[RunResult], baseline: Sequence[RunResult], take: Measure
) -> tuple[tuple[int, ...], list[float], list[float]]:
    """Common seeds, and the measure of both sides at each."""
    theirs = {run.seed: take(run) for run in baseline}
    both = [run for run in mine if run.seed in theirs]
    return tuple(run.seed for run in both), [take(run) for run in both], [theirs[run.seed] for run in both]


def _refuse_unknown(objective: str, results: Sequence[RunResult]) -> None:
    known = sorted({run.objective for run in results})
    if objective not in known:
        raise InputError(f"No run is of the objective {objective!r}; there are runs of {', '.join(known) or 'none'}.")
