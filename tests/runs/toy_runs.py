"""Runs of a study that take no time, of a module that a warm process finds; it loads little."""

import sys

from pmpo.comparison.results import FINISHED, RunResult
from pmpo.foundation.errors import InputError


def toy(task):
    """Says whether the module that `task.more` names was loaded."""
    run = task.run
    loaded = str(task.more in sys.modules)
    return RunResult(run.objective, dict(run.settings), run.seed, FINISHED, (), 8, message=loaded)


def refuse():
    raise InputError("not like this")
