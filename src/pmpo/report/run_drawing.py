"""What the figures of a run share: the axis of updates, marks where a symptom was found, and what is said of lines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pmpo.report.axis import Axis
from pmpo.report.chart import Chart
from pmpo.report.parts import Figure, Table
from pmpo.report.run_data import RunData
from pmpo.report.run_series import Series, bundle_of, is_finite, table_rows
from pmpo.report.svg import FONT

STEP = "optimiser step"


@dataclass(frozen=True)
class View:
    """A run and how it is drawn.

    Attributes:
        run: what is drawn.
        prefix: what the figures' ids begin with.
        points: most points of a line.
    """

    run: RunData
    prefix: str = "run"
    points: int = 80

    @property
    def bundle(self) -> int:
        """Log events that a point stands for."""
        return bundle_of(self.run.rows, self.points)

    @property
    def steps(self) -> Axis:
        """From 0 to the last update, the same in every figure of the run."""
        measured = (row["step"] for row in self.run.held_out if is_finite(row.get("step")))
        return Axis(STEP, 0.0, float(max(1, self.run.rows[-1]["step"], *measured)))


@dataclass(frozen=True)
class Drawn:
    """A chart, and what is said of it.

    Attributes:
        title: what it shows.
        chart: with everything but the marks of symptoms and the legend.
        lines: (numbers, name) of everything that is drawn.
        note: how to read it.
        table: the numbers behind it; those of the lines where None.
    """

    title: str
    chart: Chart
    lines: Sequence[tuple[Series, str]]
    note: str = ""
    table: Table | None = None


def finished(drawn: Drawn, view: View, name: str, legends: Sequence[tuple[Sequence[tuple[int, str]], bool]]) -> Figure:
    """The figure: the chart with the symptoms that it shows and its legends.

    Args:
        name: of the figure, as `Symptom.figure` names it.
        legends: ((number of the series, name), whether they are lines; else dots).
    """
    marks = _mark_symptoms(drawn.chart, view.run, name)
    alone = any(len(steps) == 1 for one, _ in drawn.lines for steps, _ in one.pieces())
    for names, lines in legends:
        drawn.chart.legend(names, lines=lines, dots=alone or not lines)
    bundled = "" if view.bundle == 1 else f"Each point stands for {view.bundle} log events."
    note = " ".join(filter(None, [drawn.note, marks, bundled]))
    spoken = "; ".join(f"{label}: {one.spoken()}" for one, label in drawn.lines)
    table = drawn.table
    if table is None:
        table = Table((STEP, *(label for _, label in drawn.lines)), table_rows([one for one, _ in drawn.lines]))
    source = view.run.source
    return Figure(f"{view.prefix}-{name}", drawn.title, drawn.chart.svg(), f"{spoken}. {note}", table, source, note)


def draw_line(chart: Chart, one: Series, index: int) -> None:
    """A line with gaps where there was no number; a number between two gaps is a dot."""
    for steps, values in one.pieces():
        draw = chart.curve if len(steps) > 1 else chart.dots
        draw(steps, values, index)


def draw_band(chart: Chart, low: Series, high: Series, index: int) -> None:
    """The range between two series of the same events, with the same gaps."""
    for (steps, lows), (others, highs) in zip(low.pieces(), high.pieces(), strict=False):
        if steps == others:
            chart.band(steps, lows, highs, index)


def _mark_symptoms(chart: Chart, run: RunData, name: str) -> str:
    """A line and a number where each symptom of a figure was found; returns the note that says which."""
    said = []
    for number, symptom in enumerate(run.symptoms, start=1):
        if symptom.figure != name or not 0 < symptom.step <= chart.x.high:
            continue
        across = chart.at(symptom.step, chart.y.low)[0]
        chart.line(across, chart.box.top, across, chart.box.bottom, "bad", width=1.5, dash="4 3")
        late = chart.x.share(symptom.step) > 0.9
        side, anchor = (-4, "end") if late else (4, "start")
        chart.text(across + side, chart.box.top + FONT, str(number), "bad", bold=True, anchor=anchor)
        said.append(f"{number}: {symptom.title.lower()}, found at update {symptom.step}.")
    return " ".join(said)
