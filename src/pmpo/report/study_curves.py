"""curves.png of a study: held-out scores over training, one panel a cell, one line an objective."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any

from pmpo.comparison.grid import value_text
from pmpo.comparison.results import FINISHED, RunResult, by_cell
from pmpo.comparison.study import Study
from pmpo.report.figure import new_figure, save_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_COLOURS = ("#0072b2", "#c45000", "#00815d", "#a8488a", "#8a6500", "#5b5bc4", "#b3263e", "#46606f")
_DASHES = ("-", "--", ":", "-.")
_MARKS = "os^Dv*Xp"
_LABELS = {"pass_at_1": "held-out pass@1", "reward": "held-out mean reward"}
_ACROSS = 4
_MOST = 24
"""Panels; of larger studies the first ones are drawn, and the title says so."""


def draw_study_curves(path: Path, study: Study, results: Sequence[RunResult]) -> Path:
    """Draw a study's curves: every run as a thin line, the mean over seeds as a thick one, with a cross where a run
    diverged or crashed.

    Args:
        path: of the picture.
        study: gives the order of panels and colours.
    Returns: `path`.
    """
    found = by_cell(run for run in results if run.curve)
    cells = [cell for cell in study.cells if tuple(sorted(cell.items())) in found]
    shown = cells[:_MOST]
    labels = list(dict.fromkeys([*study.objectives, *(run.objective for run in results)]))
    across = max(1, min(_ACROSS, len(shown)))
    down = max(1, math.ceil(len(shown) / across))
    figure = new_figure(1.2 + (5.8 if across == 1 else 4.2) * across, 1.2 + (3.8 if across == 1 else 2.9) * down)
    panels = figure.subplots(down, across, sharex=True, sharey=True, squeeze=False)
    for cell, panel in zip(shown, panels.ravel(), strict=False):
        panel.set_title("\n".join(f"{name} {value_text(cell[name])}" for name in _varied(shown)), fontsize=9)
        _panel(panel, found[tuple(sorted(cell.items()))], labels)
    for panel in panels.ravel()[len(shown) :]:
        panel.set_axis_off()
    for panel in panels[-1]:
        panel.set_xlabel("optimiser step")
    for panel in panels[:, 0]:
        panel.set_ylabel(_LABELS[study.score])
    _legend(figure, panels.ravel(), labels)
    if len(shown) < len(cells):
        figure.suptitle(f"the first {len(shown)} of {len(cells)} cells")
    return save_figure(figure, path)


def _legend(figure: Figure, panels: Sequence[Axes], labels: Sequence[str]) -> None:
    handles: dict[str, Any] = {}
    for panel in panels:
        handles |= {label: handle for handle, label in zip(*panel.get_legend_handles_labels(), strict=True)}
    there = [label for label in labels if label in handles]
    figure.legend([handles[label] for label in there], there, loc="outside lower center", ncols=4, frameon=False)


def _varied(cells: Sequence[Mapping[str, Any]]) -> list[str]:
    """Settings that differ between the panels."""
    return [name for name in (cells[0] if cells else ()) if any(cell[name] != cells[0][name] for cell in cells)]


def _panel(panel: Axes, runs_of: Mapping[str, Sequence[RunResult]], labels: Sequence[str]) -> None:
    panel.grid(alpha=0.25)
    panel.spines[["top", "right"]].set_visible(False)
    for label in (label for label in labels if label in runs_of):
        place, runs = labels.index(label), runs_of[label]
        colour, dash = _COLOURS[place % len(_COLOURS)], _DASHES[place // len(_COLOURS) % len(_DASHES)]
        for run in runs:
            steps, scores = [p.step for p in run.curve], [p.score for p in run.curve]
            panel.plot(steps, scores, color=colour, alpha=0.35, linewidth=0.8)
            if run.status != FINISHED:
                panel.plot(steps[-1:], scores[-1:], "x", color=colour, markersize=8, markeredgewidth=2)
        mark = _MARKS[place % len(_MARKS)]
        panel.plot(*_mean(runs), color=colour, linestyle=dash, linewidth=2.2, marker=mark, markersize=5, label=label)


def _mean(runs: Sequence[RunResult]) -> tuple[list[int], list[float]]:
    """Over the runs that ended in order, at the steps that all of them have."""
    curves = [{p.step: p.score for p in run.curve} for run in runs if run.status == FINISHED]
    common = sorted(set.intersection(*(set(curve) for curve in curves))) if curves else []
    return common, [fmean(curve[step] for curve in curves) for step in common]
