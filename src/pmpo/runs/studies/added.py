"""Runs that were made elsewhere, as rows of a study: run folders of `pmpo train`, whole studies, and the metrics of
other trainers, a CSV or JSONL file with a step and a score.
"""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pmpo.comparison.grid import number
from pmpo.comparison.results import CRASHED, DIVERGED, FINISHED, Point, RunResult, read_results
from pmpo.comparison.study import Study, run_key
from pmpo.foundation.errors import InputError
from pmpo.foundation.options import read_options
from pmpo.objective.presets import objective
from pmpo.runs.studies.run_result import curve_of, measured_in, more_of, summary_of

FORM = "LABEL:SEED=FILE, LABEL:seed=0,learning_rate=2e-4=FILE, a study's results.jsonl, or a folder"
_SCORES = {"pass_at_1": ("score", "pass_at_1", "pass@1", "value"), "reward": ("score", "reward", "eval_reward")}
_STEPS = ("step", "global_step")
_SAME_RUN = (
    "output_dir", "seed", "objective", "exponent", "trust_region", "sequence_weight", "advantage", "correction",
    "old_policy", "resume_from_checkpoint", "overwrite_output_dir", "progress", "curves", "run_name", "dry_run",
)  # fmt: skip
"""Settings of a run that are no cell's: what its label and its seed say, and what changes no number."""


@dataclass(frozen=True)
class Added:
    """A run and all that is known of its settings.

    Attributes:
        known: every setting; which of them are the study's cells is decided with the others.
    """

    result: RunResult
    known: Mapping[str, Any]


def read_added(words: Sequence[str], score: str) -> list[Added]:
    """What the words of --runs name.

    Raises: InputError for a word that names no run, and for a run that is named twice.
    """
    found: list[Added] = []
    for word in words:
        label, seed, settings, path = _parsed(word)
        if path.is_dir():
            found += [_named(one, label, seed, settings) for one in _of_folder(path, score)]
        elif not label and seed is None and _holds_results(path):
            found += _of_results(path)
        else:
            found.append(_of_file(path, label, seed, settings, score, word))
    return found


def with_settings(added: Sequence[Added], study: Study | None) -> list[RunResult]:
    """The runs with the settings that make their cells: those that the study varies, or without one those in which
    the runs differ.

    Raises: InputError for a setting of the study that is not known of a run, for two runs that are one, and for a run
        that a study made with other settings.
    """
    if study is not None:
        names = list(study.cells[0])
    else:
        everything = dict.fromkeys(name for one in added for name in one.known if name not in _SAME_RUN)
        names = [n for n in everything if len({_text(one.known.get(n)) for one in added}) > 1]
        names = [n for n in names if all(n in one.known for one in added)]
    rows = {}
    planned = {} if study is None else {run.key: run.configuration for run in study.runs()}
    for one in added:
        missing = [name for name in names if name not in one.known]
        if missing:
            raise InputError(
                f"The study varies {missing[0]}, which is not known of {one.result.folder}; write "
                f"LABEL:seed=0,{missing[0]}=VALUE=FILE."
            )
        row = replace(one.result, settings={name: number(one.known[name]) for name in names})
        key = run_key(row.objective, row.settings, row.seed)
        if key in rows:
            raise InputError(
                f"{rows[key].folder} and {row.folder} are both {row.objective}, seed {row.seed}, with equal settings; "
                "tell them apart by a label: LABEL:SEED=FOLDER."
            )
        if row.configuration and planned.get(key, row.configuration) != row.configuration:
            raise InputError(
                f"{row.objective}, seed {row.seed}, was run with other settings (configuration {row.configuration}) "
                f"than the study has for it ({planned[key]}); leave it out, or give the study it was made by."
            )
        rows[key] = row
    return list(rows.values())


def study_of(rows: Sequence[RunResult], score: str) -> Study:
    """A study of runs alone, none of which it could make."""
    cells = list({json.dumps(dict(row.settings), sort_keys=True): dict(row.settings) for row in rows}.values())
    labels = dict.fromkeys(row.objective for row in rows)
    seeds = tuple(sorted({row.seed for row in rows}))
    return Study("runs", {}, {label: {"objective": label} for label in labels}, tuple(cells), seeds, score)


# ---- one word -------------------------------------------------------------------------------------------------------


def _parsed(word: str) -> tuple[str, int | None, dict[str, Any], Path]:
    """(label, seed, settings, path); "" and None for what is not said."""
    if Path(word).exists():
        return "", None, {}, Path(word)
    for place in (i for i, letter in enumerate(word) if letter == "="):
        path = Path(word[place + 1 :])
        if not path.exists():
            continue
        label, colon, said = word[:place].rpartition(":")
        if not colon:
            return said, None, {}, path
        if said.isdigit():
            return label, int(said), {}, path
        settings = {name: number(value) for name, _, value in (part.partition("=") for part in said.split(","))}
        seed = settings.pop("seed", None)
        if isinstance(seed, int) and all(value != "" for value in settings.values()):
            return label, seed, settings, path
    raise InputError(f"--runs {word}: there is no such file or folder; write {FORM}.")


