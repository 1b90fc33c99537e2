"""What `pmpo train` can be told, and how a YAML file plus flags become it.

Three dataclasses share one flat space of names: `RunArguments` below (data, prompts, rewards, this run), TRL's
`ModelConfig` (the model, LoRA, quantisation) and `PMPOConfig` (the objective and everything of TRL's GRPOConfig).
"""

import argparse
import os
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from pmpo.tasks.errors import InputError, nearest

if TYPE_CHECKING:
    from trl import ModelConfig

    from pmpo.integrations.trl import PMPOConfig

DEFAULT_CONFIG = Path(__file__).with_name("default.yaml")
RECORD_KEY = "record"
"""The key of a run's config.yaml under which facts about the run stand; not an argument, ignored when read back."""


def _option(default: Any, text: str) -> Any:
    return field(default=default, metadata={"help": text})


@dataclass
class RunArguments:
    """Data, prompts, rewards and bookkeeping of one run. Units: lengths in tokens, sizes in problems."""

    dataset: str = _option(
        "sums", "'sums' (built in), a .jsonl/.json/.parquet/.csv file, a saved data set's folder, or a hub id."
    )
    dataset_config: str | None = _option(None, "Configuration of a hub data set, such as 'main'.")
    dataset_split: str = _option("train", "Split to train on (hub data sets and saved DatasetDicts).")
    problem_column: str = _option("problem", "Column with the problem's text.")
    answer_column: str | None = _option("answer", "Column with the reference answer.")
    eval_dataset: str | None = _option(
        None, "Held-out problems, like dataset; by default eval_size problems are held out of dataset."
    )
    eval_dataset_split: str = _option("test", "Split of eval_dataset.")
    eval_size: int = _option(256, "Held-out problems that pass@1 is measured on; 0 measures none.")
    split_seed: int = _option(0, "Seed of the choice of held-out problems.")
    eval_max_completion_length: int | None = _option(
        None, "Longest held-out completion; by default max_completion_length."
    )
    eval_temperature: float = _option(0.0, "Temperature of held-out completions; 0 is greedy.")
    eval_batch_size: int = _option(64, "Held-out prompts generated together, per process.")
    pass_at_1_every: int = _option(0, "Optimiser steps between held-out pass@1 measurements; 0: before and after only.")
    pass_at_1_target: float | None = _option(
        None, "Held-out pass@1 that the run should reach; the end of the run says whether it did."
    )
    pass_reward: float = _option(1.0, "A completion passes when its (first) reward is at least this.")
    prompt_template: str = _option("plain", "qwen_math, r1, plain, or chat (the tokenizer's own chat template).")
    system_prompt: str | None = _option(None, "System text for the templates qwen_math and chat.")
    problem_suffix: str | None = _option(None, "Text put after every problem, before the template is applied.")
    reward: list[str] | None = field(
        default=None,
        metadata={
            "help": "math_verify, sums, module:function or path/to/file.py:function; several are added up (see "
            "reward_weights), and the first decides pass@1. By default sums for sums, else math_verify."
        },
    )
    init_from_scratch: bool = _option(
        False, "Train a small new Qwen2 with a tokenizer trained on the data set's text; no model is loaded."
    )
    scratch_hidden_size: int = _option(128, "Width of the model made by init_from_scratch.")
    scratch_layers: int = _option(3, "Its layers.")
    scratch_heads: int = _option(4, "Its attention heads; must divide scratch_hidden_size.")
    scratch_vocab_size: int = _option(2048, "Largest number of tokens of its tokenizer.")
    scratch_context: int = _option(1024, "Its context, tokens.")
    num_processes: int | None = _option(
        None, "Processes that the batch numbers are meant for; a run with another number is refused."
    )
    samples_to_keep: int = _option(16, "Held-out problems whose completions go to samples.jsonl, before and after.")
    dry_run: bool = _option(False, "Resolve everything but the weights, print the plan, and stop.")
    progress: str = _option("auto", "auto (a live display on a terminal, else lines), live, lines or off.")

    def __post_init__(self) -> None:
        if isinstance(self.reward, str):  # a YAML file may give one name without brackets
            self.reward = [self.reward]
        if self.reward is None:
            self.reward = ["sums" if self.dataset == "sums" else "math_verify"]
        if self.progress not in ("auto", "live", "lines", "off"):
            raise InputError(f"progress is {self.progress!r}; write auto, live, lines or off.")
        for name in ("eval_batch_size", "scratch_layers", "scratch_heads", "scratch_hidden_size", "scratch_context"):
            if getattr(self, name) < 1:
                raise InputError(f"{name} is {getattr(self, name)}; write a number of at least 1.")
        for name in ("eval_size", "pass_at_1_every", "samples_to_keep"):
            if getattr(self, name) < 0:
                raise InputError(f"{name} is {getattr(self, name)}; write 0 for none, or a positive number.")
        if not 0.0 <= self.eval_temperature < float("inf"):
            raise InputError(f"eval_temperature is {self.eval_temperature}; write 0 (greedy) or a positive number.")
        if self.init_from_scratch and self.scratch_hidden_size % (2 * self.scratch_heads):
            raise InputError(
                f"scratch_hidden_size={self.scratch_hidden_size} cannot be cut into scratch_heads={self.scratch_heads} "
                f"heads of even width; write for example scratch_hidden_size={32 * self.scratch_heads}."
            )


