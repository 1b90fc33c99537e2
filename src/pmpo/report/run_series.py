"""The numbers of a run as points to draw: one a log event, or one for several where there are many."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from pmpo.engine.metric_catalogue import find_metric

Rows = Sequence[Mapping[str, Any]]
_REDUCE = {"min": min, "max": max}


@dataclass(frozen=True)
class Series:
    """Values of one metric over the updates of a run.

    Attributes:
        metric: its name.
        steps: updates made, rising.
        values: numbers; NaN where it was logged and there was none, such as of ratios without an active completion.
    """

    metric: str
    steps: tuple[int, ...]
    values: tuple[float, ...]

    def __bool__(self) -> bool:
        """Whether there is a number."""
        return bool(self.finite)

    @property
    def finite(self) -> tuple[float, ...]:
        """The numbers alone."""
        return tuple(value for value in self.values if math.isfinite(value))

    def pieces(self) -> Iterator[tuple[tuple[int, ...], tuple[float, ...]]]:
        """Steps and values of each stretch without a gap."""
        pairs = zip(self.steps, self.values, strict=True)
        for finite, piece in groupby(pairs, key=lambda pair: math.isfinite(pair[1])):
            if finite:
                steps, values = zip(*piece, strict=True)
                yield steps, values

    def spoken(self) -> str:
        """What the line does, in words: "0.18 at update 8, 0.41 at update 240, between 0.17 and 0.41"."""
        known = [(step, value) for step, value in zip(self.steps, self.values, strict=True) if math.isfinite(value)]
        ends = f"{known[0][1]:.3g} at update {known[0][0]}"
        if len(known) > 1:
            ends += f", {known[-1][1]:.3g} at update {known[-1][0]}"
            ends += f", between {min(self.finite):.3g} and {max(self.finite):.3g}"
        return ends


def series(rows: Rows, metric: str, bundle: int = 1) -> Series:
    """A metric over the log events that have it.

    Args:
        rows: log events with "step".
        bundle: log events that become one point at the last of them: their mean, or the least or largest of them for a
            metric that is a minimum or a maximum.
    """
    entry = find_metric(metric)
    reduce = _REDUCE.get(entry.reduction if entry else "", lambda values: sum(values) / len(values))
    points = []
    for start in range(0, len(rows), bundle):
        logged = [row for row in rows[start : start + bundle] if metric in row]
        if logged:
            found = [row[metric] for row in logged if is_finite(row[metric])]
            points.append((int(logged[-1]["step"]), float(reduce(found)) if found else math.nan))
    return Series(metric, tuple(step for step, _ in points), tuple(value for _, value in points))


def bundle_of(rows: Rows, points: int) -> int:
    """How many log events one of at most so many points stands for."""
    return max(1, math.ceil(len(rows) / max(1, points)))


def table_rows(every: Sequence[Series]) -> tuple[tuple[Any, ...], ...]:
    """(step, one value a series) for every step of any, None where a series has none; four digits."""
    columns = [dict(zip(one.steps, one.values, strict=True)) for one in every]
    steps = sorted({step for one in every for step in one.steps})
    return tuple((step, *(rounded(column.get(step)) for column in columns)) for step in steps)


def rounded(value: float | None) -> float | None:
    """To four digits, which is more than a picture shows; the log has the rest."""
    return None if value is None or not math.isfinite(value) else float(f"{value:.4g}")


def is_finite(value: Any) -> bool:
    """Whether a value is a number that can be drawn."""
    return isinstance(value, int | float) and math.isfinite(value)


@dataclass(frozen=True)
class Heat:
    """How the exponents of completions are spread, over the updates of a run.

    Attributes:
        starts, ends: updates from and to which a column is, [columns].
        edges: of the rows, rising, [rows + 1].
        shares: of the completions, [columns][rows], each column's summing to 1.
    """

    starts: tuple[int, ...]
    ends: tuple[int, ...]
    edges: tuple[float, ...]
    shares: tuple[tuple[float, ...], ...]


def heat(rows: Rows, metric: str, columns: int, bins: int = 20) -> Heat | None:
    """A histogram's course; None where no event has one.

    The histograms of events may have other edges each; their counts are spread over common ones by overlap.
    """
    found = [row for row in rows if _is_histogram(row.get(metric))]
    if not found:
        return None
    low = min(row[metric]["edges"][0] for row in found)
    high = max(row[metric]["edges"][-1] for row in found)
    edges = tuple(low + (high - low) * k / bins for k in range(bins + 1))
    bundle = bundle_of(found, columns)
    groups = [found[start : start + bundle] for start in range(0, len(found), bundle)]
    counts = [[sum(column) for column in zip(*(_spread(row[metric], edges) for row in g), strict=True)] for g in groups]
    return Heat(
        starts=tuple(_begin(rows, group[0]) for group in groups),
        ends=tuple(int(group[-1]["step"]) for group in groups),
        edges=edges,
        shares=tuple(tuple(value / sum(column) for value in column) for column in counts),
    )


def _begin(rows: Rows, event: Mapping[str, Any]) -> int:
    """The update that an event's window began after: that of the event before."""
    return max((int(row["step"]) for row in rows if row["step"] < event["step"]), default=0)


def _is_histogram(value: Any) -> bool:
    if not isinstance(value, Mapping):
        return False
    edges, counts = value.get("edges"), value.get("counts")
    if not isinstance(edges, Sequence) or not isinstance(counts, Sequence) or len(edges) != len(counts) + 1:
        return False
    return all(is_finite(edge) for edge in edges) and edges[-1] > edges[0] and sum(counts) > 0


def _spread(histogram: Mapping[str, Any], edges: Sequence[float]) -> list[float]:
    """Counts over other edges, each bin's in proportion to how much of it lies in each."""
    found = [0.0] * (len(edges) - 1)
    width = edges[1] - edges[0]
    own = histogram["edges"]
    for low, high, count in zip(own, own[1:], histogram["counts"], strict=False):
        if not count or high <= low:
            continue
        first = max(0, min(len(found) - 1, int((low - edges[0]) / width + 1e-9)))
        for place in range(first, len(found)):
            inside = min(high, edges[place + 1]) - max(low, edges[place])
            if inside <= 0:
                break
            found[place] += count * inside / (high - low)
    return found
