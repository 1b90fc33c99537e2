"""Values that the configuration filled in, and know it.

A configuration is copied in many ways (`dataclasses.replace`, copy, pickle) and changed after it was made. What the
user said has to survive all of them; what was derived from it has to be derived anew. So a derived number or name is
of a type of its own, equal to the plain one in every use: whoever assigns a plain value has said it.
"""

from __future__ import annotations

from typing import Any


class Filled:
    """Mark of a value that nobody said."""


class FilledFloat(Filled, float):
    pass


class FilledInt(Filled, int):
    pass


class FilledStr(Filled, str):
    pass


_KINDS: dict[type, Any] = {float: FilledFloat, int: FilledInt, str: FilledStr}


def filled(value: Any) -> Any:
    """A float, int or str, marked as filled in.

    >>> filled(0.25) == 0.25, said(filled(0.25)), said(0.25)
    (True, None, 0.25)
    """
    return _KINDS[type(value)](value)


def said(value: Any) -> Any:
    """The value if the user said it, None if it was filled in."""
    return None if isinstance(value, Filled) else value


def plain(value: Any) -> Any:
    """The value without its mark."""
    for base, marked in _KINDS.items():
        if isinstance(value, marked):
            return base(value)
    return value
