"""Pictures as SVG text: self-contained, light by its own attributes, recoloured by a page through its classes.

Coordinates are CSS pixels; no text is smaller than `FONT`. Series differ by colour, by the shape of their dots and by
the dashes of their lines.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise

from pmpo.report.escape import escape

FONT = 13
"""Size of the text in pixels."""
COLOURS = {
    "paper": ("#ffffff", "#15181d"),
    "ink": ("#1c2127", "#e8eaed"),
    "muted": ("#5a626c", "#a4acb6"),
    "grid": ("#dfe3e8", "#333a43"),
    "c1": ("#0072b2", "#4aa8e0"),
    "c2": ("#c45000", "#f0883e"),
    "c3": ("#00815d", "#2fbf94"),
    "c4": ("#a8488a", "#dd8cc1"),
    "c5": ("#8a6500", "#d9ab2b"),
    "c6": ("#5b5bc4", "#9b9bf2"),
    "c7": ("#b3263e", "#f2738a"),
    "c8": ("#46606f", "#93b3c4"),
    "good": ("#00815d", "#2fbf94"),
    "bad": ("#b3263e", "#f2738a"),
}
"""{class: (on light, on dark)}. After Okabe and Ito; text colours have a contrast of 4.5 to the paper, marks of 3."""
DASHES = ("", "7 3", "2 3", "8 3 2 3", "12 4", "4 2", "1 3", "10 3 2 3 2 3")
SHAPES = ("circle", "square", "triangle", "diamond", "fall", "cross", "plus", "pentagon")
_GLYPH = 0.62
"""Width of a character as a share of its size, on the wide side for a sans-serif."""


def series_class(index: int) -> str:
    """The colour class of the n-th series: c1 … c8, then again (with another shape, see `mark`)."""
    return f"c{index % 8 + 1}"


def number(value: float) -> str:
    """A number of a label: short, without an exponent where it reads well.

    >>> number(0.0004), number(0.25), number(12000.0), number(-1.0)
    ('4e-4', '0.25', '12,000', '-1')
    """
    if not math.isfinite(value):
        return "–" if math.isnan(value) else "∞" if value > 0 else "-∞"
    if value and not 1e-3 <= abs(value) < 1e6:
        mantissa, _, exponent = (
            f"{value:.3g}".partition("e") if "e" in f"{value:.3g}" else f"{value:.2e}".partition("e")
        )
        return f"{float(mantissa):g}e{int(exponent)}"
    return f"{value:,.0f}" if abs(value) >= 1000 and value == int(value) else f"{value:.4g}"


def text_width(text: str, size: float = FONT) -> float:
    """About how many pixels a text takes, rather too many than too few."""
    return _GLYPH * size * len(text)


def px(value: float) -> str:
    """A coordinate, to a tenth of a pixel."""
    return f"{value:.1f}".removesuffix(".0")


@dataclass(frozen=True)
class Dot:
    """One dot of a series.

    Attributes:
        x, y: its middle, pixels.
        hollow: its outline alone, for a run that diverged or crashed.
        target, name: where a click leads and what is read out; "" for a dot without a link.
        id: of its element, "" for none.
    """

    x: float
    y: float
    hollow: bool = False
    target: str = ""
    name: str = ""
    id: str = ""


class Canvas:
    """Marks one after the other; `svg()` is the picture."""

    def __init__(self, width: float, height: float) -> None:
        self.width, self.height = width, height
        self._marks: list[str] = []

    def add(self, markup: str) -> None:
        """Markup as it is."""
        self._marks.append(markup)

    def text(
        self, x: float, y: float, text: str, kind: str = "ink", *, anchor: str = "start", size: float = FONT,
        bold: bool = False, turn: float = 0,
    ) -> None:  # fmt: skip
        """A line of text; `y` is its baseline, `turn` degrees about its start."""
        more = f' font-size="{px(size)}"' if size != FONT else ""
        more += ' font-weight="600"' if bold else ""
        more += f' transform="rotate({px(turn)} {px(x)} {px(y)})"' if turn else ""
        more += f' text-anchor="{anchor}"' if anchor != "start" else ""
        self.add(f'<text x="{px(x)}" y="{px(y)}"{more} fill="currentColor"{_in(kind)}>{escape(text)}</text>')

    def texts(self, words: Iterable[tuple[float, float, str]], kind: str = "ink", *, anchor: str = "start",
              bold: bool = False) -> None:  # fmt: skip
        """Several texts in one style: (x, y, text)."""
        written = "".join(f'<text x="{px(x)}" y="{px(y)}">{escape(text)}</text>' for x, y, text in words)
        more = ' font-weight="600"' if bold else ""
        if written:
            self.add(f'<g text-anchor="{anchor}"{more} fill="currentColor"{_in(kind)}>{written}</g>')

    def line(self, x1: float, y1: float, x2: float, y2: float, kind: str = "grid", *, width: float = 1,
             dash: str = "") -> None:  # fmt: skip
        """A straight line."""
        self.lines([(x1, y1, x2, y2)], kind, width=width, dash=dash)

    def lines(self, ends: Iterable[tuple[float, float, float, float]], kind: str = "grid", *, width: float = 1,
              dash: str = "") -> None:  # fmt: skip
        """Several straight lines in one style."""
        more = f' stroke-dasharray="{dash}"' if dash else ""
        data = "".join(f"M{px(x1)} {px(y1)}L{px(x2)} {px(y2)}" for x1, y1, x2, y2 in ends)
        if data:
            self.add(f'<path d="{data}" stroke="currentColor" stroke-width="{px(width)}"{more}{_in(kind)}/>')

    def path(self, points: Iterable[tuple[float, float]], kind: str, *, width: float = 2, dash: str = "",
             opacity: float = 1) -> None:  # fmt: skip
        """A line through points; one that is not finite leaves a gap."""
        more = f' stroke-dasharray="{dash}"' if dash else ""
        more += f' stroke-opacity="{opacity:g}"' if opacity != 1 else ""
        data = _path(points)
        if data:
            self.add(
                f'<path d="{data}" fill="none" stroke="currentColor" stroke-width="{px(width)}" stroke-linejoin="round"'
                f"{more}{_in(kind)}/>"
            )

    def area(self, points: Sequence[tuple[float, float]], kind: str, *, opacity: float = 0.18) -> None:
        """A filled shape without an edge."""
        data = _path(points)
        if data:
            self.add(f'<path d="{data}Z" fill="currentColor" fill-opacity="{opacity:g}"{_in(kind)}/>')

    def rect(self, x: float, y: float, width: float, height: float, kind: str, *, opacity: float = 1) -> None:
        """A filled rectangle."""
        more = f' fill-opacity="{opacity:.3g}"' if opacity != 1 else ""
        self.add(
            f'<rect x="{px(x)}" y="{px(y)}" width="{px(max(width, 0))}" height="{px(max(height, 0))}" '
            f'fill="currentColor"{more}{_in(kind)}/>'
        )

    def cells(self, boxes: Iterable[tuple[float, float, float, float, float]], kind: str) -> None:
        """Several filled rectangles in one colour: (x, y, width, height, opacity)."""
        drawn = "".join(
            f'<path d="M{px(x)} {px(y)}h{px(width)}v{px(height)}h{px(-width)}z" fill-opacity="{opacity:.2g}"/>'
            for x, y, width, height, opacity in boxes
        )
        if drawn:
            self.add(f'<g fill="currentColor"{_in(kind)}>{drawn}</g>')

    def mark(self, x: float, y: float, index: int, *, size: float = 5, kind: str = "") -> None:
        """A dot of the n-th series in its shape and colour, or in the colour `kind`."""
        self.dots_at([Dot(x, y)], index, size=size, kind=kind)

    def dots_at(self, dots: Sequence[Dot], index: int, *, size: float = 4, kind: str = "") -> None:
        """Dots of the n-th series in its shape and colour, or in the colour `kind`."""
        marks = "".join(_dot(dot, index, size) for dot in dots if math.isfinite(dot.x + dot.y))
        if marks:
            style = 'fill="currentColor" stroke="currentColor" stroke-width="1.5"'
            self.add(f"<g {style}{_in(kind or series_class(index))}>{marks}</g>")

    def svg(self) -> str:
        """The picture as one element."""
        size = f"{px(self.width)} {px(self.height)}"
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {size}" width="{px(self.width)}" '
            f"height=\"{px(self.height)}\" font-family=\"system-ui, 'Segoe UI', 'DejaVu Sans', sans-serif\" "
            f'font-size="{FONT}"><rect width="100%" height="100%" fill="currentColor"{_in("paper")}/>'
            f"{''.join(self._marks)}</svg>"
        )


def _in(kind: str) -> str:
    """A colour class with its colour on light paper."""
    return f' class="{kind}" color="{COLOURS[kind][0]}"'


def _path(points: Iterable[tuple[float, float]]) -> str:
    parts, pen = [], "M"
    for x, y in points:
        if math.isfinite(x + y):
            parts.append(f"{pen}{px(x)} {px(y)}")
            pen = "L"
        else:
            pen = "M"
    return "".join(parts)


def _dot(dot: Dot, index: int, size: float) -> str:
    hollow = ' fill="none"' if dot.hollow else ""
    shape = f'<path d="{_shape(dot.x, dot.y, index, size)}"{hollow}/>'
    if not dot.target:
        return shape
    own = f' id="{dot.id}"' if dot.id else ""
    return f'<a href="{escape(dot.target)}"{own}>{shape}<title>{escape(dot.name)}</title></a>'


def _shape(x: float, y: float, index: int, size: float) -> str:
    """The outline of the n-th series' dot; the second eight series have the shapes in another order."""
    return f"M{px(x)} {px(y)}{_outline(SHAPES[(index + index // 8 * 3) % len(SHAPES)], size)}"


