"""What a person sees while a study goes on: a bar with the time left on a terminal, one line a run that has ended."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pmpo.comparison.grid import cell_text
from pmpo.comparison.results import FINISHED, RunResult
from pmpo.foundation.errors import shortened
from pmpo.report.screen import Screen

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress


class StudyDisplay(Screen):
    """Implements `pmpo.runs.studies.runner.Progress` on a console, in one of the styles of `pmpo.report.screen`."""

    def __init__(self, console: Console, style: str) -> None:
        super().__init__(console, style)
        self.missing = self.done = 0
        self._bar: Progress | None = None

    def begin(self, missing: int, done: int) -> None:
        self.missing = missing
        there = f", {done} are there" if done else ""
        self.note(f"{missing} {'run' if missing == 1 else 'runs'} to be made{there}")
        if self.style == "live" and missing:
            from rich.progress import BarColumn, Progress, TextColumn

            columns = (BarColumn(24), TextColumn("{task.completed:.0f}/{task.total} runs  {task.description}"))
            self._bar = Progress(*columns, console=self.console, transient=True)
            self._bar.add_task("", total=missing)
            self._bar.start()

    def look(self, under_way: list[float], left: float | None) -> None:
        if self._bar is not None:
            said = f"{len(under_way)} under way  {_left(left)}"
            self._bar.update(self._bar.task_ids[0], completed=self.done, description=said)

    def ended(self, result: RunResult, left: float | None) -> None:
        self.done += 1
        cell = f"  {cell_text(result.settings)}" if result.settings else ""
        what = f"{result.score:.3f}" if result.status == FINISHED else result.status
        said = f"{self.done}/{self.missing}  {result.objective}{cell}  seed {result.seed}: {what}"
        self.note(f"{said}  ({result.wall_seconds:.0f} s; {_left(left)})")
        if result.message:
            self.note(f"    {shortened(result.message, 200)}")

    def close(self) -> None:
        if self._bar is not None:
            self._bar.stop()
            self._bar = None


def _left(seconds: float | None) -> str:
    if seconds is None:
        return "time left unknown"
    if seconds < 120:
        return f"{10 * round(seconds / 10)} s left"
    minutes = round(seconds / 60)
    return f"{minutes // 60} h {minutes % 60:02d} min left" if minutes >= 60 else f"{minutes} min left"
