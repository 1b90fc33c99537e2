"""A study from its definition to its results: what is missing is run, the rest is read."""

from __future__ import annotations

import contextlib
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from pmpo.comparison.results import CRASHED, RunResult
from pmpo.comparison.study import PlannedRun, Study
from pmpo.foundation.locks import check_place, locked, make_folder
from pmpo.runs.studies.folder import StudyFolder
from pmpo.runs.studies.workers import MakeRun, Task, run_side_by_side


class Progress(Protocol):
    """What is told of a study while it goes on."""

    def begin(self, missing: int, done: int) -> None:
        """Called once, with the number of runs to be made and of those that are there."""

    def look(self, under_way: list[float], left: float | None) -> None:
        """Called now and then: the seconds that runs under way have taken, and the seconds left, None if unknown."""

    def ended(self, result: RunResult, left: float | None) -> None:
        """Called when a run has ended."""

    def close(self) -> None:
        """Called at the end, also after an exception."""


@dataclass(frozen=True)
class How:
    """How a study is run.

    Attributes:
        make: makes one run.
        jobs: processes side by side.
        context: of `multiprocessing`.
        more: goes to `make` with every run.
        again: whether runs that crashed before are made again.
        before: called once before the first run, when one is missing.
    """

    make: MakeRun
    jobs: int
    context: Any
    more: Any = None
    again: bool = False
    before: Callable[[], None] | None = None


def run_study(
    study: Study,
    path: Path,
    how: How,
    progress: Progress,
    only: Callable[[PlannedRun], bool] = lambda run: True,
    added: Sequence[RunResult] = (),
) -> tuple[Study, list[RunResult]]:
    """Make what is missing of a study in its folder.

    Args:
        only: which runs are wanted of those that are missing.
        added: results of runs made elsewhere, which stand in the place of the study's own.
    Returns: the study with what the folder's had more, and all results in the folder.
    Raises: InputError when the folder holds another study or another process works in it. KeyboardInterrupt after an
        orderly stop; what was done is kept.
    """
    check_place(path)
    make_folder(path)
    with locked(path):
        folder = StudyFolder(path)
        whole = folder.begin(study)
        folder.collect(whole.runs())
        if added:
            folder.put(added)
        if how.again:
            folder.forget((CRASHED,))
        missing = [run for run in study.runs() if run.key not in folder.results and only(run)]
        with contextlib.closing(progress), _sigterm_as_interrupt():
            progress.begin(len(missing), len(folder.results))
            if missing and how.before is not None:
                with folder.unchanged_if_refused():
                    how.before()
            _run_missing(folder, missing, how, progress)
        return whole, list(folder.results.values())


def _run_missing(folder: StudyFolder, missing: Sequence[PlannedRun], how: How, progress: Progress) -> None:
    clock = _Clock(missing, how.jobs)
    tasks = [Task(run, folder.run_folder(run), how.more) for run in missing]
    look = lambda under_way: progress.look(under_way, clock.left(under_way))  # noqa: E731
    for task, result in run_side_by_side(tasks, how.make, how.jobs, how.context, look):
        folder.add(result)
        clock.ended(task.run)
        progress.ended(result, clock.left([]))


class _Clock:
    """The time left, by what runs have taken in this process."""

    def __init__(self, missing: Sequence[PlannedRun], jobs: int) -> None:
        self.missing, self.jobs, self.done = len(missing), jobs, 0
        self.started = time.monotonic()

    def ended(self, run: PlannedRun) -> None:
        self.done += 1

    def left(self, under_way: Sequence[float]) -> float | None:
        """Seconds; None before the first run has ended."""
        if not self.done:
            return None
        elapsed = time.monotonic() - self.started
        # Runs end in bunches of `jobs`; what those under way have done counts as well.
        each = max((elapsed * self.jobs - sum(under_way)) / self.done, 1e-9)
        begun = sum(min(seconds / each, 1.0) for seconds in under_way)
        return max(self.missing - self.done - begun, 0.0) * each / self.jobs


@contextlib.contextmanager
def _sigterm_as_interrupt() -> Iterator[None]:
    """SIGTERM, which Slurm and Kubernetes send, as Ctrl-C."""

    def stop(number: int, frame: Any) -> None:
        raise KeyboardInterrupt

    try:
        before = signal.signal(signal.SIGTERM, stop)
    except ValueError:  # not in the main thread
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
