"""Training reward and held-out scores of a run, in one chart."""

from __future__ import annotations

from collections.abc import Iterator

from pmpo.report.axis import Axis
from pmpo.report.chart import Chart
from pmpo.report.parts import Figure
from pmpo.report.run_data import RunData
from pmpo.report.run_drawing import Drawn, View, draw_line, finished
from pmpo.report.run_series import Series, is_finite, series
from pmpo.report.svg import series_class

_ERRORS = {"value": "standard_error", "reward": "reward_standard_error"}
_INDEX = {"value": 1, "reward": 2}
"""Number of their series."""


def reward_figure(view: View, name: str) -> Figure | None:
    """Training reward as a line, held-out numbers as dots with two standard errors; None without any."""
    training = series(view.run.rows, "reward", view.bundle)
    solved, reward = (_measured(view.run, key) for key in ("value", "reward"))
    dots = [(_INDEX["value"], "held-out pass@1", solved)] if solved else []
    dots += [(_INDEX["reward"], "held-out reward", reward)] if reward and reward.values != solved.values else []
    lines = [(training, "training reward")] if training else []
    lines += [(one, label) for _, label, one in dots]
    if not lines:
        return None
    values = [value for one, _ in lines for value in one.finite]
    bars = [bar for _, _, one in dots for bar in _error_bars(view.run, one.metric)]
    ends = [end for _, _, low, high in bars for end in (low, high)]
    y = Axis.around([*values, *ends], "reward, share solved", include=(0.0,) if min(values) >= 0 else ())
    chart = Chart(view.steps, y)
    draw_line(chart, training, 0)
    for key, step, low, high in bars:
        (across, bottom), (_, top) = chart.at(step, low), chart.at(step, high)
        chart.line(across, bottom, across, top, series_class(_INDEX[key]), width=1.5)
    for index, _, one in dots:
        chart.dots(one.steps, one.values, index)
    legends = [([(0, "training reward")], True)] if training else []
    legends += [([(index, f"{label} ± 2 standard errors")], False) for index, label, _ in dots]
    return finished(Drawn("Reward and held-out score", chart, lines), view, name, legends)


def _measured(run: RunData, key: str) -> Series:
    rows = [row for row in run.held_out if is_finite(row.get(key)) and is_finite(row.get("step"))]
    return Series(key, tuple(int(row["step"]) for row in rows), tuple(float(row[key]) for row in rows))


def _error_bars(run: RunData, key: str) -> Iterator[tuple[str, int, float, float]]:
    """(key, step, two standard errors below, above) of every measurement that has an error."""
    for row in run.held_out:
        value, error, step = row.get(key), row.get(_ERRORS[key]), row.get("step")
        if is_finite(value) and is_finite(error) and is_finite(step):
            yield key, int(step), value - 2 * error, value + 2 * error
