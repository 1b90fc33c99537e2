"""What came out of one run of a comparison, and the file that keeps many: one JSON object a line, appended."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from pmpo.foundation.errors import InputError

FINISHED, DIVERGED, CRASHED = "finished", "diverged", "crashed"
STATUSES = (FINISHED, DIVERGED, CRASHED)
"""diverged: training stopped because numbers were no longer finite. crashed: the process ended in another way."""


@dataclass(frozen=True)
class Point:
    """One held-out measurement.

    Attributes:
        step: optimiser steps made before it.
        rollouts: completions sampled for training before it.
        score: pass@1 or mean reward on the held-out problems.
    """

    step: int
    rollouts: int
    score: float


@dataclass(frozen=True)
class RunResult:
    """One run, whatever became of it.

    Attributes:
        objective: label of the objective in its study; runs with one label and equal settings differ by seed alone.
        settings: every other varied setting, by its name in the configuration: {"learning_rate": 4e-4}.
        seed: of the run.
        status: one of `STATUSES`.
        curve: held-out measurements, oldest first.
        steps: optimiser steps that the run should make.
        n_eval: held-out problems behind each score.
        wall_seconds: of the run's process.
        folder: of the run, "" for one of another trainer's.
        command: that makes the run again.
        configuration: hash of everything that decides its numbers.
        message: why it diverged or crashed, in a sentence.
        more: numbers of its training worth a look, by metric: {"entropy": 0.02} of the last log event.
    """

    objective: str
    settings: Mapping[str, Any]
    seed: int
    status: str
    curve: tuple[Point, ...]
    steps: int
    n_eval: int = 0
    wall_seconds: float = 0.0
    folder: str = ""
    command: str = ""
    configuration: str = ""
    message: str = ""
    more: Mapping[str, Any] = field(default_factory=dict)

    @property
    def score(self) -> float:
        """The last measurement; 0 for a run that diverged or crashed: its model is of no use."""
        return self.curve[-1].score if self.status == FINISHED and self.curve else 0.0

    @property
    def cell(self) -> tuple[tuple[str, Any], ...]:
        """The settings as a key: equal for runs that differ by objective and seed alone. Lists are told as JSON."""
        values = {n: json.dumps(v) if isinstance(v, list | dict) else v for n, v in self.settings.items()}
        return tuple(sorted(values.items()))

    def to_row(self) -> dict[str, Any]:
        """As JSON-able data."""
        row = asdict(self)
        row["curve"] = [[point.step, point.rollouts, _plain(point.score)] for point in self.curve]
        return row


def from_row(row: Mapping[str, Any]) -> RunResult:
    """What `to_row` has made.

    Raises: InputError for a row that is none.
    """
    try:
        curve = tuple(Point(int(s), int(r), math.nan if v is None else float(v)) for s, r, v in row["curve"])
        result = RunResult(**{**row, "curve": curve})
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(
            f"This is no row of a comparison's results ({error}): {json.dumps(dict(row))[:200]}"
        ) from error
    if result.status not in STATUSES:
        raise InputError(f"Unknown status of a run, {result.status!r}; one of {', '.join(STATUSES)}.")
    return result


def by_cell(results: Iterable[RunResult]) -> dict[tuple[tuple[str, Any], ...], dict[str, list[RunResult]]]:
    """{cell: {objective: runs by seed}}, in the order of the results."""
    found: dict[tuple[tuple[str, Any], ...], dict[str, list[RunResult]]] = {}
    for one in results:
        found.setdefault(one.cell, {}).setdefault(one.objective, []).append(one)
    for cell in found.values():
        for runs in cell.values():
            runs.sort(key=lambda run: run.seed)
    return found


def read_results(path: Path) -> list[RunResult]:
    """The rows of a results file; a last line that a kill has cut is left out.

    Raises: InputError for a file that cannot be read, with its name.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise InputError(f"{path}: {error.strerror or error}.") from error
    found = []
    for number, line in enumerate(lines):
        try:
            found.append(from_row(json.loads(line)))
        except json.JSONDecodeError:
            if number < len(lines) - 1:
                raise InputError(f"{path}, line {number + 1}: not JSON.") from None
    return found


def _plain(score: float) -> float | None:
    return score if math.isfinite(score) else None
