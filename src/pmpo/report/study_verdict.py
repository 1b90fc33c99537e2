"""A study in one sentence, with its interval, and the run to look at first."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from pmpo.comparison.estimate import Estimate
from pmpo.comparison.intervals import mean
from pmpo.comparison.results import FINISHED, RunResult
from pmpo.comparison.table_rows import RegimeCell
from pmpo.comparison.tables import RATE
from pmpo.report.study_facts import StudyFacts, cell_name, regime_key
from pmpo.report.study_forest import over_regimes, signed


@dataclass(frozen=True)
class Verdict:
    """What a study says.

    Attributes:
        sentence: with the 95 % interval.
        objective: the first one, of which it speaks.
        run: its run with the middle score at its best learning rate in the first regime; None without one.
    """

    sentence: str
    objective: str
    run: RunResult | None


def verdict(facts: StudyFacts) -> Verdict:
    """The objective that is ahead, by how much, and whether that is more than chance."""
    cells = [cell for cell in facts.grid if cell.winner]
    if not cells:
        return _without_seeds(facts)
    means = {name: _mean(facts, name) for name in facts.objectives if any(name in cell.scores for cell in cells)}
    complete = [name for name in means if all(name in cell.scores for cell in cells)] or list(means)
    best = max(complete, key=lambda name: means[name].value)
    sentence = _alone(facts, best, means[best]) if len(means) == 1 else _beside(facts, cells, best, means[best])
    return Verdict(sentence, best, _middle(facts, best))


def _without_seeds(facts: StudyFacts) -> Verdict:
    """What one seed alone can tell."""
    best = max(facts.results, key=lambda run: run.score)
    if all(run.status != FINISHED for run in facts.results):
        return Verdict(f"No run of {facts.name} has a score: all diverged or crashed.", best.objective, None)
    where = cell_name(facts, best.settings)
    said = f"{best.objective} has the highest {facts.score}, {best.score:.3f}{f' ({where})' if where else ''}"
    others = [run.score for run in facts.results if run.cell == best.cell and run.objective != best.objective]
    lead = f", {best.score - max(others):+.3f} against the next best there" if others else ""
    return Verdict(f"{said}{lead}; one seed has no interval, so chance can make it.", best.objective, best)


def _mean(facts: StudyFacts, name: str) -> Estimate:
    """Of an objective's tuned scores over its regimes."""
    return mean(*(row.values for row in facts.tuned if row.objective == name and row.values))


def _alone(facts: StudyFacts, best: str, score: Estimate) -> str:
    return f"{best} reaches a {facts.score} of {interval(score)}, from {score.n} run{'s' if score.n > 1 else ''}."


def _beside(facts: StudyFacts, cells: Sequence[RegimeCell], best: str, score: Estimate) -> str:
    several = len(cells) > 1
    tuned = "with each objective at its best learning rate" if len(facts.rates) > 1 else ""
    if several:
        first = sum(cell.winner == best for cell in cells)
        decided = sum(cell.winner == best and cell.margin.sign > 0 for cell in cells)
        where = f"Over {len(cells)} regimes{', ' if tuned else ''}{tuned}, "
        won = f"; it is first in {first} of them, in {decided} by more than chance"
        rest = [name for name in cells[0].scores if name != best]
        other = facts.baseline if best != facts.baseline else max(rest, key=lambda name: _mean(facts, name).value)
        lead = over_regimes(facts, best, other)
    else:
        cell = cells[0]
        where, won = (f"{tuned}, " if tuned else ""), ""
        other, lead = cell.runner_up, cell.margin
    seeds = len({run.seed for run in facts.results if run.objective == best})
    ahead, top = f"{signed(lead)} against {other}", f"{facts.score}, {interval(score)}"
    if lead.sign > 0:
        said = f"{best} is ahead: the highest {top}, {ahead}"
    else:
        said = f"no objective is ahead by more than chance: {best} has the highest {top}, {ahead}"
    sentence = f"{where}{said}{won} (95 % intervals, {seeds} seed{'s' if seeds > 1 else ''})."
    return sentence if sentence.startswith(best) else sentence[0].upper() + sentence[1:]


def interval(one: Estimate) -> str:
    """A score with its interval, where there is one."""
    return (
        f"{one.value:.3f} [{one.low:.3f}, {one.high:.3f}]" if math.isfinite(one.low + one.high) else f"{one.value:.3f}"
    )


def _middle(facts: StudyFacts, best: str) -> RunResult | None:
    """The run with the middle score in the first regime that has the objective, at its best learning rate."""
    row = next((row for row in facts.tuned if row.objective == best), None)
    if row is None:
        return None
    key = regime_key(row.settings)
    runs = [
        run
        for run in facts.results
        if run.objective == best and regime_key(run.settings) == key and run.settings.get(RATE) in (None, row.best_rate)
    ]
    return sorted(runs, key=lambda run: run.score)[len(runs) // 2] if runs else None
