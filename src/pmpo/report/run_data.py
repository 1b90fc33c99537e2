"""What is known of one run: its log, its held-out measurements, its settings, and what is wrong with it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

from pmpo.engine.symptoms import Symptom, diagnose
from pmpo.foundation.files import plain, read_json_lines
from pmpo.report.foreign_log import read_log
from pmpo.report.parts import Source

Row = Mapping[str, Any]

_PLACES = ("output_dir", "run_name", "resume_from_checkpoint", "report_to", "overwrite_output_dir", "progress")
"""Settings that say where a run goes and how it is shown."""


@dataclass(frozen=True)
class RunData:
    """One run.

    Attributes:
        name: of its folder or file.
        rows: log events of training, oldest first.
        held_out: measurements, oldest first: "step", "value" (pass@1), "standard_error", "reward", …
        samples: held-out completions before and after: "step", "prompt", "completion", "reward", …
        settings: by TRL's names, "objective" as a mapping where it is known as one; {} where they are not known.
        summary: of summary.json, {} without one.
        symptoms: oldest first.
        source: the command that makes the run, and the hash of its settings.
    """

    name: str
    rows: list[dict[str, Any]]
    held_out: list[dict[str, Any]] = field(default_factory=list)
    samples: list[dict[str, Any]] = field(default_factory=list)
    settings: dict[str, Any] = field(default_factory=dict)
    summary: dict[str, Any] = field(default_factory=dict)
    symptoms: list[Symptom] = field(default_factory=list)
    source: Source = field(default_factory=lambda: Source("", ""))


def read_run(path: Path) -> RunData:
    """The run in a folder as `pmpo train` writes it, in a checkpoint of another trainer, or in a file of its log.

    Raises: InputError where there is no log of training.
    """
    rows = read_log(path)
    settings, command = _settings(path / "config.yaml")
    return RunData(
        name=path.resolve().name,
        rows=rows,
        held_out=_lines(path / "held_out.jsonl"),
        samples=_lines(path / "samples.jsonl"),
        settings=settings,
        summary=_summary(path / "summary.json"),
        symptoms=diagnose(rows, settings),
        source=Source(command, _hash(settings)),
    )


def _lines(file: Path) -> list[dict[str, Any]]:
    """A folder's rows; a file of another trainer's has no such things beside it."""
    return [row for row in read_json_lines(file) if isinstance(row, dict)] if file.parent.is_dir() else []


def _summary(file: Path) -> dict[str, Any]:
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):  # a run that is under way, or was killed
        return {}
    return found if isinstance(found, dict) else {}


def _settings(file: Path) -> tuple[dict[str, Any], str]:
    """The settings in a config.yaml, with the objective as it was resolved, and the command."""
    import yaml

    try:
        found = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError):
        return {}, ""
    if not isinstance(found, dict):
        return {}, ""
    record = found.pop("record", None)
    record = record if isinstance(record, dict) else {}
    if isinstance(record.get("objective"), dict):
        found["objective"] = record["objective"]
    return found, str(record.get("command") or "")


def _hash(settings: Mapping[str, Any]) -> str:
    """Equal for runs with equal settings, wherever they go; "" where the settings are not known."""
    decisive = {name: value for name, value in settings.items() if name not in _PLACES}
    text = json.dumps(plain(decisive), sort_keys=True)
    return sha256(text.encode()).hexdigest()[:12] if decisive else ""
