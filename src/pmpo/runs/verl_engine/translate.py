"""The options of `pmpo train` as the command line of verl's main_ppo."""

from __future__ import annotations

import shlex
import sys

from pmpo.runs.verl_engine import batches, bookkeeping, cpu, objective, optimiser, sampling, weights
from pmpo.runs.verl_engine.job import TABLE, Job
from pmpo.runs.verl_engine.left_out import leave_out
from pmpo.runs.verl_engine.option_table import option_table
from pmpo.runs.verl_engine.overrides import Translation

ROOMS = (weights, objective, batches, optimiser, sampling, bookkeeping, cpu)
"""Where the functions of the table stand, in the order of the command line."""
MAIN = "verl.trainer.main_ppo"


def translate(job: Job) -> Translation:
    """The run in verl's words.

    Raises: InputError for an option without a counterpart, by its name, and for numbers that verl cannot have.
    """
    to = Translation()
    leave_out(job, dict(option_table().defaults), to)
    places = [room.__name__ for room in ROOMS]
    for function in sorted(TABLE, key=lambda function: places.index(function.__module__)):
        function(job, to)
    to.line("output_dir", "hydra.run.dir", str(job.facts.folder / "hydra"))
    to.add_own(job.run.verl or [])
    return to


def command(translation: Translation, interpreter: str = sys.executable) -> list[str]:
    """The words that start main_ppo."""
    return [interpreter, "-m", MAIN, *translation.lines()]


def shown(translation: Translation) -> str:
    """The command as it can be copied into a shell, one override a line."""
    variables = [f"{name}={shlex.quote(value)}" for name, value in translation.environment.items()]
    words = [*variables, f"python -m {MAIN}", *map(shlex.quote, translation.lines())]
    return " \\\n    ".join(words)
