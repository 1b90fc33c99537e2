"""A study in one sentence, with its interval, and the run to look at first."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
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
    if all(run.status != FINISHED for run in facts.results):
        return Verdict(f"No run of {facts.name} has a score: all diverged or crashed.", facts.objectives[0], None)
    cells = [cell for cell in facts.grid if cell.winner]
    if max((row.score.n for row in facts.tuned), default=0) < 2:
        return _without_seeds(facts)
    means = {name: _mean(facts, name) for name in facts.objectives if any(name in cell.scores for cell in cells)}
    complete = [name for name in means if all(name in cell.scores for cell in cells)] or list(means)
    best = max(complete, key=lambda name: means[name].value)
    sentence = _alone(facts, best, means[best]) if len(means) == 1 else _beside(facts, cells, best, means)
    return Verdict(sentence, best, _middle(facts, best))


def _without_seeds(facts: StudyFacts) -> Verdict:
    """What too few seeds can tell."""
    best = max(facts.results, key=lambda run: run.score)
    where = cell_name(facts, best.settings)
    said = f"{best.objective} has the highest {facts.score}, {best.score:.3f}{f' ({where})' if where else ''}"
    others = [run.score for run in facts.results if run.cell == best.cell and run.objective != best.objective]
    lead = f", {best.score - max(others):+.3f} against the next best there" if others else ""
    few = "too few seeds for an interval, so chance can make it"
    return Verdict(f"{said}{lead}; {few}.", best.objective, best)


def _mean(facts: StudyFacts, name: str) -> Estimate:
    """Of an objective's tuned scores over its regimes."""
    return mean(*(row.values for row in facts.tuned if row.objective == name and row.values))


def _alone(facts: StudyFacts, best: str, score: Estimate) -> str:
    return f"{best} reaches a {facts.score} of {interval(score)}, from {score.n} run{'s' if score.n > 1 else ''}."


def _beside(facts: StudyFacts, cells: Sequence[RegimeCell], best: str, means: Mapping[str, Estimate]) -> str:
    """The lead over the next best, and over the baseline where that is another. Ahead is what is ahead of all others:
    seeds may by chance lie closer together for one pair than for another.
    """
    other = max((name for name in means if name != best), key=lambda name: means[name].value)
    lead = over_regimes(facts, best, other)
    ahead = f"{signed(lead)} against {other}"
    if facts.baseline not in (best, other):
        ahead += f" and {signed(over_regimes(facts, best, facts.baseline))} against {facts.baseline}"
    top = f"{facts.score}, {interval(means[best])}"
    if all(over_regimes(facts, best, name).sign > 0 for name in means if name != best):
        said = f"{best} is ahead: the highest {top}, {ahead}"
    else:
        said = f"no objective is ahead by more than chance: {best} has the highest {top}, {ahead}"
    tuned = "with each objective at its best learning rate" if len(facts.rates) > 1 else ""
    over = f"over {len(cells)} regimes" if len(cells) > 1 else ""
    where = f"{', '.join(filter(None, (over, tuned)))}, " if over or tuned else ""
    sentence = f"{where}{said}{_won(cells, best)} (95 % intervals, {_seeds(facts, best)})."
    return sentence if sentence.startswith(best) else sentence[0].upper() + sentence[1:]


def _won(cells: Sequence[RegimeCell], best: str) -> str:
    if len(cells) < 2:
        return ""
    first = [cell for cell in cells if cell.winner == best]
    return (
        f"; it is first in {len(first)} of them, in {sum(cell.margin.sign > 0 for cell in first)} by more than chance"
    )


def _seeds(facts: StudyFacts, best: str) -> str:
    """How many are reported, and how many have chosen the learning rate."""
    row = next(row for row in facts.tuned if row.objective == best)
    chose = f"; {len(row.tuning_seeds)} more chose the learning rates" if row.tuning_seeds else ""
    return f"{len(row.seeds)} seed{'s' if len(row.seeds) > 1 else ''}{chose}"


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
        if run.objective == best and regime_key(run.settings) == key and run.settings.get(RATE) in (None, row.rate)
    ]
    return sorted(runs, key=lambda run: run.score)[len(runs) // 2] if runs else None
