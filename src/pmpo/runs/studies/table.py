"""The table of a study: on the screen, table.csv, table.md."""

from __future__ import annotations

import csv
import io
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pmpo.comparison.grid import value_text
from pmpo.comparison.results import FINISHED, RunResult, by_cell
from pmpo.comparison.study import Study
from pmpo.foundation.files import write_whole

if TYPE_CHECKING:
    from rich.console import Console


def rows_of(study: Study, results: Sequence[RunResult]) -> tuple[list[str], list[list[str]]]:
    """Column names, and a row for each objective in each cell, in the order of the study."""
    columns = [*study.cells[0], "objective", study.score, "seeds", "not finished"]
    rows = []
    found = by_cell(results)
    for cell in study.cells:
        runs_of = found.get(tuple(sorted(cell.items())), {})
        for label in study.objectives:
            runs = runs_of.get(label, [])
            if runs:
                mean = statistics.fmean(run.score for run in runs)
                failed = sum(run.status != FINISHED for run in runs)
                rows.append([*map(value_text, cell.values()), label, f"{mean:.3f}", str(len(runs)), str(failed or "")])
    return columns, rows


def write_tables(path: Path, study: Study, results: Sequence[RunResult]) -> None:
    """table.csv and table.md."""
    columns, rows = rows_of(study, results)
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([columns, *rows])
    write_whole(path / "table.csv", text.getvalue())
    lines = [columns, ["---"] * len(columns), *rows]
    write_whole(path / "table.md", "".join(f"| {' | '.join(line)} |\n" for line in lines))


def show_table(study: Study, results: Sequence[RunResult], console: Console) -> None:
    from rich.table import Table

    columns, rows = rows_of(study, results)
    table = Table(title=f"{study.name}: {study.score}, mean over seeds", title_justify="left")
    for column in columns:
        table.add_column(column)
    for row in rows:
        table.add_row(*row)
    console.print(table)
