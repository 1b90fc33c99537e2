"""Panels that all pictures share: ratios of the tokens above, shares of the gradient below."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image
from torch import Tensor

import pmpo
from example import EXPLODING, FACTS, TOKENS, Weighing, weigh

BLUE, ORANGE, GREEN = "#0072B2", "#D55E00", "#009E73"  # Okabe and Ito: told apart by every kind of colour vision
INK, GREY, PALE = "#222222", "#6b6b6b", "#dfeaf3"
COLORS = (BLUE, ORANGE, GREEN)
RATIO = r"ratio  $\pi_\theta\,/\,\pi_{\mathrm{old}}$"
SIGNS = ("rewarded, A > 0", "punished, A < 0")
STYLE = {
    "font.family": "DejaVu Sans",
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": GREY,
    "axes.titlesize": 11,
    "text.color": INK,
    "axes.labelcolor": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "legend.frameon": False,
    "mathtext.fontset": "dejavusans",
}


@dataclass(frozen=True)
class Case:
    """An objective under a short label, with the facts of the batch and the token weights that it gets."""

    label: str
    objective: pmpo.Objective
    batch: pmpo.BatchContext = FACTS
    loss_weights: Tensor | None = None

    def weigh(self) -> Weighing:
        return weigh(self.objective, self.batch, self.loss_weights)


def new_figure(width: float, height: float) -> Figure:
    """An empty figure in inches; 8.6 are GitHub's text column, where 10 points are read without zooming."""
    figure = Figure(figsize=(width, height), dpi=200, layout="constrained", facecolor="white")
    FigureCanvasAgg(figure)
    return figure


def save(figure: Figure, path: Path) -> None:
    """Write a PNG of 256 colours, a third of the size of one with all of them."""
    written = io.BytesIO()
    figure.savefig(written, format="png")
    Image.open(written).convert("RGB").quantize(256, kmeans=1, dither=Image.Dither.NONE).save(path, optimize=True)


def token_axis(panel: Axes) -> None:
    panel.set_xticks(range(len(TOKENS)), TOKENS, family="DejaVu Sans Mono")
    panel.tick_params(axis="x", length=0)
    panel.get_xticklabels()[EXPLODING].set(color=ORANGE, weight="bold")
    panel.set_xlim(-0.6, len(TOKENS) - 0.4)


def ratio_axis(panel: Axes) -> None:
    panel.set_yscale("log", base=2)
    panel.set_ylim(0.42, 20)
    panel.set_yticks([0.5, 1, 2, 4, 8, 16], ["½", "1", "2", "4", "8", "16"])
    panel.minorticks_off()
    panel.axhline(1.0, color=GREY, linewidth=0.8)


def ratios(panel: Axes, case: Case, sign: int) -> None:
    """Ratio of each token; hollow where its gradient is 0, with a bar at the value that the trust region gives it."""
    found, region = case.weigh(), case.objective.trust_region
    ratio_axis(panel)
    if float(found.after.min()) < 0.42:
        panel.set_ylim(0.2, 20)
        panel.set_yticks([0.25, 0.5, 1, 2, 4, 8, 16], ["¼", "½", "1", "2", "4", "8", "16"])
    token_axis(panel)
    down, up = (float(bound) for bound in region.bounds(case.batch))
    if math.isfinite(up) or math.isfinite(down):
        panel.axhspan(math.exp(-min(down, 5.0)), math.exp(min(up, 5.0)), color=PALE, linewidth=0)
    for place, (ratio, after) in enumerate(zip(found.ratios[sign].tolist(), found.after[sign].tolist(), strict=True)):
        free = float(found.share[sign, place]) > 0
        panel.plot([place, place], [1.0, ratio], color=GREY, linewidth=1.2, zorder=2)
        panel.plot(place, ratio, "o", color=BLUE, markerfacecolor=BLUE if free else "white", markersize=6, zorder=3)
        if abs(math.log(after / ratio)) > 1e-9:
            panel.plot([place - 0.32, place + 0.32], [after, after], color=ORANGE, linewidth=2, zorder=4)
    panel.set_title(SIGNS[sign], weight="bold")
    if region.of_sequence is not None:
        _sequence_mean(panel, found, sign)
    elif sign == 0:
        _explain_marks(panel)


