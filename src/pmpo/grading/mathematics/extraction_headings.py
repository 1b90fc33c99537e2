"""GSM8K's "#### 18", told apart from a Markdown heading.

The line of a `####` holds an answer when it is one of these; every other line is a heading in words:

    #### 18    #### **18**    #### $x = 5$    #### 18 eggs      an expression, perhaps with words behind it
    #### The answer is 18     #### Final Answer: 18             an announcement, with what it announces
    #### Final Answer         and below it "18"                 an announcement, with the line that follows
    #### Evelyn               at the end of the text            words alone: weak, see `Heading`
"""

import re
from dataclasses import dataclass

from pmpo.grading.mathematics.extraction_expression import is_prose, plain, words_as_text
from pmpo.grading.mathematics.extraction_phrases import announced_at, announces

_HASHES = re.compile(r"####+")
_NUMBERED = re.compile(r"\(?(?:1?[0-9]|20|[A-Za-z]|[ivxIVX]{1,5})[.):]\)?\s+\W{0,9}(?=[^\W\d_]{2})")  # "2. Checking"
_WORD_FIRST = re.compile(
    r"(?!(?:log|ln|sin|cos|tan|exp|min|max|gcd|lcm|sqrt)\b)[^\W\d_]{2,}+(?!\s{0,3}[=(^_<>])|[A-Za-z]\s+[a-z]{2}"
)
_TITLE = re.compile(r"[0-9]+\s+[A-Z][a-z]")  # "3 Checking"
_MOST = 1000
_LONGEST = 1000
_LONGEST_BELOW = 2000


@dataclass(frozen=True, slots=True)
class Heading:
    """The answer that a `####` gives, and where the mark stands. A `weak` one is words alone, or taken from a sentence
    below the heading: it counts where no other mark gives an answer."""

    text: str
    start: int
    weak: bool = False


def last_heading(text: str) -> Heading | None:
    """The last `####` of a text whose line holds an answer; see the top of this file. Linear in the length: of more
    than `_MOST` marks the last ones are looked at."""
    if "####" not in text:  # far quicker than the expression
        return None
    runs = [found.span() for found in _HASHES.finditer(text)]
    marks = [(start, end) for start, end in runs if end - start == 4]
    stop = len(text)
    for start, end in reversed(marks[-_MOST:]):
        if found := _read(text, end, stop):
            return Heading(found[0], start, found[1])
        stop = start
    return None


def breaks_off(text: str) -> bool:
    """Whether a text ends behind a `####`."""
    return text.endswith("####") or text.rstrip().endswith("####")


def _read(text: str, end: int, stop: int) -> tuple[str, bool] | None:
    """The answer behind a mark that ends at `end`, up to the next mark at `stop`, and whether it is weak."""
    line_end = text.find("\n", end, stop)
    line_end = stop if line_end < 0 else line_end
    line = plain(text[end : min(line_end, end + _LONGEST)].strip().rstrip("#"))
    announced = announces(line) if line else ""
    if announced:
        return announced, False
    if announced is not None:
        return _below(text[line_end : min(stop, line_end + _LONGEST_BELOW)], bool(line))
    if _is_answer(line):
        return (announced_at(line, 0, 0, lenient=False) or line if is_prose(line) else words_as_text(line)), False
    alone = stop == len(text) and not any(sign.isdigit() for sign in line)
    return (line, True) if alone and not text[line_end : line_end + _LONGEST_BELOW].strip() else None


def _below(rest: str, announced: bool) -> tuple[str, bool] | None:
    """The answer in the line below a heading, which has to be an expression where nothing announced it."""
    line = announced_at(rest, 0, 0, lenient=False) if rest.strip() else None
    if line is None:
        return None
    if _is_answer(line):
        return line, False
    inside = announces(line) or announced_at(rest, 0, 0, lenient=True)
    return (inside, True) if announced and inside else None


def _is_answer(line: str) -> bool:
    """Whether a line begins with an expression, and is no numbered title."""
    if not line or _NUMBERED.match(line) or _WORD_FIRST.match(line):
        return False
    return not is_prose(line) or (any(sign.isdigit() for sign in line) and not _TITLE.match(line))
