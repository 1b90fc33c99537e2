"""The folder of one run. Every file but the trainer's own is written whole: a reader never sees half of one.

config.yaml      every argument as parsed (give it to --config to run again), and a record: command, versions, objective
metrics.jsonl    written by the trainer, one JSON object per log event
tokens.jsonl     written by the trainer: a few completions of each log event, token by token
held_out.jsonl   pass@1 and mean reward on the held-out problems, with standard errors
samples.jsonl    held-out completions before and after, with their rewards
summary.json     what came out
curves.png       the pictures of metrics.jsonl and held_out.jsonl
checkpoint-*     the trainer's checkpoints; `model/` the final model
verl/            of a run under verl: its data, checkpoints, log and output
"""

import contextlib
import re
import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pmpo.engine import checkpoints
from pmpo.foundation.errors import InputError
from pmpo.foundation.files import plain, write_whole
from pmpo.foundation.locks import LOCK, check_place
from pmpo.foundation.spec import parse_spec
from pmpo.foundation.versions import library_versions
from pmpo.runs.arguments import RECORD_KEY
from pmpo.runs.run_arguments import RunArguments
from pmpo.runs.settings import Settings

_MARKS = ("config.yaml", "metrics.jsonl", "summary.json", "held_out.jsonl")
_BESIDES = (
    "samples.jsonl", "tokens.jsonl", "curves.png", "metrics-*.jsonl", "tokens-*.jsonl", "model", "scratch_model",
    "checkpoint-*", "completions", "nonfinite-*", "README.md", "verl",
)  # fmt: skip
_SECRETS = ("hub_token", "push_to_hub_token")


def choose_folder(settings: Settings) -> Path:
    """The run's folder: the given one, or the first free of runs/<objective>-<data>, …-2, …-3."""
    if settings.output_dir_given:
        return Path(settings.training.output_dir)
    stem = _stem(settings.run)
    base = Path("runs") / f"{settings.training.resolved_objective.name}-{stem}"
    candidates = [base, *(base.with_name(f"{base.name}-{n}") for n in range(2, 10_000))]
    return next(path for path in candidates if not run_in(path))


def _stem(run: RunArguments) -> str:
    """The data's name as a part of a folder's: "gsm8k", "math500", "chain_sum"."""
    name = parse_spec(run.task, "task").name if run.task is not None else Path(str(run.dataset)).stem
    return re.sub(r"[^\w.-]+", "-", name) or "data"


def run_in(folder: Path) -> list[str]:
    """The names in a folder that show that it holds a run; [] when it holds none."""
    if not folder.is_dir():
        return []
    names = {path.name for path in folder.iterdir()}
    return sorted(n for n in names if n in _MARKS or n.startswith("checkpoint-"))


def check_folder(folder: Path, resume: bool, overwrite: bool = False) -> None:
    """Refuse a folder that holds another run (unless that one may be moved away), a resume without one, and a folder
    that cannot be written. Writes nothing."""
    check_place(folder)
    found = run_in(folder)
    saved = any(name.startswith("checkpoint-") for name in found)
    if found and not resume and not overwrite:
        instead = "continue that run with --resume_from_checkpoint true"
        if not saved:
            instead = "begin it again with --resume_from_checkpoint auto (it has saved no checkpoint)"
        raise InputError(
            f"The folder {folder} already holds a run ({', '.join(found[:4])}). Give another --output_dir, or "
            f"{instead}; --overwrite_output_dir true moves that run to earlier-1 in it and begins again."
        )
    if resume and not saved:
        raise InputError(
            f"There is nothing to resume: {folder} holds no checkpoint. Drop resume_from_checkpoint, or write auto."
        )


def settle_auto(folder: Path, value: Any) -> Any:
    """`resume_from_checkpoint` once it is known what the folder holds: "auto", for jobs that are started again and
    again with one command, is "true" when there is a checkpoint, else None. Other values as they are."""
    if str(value).lower() != "auto":
        return value
    return "true" if any(name.startswith("checkpoint-") for name in run_in(folder)) else None


def can_begin_again(folder: Path) -> bool:
    """Whether a folder's run ended before its first checkpoint: nothing but the first lines of its logs is there."""
    found = run_in(folder)
    return bool(found) and not any(name == "summary.json" or name.startswith("checkpoint-") for name in found)


def begin_again(folder: Path) -> None:
    """Remove those lines, and a model made from scratch, which may be half of one; the run makes the same again."""
    for name in (*_MARKS, "samples.jsonl", "tokens.jsonl"):
        (folder / name).unlink(missing_ok=True)
    for name in ("scratch_model", "verl"):
        shutil.rmtree(folder / name, ignore_errors=True)


def set_aside(folder: Path) -> Path | None:
    """Move the run in a folder to `earlier-1` (or -2, …) in it; None when there is none."""
    if not run_in(folder):
        return None
    written = [path.name for pattern in (*_MARKS, *_BESIDES) for path in folder.glob(pattern)]
    return checkpoints.set_aside(folder, sorted(written))


def resume_point(value: Any) -> str | bool | None:
    """What `Trainer.train(resume_from_checkpoint=…)` takes: "true", "yes" and "last" mean the newest checkpoint."""
    if value is None or str(value).lower() in ("", "false", "no", "none"):
        return None
    return True if str(value).lower() in ("true", "yes", "last", "1") else str(value)


def write_config(folder: Path, settings: Settings, plan: dict[str, Any]) -> None:
    """config.yaml: the arguments, readable back by --config, and the record of how they were resolved."""
    import yaml

    arguments = {k: v for k, v in plain(settings.given).items() if k not in _SECRETS and k != "dry_run"}
    arguments["output_dir"] = str(folder)
    record = {
        "command": settings.command,
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "seed": settings.training.seed,
        "objective": settings.training.resolved_objective.to_mapping(),
        "plan": plain(plan),
        "versions": library_versions(),
    }
    text = (
        "# Every argument of this run, defaults included. To run it again:\n"
        "#     pmpo train --config THIS_FILE --output_dir ANOTHER_FOLDER\n"
        + yaml.safe_dump(arguments, sort_keys=True, allow_unicode=True)
        + "\n# How they were resolved; ignored when this file is given to --config.\n"
        + yaml.safe_dump({RECORD_KEY: record}, sort_keys=False, allow_unicode=True)
    )
    write_whole(folder / "config.yaml", text)


def release(folder: Path) -> None:
    """Undo a claim after which no update was made, so that the corrected command can use the same folder."""
    begin_again(folder)
    (folder / LOCK).unlink(missing_ok=True)
    with contextlib.suppress(OSError):  # somebody keeps other files there
        folder.rmdir()
