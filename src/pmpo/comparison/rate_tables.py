"""Tables in which the learning rate is chosen: tuned scores, robustness, and who wins a regime."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pmpo.comparison.estimate import NOTHING
from pmpo.comparison.intervals import mean
from pmpo.comparison.learning_rates import best_rate, duel, good_range, mean_of_runs, tuned
from pmpo.comparison.measures import collapsed, measure_named
from pmpo.comparison.results import RunResult
from pmpo.comparison.table_rows import RegimeCell, Robustness, TunedScore

RATE = "learning_rate"


def tuned_scores(results: Sequence[RunResult], *, measure: str = "score") -> list[TunedScore]:
    """Every objective in every regime at its best learning rate, chosen on other seeds than those reported.

    An objective with a single seed has no other to choose by: its row has no values.
    """
    take, rows = measure_named(measure), []
    for settings, objective, runs in _groups(results):
        rates, seeds = _axes(runs)
        values_RS = _on_grid(runs, [take(run) for run in runs])
        choice_S, found_S = tuned(values_RS)
        there = [s for s in range(len(seeds)) if math.isfinite(found_S[s])]
        rows.append(
            TunedScore(
                objective=objective,
                settings=settings,
                seeds=tuple(seeds[s] for s in there),
                rates=tuple(rates[choice_S[s]] for s in there),
                values=tuple(float(found_S[s]) for s in there),
                best_rate=rates[best_rate(values_RS)],
                score=mean([found_S[s] for s in there]),
            )
        )
    return rows


def robustness(results: Sequence[RunResult], *, measure: str = "score") -> list[Robustness]:
    """Every objective in every regime: the range of good learning rates, and the share of runs that came to nothing."""
    take, rows = measure_named(measure), []
    for settings, objective, runs in _groups(results):
        rates, _ = _axes(runs)
        means_R = mean_of_runs(_on_grid(runs, [take(run) for run in runs]))
        first, last = good_range(means_R)
        rows.append(
            Robustness(
                objective=objective,
                settings=settings,
                means={rate: float(value) for rate, value in zip(rates, means_R, strict=True)},
                best_rate=rates[best_rate(means_R[:, None])],
                lowest=rates[first],
                highest=rates[last],
                collapsed=sum(map(collapsed, runs)) / len(runs),
                runs=len(runs),
            )
        )
    return rows


def regime_grid(results: Sequence[RunResult], *, measure: str = "score") -> list[RegimeCell]:
    """Every regime: who wins it, each objective at its tuned learning rate."""
    regimes: dict[tuple[tuple[str, Any], ...], list[TunedScore]] = {}
    for row in tuned_scores(results, measure=measure):
        regimes.setdefault(tuple(sorted(row.settings.items())), []).append(row)
    return [_regime_cell(dict(settings), rows) for settings, rows in regimes.items()]


def _regime_cell(settings: Mapping[str, Any], rows: Sequence[TunedScore]) -> RegimeCell:
    ranked = sorted((row for row in rows if row.values), key=lambda row: -row.score.value)
    by_seed = [dict(zip(row.seeds, row.values, strict=True)) for row in ranked]
    common = sorted(set.intersection(*map(set, by_seed))) if by_seed else []
    margins_S, agreement = duel([[values[seed] for seed in common] for values in by_seed])
    return RegimeCell(
        settings=settings,
        scores={row.objective: row.score for row in ranked},
        winner=ranked[0].objective if ranked else "",
        runner_up=ranked[1].objective if len(ranked) > 1 else "",
        margin=mean(margins_S) if margins_S.size else NOTHING,
        agreement=agreement,
    )


def _groups(results: Sequence[RunResult]) -> Iterator[tuple[dict[str, Any], str, list[RunResult]]]:
    """(regime, objective, its runs at every rate), in the order of the results."""
    found: dict[tuple[Any, ...], list[RunResult]] = {}
    for run in results:
        regime = tuple((name, value) for name, value in run.cell if name != RATE)
        found.setdefault((regime, run.objective), []).append(run)
    return ((dict(regime), objective, runs) for (regime, objective), runs in found.items())


def _axes(runs: Sequence[RunResult]) -> tuple[list[float], list[int]]:
    """Rates and seeds, rising; the one rate of a study that does not vary it is NaN."""
    rates = {float(run.settings[RATE]) for run in runs if RATE in run.settings}
    return sorted(rates) or [math.nan], sorted({run.seed for run in runs})


def _on_grid(runs: Sequence[RunResult], values: Sequence[float]) -> NDArray[np.float64]:
    """[rates, seeds], NaN where there is no run."""
    rates, seeds = _axes(runs)
    values_RS = np.full((len(rates), len(seeds)), np.nan)
    for run, value in zip(runs, values, strict=True):
        place = rates.index(float(run.settings[RATE])) if RATE in run.settings else 0
        values_RS[place, seeds.index(run.seed)] = value
    return values_RS
