"""Forest plots: paired differences to the baseline with their intervals, one row an objective."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pmpo.comparison.estimate import NOTHING, Estimate
from pmpo.comparison.intervals import mean
from pmpo.comparison.paired import differences, paired_difference
from pmpo.comparison.results import by_cell
from pmpo.comparison.tables import paired_to_baseline
from pmpo.foundation.errors import shortened
from pmpo.report.axis import Axis
from pmpo.report.chart import Chart
from pmpo.report.parts import Figure, Fold, Part, Table
from pmpo.report.study_facts import Regime, StudyFacts, cell_name
from pmpo.report.svg import Dot, series_class

_ROW = 22
_LABEL = 20
"""Characters of an objective's name beside its row."""


@dataclass(frozen=True)
class Row:
    """One objective's difference to the baseline, and how many regimes or cells it is over."""

    objective: str
    difference: Estimate
    values: tuple[float, ...] = ()


def tuned_difference(facts: StudyFacts, one: str, other: str, regime: Regime) -> Row | None:
    """One objective minus another in a regime, each at its best learning rate, on common seeds; None without any."""
    found = {}
    for row in facts.tuned:
        if facts.regime(row.settings) == regime and row.objective in (one, other):
            found[row.objective] = dict(zip(row.seeds, row.values, strict=True))
    seeds = [seed for seed in found.get(one, {}) if seed in found.get(other, {})]
    if not seeds:
        return None
    ours, theirs = ([found[name][seed] for seed in seeds] for name in (one, other))
    return Row(one, paired_difference(ours, theirs), tuple(map(float, differences(ours, theirs))))


def over_regimes(facts: StudyFacts, one: str, other: str) -> Estimate:
    """The mean of `tuned_difference` over the regimes that have both; each counts the same."""
    rows = [tuned_difference(facts, one, other, regime) for regime in facts.regimes]
    strata = [row.values for row in rows if row is not None]
    return mean(*strata) if strata else NOTHING


def forest_parts(facts: StudyFacts) -> list[Part]:
    """Over all regimes, in each, and folded in each cell; [] where there is nothing beside the baseline."""
    others = [name for name in facts.objectives if name != facts.baseline]
    regimes = facts.regimes
    rows = [Row(name, over_regimes(facts, name, facts.baseline)) for name in others]
    if not any(row.difference.n for row in rows):
        return []
    tuned = " at the best learning rate" if len(facts.rates) > 1 else ""
    over = f", mean over {len(regimes)} regimes" if len(regimes) > 1 else ""
    note = _NOTE + (_TUNED if tuned else "")
    found = [[tuned_difference(facts, name, facts.baseline, regime) for name in others] for regime in regimes]
    here = [[row for row in regime if row is not None] for regime in found]
    if len(regimes) == 1:
        rows = here[0]
    axis = _axis([*rows, *(row for regime in here for row in regime)])
    title = f"Difference to {facts.baseline}{tuned}"
    parts: list[Part] = [_figure(facts, "forest", title + over, rows, note=note, axis=axis)]
    if len(regimes) > 1:
        for k, (regime, own) in enumerate(zip(regimes, here, strict=True)):
            parts.append(_figure(facts, f"forest-{k + 1}", f"{title}: {regime.name}", own, axis=axis))
    cells = _cells(facts)
    if len(facts.rates) > 1 and cells:
        parts.append(Fold("The same at every learning rate", tuple(_at_every_rate(facts, cells))))
    return parts


def _at_every_rate(facts: StudyFacts, cells: Mapping[str, list[Row]]) -> list[Part]:
    """A figure a cell, or one table where they would be too many."""
    if sum(map(len, cells.values())) > _DRAWN:
        rows = [(name, *_numbers(row)) for name, rows in cells.items() for row in rows]
        return [Table(("cell", *_COLUMNS), tuple(rows))]
    axis = _axis([row for rows in cells.values() for row in rows])
    return [
        _figure(facts, f"forest-cell-{k + 1}", f"Difference to {facts.baseline}: {name}", rows, axis=axis)
        for k, (name, rows) in enumerate(cells.items())
    ]


def _numbers(row: Row) -> tuple[str | float, ...]:
    one = row.difference
    return row.objective, one.value, one.low, one.high, one.n


_COLUMNS = ("objective", "difference", "low", "high", "pairs")
_DRAWN = 120
"""Rows of all cells together that are still drawn."""
_NOTE = "A row is the mean difference on the same seeds with its 95 % interval, ticks are seeds; right is better. "
_TUNED = "Each objective runs at the learning rate that seeds chose which are not shown."


def _cells(facts: StudyFacts) -> Mapping[str, list[Row]]:
    """{cell: rows}, regimes in their order and learning rates rising."""
    found: dict[str, list[Row]] = {}
    order = [regime.key for regime in facts.regimes]
    cells = sorted(by_cell(facts.results), key=lambda cell: (order.index(facts.regime(dict(cell)).key), str(cell)))
    pairs = paired_to_baseline(facts.results, facts.baseline)
    for cell in cells:
        rows = [
            Row(p.objective, p.difference, p.differences) for p in pairs if tuple(sorted(p.settings.items())) == cell
        ]
        if rows:
            found[cell_name(facts, dict(cell)) or "all runs"] = rows
    return found


def _axis(rows: Sequence[Row]) -> Axis:
    ends = [v for row in rows for v in (row.difference.low, row.difference.high, *row.values)]
    return Axis.around([0.0, *ends], "difference in score")


def _figure(facts: StudyFacts, name: str, title: str, rows: Sequence[Row], *, axis: Axis, note: str = "") -> Figure:
    rows = sorted(rows, key=lambda row: -row.difference.value)
    ticks = tuple((float(-k), shortened(row.objective, _LABEL)) for k, row in enumerate(rows))
    chart = Chart(
        axis or _axis(rows), Axis("", 0.5 - max(len(rows), 1), 0.5, ticks=ticks), height=70 + _ROW * len(rows)
    )
    chart.rule(x=0.0)
    for k, row in enumerate(rows):
        one, index = row.difference, facts.index(row.objective)
        left, middle, right = (chart.at(value, -k) for value in (one.low, one.value, one.high))
        seeds = [chart.at(value, -k) for value in row.values]
        chart.lines([(across, down - 4, across, down + 4) for across, down in seeds], "muted", width=1.5)
        chart.path([left, right], series_class(index), width=3)
        chart.dots_at([Dot(*middle)], index, size=5)
    table = Table(_COLUMNS, tuple(map(_numbers, rows)))
    described = "; ".join(f"{row.objective} {signed(row.difference)}" for row in rows)
    return Figure(name, title, chart.svg(), f"Best first: {described}.", table, facts.source, note)


def signed(one: Estimate) -> str:
    """A difference with its sign and interval.

    >>> signed(Estimate(0.0312, 0.01, 0.05, 5)), signed(Estimate(-0.2, float("-inf"), float("inf"), 1))
    ('+0.031 [+0.010, +0.050]', '-0.200 (one seed, no interval)')
    """
    if one.n < 2:
        return f"{one.value:+.3f} (one seed, no interval)"
    return f"{one.value:+.3f} [{one.low:+.3f}, {one.high:+.3f}]"
