"""Any number of runs and studies as one page: what `pmpo report` writes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pmpo.foundation.errors import InputError
from pmpo.report.page import size
from pmpo.report.parts import Report, Text
from pmpo.report.run_report import sections_of_run
from pmpo.report.study_facts import is_study, read_study_facts
from pmpo.report.study_page import BUDGET, FRAME, study_page


def assembled(
    paths: Sequence[Path], *, baseline: str = "", target: float | None = None, budget: int = BUDGET
) -> Report:
    """The page of runs, or of a study (several are taken as one) and runs beside it.

    Args:
        paths: folders of runs or studies, results.jsonl of a study, logs of another trainer.
        baseline, target: of the study.
        budget: bytes that the page may have.
    Raises: InputError for a path that is nothing of these, and for runs that need more than the budget.
    """
    for path in paths:
        if not path.exists():
            raise InputError(f"There is no {path}; give the folder of a run or of a study.")
    studies = [path for path in paths if is_study(path)]
    runs = [path for path in paths if path not in studies]
    if not studies:
        return _of_runs(runs, budget)
    facts = read_study_facts(studies, baseline=baseline, target=target)
    if not runs:
        return study_page(facts, budget)
    beside = _of_runs(runs, budget // 2).sections
    found = study_page(facts, budget - size(beside))
    return Report(found.title, (*found.sections, *beside), found.lead)


def _of_runs(paths: Sequence[Path], budget: int) -> Report:
    """Runs one after the other; each may take its part of what those before have left."""
    room, sections = budget - FRAME, []
    for place, path in enumerate(paths):
        part = room // (len(paths) - place)
        found = sections_of_run(path, f"run-{place + 1}", part)
        if size(found) > part:
            raise InputError(f"{len(paths)} runs do not fit on one page of {budget:,} bytes; give fewer.")
        room -= size(found)
        sections += found
    names = [path.resolve().name for path in paths]
    lead = (Text((f"The runs {', '.join(names)}, one after the other.",)),) if len(names) > 1 else ()
    return Report(f"Run {names[0]}" if len(names) == 1 else f"{len(names)} runs", tuple(sections), lead)