@dataclass(frozen=True)
class Settings:
    """Everything a run was told. `given` holds each argument as it was parsed, before any default was derived from
    it."""

    run: RunArguments
    model: "ModelConfig"
    training: "PMPOConfig"
    given: dict[str, Any]
    command: str
    output_dir_given: bool


def parse(arguments: list[str], command: str = "") -> Settings:
    """Flags and the YAML file of --config as `Settings`; without any model or data given, the embedded default.

    Raises: InputError for an unreadable file, an unknown name (with the nearest), a value of the wrong type, and
        whatever the three dataclasses refuse.
    """
    arguments = _split_equals(arguments)
    config = _read_config(arguments)
    parser = _parser()
    _reject_unknown_keys(config, parser)
    parser.set_defaults_with_config(**config)
    namespace, unknown = parser.parse_known_args(arguments)
    if unknown:
        names = [name for action in parser._actions for name in action.option_strings]
        flag = unknown[0]
        raise InputError(f"There is no option {flag!r}.{nearest(flag, names)} `pmpo train --help_all` lists all.")
    given = dict(vars(namespace))
    run, training, model = _construct(parser, arguments, given)
    output_dir_given = given.get("output_dir") is not None
    return Settings(run, model, training, given, command, output_dir_given)


def _split_equals(arguments: list[str]) -> list[str]:
    """--config=x as --config x, which is the form looked for below."""
    out: list[str] = []
    for argument in arguments:
        out.extend(argument.split("=", 1) if argument.startswith("--config=") else [argument])
    return out


def _read_config(arguments: list[str]) -> dict[str, Any]:
    """The YAML mapping to start from; takes --config and its value out of `arguments`, and sets its `env` variables."""
    import yaml

    if "--config" in arguments:
        index = arguments.index("--config")
        if index + 1 >= len(arguments):
            raise InputError("--config needs the path of a YAML file.")
        path = Path(arguments[index + 1]).expanduser()
        del arguments[index : index + 2]
    elif _names_own_data_or_model(arguments):
        return {}
    else:
        path = DEFAULT_CONFIG
    if not path.is_file():
        siblings = [p.name for p in path.parent.glob("*.yaml")] if path.parent.is_dir() else []
        raise InputError(f"There is no configuration file {path}.{nearest(path.name, siblings)}")
    try:
        config = yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise InputError(f"{path} is not YAML: {' '.join(str(error).split())}") from error
    if not isinstance(config, dict):
        raise InputError(f"{path} must hold 'name: value' lines; it holds a {type(config).__name__}.")
    config.pop(RECORD_KEY, None)
    for key, value in (config.pop("env", None) or {}).items():
        os.environ[key] = str(value)
    return config


def _names_own_data_or_model(arguments: list[str]) -> bool:
    own = ("dataset", "model_name_or_path", "init_from_scratch")
    return any(argument.lstrip("-").split("=")[0].replace("-", "_") in own for argument in arguments)


def _parser() -> Any:
    from trl import ModelConfig, TrlParser

    from pmpo.integrations.trl import PMPOConfig

    class Parser(TrlParser):  # argparse would print two screens of usage before its message
        def error(self, message: str) -> NoReturn:
            raise InputError(f"{message[0].upper()}{message[1:]}. `pmpo train --help_all` lists all options.")

    parser = Parser((RunArguments, PMPOConfig, ModelConfig), prog="pmpo train", allow_abbrev=False)
    parser.set_defaults(**_machine_defaults())
    return parser


def _machine_defaults() -> dict[str, Any]:
    """TRL's default of bfloat16 stops with an error on a machine without an accelerator, and is slow on a laptop's."""
    import torch

    accelerator = torch.accelerator.current_accelerator() if torch.accelerator.is_available() else None
    if accelerator is None:
        return {"use_cpu": True, "bf16": False}
    return {"bf16": False} if accelerator.type == "mps" else {}


def _reject_unknown_keys(config: dict[str, Any], parser: argparse.ArgumentParser) -> None:
    known = {action.dest for action in parser._actions}
    for key in config:
        if key not in known:
            raise InputError(f"The configuration file sets {key!r}, which is no option.{nearest(str(key), known)}")


def _construct(parser: Any, arguments: list[str], given: dict[str, Any]) -> tuple[Any, ...]:
    from pmpo.training.batch_arithmetic import explain_batch_arithmetic

    try:
        # Without look_for_args_file=False a file pmpo.args beside the program would be read as well.
        return parser.parse_args_into_dataclasses(arguments, look_for_args_file=False)
    except InputError:
        raise
    except (ValueError, TypeError) as error:  # what the dataclasses refuse; the batch numbers deserve a better sentence
        raise InputError(explain_batch_arithmetic(given) or str(error)) from error


def help_all() -> str:
    """The help of every option, some 300 of them."""
    return _parser().format_help()


def help_short() -> str:
    """This run's own options, without loading TRL, which takes seconds."""
    lines = []
    for option in fields(RunArguments):
        default = "" if option.default is None else f" [{option.default}]"
        lines.append(f"  --{option.name:<28}{option.metadata['help']}{default}")
    return "\n".join(lines)
