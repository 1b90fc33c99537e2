"""Rollouts to the target: how many completions each objective needs; runs that never reach it stay censored."""

from __future__ import annotations

import math
from collections.abc import Sequence

from pmpo.comparison.table_rows import RolloutsToTarget
from pmpo.comparison.tables import RATE, rollouts_to_target
from pmpo.foundation.errors import shortened
from pmpo.report.axis import Axis
from pmpo.report.chart import Chart
from pmpo.report.parts import Figure, Table
from pmpo.report.study_facts import Regime, StudyFacts
from pmpo.report.svg import Dot, number

_ROW = 24
_LABEL = 20


def target_figures(facts: StudyFacts) -> list[Figure]:
    """One a regime, each objective at its best learning rate."""
    rows = rollouts_to_target(facts.results, facts.target, baseline=facts.baseline)
    best = {(row.objective, facts.regime(row.settings).key): row.rate for row in facts.tuned}
    figures: list[Figure] = []
    for regime in facts.regimes:
        here = [row for row in rows if facts.regime(row.settings) == regime]
        mine = [row for row in here if _rate(row) in (None, best.get((row.objective, regime.key)))]
        if mine:
            figures.append(_figure(facts, regime, len(figures), mine))
    return figures


def _rate(row: RolloutsToTarget) -> float | None:
    return float(row.settings[RATE]) if RATE in row.settings else None


def _figure(facts: StudyFacts, regime: Regime, place: int, rows: Sequence[RolloutsToTarget]) -> Figure:
    rows = sorted(rows, key=lambda row: row.restricted_mean.value)
    ticks = tuple((float(-k), shortened(row.objective, _LABEL)) for k, row in enumerate(rows))
    most = max(row.horizon for row in rows)
    chart = Chart(
        Axis("completions sampled", 0.0, 1.04 * most),
        Axis("", 0.5 - len(rows), 0.5, ticks=ticks),
        height=70 + _ROW * len(rows),
    )
    runs = {(run.objective, run.cell, run.seed): facts.number(run) for run in facts.results}
    for k, row in enumerate(rows):
        index = facts.index(row.objective)
        if math.isfinite(row.median.value):
            across, down = chart.at(row.median.value, -k)
            chart.line(across, down - 9, across, down + 9, "ink", width=3)
        dots = []
        for seed, rollouts, censored in zip(row.seeds, row.rollouts, row.censored, strict=True):
            n = runs[row.objective, tuple(sorted(row.settings.items())), seed]
            said = "not reached" if censored else f"{rollouts:,.0f} completions"
            target = f"#r{n}" if n in facts.followed else ""
            dots.append(Dot(*chart.at(rollouts, -k), censored, target, f"{row.objective}, seed {seed}: {said}"))
        chart.dots_at(dots, index)
    where = f": {regime.name}" if len(facts.regimes) > 1 else ""
    reached = "; ".join(f"{row.objective} {_said(row)}" for row in rows)
    return Figure(
        id=f"target-{place + 1}",
        title=f"Completions until {facts.score} {number(facts.target)}{where}",
        svg=chart.svg(),
        description=f"Fastest first: {reached}.",
        table=_table(rows),
        source=facts.source,
        note=_note(facts) if place == 0 else "",
    )


def _said(row: RolloutsToTarget) -> str:
    median = f"median {row.median.value:,.0f}" if math.isfinite(row.median.value) else "median beyond the budget"
    return f"{median}, {row.reached} of {row.runs} runs reached it"


def _note(facts: StudyFacts) -> str:
    chosen = f" The target is 90 % of {facts.baseline}'s best mean score." if facts.chosen_target else ""
    return (
        "A dot is a run at its objective's best learning rate, hollow at the end of the budget when it did not get "
        "there; a bar is the median after Kaplan and Meier, none where fewer than half of the runs get there." + chosen
    )


def _table(rows: Sequence[RolloutsToTarget]) -> Table:
    columns = ("objective", "learning rate", "reached", "runs", "median", "low", "high", "restricted mean", "mean low",
               "mean high", "difference", "difference low", "difference high")  # fmt: skip
    return Table(
        columns,
        tuple(
            (row.objective, _rate(row), row.reached, row.runs, row.median.value, row.median.low, row.median.high,
             row.restricted_mean.value, row.restricted_mean.low, row.restricted_mean.high,
             *((row.difference.value, row.difference.low, row.difference.high) if row.difference else (None,) * 3))
            for row in rows
        ),
    )  # fmt: skip
