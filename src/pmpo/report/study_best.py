"""One objective beside the best of all others, in every regime at every learning rate: does it hold everywhere?"""

from __future__ import annotations

from collections.abc import Sequence

from pmpo.comparison.table_rows import AgainstBest
from pmpo.comparison.tables import RATE, against_best
from pmpo.foundation.errors import shortened
from pmpo.report.parts import Figure, Table
from pmpo.report.study_facts import StudyFacts, cell_name, regime_key
from pmpo.report.svg import FONT, Canvas, number, text_width

_WIDE, _HIGH = 85, 44
_DARKEST = 0.5
"""Opacity of a cell at 0 and 1; the text on it keeps its contrast."""


def best_figure(facts: StudyFacts, objective: str) -> Figure | None:
    """A row a regime, a column a learning rate; None where there is one cell, or no other objective."""
    rows = against_best(facts.results, objective)
    if len(rows) < 2:
        return None
    least = min(rows, key=lambda row: row.improvement.value)
    return Figure(
        id="best",
        title=f"Probability that a run of {objective} is better than one of the best other objective",
        svg=_drawn(facts, rows),
        description=f"{objective} in {len(rows)} cells; least {least.improvement.value:.2f} against {least.best} "
        f"({cell_name(facts, least.settings)}).",
        table=_table(facts, rows),
        source=facts.source,
        note="A column is a learning rate. The best of the others is chosen cell by cell, on the same runs, luck "
        "included. Blue is above ½, orange below; bold where the 95 % interval leaves ½ out.",
    )


def _drawn(facts: StudyFacts, rows: Sequence[AgainstBest]) -> str:
    several = len(facts.regimes) > 1
    names = [shortened(regime.name, 30) if several else "" for regime in facts.regimes]
    rates: list[float | None] = [*facts.rates] or [None]
    left = 16 + max(map(text_width, [*names, "learning rate"])) if several else 6.0
    top = FONT + 16
    canvas = Canvas(max(352, left + _WIDE * len(rates) + 4), top + _HIGH * len(names) + 8)
    canvas.texts([(left - 8, top + _HIGH * k + 25, name) for k, name in enumerate(names)], "muted", anchor="end")
    heads = [(left + _WIDE * (k + 0.5), FONT + 4.0, "" if r is None else number(r)) for k, r in enumerate(rates)]
    canvas.texts(heads, "muted", anchor="middle")
    if facts.rates and several:
        canvas.text(left - 8, FONT + 4, "learning rate", "muted", anchor="end")
    keys = [regime.key for regime in facts.regimes]
    for row in rows:
        rate = float(row.settings[RATE]) if RATE in row.settings else None
        x, y = left + _WIDE * rates.index(rate), top + _HIGH * keys.index(regime_key(row.settings))
        one = row.improvement
        strength = _DARKEST * 2 * abs(one.value - 0.5)
        canvas.cells([(x, y, _WIDE - 3, _HIGH - 3, strength)], "c1" if one.value > 0.5 else "c2")
        sure = one.low > 0.5 or one.high < 0.5
        canvas.text(x + _WIDE / 2 - 1, y + 18, f"{one.value:.2f}", anchor="middle", bold=sure)
        canvas.text(x + _WIDE / 2 - 1, y + 34, shortened(row.best, 11), anchor="middle", size=12)
    return canvas.svg()


def _table(facts: StudyFacts, rows: Sequence[AgainstBest]) -> Table:
    columns = ("cell", "best other", "probability", "low", "high", "difference", "difference low", "difference high")
    told = (
        (cell_name(facts, row.settings), row.best, row.improvement.value, row.improvement.low, row.improvement.high,
         row.difference.value, row.difference.low, row.difference.high)
        for row in rows
    )  # fmt: skip
    return Table(columns, tuple(told))
