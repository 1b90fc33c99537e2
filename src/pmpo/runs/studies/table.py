"""The tables of a study: on the screen, and as table.csv and table.md in its folder."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pmpo.comparison.estimate import Estimate
from pmpo.comparison.grid import cell_text, value_text
from pmpo.comparison.results import RunResult
from pmpo.comparison.study import Study
from pmpo.comparison.table_rows import CellSummary, PairedToBaseline
from pmpo.comparison.tables import (
    RATE,
    paired_to_baseline,
    robustness,
    rollouts_to_target,
    summarise_cells,
    tuned_scores,
)
from pmpo.foundation.files import write_whole

if TYPE_CHECKING:
    from rich.console import Console


_ON_SCREEN = 8
"""Cells whose own tables a screen shows; those of more are in table.md."""


@dataclass(frozen=True)
class Printed:
    """A table as text.

    Attributes:
        title: what it shows, in a sentence.
    """

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def printed_tables(study: Study, results: Sequence[RunResult], brief: bool = False) -> list[Printed]:
    """One a cell; where the learning rate varies one a regime, tuned apart from robust; where there is a target the
    completions to it.

    Args:
        brief: leave out the cells where there are many and they are summed up by regime.
    """
    many = brief and len(study.cells) > _ON_SCREEN and RATE in study.cells[0]
    found = [] if many else _cells(study, results)
    if RATE in study.cells[0]:
        found += _rates(study, results)
    if study.target is not None and not many:
        found += _targets(study, results, study.target)
    return found


def write_tables(path: Path, study: Study, results: Sequence[RunResult]) -> None:
    """table.md with all tables, table.csv with the numbers of the cells."""
    text = ""
    for table in printed_tables(study, results):
        lines = [table.columns, ("---",) * len(table.columns), *table.rows]
        cells = ([cell.replace("|", "\\|").replace("\n", " ") for cell in line] for line in lines)
        text += f"{table.title}\n\n" + "".join(f"| {' | '.join(line)} |\n" for line in cells) + "\n"
    write_whole(path / "table.md", text)
    write_whole(path / "table.csv", _as_csv(study, results))


def show_tables(study: Study, results: Sequence[RunResult], console: Console) -> None:
    """The tables on a screen."""
    from rich.box import SIMPLE_HEAD  # without lines between columns six of them fit 80 characters
    from rich.table import Table
    from rich.text import Text

    for printed in printed_tables(study, results, brief=True):
        looks = {"title_justify": "left", "title_style": "bold", "box": SIMPLE_HEAD}
        table = Table(title=Text(printed.title), pad_edge=False, collapse_padding=True, **looks)
        for column in printed.columns:
            table.add_column(Text(column), overflow="fold")
        for row in printed.rows:
            table.add_row(*map(Text, row))
        console.print(table)


def _cells(study: Study, results: Sequence[RunResult]) -> list[Printed]:
    beside, base = _beside(study, results), _baseline(study)
    rows = []
    for row in _in_order(study, summarise_cells(results)):
        pair = beside.get(_place(row))
        difference = "" if pair is None else _shown(pair.difference)
        chance = "" if pair is None else f"{pair.improvement.value:.2f}"
        seeds = str(len(row.seeds))
        rows.append((row, (row.objective, _shown(row.mean), seeds, difference, chance, _failures(row))))
    columns = ("objective", study.score, "seeds", f"minus {base}", "P(better)", "lost")
    return _grouped(study, f"{study.score} at the end, 95 % intervals over seeds", columns, rows)


def _rates(study: Study, results: Sequence[RunResult]) -> list[Printed]:
    """Tuned apart from robust: what the best rate gives, and how much else would do."""
    robust = {_place(row): row for row in robustness(results)}
    rows = []
    for row in _in_order(study, tuned_scores(results)):
        wide = robust[_place(row)]
        good = value_text(wide.lowest) + (f" to {value_text(wide.highest)}" if wide.width > 1 else "")
        tuned = _shown(row.score) if row.values else "–"
        rows.append((row, (row.objective, tuned, value_text(row.best_rate), good, f"{wide.collapsed:.0%}")))
    columns = ("objective", "tuned", "best rate", "good rates", "runs lost")
    return _grouped(
        study,
        f"{study.score} at the learning rate that other seeds choose; good rates give 90 % of the best",
        columns,
        rows,
    )


def _targets(study: Study, results: Sequence[RunResult], target: float) -> list[Printed]:
    rows = []
    for row in _in_order(study, rollouts_to_target(results, target, baseline=_baseline(study))):
        reached = f"{row.reached} of {row.runs}"
        rows.append((row, (row.objective, reached, _count(row.median), _count(row.restricted_mean))))
    columns = ("objective", "reached it", "median", "mean within the budget")
    return _grouped(study, f"completions until {study.score} is {target:g}", columns, rows)


def _grouped(
    study: Study, title: str, columns: tuple[str, ...], rows: Sequence[tuple[Any, tuple[str, ...]]]
) -> list[Printed]:
    """A table for each choice of settings, in the order of the rows."""
    groups: dict[tuple[tuple[str, Any], ...], list[tuple[str, ...]]] = {}
    for row, cells in rows:
        names = [name for name in study.cells[0] if name in row.settings]
        names += [name for name in row.settings if name not in names]
        groups.setdefault(tuple((name, row.settings[name]) for name in names), []).append(cells)
    return [
        Printed(f"{cell_text(dict(settings))}: {title}" if settings else title, columns, tuple(lines))
        for settings, lines in groups.items()
    ]


def _as_csv(study: Study, results: Sequence[RunResult]) -> str:
    beside, varied = _beside(study, results), _varied(study)
    columns = [
        *varied, "objective", "seeds", "mean", "low", "high", "interquartile_mean", "interquartile_low",
        "interquartile_high", "difference", "difference_low", "difference_high", "improvement", "diverged", "crashed",
        "collapsed",
    ]  # fmt: skip
    lines: list[list[Any]] = [columns]
    for row in _in_order(study, summarise_cells(results)):
        pair = beside.get(_place(row))
        middle = row.interquartile_mean
        paired = ["", "", "", ""]
        if pair is not None:
            paired = [pair.difference.value, pair.difference.low, pair.difference.high, pair.improvement.value]
        lines.append([
            *(row.settings.get(name) for name in varied), row.objective, len(row.seeds),
            row.mean.value, row.mean.low, row.mean.high, middle.value, middle.low, middle.high,
            *paired, row.diverged, row.crashed, row.collapsed,
        ])  # fmt: skip
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([_cell(value) for value in line] for line in lines)
    return text.getvalue()


def _cell(value: Any) -> Any:
    """A number, or nothing where there is none."""
    if isinstance(value, float):
        return f"{value:.6g}" if math.isfinite(value) else ""
    return value


def _shown(estimate: Estimate) -> str:
    """Without an interval where one seed shows none."""
    if not math.isfinite(estimate.high - estimate.low):
        return f"{estimate.value:.3f}"
    return f"{estimate.value:.3f} [{estimate.low:.2f}, {estimate.high:.2f}]"


def _count(estimate: Estimate) -> str:
    """Completions until the target; an end that no run shows is open."""
    low, high = (f"{end:,.0f}" if math.isfinite(end) else "∞" for end in (estimate.low, estimate.high))
    middle = f"{estimate.value:,.0f}" if math.isfinite(estimate.value) else "not reached"
    return f"{middle} [{low}, {high}]"


def _varied(study: Study) -> list[str]:
    return list(study.cells[0])


def _baseline(study: Study) -> str:
    return study.baseline or next(iter(study.objectives))


def _beside(study: Study, results: Sequence[RunResult]) -> dict[tuple[Any, ...], PairedToBaseline]:
    if not any(run.objective == _baseline(study) for run in results):
        return {}
    return {_place(row): row for row in paired_to_baseline(results, _baseline(study))}


def _place(row: Any) -> tuple[Any, ...]:
    return (tuple(sorted(row.settings.items())), row.objective)


def _in_order(study: Study, rows: Sequence[Any]) -> list[Any]:
    """As the study has them, whichever run ended first; what others added comes last."""
    labels = list(study.objectives)

    def cell(settings: Mapping[str, Any]) -> int:
        places = [i for i, each in enumerate(study.cells) if settings.items() <= each.items()]
        return places[0] if places else len(study.cells)

    def label(name: str) -> int:
        return labels.index(name) if name in labels else len(labels)

    return sorted(rows, key=lambda row: (cell(row.settings), label(row.objective), row.objective))


def _failures(row: CellSummary) -> str:
    """ "2 collapsed, 1 diverged"; collapsed ones are those that ended in order and lost what they had."""
    quiet = row.collapsed - row.diverged - row.crashed
    counts = ((quiet, "collapsed"), (row.diverged, "diverged"), (row.crashed, "crashed"))
    return ", ".join(f"{count} {what}" for count, what in counts if count)
