"""Score against learning rate, with every seed as a dot that leads to its run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pmpo.comparison.results import FINISHED, RunResult
from pmpo.comparison.table_rows import CellSummary
from pmpo.comparison.tables import RATE, summarise_cells
from pmpo.foundation.errors import shortened
from pmpo.report.axis import Axis
from pmpo.report.chart import Chart
from pmpo.report.parts import Figure, Table
from pmpo.report.study_facts import StudyFacts, cell_name
from pmpo.report.svg import Dot, number

TOGETHER = 6
"""Objectives that one panel can show; of more, each has a panel in which the regimes are the lines."""
_SPREAD = 0.6
"""Of the distance between two learning rates, taken by the series beside each other."""


@dataclass(frozen=True)
class _Series:
    index: int
    name: str
    cells: tuple[CellSummary, ...]


def score_figures(facts: StudyFacts) -> list[Figure]:
    """One panel a regime with the objectives as its lines, or one an objective with the regimes as its lines."""
    cells = summarise_cells(facts.results)
    regimes, labels = facts.regimes, facts.objectives
    if len(labels) <= TOGETHER:
        panels = [
            (one.name, [_Series(facts.index(o), o, _of(facts, cells, o, one.key)) for o in labels]) for one in regimes
        ]
    else:
        panels = [
            (o, [_Series(k, one.name, _of(facts, cells, o, one.key)) for k, one in enumerate(regimes)]) for o in labels
        ]
    height = _height(facts)
    return [_panel(facts, k, name, [s for s in series if s.cells], height) for k, (name, series) in enumerate(panels)]


def dot_name(facts: StudyFacts, run: RunResult) -> str:
    """A run for people: its objective, cell and seed, and what came of it."""
    came = f"{run.score:.3f}" if run.status == FINISHED else run.status
    who = [run.objective, cell_name(facts, run.settings), f"seed {run.seed}"]
    return f"{', '.join(filter(None, who))}: {came}"


def _link(facts: StudyFacts, run: RunResult, n: int) -> tuple[str, str, str]:
    """Where a dot leads, what it is called in a figure that says the rest, and its id."""
    if n not in facts.followed:
        return "", "", ""
    rate = f"{number(float(run.settings[RATE]))}, " if RATE in run.settings else ""
    who = f"{run.objective}, " if len(facts.objectives) <= TOGETHER else ""
    came = f"{run.score:.3f}" if run.status == FINISHED else run.status
    return f"#r{n}", f"{who}{rate}seed {run.seed}: {came}", f"d{n}"


def _of(facts: StudyFacts, cells: Sequence[CellSummary], objective: str, key: object) -> tuple[CellSummary, ...]:
    """The cells of an objective in a regime, by their learning rate."""
    found = [cell for cell in cells if cell.objective == objective and facts.regime(cell.settings).key == key]
    return tuple(sorted(found, key=lambda cell: float(cell.settings.get(RATE, 0.0))))


def _height(facts: StudyFacts) -> Axis:
    return Axis.around([run.score for run in facts.results], facts.score, include=(0.0,))


def _panel(facts: StudyFacts, place: int, name: str, series: Sequence[_Series], height: Axis) -> Figure:
    chart = Chart(_across(facts), height)
    runs = {(run.objective, run.cell, run.seed): run for run in facts.results}
    for k, one in enumerate(series):
        xs = [_position(facts, cell, k, len(series)) for cell in one.cells]
        chart.curve(xs, [cell.mean.value for cell in one.cells], one.index)
        dots = []
        for x, cell in zip(xs, one.cells, strict=True):
            for seed in cell.seeds:
                run = runs[cell.objective, tuple(sorted(cell.settings.items())), seed]
                n = facts.number(run)
                dots.append(Dot(*chart.at(x, run.score), run.status != FINISHED, *_link(facts, run, n)))
        chart.dots_at(dots, one.index, size=3.5)
    chart.legend([(one.index, shortened(one.name, 36)) for one in series])
    what = f"{len(facts.rates)} learning rates" if len(facts.rates) > 1 else "one learning rate"
    return Figure(
        id=f"scores-{place + 1}",
        title=f"{facts.score.capitalize()} of {name}" if len(facts.objectives) > TOGETHER else _titled(facts, name),
        svg=chart.svg(),
        description=f"Lines join the means of {len(series)} series over {what}; every dot is a run.",
        table=_table(facts, series),
        source=facts.source,
        note="A dot is a run and leads to it; hollow ones diverged or crashed and count as 0." if place == 0 else "",
    )


def _titled(facts: StudyFacts, name: str) -> str:
    by = "by learning rate" if len(facts.rates) > 1 else "by objective"
    said = f"{facts.score.capitalize()} {by}"
    return f"{said}: {name}" if len(facts.regimes) > 1 else said


def _across(facts: StudyFacts) -> Axis:
    """The learning rates at equal distances."""
    rates = facts.rates
    ticks = tuple((float(k), number(rate)) for k, rate in enumerate(rates))
    return Axis("learning rate" if rates else "", -0.5, max(len(rates), 1) - 0.5, ticks=ticks)


def _position(facts: StudyFacts, cell: CellSummary, place: int, series: int) -> float:
    rate = facts.rates.index(float(cell.settings[RATE])) if RATE in cell.settings else 0
    return rate + _SPREAD * (place + 0.5 - series / 2) / series


def _table(facts: StudyFacts, series: Sequence[_Series]) -> Table:
    seeds = sorted({run.seed for run in facts.results})
    rows = []
    for one in series:
        for cell in one.cells:
            values = dict(zip(cell.seeds, cell.values, strict=True))
            broken = cell.diverged + cell.crashed
            estimates = (cell.mean.value, cell.mean.low, cell.mean.high, cell.interquartile_mean.value)
            rows.append((one.name, cell.settings.get(RATE), *estimates, broken, *(values.get(seed) for seed in seeds)))
    names = ("mean", "low", "high", "interquartile mean", "diverged or crashed")
    return Table(("series", "learning rate", *names, *(f"seed {seed}" for seed in seeds)), tuple(rows))
