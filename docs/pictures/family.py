"""All presets on the one completion: which token gets which share of its gradient."""

from __future__ import annotations

from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.colors import PowerNorm

import pmpo
from example import FACTS, TOKENS, Weighing
from panels import GREY, SIGNS, Case, new_figure, save, token_axis


def draw(folder: Path) -> None:
    figure = new_figure(8.6, 8.8)
    figure.get_layout_engine().set(hspace=0.06)
    panels = figure.subplots(2, 1)
    found = {name: Case(name, preset, FACTS).weigh() for name, preset in pmpo.OBJECTIVES.items()}
    for sign in (0, 1):
        _table(panels[sign], found, sign)
    save(figure, folder / "family.png")


def _table(panel: Axes, found: dict[str, Weighing], sign: int) -> None:
    """A row a preset, a column a token; the number is the share in per cent, and dark is much."""
    rows = [[100 * value for value in weighing.share[sign].tolist()] for weighing in found.values()]
    panel.imshow(rows, cmap="Blues", norm=PowerNorm(0.5, vmin=0, vmax=80), aspect="auto")
    for row, values in enumerate(rows):
        for place, value in enumerate(values):
            color = "white" if value > 30 else GREY if value == 0 else "black"
            panel.text(place, row, f"{value:.0f}", ha="center", va="center", fontsize=9, color=color)
    for row, weighing in enumerate(found.values()):
        size = float(weighing.size[sign])
        text = f"p = {float(weighing.exponent[sign]):.2g}, Σ|g| {size:.2f}" if size else "clipped as a whole"
        panel.text(len(TOKENS) - 0.35, row, text, va="center", fontsize=9)
    panel.set_yticks(range(len(rows)), list(found), family="DejaVu Sans Mono")
    token_axis(panel)
    panel.set_xlim(-0.5, len(TOKENS) - 0.5)
    panel.tick_params(axis="y", length=0)
    panel.spines[:].set_visible(False)
    panel.set_title(f"{SIGNS[sign]}: share of the completion's gradient, %", weight="bold", loc="left")
