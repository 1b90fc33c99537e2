"""The options of `pmpo train` and what the flags say of them.

The options are the fields of the run's dataclasses. Which of them a flag names, and how many values it takes, is
argparse's business (through TRL's parser, so that a flag is spelled as there); what a value means is
`pmpo.runs.option_types`', the same for a flag and a file.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import MISSING, fields
from typing import Any, NoReturn, get_type_hints

from trl import ModelConfig, TrlParser

from pmpo.foundation.errors import InputError, nearest
from pmpo.integrations.trl import PMPOConfig
from pmpo.runs.machine import machine_defaults
from pmpo.runs.offered import NOT_OFFERED, OptionTable
from pmpo.runs.option_types import OptionType, option_type
from pmpo.runs.run_arguments import RunArguments

CLASSES = (RunArguments, PMPOConfig, ModelConfig)

_SPECIAL: dict[str, dict[str, Any]] = {
    "resume_from_checkpoint": {"words": {True: "true", False: "false"}},
    "scale_rewards": {"words": {True: "group", False: "none"}},
    **{name: {"specs": True} for name in ("objective", "exponent", "trust_region", "correction")},
    "fsdp": {"words": {True: True, False: None}},
    "fsdp_config": {"paths": True},
    "deepspeed": {"paths": True},
    "accelerator_config": {"paths": True},
}


class Parser(TrlParser):
    """TRL's, with sentences for mistakes: argparse would print two screens of usage before its message."""

    def error(self, message: str) -> NoReturn:
        raise InputError(f"{message[0].upper()}{message[1:]}. `pmpo train --help_all` lists all options.")


def parser() -> Parser:
    """With every option and its help."""
    made = Parser(CLASSES, prog="pmpo train", allow_abbrev=False)
    name = "use_bias_correction_kl"  # true by default in TRL, whose parser then makes a flag for false
    flags = (f"--no_{name}", f"--no-{name.replace('_', '-')}")
    made.add_argument(*flags, action="store_false", dest=name, default=argparse.SUPPRESS, help=f"Its {name}: false.")
    return made


def option_types() -> dict[str, OptionType]:
    """The declared type of every option, by name."""
    found = {}
    for cls in CLASSES:
        hints = get_type_hints(cls)
        for field in fields(cls):
            if field.init:
                found[field.name] = option_type(field, hints[field.name], **_SPECIAL.get(field.name, {}))
    return found


def defaults() -> dict[str, Any]:
    """The default of every option on this machine, by name."""
    found = {}
    for cls in CLASSES:
        for field in fields(cls):
            if field.init:
                found[field.name] = field.default if field.default is not MISSING else _made(field.default_factory)
    return {**found, **machine_defaults()}


def _made(factory: Any) -> Any:
    return None if factory is MISSING else factory()


def aliases() -> dict[str, str]:
    """{TRL's name: ours} of the options that have two."""
    spelled = {f: f.metadata.get("aliases", ()) for cls in CLASSES for f in fields(cls)}
    return {alias.lstrip("-"): field.name for field, names in spelled.items() for alias in names}


def option_table() -> OptionTable:
    """Every option of the installed TRL, the objective's and the run's."""
    kinds = option_types()
    return OptionTable(kinds, aliases(), defaults(), lambda words: read_flags(words, kinds))


def read_flags(words: list[str], kinds: Mapping[str, OptionType]) -> tuple[dict[str, Any], list[str]]:
    """What the flags say, by option, as text, lists of text or truth values; and the words that are no options.

    Raises: InputError for a flag without its value.
    """
    spelled = parser()
    for action in spelled._actions:
        kind = kinds.get(action.dest)
        if kind is None:
            continue
        action.default, action.type, action.choices = argparse.SUPPRESS, None, None
        if kind.takes_several():
            action.nargs = "+"
        elif bool in kind.kinds and action.nargs is None:
            action.nargs, action.const = "?", True
    namespace, unknown = spelled.parse_known_args(words)
    return dict(vars(namespace)), unknown


def check_unknown(words: list[str]) -> None:
    """Refuse a word that is no option, with the nearest."""
    if not words:
        return
    name = words[0].lstrip("-").replace("-", "_").split("=")[0]
    if name in NOT_OFFERED:
        raise InputError(f"{words[0]} has no meaning here: {NOT_OFFERED[name]}.")
    names = [name for action in parser()._actions for name in action.option_strings]
    raise InputError(f"There is no option {words[0]!r}.{nearest(words[0], names)} `pmpo train --help_all` lists all.")


def construct(values: Mapping[str, Any]) -> tuple[RunArguments, PMPOConfig, ModelConfig]:
    """The run's dataclasses.

    Args:
        values: what was said, by option, each of its declared type.
    Raises: InputError for what the dataclasses refuse; its sentence names an option that was said.
    """
    run, training, model = (_build(cls, values) for cls in CLASSES)
    return run, training, model


def _build(cls: Any, values: Mapping[str, Any]) -> Any:
    from pmpo.runs.batch_arithmetic import explain_batch_arithmetic

    own = {field.name: values[field.name] for field in fields(cls) if field.init and field.name in values}
    try:
        return cls(**own)
    except InputError:
        raise
    except Exception as error:  # whatever a host's check raises, it is what was said that it cannot work with
        sentence = explain_batch_arithmetic({**defaults(), **values}) if cls is PMPOConfig else None
        raise InputError(sentence or _with_its_option(cls, own, error)) from error


def _with_its_option(cls: Any, own: Mapping[str, Any], error: Exception) -> str:
    """The host's message, beginning with the option that it is about where it does not name one."""
    message = " ".join(str(error).split()) or type(error).__name__
    if any(name in message for name in own):
        return message
    for name, value in own.items():
        try:
            cls(**{other: own[other] for other in own if other != name})
        except Exception:  # it is not this one, or not this one alone
            continue
        return f"{name} is {value!r}: {message}"
    return message
