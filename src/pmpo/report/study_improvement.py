"""The matrix of probabilities of improvement: how often a run of the row beats one of the column."""

from __future__ import annotations

from pmpo.comparison.table_rows import ImprovementMatrix
from pmpo.comparison.tables import improvement_matrix
from pmpo.foundation.errors import shortened
from pmpo.report.parts import Figure, Table
from pmpo.report.study_facts import StudyFacts
from pmpo.report.svg import FONT, Canvas, text_width

_WIDE, _HIGH = 46, 26
_LABEL = 18
_DARKEST = 0.5
"""Opacity of a cell at 0 and 1; the text on it keeps its contrast."""


def improvement_figure(facts: StudyFacts) -> Figure | None:
    """The matrix as a picture; None for a single objective."""
    matrix = improvement_matrix(facts.results)
    names = matrix.objectives
    if len(names) < 2:
        return None
    over = len({run.cell for run in facts.results})
    return Figure(
        id="improvement",
        title="Probability that a run of the row is better than one of the column",
        svg=_drawn(matrix),
        description=f"A table of {len(names)} by {len(names)} probabilities; its numbers are below.",
        table=_table(matrix),
        source=facts.source,
        note=f"Ties count half; the mean over {over} cells of equal settings. Blue is above ½, orange below; bold"
        " where the 95 % interval leaves ½ out.",
    )


def _drawn(matrix: ImprovementMatrix) -> str:
    names = [shortened(name, _LABEL) for name in matrix.objectives]
    left = 12 + max(map(text_width, names))
    top = 12 + 0.71 * max(map(text_width, names)) + FONT
    width = left + _WIDE * len(names) + 0.75 * text_width(names[-1])
    canvas = Canvas(max(width, 352), top + _HIGH * len(names) + 8)
    canvas.texts([(left - 6, top + _HIGH * k + 18, name) for k, name in enumerate(names)], anchor="end")
    for k, name in enumerate(names):
        canvas.text(left + _WIDE * k + 20, top - 6, name, turn=-45)
    boxes: dict[str, list[tuple[float, float, float, float, float]]] = {"c1": [], "c2": []}
    plain: list[tuple[float, float, str]] = []
    sure: list[tuple[float, float, str]] = []
    for (row, column), found in matrix.probability.items():
        x, y = left + _WIDE * matrix.objectives.index(column), top + _HIGH * matrix.objectives.index(row)
        words = (x + _WIDE / 2 - 1, y + 17, f"{found.value:.2f}" if found.n else "–")
        (sure if found.low > 0.5 or found.high < 0.5 else plain).append(words)
        if found.n:
            strength = _DARKEST * 2 * abs(found.value - 0.5)
            boxes["c1" if found.value > 0.5 else "c2"].append((x, y, _WIDE - 2, _HIGH - 2, strength))
    for kind, own in boxes.items():
        canvas.cells(own, kind)
    canvas.texts(plain, anchor="middle")
    canvas.texts(sure, anchor="middle", bold=True)
    return canvas.svg()


def _table(matrix: ImprovementMatrix) -> Table:
    rows = (
        (row, column, found.value, found.low, found.high, matrix.cells[row, column])
        for (row, column), found in matrix.probability.items()
    )
    return Table(("row", "column", "probability", "low", "high", "cells"), tuple(rows))
