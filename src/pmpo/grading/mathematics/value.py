"""One value of an answer, taken apart: number, unit, percent sign, words, expression."""

import re
from dataclasses import dataclass
from functools import cached_property

from pmpo.grading.mathematics import bounds
from pmpo.grading.mathematics.exact import Exact, exact, of_fraction
from pmpo.grading.mathematics.rules import MathRules
from pmpo.grading.mathematics.syntax import parse
from pmpo.grading.mathematics.tree import Node, hundredth
from pmpo.grading.mathematics.units import split_unit

_TEXT = re.compile(r"\(?\\text ?\{(?P<inside>[^{}]*)\}\)?")
_WORD = re.compile(r"[A-Za-z]{2,}(?:['’-][A-Za-z]+)*(?: [A-Za-z0-9]+(?:['’-][A-Za-z]+)*)*|\(?[A-Z]\)?")
_NUMBER_WORDS = {
    word: str(number)
    for number, word in enumerate(
        ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"]
    )
}
_PERCENT_NAME = (
    r"(?:per ?cent|percentage|pct|prozent|pour ?cent|por ?(?:ciento|cento)|per ?cento|procent[a-zů]*|prosent\w*|"
    r"процент\w*|відсотк\w*|パーセント|퍼센트|phần trăm|persen)"
)
_PERCENT_WORD = re.compile(rf"(?:\\text ?\{{ *{_PERCENT_NAME}\.? *\}}|(?<=[0-9]) ?{_PERCENT_NAME}\.?)\Z", re.IGNORECASE)
_PERCENT = re.compile(r"(?P<core>.*[^ ]) ?%", re.DOTALL)
_SHORT_SCRIPT = re.compile(r"([_^]) ?\{ ?([^{}\\]) ?\}")
_TIMES = re.compile(r"\\(?:cdot|times)(?![A-Za-z])")
_BLANKS_AROUND = re.compile(r" ?([^A-Za-z0-9 ]) ?")
_NEEDLESS_BLANK = re.compile(r"(?<![A-Za-z0-9]) | (?![A-Za-z0-9])|(?<=[0-9]) (?=[A-Za-z])|(?<=[A-Za-z]) (?=[0-9])")


@dataclass(frozen=True)
class Value:
    """One value of an answer, split once: `text` is normalised LaTeX."""

    text: str
    letters: bool = False
    words: bool = False

    @cached_property
    def bare_number(self) -> Exact | None:
        """The exact number that the whole text spells."""
        return exact(self.text)

    @cached_property
    def measured(self) -> tuple[str, str, bool]:
        """The value without unit and percent sign, the unit, and whether it had a percent sign."""
        if self.bare_number is not None:
            return self.text, "", False
        text = self.text
        if not text.isascii() or "p" in text.lower():  # as every name of the percent sign in ASCII has it
            text = _PERCENT_WORD.sub(" %", text)
        split = split_unit(text, letters=self.letters, words=self.words)
        core, unit = split.core, split.unit
        if unit.split(" ")[0] in ("percent", "percentage", "pct"):  # of something
            return core, "", True
        found = _PERCENT.fullmatch(core)
        return (found["core"], unit, True) if found else (core, unit, False)

    @property
    def core(self) -> str:
        return self.measured[0]

    @property
    def unit(self) -> str:
        return self.measured[1]

    @property
    def percent(self) -> bool:
        return self.measured[2]

    @cached_property
    def number(self) -> Exact | None:
        """The exact number, the percent sign aside; small numbers may be words."""
        if self.bare_number is not None:
            return self.bare_number
        word = (
            _NUMBER_WORDS.get((self.words_only or "").lower()) if self.core[:1].isalpha() or "\\" in self.core else None
        )
        return exact(word or self.core)

    @cached_property
    def words_only(self) -> str | None:
        """The lower-case words where the value is plain text: "\\text{Evelyn}", "(C)", "even"."""
        found = _TEXT.fullmatch(self.text)
        inside = found["inside"] if found else self.text if _WORD.fullmatch(self.text) else None
        if inside is None:
            return None
        words = re.sub(r"[().,]", " ", inside).split()
        return " ".join(words[1:] if len(words) > 1 and words[0].lower() in ("a", "an", "the") else words) or None

    @property
    def is_text(self) -> bool:
        """Whether it can only be words, not a product of symbols."""
        return self.words_only is not None and (self.text.startswith(("\\text", "(")) or len(self.words_only) > 1)

    @cached_property
    def tree(self) -> Node:
        """The expression, measured. Raises: UnreadableError."""
        tree = parse(self.core)
        bounds.measure(tree)
        return hundredth(tree) if self.percent else tree

    @cached_property
    def skeleton(self) -> str:
        """The text without what never changes its meaning, for equality as text."""
        text = self.text
        if "^" in text or "_" in text:
            text = _SHORT_SCRIPT.sub(r"\1\2", text)
        if "\\" in text:
            text = _TIMES.sub("*", text)
        return _NEEDLESS_BLANK.sub("", _BLANKS_AROUND.sub(r"\1", text)) if " " in text else text


def canonical(value: Value, rules: MathRules) -> str:
    """The text that stands for a value in votes: equal texts are equal values, units aside unless they are required."""
    number = value.number
    if number is not None:
        if value.percent and rules.percent == "value":
            number = of_fraction(number.value / 100) if number.value is not None else number
        return f"{number.text} {value.unit}".strip() if rules.units == "require" else number.text
    if value.words_only is not None and value.is_text:
        return value.words_only.lower()
    return value.skeleton
