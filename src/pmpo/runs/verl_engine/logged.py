"""What verl writes while it trains, as the run's own metrics.jsonl, held_out.jsonl and samples.jsonl."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pmpo.engine.metrics_log import MetricsLog
from pmpo.evaluation.generation import Completion
from pmpo.foundation.files import read_json_lines, write_json_lines
from pmpo.grading.grades import STATUSES
from pmpo.report.foreign_log import by_our_names
from pmpo.runs.measurement import Graded, Measurement, from_row, summarise

_VALIDATION = ("val-core/", "val-aux/")


@dataclass
class VerlLog:
    """Follows verl's files, and keeps the run's own up to date.

    Attributes:
        metrics: verl's file of metrics; a round a line.
        validation: the folder of its held-out completions, a file a measurement.
        folder: the run's.
        updates_per_round: verl counts rounds, our files updates.
        pass_reward: as of `pmpo train`.
        samples_to_keep: held-out completions in samples.jsonl.
        length: of a completion in tokens, by its text.
        longest: tokens of a completion that was cut off.
        tokens: of all rounds so far.
        measurements: of the held-out problems, oldest first.
        rows: log events so far.
    """

    metrics: Path
    validation: Path
    folder: Path
    updates_per_round: int
    samples_to_keep: int
    length: Any
    longest: int
    pass_reward: float = 1.0
    tokens: int = 0
    measurements: list[Measurement] = field(default_factory=list)
    rows: list[dict[str, Any]] = field(default_factory=list)
    _read: int = 0
    _measured: set[str] = field(default_factory=set)
    _samples: list[dict[str, Any]] = field(default_factory=list)

    def begin(self, updates: int) -> None:
        """Before verl starts; `updates` were made by an earlier process, whose lines after them go."""
        self._log = MetricsLog(self.folder / "metrics.jsonl")
        self._log.begin(updates)
        if not updates:
            return
        self.rows = read_json_lines(self.folder / "metrics.jsonl")
        self.tokens = int(max((row.get("num_tokens", 0) for row in self.rows), default=0))
        old = [row for row in read_json_lines(self.folder / "held_out.jsonl") if row["step"] <= updates]
        self.measurements = [from_row(row) for row in old]
        self._samples = [row for row in read_json_lines(self.folder / "samples.jsonl") if row["step"] <= updates]
        self._measured = {path.name for path in self.validation.glob("*.jsonl")}

    def follow(self) -> tuple[list[dict[str, Any]], list[Measurement]]:
        """What is new since the last time: log events by our names, and measurements."""
        events = [self._event(row) for row in self._new_lines() if self._has_trained(row)]
        return events, self._new_measurements()

    def _new_lines(self) -> list[dict[str, Any]]:
        if not self.metrics.exists():
            return []
        with self.metrics.open("rb") as file:
            file.seek(self._read)
            whole, newline, _ = file.read().rpartition(b"\n")  # a last line may be half written
        self._read += len(whole) + len(newline)
        return [json.loads(line) for line in whole.split(b"\n") if line]

    def _has_trained(self, row: Mapping[str, Any]) -> bool:
        return any(not name.startswith(_VALIDATION) for name in row.get("data", {}))

    def _event(self, row: Mapping[str, Any]) -> dict[str, Any]:
        data = {n: v for n, v in row["data"].items() if not n.startswith(_VALIDATION) and v is not None}
        numbers = by_our_names(data)
        self.tokens += int(numbers.get("perf/total_num_tokens", 0))
        numbers["num_tokens"] = self.tokens
        numbers.setdefault("loss", numbers.get("policy_loss"))
        if "timing_s/step" in numbers:
            numbers["step_time"] = numbers["timing_s/step"] / self.updates_per_round
        numbers.pop("step", None)
        step = int(row["step"]) * self.updates_per_round
        self._log.append(step, numbers)
        event = {"step": step, **numbers}
        self.rows.append(event)
        return event

    def _new_measurements(self) -> list[Measurement]:
        found = []
        names = [path for path in self.validation.glob("*.jsonl") if path.name not in self._measured]
        for path in sorted(names, key=lambda path: int(path.stem)):
            rows = read_json_lines(path)
            if not rows or not path.read_bytes().endswith(b"\n"):  # half written
                continue
            self._measured.add(path.name)
            found.append(self._measure(int(path.stem) * self.updates_per_round, rows))
        return found

    def _measure(self, step: int, rows: Sequence[Mapping[str, Any]]) -> Measurement:
        measured = summarise(step, [self._graded(row) for row in rows])
        self.measurements.append(measured)
        write_json_lines(self.folder / "held_out.jsonl", (vars(one) for one in self.measurements))
        first = self._samples[0]["step"] if self._samples else step
        self._samples = [row for row in self._samples if row["step"] == first and first != step]
        self._samples += [self._sample(step, row) for row in rows[: self.samples_to_keep]]
        write_json_lines(self.folder / "samples.jsonl", self._samples)
        return measured

    def _graded(self, row: Mapping[str, Any]) -> Graded:
        tokens = self.length(row["output"])
        first = next((row[name] for name in row if name.startswith("rewards/")), row["score"])
        # Without its end token, which verl takes off, a completion is one shorter than what was generated.
        completion = Completion(text=row["output"], tokens=tokens, truncated=tokens >= self.longest)
        return Graded(completion, _status(row), _number(row["score"]), _number(first))

    def _sample(self, step: int, row: Mapping[str, Any]) -> dict[str, Any]:
        facts = {"answer": row.get("gts"), "status": _status(row), "reward": _number(row["score"])}
        return {"step": step, "prompt": row["input"], "completion": row["output"], **facts}


def _status(row: Mapping[str, Any]) -> str:
    """A grader's own; of other rewards "correct", "wrong", and "error" for none."""
    named = [status for status in STATUSES if row.get(f"grades/{status}")]
    if named:
        return str(named[0])
    return "error" if _number(row["score"]) is None else "correct" if row.get("acc") else "wrong"


def _number(value: Any) -> float | None:
    return None if value is None or math.isnan(value) else float(value)
