"""`pmpo objectives`: the family, its parts and their options, from the same data that a run is configured by."""

import importlib.util
import json
from collections.abc import Iterable, Sequence
from typing import Any

from pmpo.foundation.errors import InputError, unknown_name
from pmpo.foundation.named import is_named, load_named
from pmpo.objective import catalogue
from pmpo.objective.kinds import KINDS
from pmpo.objective.presets import OBJECTIVES, objective

_HELP = """usage: pmpo objectives [NAME]

Without NAME, every published objective, every part that one can be made of, and the options of each part.
NAME is an objective, whose mapping is then shown as YAML (also with changes, 'pmpo:kl_coef=0.1', and one of your own,
package.module:name or file.py:name), or a part, whose options are shown (clip_aware_ess, mine.py:Falling).
"""

_HOW = {
    "exponent": "exponent: NUMBER, or NAME:option=value,option=value, or {rule: NAME, option: value}",
    "trust_region": "trust_region: NAME:option=value, or {region: NAME, option: value}",
    "target": "exponent: clip_aware_ess:target=NAME, clip_aware_ess:option=value, or {…, target: {map: NAME, …}}",
    "correction": "correction: NAME:option=value, or {kind: NAME, option: value}, or none",
    "sequence_weight": "sequence_weight: NAME",
    "advantage": "advantage: NAME",
    "old_policy": "old_policy: NAME",
}
"""How each kind of part is written in YAML and, after `--`, as a flag."""


def main(arguments: Sequence[str]) -> int:
    """Print, and return the exit status.

    Raises: InputError for a name that is none.
    """
    words = list(arguments)
    if "-h" in words or "--help" in words:
        print(_HELP, end="")
    elif not words:
        _print_family()
    elif len(words) == 1:
        _print_one(words[0])
    else:
        raise InputError(f"`pmpo objectives` takes one name, got {len(words)}: {', '.join(words)}.")
    return 0


def _print_family() -> None:
    head = ("objective", "advantage", "trust region", "exponent", "weight", "KL")
    _print_table("objectives", "objective: NAME, or {name: NAME, exponent: …}", head, catalogue.presets())
    for key, kind in KINDS.items():
        _print_parts(f"{kind.what}s", _HOW[key], catalogue.parts(kind))
    for key, names in catalogue.choices().items():
        title = f"{key.replace('_', ' ')}s".replace("ys", "ies")
        _print_table(title, _HOW[key], ("name", "meaning"), names.items())
    print(
        "A part of your own is a dataclass or a function; it is written package.module:Name or path/to/file.py:Name.\n"
        "One objective as YAML: pmpo objectives pmpo"
    )


def _print_one(name: str) -> None:
    """An objective's mapping, or a part's options."""
    known = {part: cls for kind in KINDS.values() for part, cls in kind.known.items()}
    found = known.get(name) or (load_named(name, "part or objective") if is_named(name) else None)
    if callable(found):
        _print_parts(name, "", catalogue.part(name, found))
        return
    if name.partition(":")[0] not in OBJECTIVES and not is_named(name) and "{" not in name:
        raise InputError(unknown_name("objective or part", name, [*OBJECTIVES, *known]))
    one = objective(name)
    print(f"# in short: objective: {one.to_text()}\n{_yaml({'objective': one.to_mapping()})}", end="")


def _print_parts(title: str, how: str, entries: Iterable[catalogue.Entry]) -> None:
    rows = [(f"{'  ' * entry.is_option}{entry.name}", entry.takes, entry.default, entry.meaning) for entry in entries]
    _print_table(title, how, ("name", "takes", "default", "meaning"), rows)


def _print_table(title: str, how: str, head: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """A table by rich where it is installed, else columns as wide as their longest text."""
    lines = [tuple(row) for row in rows]
    if importlib.util.find_spec("rich") is not None:
        _print_rich(f"{title}\n{how}".rstrip(), head, lines)
        return
    widths = [max(len(row[column]) for row in [tuple(head), *lines]) for column in range(len(head))]
    print(f"{title}\n{how}".rstrip())
    for row in [tuple(head), *lines]:
        print("  ".join(map(str.ljust, row, widths)).rstrip())
    print()


def _print_rich(title: str, head: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for number, column in enumerate(head):
        table.add_column(column, no_wrap=number == 0)
    for row in rows:
        is_option = row[0].startswith(" ")
        table.add_row(*(Text(cell, "" if number or is_option else "bold") for number, cell in enumerate(row)))
    console = Console()
    console.print(Text(title, "bold cyan"))
    console.print(table)
    console.print()


def _yaml(data: Any) -> str:
    """As YAML; as JSON, which is YAML as well, where PyYAML is not installed."""
    if importlib.util.find_spec("yaml") is None:
        return json.dumps(data, indent=2, ensure_ascii=False) + "\n"
    import yaml

    return str(yaml.safe_dump(data, sort_keys=False, allow_unicode=True))