def _named(one: Added, label: str, seed: int | None, settings: Mapping[str, Any]) -> Added:
    result = replace(one.result, objective=label or one.result.objective)
    if seed is not None:
        result = replace(result, seed=seed)
    return Added(result, {**one.known, **settings})


# ---- folders of pmpo ------------------------------------------------------------------------------------------------


def _of_folder(path: Path, score: str) -> list[Added]:
    """A run's, a study's, or one with run folders in it."""
    if (path / "results.jsonl").is_file():
        return _of_results(path / "results.jsonl")
    if (path / "config.yaml").is_file():
        return [_of_run(path, score)]
    inside = sorted(file.parent for file in path.glob("*/config.yaml"))
    if not inside:
        raise InputError(f"--runs {path}: the folder holds no run (config.yaml), no study (results.jsonl) and no runs.")
    return [_of_run(each, score) for each in inside]


def _holds_results(path: Path) -> bool:
    """Whether a file is a study's results.jsonl, under any name."""
    try:
        with path.open(encoding="utf-8") as file:
            return path.suffix == ".jsonl" and {"objective", "curve", "seed"} <= json.loads(file.readline()).keys()
    except (OSError, ValueError, AttributeError):
        return False


def _of_results(path: Path) -> list[Added]:
    """The rows of a study, wherever its folder is."""
    rows = read_results(path)
    return [
        Added(replace(row, folder=str(path.parent / row.folder) if row.folder else ""), row.settings) for row in rows
    ]


def _of_run(folder: Path, score: str) -> Added:
    config = read_options(folder / "config.yaml")
    record = config.pop("record", None) or {}
    plan, summary, measured = record.get("plan", {}), summary_of(folder), measured_in(folder)
    try:
        label = objective(record["objective"]).to_text()
        curve = curve_of(measured, score, plan["updates_per_round"], plan["completions_per_round"])
        seed = int(record["seed"])
    except KeyError as error:
        raise InputError(f"{folder / 'config.yaml'} has no record of {error}: an earlier version wrote it.") from error
    ended = bool(summary)
    result = RunResult(
        objective=label,
        settings={},
        seed=seed,
        status=FINISHED if ended else CRASHED,
        curve=curve,
        steps=plan.get("total_updates") or summary.get("steps", 0),
        n_eval=measured[-1]["n_problems"] if measured else 0,
        wall_seconds=summary.get("wall_seconds", 0.0),
        folder=str(folder),
        command=record.get("command", ""),
        message="" if ended else "It has no summary.json: it did not come to its end.",
        more=more_of(folder),
    )
    return Added(result, config)


# ---- metrics of other trainers --------------------------------------------------------------------------------------


def _of_file(path: Path, label: str, seed: int | None, settings: Mapping[str, Any], score: str, word: str) -> Added:
    if not label or seed is None:
        raise InputError(f"--runs {word}: of a metrics file its objective and seed must be said; write {FORM}.")
    rows = _rows_of(path)
    curve = _curve_of(rows, path, score)
    status, message = FINISHED, ""
    if not math.isfinite(curve[-1].score):
        status, message = DIVERGED, "Its last score is not a finite number."
    result = RunResult(label, {}, seed, status, curve, curve[-1].step, folder=str(path), message=message)
    return Added(result, dict(settings))


def _rows_of(path: Path) -> list[dict[str, Any]]:
    """Of a CSV file with a header, a JSONL file, or the `log_history` of TRL's trainer_state.json."""
    try:
        text = path.read_text(encoding="utf-8")
        if path.suffix == ".csv":
            return [dict(row) for row in csv.DictReader(text.splitlines())]
        if path.suffix == ".json":
            return list(json.loads(text)["log_history"])
        return [json.loads(line) for line in text.split("\n") if line.strip()]
    except (OSError, UnicodeDecodeError, json.JSONDecodeError, KeyError, TypeError) as error:
        raise InputError(
            f"{path} cannot be read ({error}); give a CSV file with a header, a JSONL file, or a trainer_state.json."
        ) from error


def _curve_of(rows: Sequence[Mapping[str, Any]], path: Path, score: str) -> tuple[Point, ...]:
    names = list(dict.fromkeys(name for row in rows for name in row))
    step = next((name for name in _STEPS if name in names), None)
    value = next((name for name in _SCORES[score] if name in names), None)
    if step is None or value is None:
        raise InputError(
            f"{path} has no column {' or '.join(_STEPS) if step is None else ' or '.join(_SCORES[score])}; it has "
            f"{', '.join(map(str, names)) or 'none'}."
        )
    points = []
    for row in rows:
        if row.get(step) in (None, "") or row.get(value) in (None, ""):
            continue  # a row of something else
        at = int(float(row[step]))
        # Where completions are not counted, steps stand in for them.
        points.append(Point(at, int(float(row.get("rollouts") or at)), float(row[value])))
    if not points:
        raise InputError(f"{path} has no row with {step} and {value}.")
    return tuple(sorted(points, key=lambda point: point.step))


def _text(value: Any) -> str:
    return json.dumps(value, sort_keys=True, default=str)
