"""One sentence for every unknown name: what was wrong, the nearest name, and all of them."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def unknown_name(what: str, given: object, known: Iterable[str]) -> str:
    """The message for a name that is not known.

    >>> unknown_name("objective", "pmop", ["grpo", "pmpo"])
    "Unknown objective 'pmop': did you mean 'pmpo'? Known: 'grpo', 'pmpo'."
    """
    names = list(known)
    nearest = difflib.get_close_matches(str(given).lower(), names, n=1, cutoff=0.5)
    hint = f" did you mean '{nearest[0]}'?" if nearest else ""
    listed = ", ".join(f"'{name}'" for name in names)
    return f"Unknown {what} {given!r}:{hint} Known: {listed}."
