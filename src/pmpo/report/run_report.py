"""One run in full on a page: its figures and diagnosis, and single completions under the microscope."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from pmpo.comparison.results import FINISHED, RunResult
from pmpo.comparison.tables import RATE
from pmpo.foundation.errors import InputError
from pmpo.report.microscope import microscope_section
from pmpo.report.page import size
from pmpo.report.parts import Section
from pmpo.report.run_data import read_run
from pmpo.report.run_page import run_sections
from pmpo.report.study_facts import StudyFacts, regime_key

_POINTS = (80, 40, 20)
"""Points of a line, from the most that a page shows down to the fewest that still tell."""


def sections_of_run(path: Path, prefix: str, budget: int, result: RunResult | None = None) -> list[Section]:
    """The sections of a run and, where its folder and the budget have them, its tokens.

    Args:
        prefix: what its ids on the page begin with.
        budget: bytes; a line has fewer points where they would not do, and may take more all the same.
        result: its row of a study.
    Raises: InputError where there is no log of training.
    """
    for points in _POINTS:
        sections = run_sections(path, prefix=prefix, points=points, result=result)
        if size(sections) <= budget:
            break
    source = read_run(path).source
    left = budget - size(sections)
    tokens = microscope_section(path, left, id=f"{prefix}-microscope", level=3, source=source) if left > 0 else None
    return [*sections, tokens] if tokens else sections


def featured_runs(facts: StudyFacts, chosen: RunResult | None, budget: int) -> dict[int, list[Section]]:
    """The runs of a study that are shown in full, by their number: the verdict's, the baseline's beside it, one that
    diverged; those without a folder, and those that there is no room for, are left out."""
    found: dict[int, list[Section]] = {}
    wanted = list(_featured(facts, chosen))
    for place, run in enumerate(wanted):
        part = budget // (len(wanted) - place)
        n = facts.number(run)
        if n in found or not run.folder:
            continue
        try:
            sections = sections_of_run(facts.folder / run.folder, f"run-r{n}", part, run)
        except InputError:  # a run folder without a log, as of one that crashed at once
            continue
        if size(sections) <= part:
            found[n] = sections
            budget -= size(sections)
    return found


def _featured(facts: StudyFacts, chosen: RunResult | None) -> Iterator[RunResult]:
    if chosen is not None:
        yield chosen
        key = regime_key(chosen.settings)
        best = {row.rate for row in facts.tuned if row.objective == facts.baseline and regime_key(row.settings) == key}
        beside = [
            run for run in facts.results
            if run.objective == facts.baseline and regime_key(run.settings) == key
            and run.seed == chosen.seed and run.settings.get(RATE) in {None, *best}
        ]  # fmt: skip
        yield from beside[:1]
    yield from [run for run in facts.results if run.status != FINISHED][:1]
