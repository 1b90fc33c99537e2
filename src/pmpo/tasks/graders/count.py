"""The grader of counts: the first number in the completion must be the right one, digit for digit."""

import re
from collections.abc import Mapping
from typing import Any

from pmpo.tasks.graders.verdict import Verdict

_NUMBER = re.compile(r"[0-9]{1,20}")


def grade(gold: Any, completion: str, options: Mapping[str, Any]) -> Verdict:
    """Compare as text: "03" is not "3".

    Args:
        gold: the count in decimal digits, "3".
        options: none are known.
    """
    if (problem := check_gold(gold, options)) is not None:
        return Verdict("error", problem)
    found = _NUMBER.search(completion)
    if found is None:
        return Verdict("no_answer", "The completion holds no number.")
    if found[0] == gold:
        return Verdict("correct", f"The first number is {gold}.", gold)
    return Verdict("wrong", f"The first number is {found[0]}, not {gold}.", found[0])


def check_gold(gold: Any, options: Mapping[str, Any]) -> str | None:
    """None for decimal digits as text; a sentence otherwise."""
    if isinstance(gold, str) and _NUMBER.fullmatch(gold):
        return None
    return f"The reference answer {str(gold)[:100]!r} cannot be read: it must be a count in decimal digits, as text."
