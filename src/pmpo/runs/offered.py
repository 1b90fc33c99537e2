"""Which options there are, wherever they were read off."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from pmpo.runs.option_types import OptionType

NOT_OFFERED = {"ignore_bias_buffers": "TRL's grpo command declares it and reads it nowhere; drop it"}
"""Options of `trl grpo` that `pmpo train` has no place for, and why."""


@dataclass(frozen=True)
class OptionTable:
    """The options that a command line and a file may name.

    Attributes:
        kinds: the declared type of each.
        aliases: {another name: the option's}.
        defaults: of each, on this machine.
        read_flags: what flags say by option, and the words that are no options; see `command_line.read_flags`.
    """

    kinds: Mapping[str, OptionType]
    aliases: Mapping[str, str]
    defaults: Mapping[str, Any]
    read_flags: Callable[[list[str]], tuple[dict[str, Any], list[str]]]
