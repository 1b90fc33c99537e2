"""The options of `pmpo train` where TRL is not installed: those of TRL as they were read off it, in a file.

    python -m pmpo.runs.verl_engine.option_table        writes the file anew, where TRL is installed

The environment of verl has no TRL. The file holds what `pmpo.runs.command_line` finds in TRL's classes: the type and
the default of every option. The run's own options are read off their dataclass, as everywhere.
"""

from __future__ import annotations

import argparse
import builtins
import json
from collections.abc import Mapping
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any, NoReturn, get_type_hints

from pmpo.foundation.errors import InputError
from pmpo.foundation.files import write_whole
from pmpo.runs.machine import machine_defaults
from pmpo.runs.offered import OptionTable
from pmpo.runs.option_types import OptionType, option_type
from pmpo.runs.run_arguments import RunArguments

FILE = Path(__file__).with_name("trl_options.json")


def option_table() -> OptionTable:
    """Every option, without TRL."""
    kinds, defaults = {}, {}
    hints = get_type_hints(RunArguments)
    for field in fields(RunArguments):
        kinds[field.name] = option_type(field, hints[field.name])
        defaults[field.name] = None if field.default is MISSING else field.default
    for name, row in json.loads(FILE.read_text(encoding="utf-8")).items():
        kinds[name], defaults[name] = _type_of(name, row), row.get("default")
    also = {a.lstrip("-"): f.name for f in fields(RunArguments) for a in f.metadata.get("aliases", ())}
    return OptionTable(kinds, also, {**defaults, **machine_defaults()}, lambda words: _read_flags(words, kinds, also))


def _read_flags(
    words: list[str], kinds: Mapping[str, OptionType], also: Mapping[str, str]
) -> tuple[dict[str, Any], list[str]]:
    """As `command_line.read_flags`, whose parser is TRL's."""
    parser = _Parser(add_help=False, allow_abbrev=False, argument_default=argparse.SUPPRESS)
    for name, kind in kinds.items():
        names = [name, *(alias for alias, meant in also.items() if meant == name)]
        spelled = dict.fromkeys(f"--{form}" for one in names for form in (one, one.replace("_", "-")))
        how: dict[str, Any] = {"nargs": "+"} if kind.takes_several() else {}
        if bool in kind.kinds:
            how = {"nargs": "?", "const": True}
            parser.add_argument(f"--no_{name}", f"--no-{name.replace('_', '-')}", dest=name, action="store_false")
        parser.add_argument(*spelled, dest=name, **how)
    namespace, unknown = parser.parse_known_args(words)
    return dict(vars(namespace)), unknown


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise InputError(f"{message[0].upper()}{message[1:]}. `pmpo train --help` lists the options.")


def _type_of(name: str, row: Mapping[str, Any]) -> OptionType:
    words = row.get("words")
    return OptionType(
        name,
        frozenset(getattr(builtins, kind) for kind in row["kinds"]),
        row.get("optional", False),
        _type_of(name, row["item"]) if "item" in row else None,
        tuple(row.get("choices", ())),
        None if words is None else {True: words[0], False: words[1]},
        row.get("paths", False),
        row.get("specs", False),
    )


def _row_of(kind: OptionType) -> dict[str, Any]:
    row: dict[str, Any] = {"kinds": sorted(one.__name__ for one in kind.kinds)}
    row |= {name: True for name in ("optional", "paths", "specs") if getattr(kind, name)}
    row |= {"choices": list(kind.choices)} if kind.choices else {}
    row |= {"words": [kind.words[True], kind.words[False]]} if kind.words is not None else {}
    return row | ({"item": _row_of(kind.item)} if kind.item is not None else {})


def read_off_trl() -> str:
    """The file's content, from the installed TRL; defaults as they are declared, not as this machine has them."""
    from pmpo.foundation.files import plain
    from pmpo.runs.command_line import CLASSES, option_types

    kinds, rows = option_types(), {}
    for field in (f for cls in CLASSES if cls is not RunArguments for f in fields(cls) if f.init):
        made = field.default_factory() if field.default_factory is not MISSING else None  # type: ignore[misc]
        default = made if field.default is MISSING else getattr(field.default, "value", field.default)
        rows[field.name] = {**_row_of(kinds[field.name]), **({} if default is None else {"default": plain(default)})}
    lines = ",\n".join(f"{json.dumps(name)}: {json.dumps(row)}" for name, row in sorted(rows.items()))
    return f"{{\n{lines}\n}}\n"


if __name__ == "__main__":
    write_whole(FILE, read_off_trl())
    print(FILE)
