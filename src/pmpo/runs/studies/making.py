"""How the runs of a study are made by `pmpo train`, without loading TRL in the study's own process."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pmpo.comparison.results import RunResult
from pmpo.comparison.study import PlannedRun
from pmpo.runs.studies.runner import How
from pmpo.runs.studies.workers import Task, in_worker, warm_context


@dataclass(frozen=True)
class Wishes:
    """What all runs of a study are made with.

    Attributes:
        score: "pass_at_1" or "reward".
        threads: of each process.
        keep_models: whether weights and checkpoints stay.
    """

    score: str
    threads: int
    keep_models: bool = False


def by_training(wanted: Sequence[PlannedRun], jobs: int, cores: int, wishes: Wishes, again: bool) -> How:
    """A way to run a study.

    Args:
        wanted: runs whose settings are checked before the first one begins.
        cores: threads for what is done once, before the runs.
        again: whether runs that crashed before are made again.
    """
    context = warm_context([f"{__package__}.training"])

    def before() -> None:
        in_worker(_prepare, tuple(wanted), cores, context=context)

    return How(make=_make, jobs=jobs, context=context, more=wishes, again=again, before=before)


def _make(task: Task) -> RunResult | None:
    from pmpo.runs.studies.training import train_run

    return train_run(task)


def _prepare(wanted: Sequence[PlannedRun], threads: int) -> None:
    from pmpo.runs.studies.training import check_and_prepare

    check_and_prepare(wanted, threads)
