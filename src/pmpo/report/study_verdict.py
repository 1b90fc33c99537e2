"""A study in one sentence, with its interval, and the run to look at first."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from pmpo.comparison.estimate import Estimate
from pmpo.comparison.paired import mean_of_estimates
from pmpo.comparison.results import RunResult
from pmpo.comparison.table_rows import RegimeCell
from pmpo.comparison.tables import RATE
from pmpo.report.study_facts import StudyFacts, regime_key
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
        return Verdict(f"No run of {facts.name} has a score: all diverged or crashed.", facts.objectives[0], None)
    means = {name: _mean(name, cells) for name in facts.objectives if any(name in cell.scores for cell in cells)}
    complete = [name for name in means if all(name in cell.scores for cell in cells)] or list(means)
    best = max(complete, key=lambda name: means[name].value)
    sentence = _alone(facts, best, means[best]) if len(means) == 1 else _beside(facts, cells, best, means[best])
    return Verdict(sentence, best, _middle(facts, best))


def _mean(name: str, cells: Sequence[RegimeCell]) -> Estimate:
    return mean_of_estimates([cell.scores[name] for cell in cells if name in cell.scores])


def _alone(facts: StudyFacts, best: str, score: Estimate) -> str:
    return f"{best} reaches a {facts.score} of {interval(score)}, from {score.n} runs."


def _beside(facts: StudyFacts, cells: Sequence[RegimeCell], best: str, score: Estimate) -> str:
    several = len(cells) > 1
    tuned = "with each objective at its best learning rate" if len(facts.rates) > 1 else ""
    if several:
        first = sum(cell.winner == best for cell in cells)
        decided = sum(cell.winner == best and cell.margin.sign > 0 for cell in cells)
        where = f"Over {len(cells)} regimes{', ' if tuned else ''}{tuned}, "
        won = f"; it is first in {first} of them, in {decided} by more than chance"
        rest = [name for name in cells[0].scores if name != best]
        other = facts.baseline if best != facts.baseline else max(rest, key=lambda name: _mean(name, cells).value)
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
