"""Lines of Hydra's command line, and where they come from."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pmpo.foundation.errors import InputError

ACTOR = "actor_rollout_ref.actor"
MODEL = "actor_rollout_ref.model"
ROLLOUT = "actor_rollout_ref.rollout"
REFERENCE = "actor_rollout_ref.ref"

_BARE = re.compile(r"[A-Za-z0-9_./@-]+(?:[A-Za-z0-9_./@:-]*[A-Za-z0-9_./@-])?")
_WORDS = ("true", "false", "null", "inf", "nan", "on", "off", "yes", "no")


@dataclass
class Translation:
    """What a run is in verl's words.

    Attributes:
        overrides: {key of verl's configuration, with Hydra's "+" where it is new: value}, in the order they were said.
        sources: {key without "+": the option that said it}.
        environment: variables of main_ppo's process.
        notes: sentences on what means the same in another way, or not quite the same.
    """

    overrides: dict[str, Any] = field(default_factory=dict)
    sources: dict[str, str] = field(default_factory=dict)
    environment: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def put(self, source: str, /, **values: Any) -> None:
        """Lines of one option; `__` stands for the dot, and a key that begins so is new in verl's configuration."""
        for name, value in values.items():
            self.line(source, name.replace("__", "."), value)

    def line(self, source: str, key: str, value: Any) -> None:
        """One line: `key` to `value`, said by the option `source`."""
        self.overrides[key] = value
        self.sources[key.lstrip("+")] = source

    def note(self, sentence: str) -> None:
        self.notes.append(sentence)

    def lines(self) -> list[str]:
        """The arguments of main_ppo, one override each."""
        return [f"{key}={hydra_value(value)}" for key, value in self.overrides.items()]

    def add_own(self, given: list[str]) -> None:
        """The user's own lines of verl's configuration, last.

        Raises: InputError for a line that is none, and for a key that an option of the run says.
        """
        for line in given:
            key, equals, value = line.partition("=")
            if not equals or not re.fullmatch(r"[+~]{0,2}[\w.@/-]+", key):
                raise InputError(
                    f"verl holds {line!r}; write KEY=VALUE with a key of verl's, such as trainer.nnodes=2."
                )
            source = self.sources.get(key.lstrip("+~"))
            if source is not None and source != "verl":
                raise InputError(f"verl sets {key}, which the option {source} says: change {source}, or drop the line.")
            self.overrides[key] = Raw(value)
            self.sources[key.lstrip("+~")] = "verl"


class Raw(str):
    """A value as the user wrote it for Hydra."""


def own_value(given: list[str] | None, key: str, default: str) -> str:
    """What the user's own lines say of a key."""
    found = [line.partition("=")[2] for line in given or [] if line.partition("=")[0].lstrip("+") == key]
    return found[-1] if found else default


def hydra_value(value: Any) -> str:
    """A value in the grammar of Hydra's overrides, which reads it back as the same.

    >>> hydra_value([1, "a b", None, True]), hydra_value({"lr": 1e-6}), hydra_value("it's")
    ("[1,'a b',null,True]", '{lr:1e-06}', "'it\\\\'s'")
    """
    if isinstance(value, Raw):
        return str(value)
    if value is None:
        return "null"
    if isinstance(value, bool | int | float):
        return repr(value)
    if isinstance(value, Mapping):
        return "{" + ",".join(f"{hydra_value(str(key))}:{hydra_value(each)}" for key, each in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ",".join(map(hydra_value, value)) + "]"
    text = str(value)
    if _BARE.fullmatch(text) and text.lower() not in _WORDS and not _is_number(text):
        return text
    quoted = re.sub(r"(\\*)'", lambda found: found[1] * 2 + "\\'", text)
    tail = len(quoted) - len(quoted.rstrip("\\"))
    return f"'{quoted}{chr(92) * tail}'".replace("${", "\\${")


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