def _sequence_mean(panel: Axes, found: Weighing, sign: int) -> None:
    """The completion's mean ratio, which such a region compares with its bounds."""
    mean = float(found.power_mean[sign])
    panel.axhline(mean, color=ORANGE, linewidth=1.5, linestyle="--")
    verdict = "clipped" if float(found.size[sign]) == 0 else "not clipped"
    panel.text(-0.5, mean * 1.12, f"M = {mean:.2f}: {verdict}", color=ORANGE, va="bottom")


def _explain_marks(panel: Axes) -> None:
    panel.plot([], [], "o", color=BLUE, label="learns")
    panel.plot([], [], "o", color=BLUE, markerfacecolor="white", label="gradient 0")
    panel.plot([], [], color=ORANGE, linewidth=2, label="value after the region")
    panel.legend(loc="upper left", handlelength=1.0, borderaxespad=0.1, labelspacing=0.25, fontsize=9)


def shares(panel: Axes, cases: Sequence[Case], sign: int) -> None:
    """Share of the completion's gradient that each token gets, in per cent, one colour a case."""
    token_axis(panel)
    panel.axhline(100 / len(TOKENS), color=GREY, linewidth=0.9, linestyle=":")
    width = 0.8 / len(cases)
    for number, case in enumerate(cases):
        found = case.weigh()
        heights = (100 * found.share[sign]).tolist()
        places = [place + (number + 0.5) * width - 0.4 for place in range(len(TOKENS))]
        panel.bar(places, heights, 0.9 * width, color=COLORS[number], label=_legend(case, found, sign))
        if len(cases) == 1:
            for place, height in zip(places, heights, strict=True):
                write_share(panel, place, height, weight="bold" if place == EXPLODING else "normal")
    panel.legend(loc="upper left", handlelength=1.0, borderaxespad=0.1, labelspacing=0.25)
    if len(cases) == 1 and float(found.size[sign]) > 0:
        size = f"Σ|gradient| = {float(found.size[sign]):.2f}\n(1 when every ratio is 1)"
        panel.text(0.99, 0.98, size, transform=panel.transAxes, ha="right", va="top", fontsize=9, color=GREY)


def write_share(panel: Axes, place: float, height: float, **style: object) -> None:
    """A number in per cent above its bar, readable where it crosses a line."""
    paper = {"boxstyle": "square,pad=0.05", "facecolor": "white", "edgecolor": "none", "alpha": 0.85}
    style = {"fontsize": 9, "bbox": paper} | style
    panel.annotate(f"{height:.0f}", (place, height), (0, 3), textcoords="offset points", ha="center", **style)


def _legend(case: Case, found: Weighing, sign: int) -> str:
    if float(found.size[sign]) == 0:
        text = "no gradient: the whole completion is clipped"
    else:
        share = 100 * float(found.share[sign, EXPLODING])
        text = f"p = {float(found.exponent[sign]):.2g}, “{TOKENS[EXPLODING]}” {share:.0f}%".replace("-", "−")
    return f"{case.label}: {text}" if case.label else text


def weighing(path: Path, cases: Sequence[Case], top: float) -> None:
    """The picture of a part: ratios above, shares below, rewarded on the left and punished on the right.

    Args:
        top: end of the axis of shares, per cent.
    """
    figure = new_figure(8.6, 4.6)
    panels = figure.subplots(2, 2, sharey="row", height_ratios=(1.0, 1.15))
    for sign in (0, 1):
        ratios(panels[0, sign], cases[0], sign)
        shares(panels[1, sign], cases, sign)
        panels[1, sign].set_ylim(0, top)
        panels[1, sign].set_yticks(range(0, min(int(top), 100) + 1, 20))
    panels[0, 0].set_ylabel(RATIO)
    panels[1, 0].set_ylabel("share of the gradient, %")
    save(figure, path)
