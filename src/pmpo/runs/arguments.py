"""The options of `pmpo train`, and how a YAML file plus flags become the settings of a run.

Three dataclasses share one flat space of names: `RunArguments` (data, prompts, rewards, this run), TRL's
`ModelConfig` (the model, LoRA, quantisation) and `PMPOConfig` (the objective and everything of TRL's GRPOConfig).
"""

import os
import textwrap
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from pmpo.foundation.errors import InputError, nearest
from pmpo.foundation.options import read_options
from pmpo.runs.data_arguments import NoDataError
from pmpo.runs.offered import NOT_OFFERED, OptionTable
from pmpo.runs.run_arguments import RunArguments
from pmpo.runs.settings import Settings

DEFAULT_CONFIG = Path(__file__).with_name("default.yaml")
RECORD_KEY = "record"
"""The key of a run's config.yaml under which facts about the run stand; not an argument, ignored when read back."""


def parse(arguments: list[str], command: str = "") -> Settings:
    """Flags and the YAML file of --config as `Settings`; where neither a file, a model nor data is named, the embedded
    demonstration.

    Raises: InputError for an unreadable file, an unknown name (with the nearest), a value of the wrong type, and
        whatever the three dataclasses refuse.
    """
    from pmpo.runs.command_line import check_unknown, construct, defaults, machine_defaults

    words = read(arguments)
    check_unknown(words.others)
    try:
        run, training, model = construct({**machine_defaults(), **words.said})
    except NoDataError as error:
        raise InputError(f"{error}{_usage_of(words.path)}") from None
    given = {**defaults(), **words.said}
    return Settings(run, model, training, given, command, given["output_dir"] is not None)


@dataclass(frozen=True)
class Words:
    """A command line as it was read, before anything is made of it.

    Attributes:
        path: the configuration file.
        said: every option that the file or a flag names, of its declared type.
        flags: the names among them that stand on the command line.
        others: words that are no options.
    """

    path: Path | None
    said: dict[str, Any]
    flags: tuple[str, ...]
    others: list[str]


def read(arguments: list[str], offered: OptionTable | None = None) -> Words:
    """Flags and the YAML file of --config; flags win.

    Args:
        offered: the options that there are; by default those of the installed TRL and of the run.
    Raises: InputError for an unreadable file, an unknown name in it, and a value of the wrong type.
    """
    if offered is None:
        from pmpo.runs.command_line import option_table

        offered = option_table()
    arguments = _split_equals(arguments)
    path = _config_path(arguments)
    config = _with_our_names(_read_config(path), offered.aliases)
    _reject_unknown_keys(config, offered.kinds)
    flags, others = offered.read_flags(arguments)
    said = {name: offered.kinds[name].read(value) for name, value in {**config, **flags}.items()}
    return Words(path, said, tuple(flags), others)


def engine_of(arguments: list[str]) -> str:
    """What trains: the last `--engine` of a command line, else that of its configuration file, else "trl"."""
    words = [word.removeprefix("--engine=") if word.startswith("--engine=") else word for word in arguments]
    given = [(words[i + 1 : i + 2] if word == "--engine" else [words[i]])
             for i, word in enumerate(arguments) if word.split("=")[0] == "--engine"]  # fmt: skip
    if given:
        return (given[-1] or [""])[0]
    path = _config_path(_split_equals(arguments))
    return str(read_options(path).get("engine", "trl")) if path is not None else "trl"


def _with_our_names(config: dict[str, Any], aliases: Mapping[str, str]) -> dict[str, Any]:
    """The file's options under our names where it has TRL's."""
    for alias, name in aliases.items():
        if alias in config and name in config:
            raise InputError(f"The configuration file sets {alias!r} and {name!r}, which are one option; keep one.")
    return {aliases.get(name, name): value for name, value in config.items()}


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
    variables = config.pop("env", None) or {}
    if not isinstance(variables, dict):
        raise InputError(f"env is {variables!r}; write a mapping of environment variables to values.")
    for key, value in variables.items():
        os.environ[str(key)] = str(value)
    return config


_OWN = ("task", "dataset", "eval_dataset", "problem_column", "answer_column", "model_name_or_path", "init_from_scratch")
"""What the demonstration has of its own: whoever names one of these, or dataset_split and the like, means another."""


def _names_own_data_or_model(arguments: list[str]) -> bool:
    names = [a.lstrip("-").split("=")[0].replace("-", "_") for a in arguments if a.startswith("--")]
    return any(name in _OWN or name.startswith("dataset") for name in names)


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


def _reject_unknown_keys(config: dict[str, Any], known: Iterable[str]) -> None:
    for key in config:
        if key in NOT_OFFERED:
            raise InputError(f"The configuration file sets {key!r}, which has no meaning here: {NOT_OFFERED[key]}.")
        if key not in known:
            raise InputError(f"The configuration file sets {key!r}, which is no option.{nearest(str(key), known)}")


def help_all() -> str:
    """The help of every option, some 300 of them."""
    from pmpo.runs.command_line import machine_defaults, parser

    made = parser()
    made.set_defaults(**machine_defaults())
    return made.format_help()


def help_short() -> str:
    """This run's own options, without loading TRL, which takes seconds."""
    lines = []
    for option in fields(RunArguments):
        default = "" if option.default is None else f" [{option.default}]"
        also = "".join(f" (TRL: {alias})" for alias in option.metadata.get("aliases", ())[:1])
        text = f"{option.metadata['help']}{also}{default}"
        lines += textwrap.wrap(text, 118, initial_indent=f"  --{option.name:<28}", subsequent_indent=" " * 32)
    return "\n".join(lines)
