"""The varied settings of a study: from what its YAML says of them to the list of cells."""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping, Sequence
from typing import Any

from pmpo.foundation.errors import InputError

_NUMERAL = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
Cell = dict[str, Any]


def cells_of(settings: Any, base: Mapping[str, Any]) -> tuple[Cell, ...]:
    """Every combination of the varied settings; all cells have the same names.

    Args:
        settings: None, a list of cells, or a mapping of a setting to its values. A mapping in the place of the values
            is a group of settings that change together, by a name: {"regime": {"fresh": {}, "stale": {"a": 8}}}.
        base: settings that all runs share: what a cell leaves out.
    Raises: InputError for anything else, and for a cell that lacks what others have.

    >>> cells_of({"a": [1, 2], "b": ["x"]}, {})
    ({'a': 1, 'b': 'x'}, {'a': 2, 'b': 'x'})
    >>> cells_of({"regime": {"fresh": {}, "stale": {"a": 8}}}, {"a": 0})
    ({'a': 0}, {'a': 8})
    """
    if not settings:
        return ({},)
    if isinstance(settings, Mapping):
        axes = [_axis(name, values) for name, values in settings.items()]
        cells = [_joined(parts) for parts in itertools.product(*axes)]
    elif isinstance(settings, Sequence) and not isinstance(settings, str):
        cells = [{str(name): number(value) for name, value in _mapping(one, "a cell").items()} for one in settings]
    else:
        raise InputError(
            f"settings is {settings!r}; write a mapping of settings to lists of values, or a list of cells."
        )
    filled = _filled(cells, base)
    for one, other in itertools.combinations(filled, 2):
        if one == other:
            raise InputError(f"Two cells of settings are the same: {cell_text(one)}. Leave one out.")
    return tuple(filled)


def number(value: Any) -> Any:
    """A number for a text that is one: YAML 1.1 reads 1e-4 as a text.

    >>> number("1e-4"), number("auto"), number(8)
    (0.0001, 'auto', 8)
    """
    if isinstance(value, str) and _NUMERAL.fullmatch(value.strip()):
        return int(value) if re.fullmatch(r"[+-]?\d+", value.strip()) else float(value)
    return value


def cell_text(cell: Mapping[str, Any]) -> str:
    """A cell for people.

    >>> cell_text({"learning_rate": 4e-4, "num_iterations": 4})
    'learning_rate 0.0004, num_iterations 4'
    """
    return ", ".join(f"{name} {value_text(value)}" for name, value in cell.items()) or "all settings of the base"


def value_text(value: Any) -> str:
    """A setting's value, as short as it can be without becoming another."""
    return f"{value:g}" if isinstance(value, float) and float(f"{value:g}") == value else str(value)


def _axis(name: str, values: Any) -> list[Cell]:
    if isinstance(values, Mapping):
        return [{str(k): number(v) for k, v in _mapping(one, f"{name}: {key}").items()} for key, one in values.items()]
    if not isinstance(values, list | tuple) or not values:
        raise InputError(f"settings: {name} is {values!r}; write a list of values, as {name}: [1, 2].")
    return [{name: number(value)} for value in values]


def _mapping(value: Any, what: str) -> Mapping[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise InputError(f"settings: {what} is {value!r}; write a mapping of settings to values.")
    return value


def _joined(parts: Sequence[Cell]) -> Cell:
    cell: Cell = {}
    for part in parts:
        twice = sorted(cell.keys() & part.keys())
        if twice:
            raise InputError(f"settings vary {twice[0]} in two places; keep one of them.")
        cell |= part
    return cell


def _filled(cells: Sequence[Cell], base: Mapping[str, Any]) -> list[Cell]:
    names = list(dict.fromkeys(name for cell in cells for name in cell))
    for cell in cells:
        for name in names:
            if name not in cell and name not in base:
                raise InputError(
                    f"The cell {cell_text(cell)} does not say what {name} is, which other cells set; write it there, "
                    "or in base."
                )
    return [{name: cell[name] if name in cell else number(base[name]) for name in names} for cell in cells]
