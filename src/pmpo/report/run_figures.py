"""The figures of one run, each with the numbers behind it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from pmpo.report.axis import Axis
from pmpo.report.chart import Chart
from pmpo.report.parts import Figure
from pmpo.report.run_drawing import Drawn, View, draw_band, draw_line, finished
from pmpo.report.run_exponents import exponent_figure
from pmpo.report.run_panels import PANELS, Panel
from pmpo.report.run_reward import reward_figure
from pmpo.report.run_series import Series, series

_WIDE_RANGE = 30.0
"""Largest over smallest value from which on an axis that may be logarithmic is."""
_OWN: dict[str, Callable[[View, str], Figure | None]] = {"reward": reward_figure, "exponents": exponent_figure}
FIGURES = ("reward", "signal", "entropy", "kl", "gradient", "clipping", "log-ratios", "exponents", "ess", "sampler",
           "lengths", "truncated", "loss")  # fmt: skip
"""Names of a run's figures, as `Symptom.figure` has them."""


def run_figures(view: View) -> list[Figure]:
    """Every figure that the run has numbers for, in the order of `FIGURES`."""
    made = (_OWN.get(name, _panel)(view, name) for name in FIGURES)
    return [one for one in made if one is not None]


def _panel(view: View, name: str) -> Figure | None:
    """Lines over the updates, with a band where the panel has one."""
    panel, rows = PANELS[name], view.run.rows
    lines = [(series(rows, metric, view.bundle), label) for metric, label in panel.lines]
    lines = [(one, label) for one, label in lines if one]
    if not lines:
        return None
    edges = [(series(rows, metric, view.bundle), label) for metric, label in panel.band]
    edges = [(one, label) for one, label in edges if one]
    chart = Chart(view.steps, _axis(panel, [one for one, _ in (*lines, *edges)]))
    if len(edges) == 2:
        draw_band(chart, edges[0][0], edges[1][0], 0)
    for index, (one, _) in enumerate(lines):
        draw_line(chart, one, index)
    legend = [(index, label) for index, (_, label) in enumerate(lines)]
    known = {one.metric for one, _ in lines}
    every = [*lines, *((one, label) for one, label in edges if one.metric not in known)]
    return finished(Drawn(panel.title, chart, every, panel.note), view, name, [(legend, True)])


def _axis(panel: Panel, drawn: Sequence[Series]) -> Axis:
    values = [value for one in drawn for value in one.finite]
    log = panel.may_be_log and min(values) > 0 and max(values) / min(values) > _WIDE_RANGE
    return Axis.around(values, panel.unit, log=log, include=() if log else panel.include)
