"""Charts with two axes: data in their own units go in, marks come out (`pmpo.report.svg`)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from pmpo.report.axis import Axis
from pmpo.report.svg import DASHES, FONT, Canvas, series_class, text_width


@dataclass(frozen=True)
class Box:
    """The plot's rectangle inside its chart."""

    left: float
    top: float
    right: float
    bottom: float


class Chart(Canvas):
    """A canvas with two axes: data in their units go in, marks come out.

    Args:
        x, y: the axes.
        title: over the plot, "" for none (a page writes the figure's title itself).
        width, height: of all of it, pixels. 352 is what a phone shows without scrolling.
        left: room for the labels of the vertical axis.
    """

    def __init__(self, x: Axis, y: Axis, *, title: str = "", width: float = 352, height: float = 264,
                 left: float | None = None) -> None:  # fmt: skip
        super().__init__(width, height)
        self.x, self.y = x, y
        wide = max((text_width(text) for _, text in y.chosen_ticks()), default=0.0)
        left = left if left is not None else 10 + wide + (FONT + 8 if y.label else 0)
        self.box = Box(left, 26 if title else 12, width - 12, height - (46 if x.label else 28))
        if title:
            self.text(left, 16, title, bold=True)
        self._axes()

    def at(self, x: float, y: float) -> tuple[float, float]:
        """The place of a point of the data, in pixels; values beyond an axis lie on its end."""
        across, up = self.x.share(x), self.y.share(y)
        box = self.box
        return (box.left + _kept(across) * (box.right - box.left), box.bottom - _kept(up) * (box.bottom - box.top))

    def curve(self, xs: Sequence[float], ys: Sequence[float], index: int, *, kind: str = "", width: float = 2,
              dash: str | None = None, opacity: float = 1) -> None:  # fmt: skip
        """The n-th series as a line, with its dashes; a single point, which no line shows, as a dot."""
        points = [self.at(x, y) for x, y in zip(xs, ys, strict=True)]
        if len([p for p in points if math.isfinite(p[0] + p[1])]) == 1:
            self.dots(xs, ys, index, kind=kind)
        dashes = DASHES[index % len(DASHES)] if dash is None else dash
        self.path(points, kind or series_class(index), width=width, dash=dashes, opacity=opacity)

    def dots(self, xs: Sequence[float], ys: Sequence[float], index: int, *, kind: str = "", size: float = 4) -> None:
        """The n-th series as dots of its shape."""
        for x, y in zip(xs, ys, strict=True):
            across, down = self.at(x, y)
            if math.isfinite(across + down):
                self.mark(across, down, index, kind=kind, size=size)

    def band(self, xs: Sequence[float], lows: Sequence[float], highs: Sequence[float], index: int, *,
             kind: str = "") -> None:  # fmt: skip
        """The range between two lines, lightly filled."""
        rows = [r for r in zip(xs, lows, highs, strict=True) if all(map(math.isfinite, r))]
        upper = [self.at(x, high) for x, _, high in rows]
        lower = [self.at(x, low) for x, low, _ in reversed(rows)]
        self.area([*upper, *lower], kind or series_class(index))

    def bars(self, xs: Sequence[float], heights: Sequence[float], index: int, *, width: float, base: float = 0.0,
             kind: str = "") -> None:  # fmt: skip
        """Bars about `xs`, `width` wide in the unit of the x axis, from `base` on."""
        for x, value in zip(xs, heights, strict=True):
            (left, top), (right, bottom) = (
                self.at(x - width / 2, max(value, base)),
                self.at(x + width / 2, min(value, base)),
            )
            self.rect(left, top, right - left, bottom - top, kind or series_class(index), opacity=0.85)

    def rule(self, *, x: float | None = None, y: float | None = None, label: str = "", kind: str = "muted",
             dash: str = "4 3") -> None:  # fmt: skip
        """A straight line through a value of one axis, with its name."""
        box = self.box
        if y is not None:
            height = self.at(self.x.low, y)[1]
            self.line(box.left, height, box.right, height, kind, dash=dash)
            if label:
                self.text(box.right, height - 4, label, "muted", anchor="end")
        if x is not None:
            across = self.at(x, self.y.low)[0]
            self.line(across, box.top, across, box.bottom, kind, dash=dash)
            if label:
                self.text(across + 4, box.top + FONT, label, "muted")

    def legend(self, names: Sequence[tuple[int, str]], *, lines: bool = True, dots: bool = True,
               kinds: Sequence[str] = ()) -> None:  # fmt: skip
        """The names of series below the chart, which grows by the room they need.

        Args:
            names: (number of the series, name).
            lines, dots: what its samples show.
            kinds: colour of each where it is not its series'.
        """
        across, down = 8.0, self.height + FONT
        for place, (index, name) in enumerate(names):
            kind = kinds[place] if kinds else series_class(index)
            width = 42 + text_width(name)
            if across > 8 and across + width > self.width:
                across, down = 8.0, down + FONT + 7
            if lines:
                self.line(across, down - 4, across + 24, down - 4, kind, width=2, dash=DASHES[index % len(DASHES)])
            if dots:
                self.mark(across + 12, down - 4, index, size=4, kind=kind)
            self.text(across + 30, down, name)
            across += width
        if names:
            self.height = down + 8

    def _axes(self) -> None:
        box = self.box
        up = self.y.chosen_ticks(max(2, int((box.bottom - box.top) / 34)))
        heights = [self.at(self.x.low, value)[1] for value, _ in up]
        self.lines([(box.left, height, box.right, height) for height in heights])
        beside = [(box.left - 6, height + 0.35 * FONT, text) for height, (_, text) in zip(heights, up, strict=True)]
        self.texts(beside, "muted", anchor="end")
        room = max((text_width(text) for _, text in self.x.chosen_ticks()), default=1.0) + 12
        along = [
            (self.at(value, self.y.low)[0], text)
            for value, text in self.x.chosen_ticks(max(2, int((box.right - box.left) / room)))
        ]
        self.lines([(across, box.bottom, across, box.bottom + 4) for across, _ in along], "muted")
        # Whole in the picture, also at its right end.
        below = [(min(a, self.width - text_width(text) / 2), box.bottom + 4 + FONT, text) for a, text in along]
        self.texts(below, "muted", anchor="middle")
        self.line(box.left, box.bottom, box.right, box.bottom, "muted")
        if self.x.label:
            self.text((box.left + box.right) / 2, box.bottom + 37, self.x.label, anchor="middle")
        if self.y.label:
            self.text(FONT, (box.top + box.bottom) / 2, self.y.label, anchor="middle", turn=-90)


def _kept(share: float) -> float:
    return min(max(share, 0.0), 1.0) if share == share else math.nan
