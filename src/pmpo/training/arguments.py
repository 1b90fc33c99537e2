"""What `pmpo train` can be told, and how a YAML file plus flags become it.

Three dataclasses share one flat space of names: `RunArguments` (data, prompts, rewards, this run), TRL's
`ModelConfig` (the model, LoRA, quantisation) and `PMPOConfig` (the objective and everything of TRL's GRPOConfig).
"""

import argparse
import os
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from pmpo.tasks.errors import InputError, nearest
from pmpo.tasks.options import read_options
from pmpo.training.run_arguments import NoDataError, RunArguments

if TYPE_CHECKING:
    from trl import ModelConfig

    from pmpo.integrations.trl import PMPOConfig

DEFAULT_CONFIG = Path(__file__).with_name("default.yaml")
RECORD_KEY = "record"
"""The key of a run's config.yaml under which facts about the run stand; not an argument, ignored when read back."""


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
    """Flags and the YAML file of --config as `Settings`; where neither a file, a model nor data is named, the embedded
    demonstration.

    Raises: InputError for an unreadable file, an unknown name (with the nearest), a value of the wrong type, and
        whatever the three dataclasses refuse.
    """
    arguments = _split_equals(arguments)
    path = _config_path(arguments)
    config = _read_config(path)
    parser = _parser()
    _reject_unknown_keys(config, parser)
    parser.set_defaults_with_config(**config)
    namespace, unknown = parser.parse_known_args(arguments)
    if unknown:
        names = [name for action in parser._actions for name in action.option_strings]
        flag = unknown[0]
        raise InputError(f"There is no option {flag!r}.{nearest(flag, names)} `pmpo train --help_all` lists all.")
    given = dict(vars(namespace))
    try:
        run, training, model = _construct(parser, arguments, given)
    except NoDataError as error:
        raise InputError(f"{error}{_usage_of(path)}") from None
    output_dir_given = given.get("output_dir") is not None
    return Settings(run, model, training, given, command, output_dir_given)


def _split_equals(arguments: list[str]) -> list[str]:
    """--config=x as --config x, which is the form looked for below."""
    out: list[str] = []
    for argument in arguments:
        out.extend(argument.split("=", 1) if argument.startswith("--config=") else [argument])
    return out


def _config_path(arguments: list[str]) -> Path | None:
    """The file of --config, which is taken out of `arguments`; the demonstration's where nothing is said of data or
    model; else None."""
    if "--config" in arguments:
        index = arguments.index("--config")
        if index + 1 >= len(arguments):
            raise InputError("--config needs the path of a YAML file.")
        path = Path(arguments[index + 1]).expanduser()
        del arguments[index : index + 2]
        return path
    return None if _names_own_data_or_model(arguments) else DEFAULT_CONFIG


def _read_config(path: Path | None) -> dict[str, Any]:
    """The YAML mapping to start from; sets its `env` variables."""
    if path is None:
        return {}
    config = read_options(path)
    config.pop(RECORD_KEY, None)
    for key, value in (config.pop("env", None) or {}).items():
        os.environ[key] = str(value)
    return config


_OWN = ("task", "dataset", "eval_dataset", "problem_column", "answer_column", "model_name_or_path", "init_from_scratch")
"""What the demonstration has of its own: whoever names one of these, or dataset_split and the like, means another."""


def _names_own_data_or_model(arguments: list[str]) -> bool:
    names = [a.lstrip("-").split("=")[0].replace("-", "_") for a in arguments if a.startswith("--")]
    return any(name in _OWN or name.startswith("dataset_") for name in names)


def _usage_of(path: Path | None) -> str:
    """The command with data that stands in the comment at the head of a configuration file, as the end of a message."""
    if path is None:
        return ""
    for line in path.read_text(encoding="utf-8").splitlines():
        if not line.startswith("#"):
            break
        if "pmpo train" in line and ("--dataset" in line or "--task" in line):
            return f" {path} is meant for: {line.lstrip('# ')}"
    return f" {path} names none."


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
