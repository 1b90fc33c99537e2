"""Tables and a picture from the results of tabular.py, with the statistics of pmpo.comparison."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from pmpo.comparison.results import Point, RunResult
from pmpo.comparison.tables import against_best
from pmpo.comparison.rate_tables import tuned_scores
from tabular_contenders import CANDIDATES, PRESETS

CENTRE_TITLES = {
    "sampler": "Ratios and regions centred at the sampler",
    "decoupled": "Decoupled: centred at the start of the round, tokens weighted by min(π_start/π_sampler, 2)",
}

SHOWN = {
    "grpo": {"color": "#777777", "marker": "o"},
    "gmpo": {"color": "#0072B2", "marker": "s"},
    "pmpo": {"color": "#56B4E9", "marker": "D"},
    "cispo": {"color": "#E69F00", "marker": "^"},
    "sapo": {"color": "#CC79A7", "marker": "v"},
    "p = −sign(A), log clip .4": {"color": "#009E73", "marker": "X", "linestyle": "--"},
    "p = 1 − sign(A), log clip .4": {"color": "#D55E00", "marker": "P"},
    "governor, log clip .8": {"color": "#000000", "marker": "*"},
}
"""What the picture shows, by color and shape."""


def tables(rows: list[dict]) -> str:
    """All tables as Markdown."""
    problems = dict.fromkeys(row["problem"] for row in rows)
    found = [_tuned_table(rows, "share", centre) for centre in CENTRE_TITLES]
    return "\n\n".join([*found, *(_against_presets(rows, problem) for problem in problems)])


def results(rows: Iterable[dict]) -> list[RunResult]:
    """One RunResult a run: its score is the area under the curve, its settings are regime and learning rate."""
    return [
        RunResult(
            objective=row["contender"],
            settings={"regime": row["regime"], "learning_rate": rate},
            seed=seed,
            status="finished",
            curve=(Point(0, 0, value),),
            steps=0,
        )
        for row in rows
        for seed, values in enumerate(row["area"])
        for rate, value in zip(row["rates"], values, strict=True)
    ]


def at(rows: list[dict], problem: str, centre: str) -> list[dict]:
    """The cells of a problem with this centre; where all samples are of the start of the round, every centre is it."""
    return [row for row in rows if row["problem"] == problem and row["centre"] in (centre, _same(row))]


def _same(row: dict) -> str:
    return "start" if row["regime"] in ("fresh", "4 epochs") else ""


def _tuned_table(rows: list[dict], problem: str, centre: str) -> str:
    scores = tuned_scores(results(at(rows, problem, centre)))
    regimes = list(dict.fromkeys(score.settings["regime"] for score in scores))
    cells = {(score.objective, score.settings["regime"]): score.score for score in scores}
    lines = [f"### {CENTRE_TITLES[centre]}", "", f"| | {' | '.join(regimes)} |", "|---" * (len(regimes) + 1) + "|"]
    for label in dict.fromkeys(score.objective for score in scores):
        known = [cells.get((label, regime)) for regime in regimes]
        texts = ["" if e is None else f"{e.value:.3f} ± {(e.high - e.low) / 2:.3f}" for e in known]
        lines.append(f"| {label} | {' | '.join(texts)} |")
    return "\n".join(lines)


def _against_presets(rows: list[dict], problem: str) -> str:
    """Candidates minus the best preset at every rate, decoupled, with the probability of improvement."""
    here = at(rows, problem, "decoupled")
    rates = here[0]["rates"] if here else ()
    lines = [
        f"### Beside the best preset, problem `{problem}`",
        "",
        f"| | regime | {' | '.join(f'{rate:g}' for rate in rates)} |",
        "|---" * (len(rates) + 2) + "|",
    ]
    for label in (*CANDIDATES, "gmpo", "pmpo"):
        others = [row for row in here if row["contender"] in PRESETS and row["contender"] != label]
        own = [row for row in here if row["contender"] == label]
        if not own or not others:
            continue
        by_regime: dict[str, list[str]] = {}
        for one in against_best(results([*own, *others]), label):
            low, high = (1000 * bound for bound in (one.difference.low, one.difference.high))
            text = f"{1000 * one.difference.value:+.0f} ({low:+.0f} … {high:+.0f}), {one.improvement.value:.2f}"
            by_regime.setdefault(one.settings["regime"], []).append(text)
        lines += [f"| {label} | {regime} | {' | '.join(texts)} |" for regime, texts in by_regime.items()]
    return "\n".join(lines)


def picture(rows: list[dict], path: Path) -> None:
    """Area under the curve against the learning rate, decoupled, a panel for every problem and regime."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    panels = list(dict.fromkeys((row["problem"], row["regime"]) for row in rows if row["contender"] in SHOWN))
    panels = [place for place in panels if len(_panel(rows, *place)) > 2]
    figure, axes = plt.subplots(1, len(panels), figsize=(3.1 * len(panels), 3.8), layout="constrained", squeeze=False)
    handles = {}
    for panel, (problem, regime) in zip(axes[0], panels, strict=True):
        for row in _panel(rows, problem, regime):
            mean = [sum(column) / len(column) for column in zip(*row["area"], strict=True)]
            (handles[row["contender"]],) = panel.plot(row["rates"], mean, linewidth=1.6, **SHOWN[row["contender"]])
            panel.set_xscale("log")
            panel.set_xticks(row["rates"], [f"{rate:g}" for rate in row["rates"]])
        panel.minorticks_off()
        panel.set(xlabel="learning rate", title=f"{problem}\n{regime}")
        panel.spines[["top", "right"]].set_visible(False)
    axes[0][0].set_ylabel("area under the expected reward")
    figure.legend(list(handles.values()), list(handles), loc="outside lower center", ncols=4, frameon=False)
    figure.savefig(path, dpi=110)


def _panel(rows: list[dict], problem: str, regime: str) -> list[dict]:
    return [row for row in at(rows, problem, "decoupled") if row["regime"] == regime and row["contender"] in SHOWN]
