"""Seconds of a round by stage against GPUs, for every model and length."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parents[1] / "docs" / "pictures")]

import matplotlib
from matplotlib.axes import Axes

from panels import BLUE, GREEN, GREY, INK, ORANGE, STYLE, new_figure
from scale_paper import COUNTS, MODELS, RUNS, Point, scaling

STAGES = {"rollout": BLUE, "old log-probabilities": GREEN, "update": ORANGE, "weights to the sampler": GREY}


def picture(path: Path) -> None:
    """Bars: the same batch on more GPUs. Diamonds: the batch grows with them."""
    with matplotlib.rc_context(STYLE):
        figure = new_figure(8.6, 6.4)
        axes = figure.subplots(len(RUNS), len(MODELS), squeeze=False)
        for row, (name, run) in zip(axes, RUNS.items(), strict=True):
            for panel, model in zip(row, MODELS, strict=True):
                _panel(panel, scaling(model, run, weak=False), scaling(model, run, weak=True))
                panel.set_title(f"{model.name}, {name}")
            row[0].set_ylabel("seconds of a round")
        for panel in axes[-1]:
            panel.set_xlabel("H100 GPUs")
        handles, labels = axes[0][0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=3)
        figure.suptitle("Percent: new tokens a second and GPU, against the first bar", fontsize=10, color=GREY)
        figure.savefig(path)


def _panel(panel: Axes, strong: list[Point], weak: list[Point]) -> None:
    base = next(one for one in strong if one.plan)
    bottom = [0.0] * len(strong)
    for stage, colour in STAGES.items():
        heights = [one.seconds.get(stage, 0.0) for one in strong]
        panel.bar(range(len(strong)), heights, 0.62, bottom, color=colour, label=stage)
        bottom = [low + height for low, height in zip(bottom, heights, strict=True)]
    places = [place for place, one in enumerate(weak) if one.plan]
    panel.plot(places, [weak[place].round for place in places], "D", color=INK, markersize=4, label="batch grown too")
    for place, one in enumerate(strong):
        share = one.plan and one.speed / one.gpus / (base.speed / base.gpus)
        text = f"{share:.0%}" if one.plan else "does\nnot fit"
        panel.annotate(text, (place, bottom[place]), (0, 7), textcoords="offset points", ha="center", va="bottom")
    panel.set_xticks(range(len(strong)), [f"{count:,}" for count in COUNTS])
    panel.margins(y=0.15)