@cache
def _outline(shape: str, size: float) -> str:
    """From the middle of a dot on, in steps: short, as there may be thousands."""
    if shape == "circle":
        half = f"a{px(size)} {px(size)} 0 1 0"
        return f"m{px(-size)} 0{half} {px(2 * size)} 0{half} {px(-2 * size)} 0z"
    corners = [(0.0, 0.0), *_CORNERS[shape]]
    steps = [f"{px(size * (b[0] - a[0]))} {px(size * (b[1] - a[1]))}" for a, b in pairwise(corners)]
    return "m" + "l".join(steps) + "z"


_CORNERS: dict[str, tuple[tuple[float, float], ...]] = {
    "square": ((-0.9, -0.9), (0.9, -0.9), (0.9, 0.9), (-0.9, 0.9)),
    "triangle": ((0, -1.15), (1.05, 0.8), (-1.05, 0.8)),
    "fall": ((0, 1.15), (1.05, -0.8), (-1.05, -0.8)),
    "diamond": ((0, -1.25), (1.05, 0), (0, 1.25), (-1.05, 0)),
    "pentagon": ((0, -1.1), (1.05, -0.34), (0.65, 0.9), (-0.65, 0.9), (-1.05, -0.34)),
    "plus": (
        (-0.35, -1.1), (0.35, -1.1), (0.35, -0.35), (1.1, -0.35), (1.1, 0.35), (0.35, 0.35), (0.35, 1.1), (-0.35, 1.1),
        (-0.35, 0.35), (-1.1, 0.35), (-1.1, -0.35), (-0.35, -0.35),
    ),
    "cross": (
        (-1.05, -0.55), (-0.55, -1.05), (0, -0.5), (0.55, -1.05), (1.05, -0.55), (0.5, 0), (1.05, 0.55), (0.55, 1.05),
        (0, 0.5), (-0.55, 1.05), (-1.05, 0.55), (-0.5, 0),
    ),
}  # fmt: skip
"""Corners of each shape about its middle, in shares of its size."""
