"""The exponents of a run's completions over its updates, as a chart of shades."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from pmpo.report.axis import Axis
from pmpo.report.chart import Chart
from pmpo.report.parts import Figure, Table
from pmpo.report.run_drawing import STEP, Drawn, View, draw_band, draw_line, finished
from pmpo.report.run_series import Heat, Series, heat, rounded, series
from pmpo.report.svg import COLOURS, px

_COLUMNS = 40
"""Most columns of shades."""
_SHADES = ((0.01, 0.16), (0.05, 0.3), (0.15, 0.45), (0.3, 0.62), (0.6, 0.8))
"""(share of the completions above which, opacity)."""


def exponent_figure(view: View, name: str) -> Figure | None:
    """Shades where the log has histograms, a band from the smallest to the largest p where it has none, and the mean as
    a line; None where there is no exponent in it."""
    rows = view.run.rows
    mean, low, high = (series(rows, f"exponent/{how}", view.bundle) for how in ("mean", "min", "max"))
    shades = heat(rows, "exponent/histogram", min(view.points, _COLUMNS))
    if not mean:
        return None
    ends = [*low.finite, *high.finite, *mean.finite]
    ends += [shades.edges[0], shades.edges[-1]] if shades else []
    chart = Chart(view.steps, Axis.around(ends, "p", include=(0.0, 1.0)))
    if shades:
        _shade(chart, shades)
        note = "Fuller: more of the completions (from 1% to over 60%); completions without an advantage have no p."
    else:
        draw_band(chart, low, high, 0)
        note = "The band reaches from the smallest to the largest."
    draw_line(chart, mean, 1)
    drawn = Drawn("Exponents p", chart, [(mean, "mean")], note, _table(shades, (mean, low, high)))
    return finished(drawn, view, name, [([(1, "mean over completions")], True)])


def _shade(chart: Chart, shades: Heat) -> None:
    """One path a shade: a rectangle a cell would be most of the page."""
    paths = defaultdict(list)
    for start, end, column in zip(shades.starts, shades.ends, shades.shares, strict=True):
        for low, high, share in zip(shades.edges, shades.edges[1:], column, strict=False):
            opacity = max((shade for least, shade in _SHADES if share >= least), default=0.0)
            if opacity:
                (left, bottom), (right, top) = chart.at(start, low), chart.at(end, high)
                paths[opacity].append(f"M{px(left)} {px(top)}H{px(right)}V{px(bottom)}H{px(left)}Z")
    for opacity, data in sorted(paths.items()):
        chart.add(
            f'<path d="{"".join(data)}" fill="currentColor" fill-opacity="{opacity:g}" class="c1" '
            f'color="{COLOURS["c1"][0]}"/>'
        )


def _table(shades: Heat | None, lines: Sequence[Series]) -> Table:
    """Step, mean, smallest, largest, and the shares of the shades that are ever above 0, in per cent."""
    columns = [dict(zip(one.steps, one.values, strict=True)) for one in lines]
    shares: dict[int, tuple[float, ...]] = {}
    places: list[int] = []
    if shades:
        shares = dict(zip(shades.ends, shades.shares, strict=True))
        places = [k for k in range(len(shades.edges) - 1) if any(column[k] >= 0.005 for column in shades.shares)]
    names = [f"% in {shades.edges[k]:.3g}…{shades.edges[k + 1]:.3g}" for k in places] if shades else []
    steps = sorted({step for column in (*columns, shares) for step in column})
    rows = [
        (
            step,
            *(rounded(column.get(step)) for column in columns),
            *(round(100 * shares[step][k]) if step in shares else None for k in places),
        )
        for step in steps
    ]
    return Table((STEP, "mean", "smallest", "largest", *names), tuple(rows))
