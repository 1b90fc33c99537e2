"""A study's settings as the words of a `pmpo train`."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def words_of(options: Mapping[str, Any]) -> list[str]:
    """Flags that say the same as a mapping of settings.

    >>> words_of({"use_cpu": True, "learning_rate": 1e-4, "reward": ["a", "b"], "exponent": {"rule": "fixed"}})
    ['--use_cpu=true', '--learning_rate=0.0001', '--reward', 'a', 'b', '--exponent={"rule": "fixed"}']
    """
    words: list[str] = []
    for name, value in options.items():
        if isinstance(value, list | tuple):
            words += [f"--{name}", *map(_text, value)]
        else:  # one word, so that a value may begin with a minus
            words.append(f"--{name}={_text(value)}")
    return words


def command_of(options: Mapping[str, Any], folder: Path) -> str:
    """The command that makes the run again, elsewhere than in its folder in the study."""
    return shlex.join(["pmpo", "train", *words_of({**options, "output_dir": f"runs/{folder.name}"})])


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if value is None:
        return "null"
    if isinstance(value, Mapping):
        return json.dumps(value)
    return str(value)
