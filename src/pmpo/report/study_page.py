"""The report of a study: verdict, regimes, scores, differences, probabilities, targets, runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from pmpo.comparison.results import FINISHED
from pmpo.comparison.tables import RATE, robustness
from pmpo.report.escape import escape
from pmpo.report.page import size
from pmpo.report.parts import Figure, Fold, Html, Part, Report, Section, Table, Text, figures_in
from pmpo.report.run_report import featured_runs
from pmpo.report.study_best import best_figure
from pmpo.report.study_facts import StudyFacts
from pmpo.report.study_forest import forest_parts
from pmpo.report.study_improvement import improvement_figure
from pmpo.report.study_regimes import regime_figure
from pmpo.report.study_runs import broken_table, details, first_to_show, list_of_runs
from pmpo.report.study_scores import dot_name, score_figures
from pmpo.report.study_targets import target_figures
from pmpo.report.study_verdict import Verdict, verdict

BUDGET = 980_000
"""Bytes of a page: under 1 MB."""
FRAME = 40_000
"""Of these, what a page takes for its style, scripts, contents and lead."""
_FEATURED = 0.6
"""Share of the room beside the figures for whole runs; the rest is for details of many."""
_FOLDED = 6
"""Panels of scores or targets that are shown at once; more are folded."""


def study_page(facts: StudyFacts, budget: int = BUDGET) -> Report:
    """The page of a study, with details of as many runs as fit in the budget of bytes."""
    said = verdict(facts)
    lead = _lead(facts, said)
    fixed = fitting(_figures(facts, said.objective), budget - FRAME - size([_runs(facts, {})]))
    room = budget - FRAME - size([*fixed, _runs(facts, {})])
    featured = featured_runs(facts, said.run, int(_FEATURED * room))
    room -= sum(size(sections) for sections in featured.values())
    shown: dict[int, str] = {}
    for run in first_to_show(facts, said.run):
        n = facts.number(run)
        text = details(facts, run, [(section.id, section.title) for section in featured.get(n, ())])
        room -= len(text.encode())
        if room < 0:
            break
        shown[n] = text
    every = [section for sections in featured.values() for section in sections]
    return Report(f"Study {facts.name}", (*fixed, _runs(facts, shown), *every), lead)


def fitting(sections: Sequence[Section], budget: int) -> list[Section]:
    """The sections without the last figures of the largest of them, as far as the budget of bytes demands."""
    kept, left_out = list(sections), 0
    while size(kept) > budget and any(len(list(figures_in(section.parts))) > 1 for section in kept):
        largest = max(kept, key=lambda section: size([section]) if len(list(figures_in(section.parts))) > 1 else 0)
        last = list(figures_in(largest.parts))[-1]
        kept[kept.index(largest)] = replace(largest, parts=_without(largest.parts, last))
        left_out += 1
    if left_out:
        note = Text((f"{left_out} figures of the sections above were left out to keep the page under 1 MB.",))
        kept[-1] = replace(kept[-1], parts=(*kept[-1].parts, note))
    return kept


def _without(parts: Sequence[Part], figure: Figure) -> tuple[Part, ...]:
    inside = [replace(part, parts=_without(part.parts, figure)) if isinstance(part, Fold) else part for part in parts]
    return tuple(part for part in inside if part is not figure and part != Fold(getattr(part, "title", ""), ()))


def _lead(facts: StudyFacts, said: Verdict) -> tuple[Part, ...]:
    parts: list[Part] = [Text((said.sentence,))]
    if said.run is not None:
        n = facts.number(said.run)
        parts.append(
            Html(
                f'<p>The run in the middle of its seeds: <a href="#d{n}">{escape(dot_name(facts, said.run))}</a> '
                f'(<a href="#r{n}">the run itself</a>).</p>'
            )
        )
    seeds = {run.seed for run in facts.results}
    broken = sum(run.status != FINISHED for run in facts.results)
    counts = (
        (facts.objectives, "objective"),
        (facts.regimes, "regime"),
        (facts.rates, "learning rate"),
        (seeds, "seed"),
    )
    varied = ", ".join(f"{len(found)} {name}{'s' if len(found) > 1 else ''}" for found, name in counts if found)
    counted = f"{len(facts.results)} runs: {varied}; {broken} diverged or crashed and count as 0."
    problems = sorted({run.n_eval for run in facts.results if run.n_eval})
    counted += f" A score is over {' or '.join(map(str, problems))} held-out problems." if problems else ""
    parts.append(Text((counted,)))
    return tuple(parts)


def _figures(facts: StudyFacts, best: str) -> list[Section]:
    grid, matrix, scores = regime_figure(facts), improvement_figure(facts), score_figures(facts)
    forest, targets = forest_parts(facts), target_figures(facts)
    between = [figure for figure in (matrix, best_figure(facts, best)) if figure]
    if len(facts.regimes) == 1 and len(scores) == 1:  # few enough to stand side by side
        glance = (*scores, *forest[:1], *between, *targets, *_robust(facts), *forest[1:])
        return [Section("scores", "Scores", glance)]
    sections = [Section("regimes-section", "Regimes", (grid,))] if grid else []
    sections.append(Section("scores", "Scores", (*_some(scores), *_robust(facts))))
    sections.append(Section("differences", f"Against {facts.baseline}", tuple(forest)))
    sections.append(Section("probabilities", "Probability of improvement", tuple(between)))
    sections.append(Section("targets", "Rollouts to the target", tuple(_some(targets))))
    return [section for section in sections if section.parts]


def _some(figures: Sequence[Figure]) -> list[Part]:
    """The first panels, and the others behind a line where they are many."""
    if len(figures) <= 2 * _FOLDED:
        return list(figures)
    return [*figures[:_FOLDED], Fold(f"{len(figures) - _FOLDED} more", tuple(figures[_FOLDED:]))]


def _robust(facts: StudyFacts) -> list[Part]:
    """Tuned and robust scores beside each other, where the learning rate varies."""
    if len(facts.rates) < 2:
        return []
    tuned = {(row.objective, facts.regime(row.settings).key): row for row in facts.tuned}
    rows = []
    for row in robustness(facts.results):
        regime = facts.regime(row.settings)
        score = tuned[row.objective, regime.key].score
        found = (
            score.value,
            score.low,
            score.high,
            tuned[row.objective, regime.key].rate,
            row.lowest,
            row.highest,
            100 * row.collapsed,
        )
        rows.append((*([regime.name] if len(facts.regimes) > 1 else []), row.objective, *found))
    names = ("objective", "tuned score", "low", "high", f"chosen {RATE}", "good from", "good to", "collapsed, %")
    caption = (
        "Tuned (the learning rate chosen by seeds that do not count) and robust (range with 90 % of the best mean)"
    )
    where = ("regime",) if len(facts.regimes) > 1 else ()
    table = Table((*where, *names), tuple(rows), caption)
    return [table] if len(rows) <= 40 else [Fold("Tuned and robust scores", (table,))]


def _runs(facts: StudyFacts, shown: Mapping[int, str]) -> Section:
    broken = broken_table(facts)
    left = len(facts.results) - len(shown)
    parts: list[Part] = [broken] if broken else []
    parts.append(list_of_runs(facts, shown))
    if left and shown:
        parts.append(
            Text((
                f"Details of {len(shown)} runs follow; those of {left} were left out to keep the page under 1 MB. "
                "`pmpo report FOLDER/runs/NAME` shows any run in full.",
            ))
        )  # fmt: skip
    if shown:
        every = Html("".join(text for _, text in sorted(shown.items())))
        parts.append(Fold(f"Details of {len(shown)} run{'s' if len(shown) > 1 else ''}", (every,)))
    return Section("runs", "Runs", tuple(parts))
