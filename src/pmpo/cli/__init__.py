"""The command `pmpo`: one verb a module, loaded when it is called."""

import importlib
import os
import sys
from collections.abc import Sequence
from importlib.metadata import version

from pmpo.foundation.disk import full_disk
from pmpo.foundation.errors import InputError, nearest

_VERBS = {
    "train": ("train", "train a model with any objective of the power-mean family"),
    "compare": ("compare", "objectives side by side over settings and seeds, resumable, as one table"),
    "report": ("report", "a run or a study as one page: verdict, figures, diagnosis, single completions"),
    "data": ("data", "problems and their references as files that verl reads"),
    "eval": ("evaluate", "pass@k, maj@n and their intervals on the papers' benchmarks or any task"),
    "overlap": ("contamination", "which problems of a training set are in a benchmark as well"),
    "checkpoint": ("checkpoint", "verify that a checkpoint is whole"),
    "objectives": ("objectives", "the objectives, their parts and the options of each"),
}
"""{verb: (module, what it does)}."""

_HELP = """usage: pmpo VERB [options]

{verbs}

  pmpo train                           the built-in demonstration: a small model learns sums, minutes on a laptop
  pmpo train --config recipes/x.yaml   a recipe; flags after it change single settings
  pmpo report runs/x -o report.html    what came out, as one page; also of a study
  pmpo eval --model runs/x/model --benchmark sums --n 16 --temperature 1 --k 1,4,16
  pmpo VERB --help                     the options of a verb
  pmpo --version
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one verb; the return value is the exit status: 0, or 2 for something the user can put right.

    Args:
        arguments: words of the command line without the program; by default those of this process.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    if not words or words[0] in ("-h", "--help", "help"):
        print(_HELP.format(verbs="\n".join(f"  {verb:<12}{text}" for verb, (_, text) in _VERBS.items())), end="")
        return 0
    if words[0] in ("-V", "--version"):
        print(f"pmpo {version('pmpo')}")
        return 0
    if words[0] not in _VERBS:
        print(
            f"pmpo: there is no verb {words[0]!r}; write {', '.join(_VERBS)}.{nearest(words[0], _VERBS)}",
            file=sys.stderr,
        )
        return 2
    try:
        return importlib.import_module(f"pmpo.cli.{_VERBS[words[0]][0]}").main(words[1:])
    except InputError as error:
        if os.environ.get("PMPO_TRACEBACK"):
            raise
        if os.environ.get("RANK", "0") == "0":  # of several processes that all see it, one says it
            print(f"pmpo: {error}", file=sys.stderr)
        return 2
    except Exception as error:
        reason = full_disk(error)
        if reason is None or os.environ.get("PMPO_TRACEBACK"):
            raise
        name = getattr(error, "filename", None) or "A file"
        print(
            f"pmpo: {name} could not be written: {reason}. What was written before is whole. Make room and give the "
            "same command again, `pmpo train` with --resume_from_checkpoint auto.",
            file=sys.stderr,
        )
        return 2
