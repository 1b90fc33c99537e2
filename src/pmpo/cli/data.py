"""`pmpo data`: the problems of a task or data set as files that verl reads."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path

from pmpo.cli.parser import VerbParser
from pmpo.foundation.errors import InputError

_EPILOG = """  pmpo data --format verl --task gsm8k --output data/gsm8k
  pmpo data --format verl --task sums --task_size 4096 --eval_size 256 --output data/sums
  pmpo data --format verl --config recipes/pmpo_qwen2.5-math-7b.yaml --output data/math

Every option of `pmpo train` that is about data, prompts and rewards is understood; of a --config file these are
read. Without any, it is the data of the demonstration.
"""


def main(arguments: Sequence[str]) -> int:
    """Write the files, say where and how verl is told of them, and return the exit status.

    Raises: InputError for whatever the user can put right.
    """
    given, others = _parser().parse_known_args(list(arguments))
    run = _run_arguments(others)
    from pmpo.runs.display import hush
    from pmpo.runs.exporting import HELD_OUT_FILE, TRAIN_FILE, VERBATIM, export_verl

    hush()
    folder = given.output.expanduser()
    for path, rows in export_verl(run, folder).items():
        print(f"{path}, {rows:,} rows")
    lines = [f"data.train_files={folder.absolute() / TRAIN_FILE}"]
    held_out = folder / HELD_OUT_FILE
    lines.append(f"data.val_files={(held_out if held_out.exists() else folder / TRAIN_FILE).absolute()}")
    lines.append("reward.custom_reward_function.path=pkg://pmpo.integrations.verl.rewards")
    if run.prompt_template not in ("auto", "chat"):
        lines.append(f"actor_rollout_ref.model.custom_chat_template='{VERBATIM}'")
    print("For verl:", *map(shlex.quote, lines), sep="\n    ")
    return 0


def _parser() -> VerbParser:
    made = VerbParser(
        "data", description="Write problems, their references and what grades them as verl's Parquet.", epilog=_EPILOG
    )
    made.add_argument("--format", required=True, choices=("verl",), help="whose schema")
    made.add_argument(
        "--output", required=True, type=Path, metavar="FOLDER", help="for train.parquet, held_out.parquet"
    )
    return made


def _run_arguments(words: list[str]):  # type: ignore[no-untyped-def]
    """The options of data, prompts and rewards among the words and in the file that they name."""
    from pmpo.runs.arguments import read
    from pmpo.runs.run_arguments import RunArguments
    from pmpo.runs.verl_engine.option_table import option_table

    found = read(words, option_table())
    known = {field.name for field in fields(RunArguments)} - {"engine", "verl"}
    strange = [*(f"--{name}" for name in found.flags if name not in known), *found.others]
    if strange:
        raise InputError(f"{strange[0]} is no option of data, prompts or rewards. `pmpo data --help` lists examples.")
    return RunArguments(**{name: value for name, value in found.said.items() if name in known})
