"""Logs of training, ours and other trainers', as log events by our names.

metrics.jsonl          ours, and what verl's file logger writes ({"step": 1, "data": {…}})
trainer_state.json     of a checkpoint of any transformers trainer, TRL's among them ("log_history")
*.csv, *.jsonl         a row an event with a column of steps
"""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pmpo.foundation.errors import InputError
from pmpo.foundation.files import read_json_lines

ALIASES = {
    # a column of steps
    "global_step": "step", "Step": "step", "training/global_step": "step",
    # TRL's own loss
    "clip_ratio/region_mean": "clip_fraction/one_sided",
    # verl
    "critic/score/mean": "reward", "critic/rewards/mean": "reward", "actor/entropy": "entropy",
    "actor/grad_norm": "grad_norm", "actor/pg_loss": "loss", "actor/lr": "learning_rate",
    "actor/pg_clipfrac": "clip_fraction/one_sided", "actor/ppo_kl": "kl_old", "actor/kl_loss": "kl",
    "response_length/mean": "completions/mean_length", "response_length/min": "completions/min_length",
    "response_length/max": "completions/max_length", "response_length/clip_ratio": "completions/clipped_ratio",
}  # fmt: skip
"""{another trainer's name: ours}, where both mean the same number."""
_PREFIX = "train/"


def read_log(path: Path) -> list[dict[str, Any]]:
    """The log events of training in a file or a run's folder, oldest first, by our names; evaluations are left out.

    Raises: InputError for a file without any, with what was looked for.
    """
    file = _log_file(path)
    try:
        rows = _READERS.get(file.suffix, _json_lines)(file)
    except OSError as error:
        raise InputError(f"{file}: {error.strerror or error}.") from error
    except (json.JSONDecodeError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{file} is no log of training: {error}.") from error
    events = [row for row in map(by_our_names, rows) if _is_event(row)]
    if not events:
        raise InputError(
            f"{file} has no log event of training: rows with a step and a number that training logs, such as loss, "
            "reward or entropy."
        )
    return events


def _log_file(path: Path) -> Path:
    """The file to read; of a folder metrics.jsonl, else the newest trainer_state.json."""
    if not path.is_dir():
        return path
    if (path / "metrics.jsonl").exists():
        return path / "metrics.jsonl"
    states = [path / "trainer_state.json", *path.glob("checkpoint-*/trainer_state.json")]
    found = [state for state in states if state.exists()]
    if not found:
        raise InputError(f"{path} holds no log: neither metrics.jsonl nor a checkpoint with trainer_state.json.")
    return max(found, key=lambda state: (state.parent == path, _number_of(state.parent.name)))


def _number_of(name: str) -> int:
    digits = name.rpartition("-")[2]
    return int(digits) if digits.isdigit() else -1


def _json_lines(file: Path) -> list[Any]:
    if not file.exists():
        raise InputError(f"{file}: no such file.")
    return read_json_lines(file)


def _trainer_state(file: Path) -> list[Any]:
    state = json.loads(file.read_text(encoding="utf-8"))
    history = state.get("log_history") if isinstance(state, dict) else state
    if not isinstance(history, list):
        raise InputError(f"{file} is no trainer_state.json: it has no log_history.")
    return history


def _csv(file: Path) -> list[Any]:
    with file.open(encoding="utf-8-sig", newline="") as lines:
        return [{name: _value(text) for name, text in row.items() if name and text} for row in csv.DictReader(lines)]


_READERS = {".json": _trainer_state, ".csv": _csv}


def _value(text: Any) -> Any:
    try:
        return float(text)
    except (TypeError, ValueError):
        return text


def by_our_names(row: Any) -> dict[str, Any]:
    """By our names, with the step as a whole number; {} for what is no event."""
    if not isinstance(row, Mapping):
        return {}
    flat = {**row, **(row["data"] if isinstance(row.get("data"), Mapping) else {})}
    named: dict[str, Any] = {}
    for key, value in flat.items():
        name = str(key).removeprefix(_PREFIX)
        named.setdefault(ALIASES.get(name, name), value)
    step = named.get("step")
    if isinstance(step, int | float) and math.isfinite(step):
        named["step"] = int(step)
    return named


def _is_event(row: Mapping[str, Any]) -> bool:
    """Whether training logged it: the loss where there is one, else any of the other numbers it is known by."""
    return isinstance(row.get("step"), int) and any(name in row for name in ("loss", "reward", "entropy", "grad_norm"))
