"""Reference answers of the mathematics data sets, from each source's spelling to the one that the grader takes."""

import math
import re
from collections.abc import Callable
from typing import Any

Gold = str | list[str]


class UnreadableGoldError(ValueError):
    """The reference of a row cannot be made out; the message ends a sentence that names the row."""


def text_answer(value: Any) -> str:
    """LaTeX or text without the blanks around it; a whole float such as 142.0 as "142".

    Raises: UnreadableGoldError for NaN, an infinity, or what is neither text nor number.
    """
    if isinstance(value, list | tuple) and len(value) == 1:
        value = value[0]
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise UnreadableGoldError(f"the answer is {value!r}, a {type(value).__name__}, not text or a number")
    if not math.isfinite(value):
        raise UnreadableGoldError(f"the answer is {value!r}")
    return str(int(value)) if value == int(value) else repr(value)


def integer_answer(value: Any) -> str:
    """The answer of a contest whose answers are integers: "025", 25 and 25.0 are "25"; other text stays as it is."""
    text = text_answer(value)
    if re.fullmatch(r"[+-]?[0-9]{1,18}(\.0*)?", text):
        return str(int(text.partition(".")[0]))
    return text


def gsm8k_answer(value: Any) -> str:
    """What stands after the last "####" of a worked answer, without thousands separators; else the whole text."""
    text = text_answer(value)
    return text.rpartition("####")[2].strip().replace(",", "") if "####" in text else text.replace(",", "")


def boxed_answer(value: Any) -> str:
    r"""The content of the last \boxed{…} or \fbox{…} of a worked solution; without a box, UnreadableGoldError."""
    text = text_answer(value)
    starts = [found.end() for found in re.finditer(r"\\(?:boxed|fbox)\s*\{", text)]
    for start in reversed(starts):
        depth = 1
        for position in range(start, len(text)):
            depth += (text[position] == "{") - (text[position] == "}")
            if depth == 0:
                return text[start:position].strip()
    bare = re.findall(r"\\boxed\s+([^\s$]+)", text)  # MATH has a few "\boxed 2"
    if bare:
        return bare[-1]
    raise UnreadableGoldError("the solution holds no \\boxed{…} with the answer")


def accepted_forms(value: Any) -> list[str]:
    """Every accepted form once, blanks and newlines around it removed.

    Raises: UnreadableGoldError when none is left.
    """
    values = value if isinstance(value, list | tuple) else [value]
    forms = [form for form in dict.fromkeys(text_answer(v) for v in values if v is not None) if form]
    if not forms:
        raise UnreadableGoldError(f"the list of accepted answers {value!r} holds none")
    return forms


GoldReader = Callable[[Any], Gold]
