"""`pmpo train`: train a model with any objective of the family."""

import os
import shlex
import sys
from collections.abc import Sequence

from pmpo.cli import launch
from pmpo.foundation.errors import InputError, unknown_name

_HELP = """usage: pmpo train [--config FILE.yaml] [--NAME VALUE ...]

Without a data set or a model, the built-in demonstration runs. Flags win over the file. The options of `trl grpo` are
understood, its --config files with `env` too. On several processes: --num_processes 8 --accelerate_config zero2, and
any option of `accelerate launch`; or `accelerate launch -m pmpo train ...`. On a Ray cluster: --engine verl, with the
same options; --dry_run then prints verl's command.

data, prompts, rewards, this run:
{options}

objective (PMPOConfig), the most used; `pmpo objectives` lists every objective and part with its options:
  --objective                     pmpo, gmpo, grpo, dr_grpo, dapo, gspo, luspo, apmpo, holderpo, cispo or sapo
  --exponent                      a number, or a rule: clip_aware_ess:saturation=0.1, mine.py:MyRule:gamma=0.5
  --trust_region                  ratio:ratio_low=0.2,ratio_high=0.28, or log_ratio, sequence_ratio, none, ...
                                  (in a file all three take a mapping too, as a flag JSON: '{{"rule": "scheduled"}}')
  --num_generations               completions per prompt
  --per_device_train_batch_size   completions in one forward pass of one process
  --gradient_accumulation_steps   forward passes per update
  --steps_per_generation          forward passes per round; divided by the above: updates per round
  --max_completion_length         tokens
  --max_steps, --num_train_epochs, --learning_rate, --seed, --output_dir, --report_to, ...
  --resume_from_checkpoint        true: the newest sound checkpoint; auto: that, or from the start without one

model (ModelConfig): --model_name_or_path, --dtype, --attn_implementation, --use_peft, --lora_r, ...

  --help_all                      every option of the three groups
"""


def main(arguments: Sequence[str]) -> int:
    """Parse, train, and return the exit status.

    Raises: InputError for whatever the user can put right.
    """
    words = list(arguments)
    if "--help" in words or "-h" in words:
        from pmpo.runs.arguments import help_short

        print(_HELP.format(options=help_short()), end="")
        return 0
    # Set before any library looks: its own progress bars and advice would tear the display.
    os.environ.setdefault("TRANSFORMERS_NO_ADVISORY_WARNINGS", "1")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    if _engine(words) == "verl":
        return _under_verl(words, shlex.join(["pmpo", "train", *arguments]))
    _check_installed()
    from pmpo.runs.arguments import help_all, parse

    if "--help_all" in words:
        print(help_all(), end="")
        return 0
    from pmpo.runs.display import hush

    hush()  # before parsing: building the configuration warns already
    options, words = _split_launch(words)
    if options is not None:
        return launch.launch(options, words)
    settings = parse(words, command=shlex.join(["pmpo", "train", *arguments]))
    from pmpo.runs.run import run
    from pmpo.runs.signals import StoppedBySignalError

    try:
        run(settings)
    except StoppedBySignalError as stopped:
        if settings.training.process_index == 0:
            print(f"pmpo: {stopped}", file=sys.stderr)
        return stopped.status
    return 0


def _engine(words: list[str]) -> str:
    from pmpo.runs.arguments import engine_of
    from pmpo.runs.run_arguments import ENGINES

    engine = engine_of(words)
    if engine not in ENGINES:
        raise InputError(unknown_name("engine", engine, ENGINES))
    return engine


def _under_verl(words: list[str], command: str) -> int:
    """Train with verl, where TRL need not be installed."""
    from pmpo.runs.verl_engine.run import run
    from pmpo.runs.verl_engine.settings import parse_for_verl

    run(parse_for_verl(words, command=command))
    return 0


def _split_launch(words: list[str]) -> tuple[list[str] | None, list[str]]:
    """Options of `accelerate launch` where the run is to be started through it, else None; and the run's own words."""
    from pmpo.runs.arguments import read

    known = read(list(words))
    said = {name: value for name, value in known.said.items() if name != "num_processes" or name in known.flags}
    options = launch.launch_options(said, known.others)
    if options is None and not said.get("dry_run"):
        return None, words
    return options, launch.without(words, known.others)


def _check_installed() -> None:
    try:
        import trl  # noqa: F401
    except ImportError as error:
        raise InputError(f"`pmpo train` needs TRL ({error}): pip install 'pmpo[trl]'.") from error
