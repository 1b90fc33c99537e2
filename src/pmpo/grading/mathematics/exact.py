"""Numbers read exactly, without sympy: the easy majority of answers.

    18   18.   025   1,000   -3   .5   142.0   1e5   3 \\times 10^4   10^{-3}
    3/4   \\frac34   -\\frac{3}{4}   1\\frac45   0.1\\overline{6}

Numbers are compared by their canonical text, so an integer of a million digits costs no arithmetic at all.
"""

import re
from dataclasses import dataclass, field
from fractions import Fraction

from pmpo.grading.mathematics.decimals import LEAST_DIGITS, last_place
from pmpo.grading.mathematics.rational import is_finite

LONGEST_COMPUTED = 3_000
"""Digits up to which a number is held as a fraction; longer decimals are compared as text."""

_SIGN = r"(?P<sign>[-+]?) ?"
_PLAIN = r"(?:[0-9]{1,3}(?:,[0-9]{3})+|[0-9]{1,3}(?: [0-9]{3})+|[0-9]+)(?:\.[0-9]*)?|\.[0-9]+"
_POWER = r"10 ?\^ ?(?:\{ ?(?P<NAME>[-+]?[0-9]{1,9}) ?\}|(?P<NAMEs>[-+]?[0-9]{1,9}))"
_TIMES = r" ?(?:\\times|\\cdot|\*) ?" + _POWER.replace("NAME", "t")
_DECIMAL = re.compile(
    rf"{_SIGN}(?:(?P<digits>{_PLAIN})(?:[eE](?P<e>[-+]?[0-9]{{1,9}})|{_TIMES})?|{_POWER.replace('NAME', 'p')})",
    re.ASCII,
)
_FRACTION = re.compile(
    rf"{_SIGN}(?:(?P<whole>[0-9]+) ?)?\\frac ?(?:\{{ ?(?P<n>[-+]?[0-9]+) ?\}}|(?P<ns>[0-9])) ?"
    r"(?:\{ ?(?P<d>[-+]?[0-9]+) ?\}|(?P<ds>[0-9]))",
    re.ASCII,
)
_SLASH = re.compile(rf"{_SIGN}(?:(?P<whole>[0-9]+) (?: ?\+ ?)?)?(?P<n>[0-9]+) ?/ ?(?P<d>[0-9]+)", re.ASCII)


_REPEATING = re.compile(
    r"(?P<sign>[-+]?) ?(?P<whole>[0-9]{0,20})\.(?P<fixed>[0-9]{0,50}) ?"
    r"\\(?:overline|bar|dot) ?(?:\{ ?(?P<period>[0-9]{1,50}) ?\}|(?P<digit>[0-9]))",
    re.ASCII,
)


@dataclass(frozen=True, slots=True)
class Exact:
    """A rational number.

    `text` is canonical: "-3/4", "18", or for numbers too long to compute with "1234…e-5"; equal texts, equal numbers.
    `value` is None for the long ones. `place` is the place value of its last digit where it is written as decimals
    that may be a rounding (`decimals`), else None; it makes no number different from another.
    """

    text: str
    value: Fraction | None
    place: Fraction | None = field(default=None, compare=False)

    @property
    def finite(self) -> bool:
        """Whether the number has a finite decimal expansion."""
        return self.value is None or is_finite(self.value)


def exact(text: str) -> Exact | None:
    """The number that normalised LaTeX spells out, without its unit; None when it is no such number."""
    if text.isdigit() and text.isascii() and len(text) <= LONGEST_COMPUTED:  # by far the most frequent
        whole = text.lstrip("0") or "0"
        return Exact(whole, Fraction(int(whole)))
    if found := _DECIMAL.fullmatch(text):
        exponent = found["e"] or found["t"] or found["ts"] or found["p"] or found["ps"] or "0"
        return _decimal(found["sign"], found["digits"] or "1", int(exponent))
    if found := _FRACTION.fullmatch(text):
        return _fraction(found["sign"], found["whole"], found["n"] or found["ns"], found["d"] or found["ds"])
    if found := _SLASH.fullmatch(text):
        return _fraction(found["sign"], found["whole"], found["n"], found["d"])
    if found := _REPEATING.fullmatch(text):
        return _repeating(found["sign"], found["whole"], found["fixed"], found["period"] or found["digit"])
    return None


def of_fraction(value: Fraction, place: Fraction | None = None) -> Exact:
    """A computed number in canonical form."""
    return Exact(str(value), value, place)


def _decimal(sign: str, digits: str, exponent: int) -> Exact:
    digits = digits.replace(",", "").replace(" ", "")
    whole, _, decimals = digits.partition(".")
    shift = exponent
    exponent -= len(decimals)
    significant = (whole + decimals).lstrip("0")
    stripped = significant.rstrip("0")
    if not stripped:
        return Exact("0", Fraction(0))
    exponent += len(significant) - len(stripped)
    minus = "-" if sign == "-" else ""
    if len(stripped) + abs(exponent) > LONGEST_COMPUTED:
        return Exact(f"{minus}{stripped}e{exponent}", None)
    place = last_place(f"{digits}e{shift}") if decimals and len(significant) >= LEAST_DIGITS else None
    if exponent >= 0:
        return Exact(minus + stripped + "0" * exponent, Fraction(int(minus + stripped) * 10**exponent), place)
    return of_fraction(Fraction(int(minus + stripped), 10**-exponent), place)


def _repeating(sign: str, whole: str, fixed: str, period: str) -> Exact:
    """0.1\\overline{6} is 1/6."""
    value = Fraction(int(whole + fixed or "0")) + Fraction(int(period), 10 ** len(period) - 1)
    value /= 10 ** len(fixed)
    return of_fraction(-value if sign == "-" else value)


def _fraction(sign: str, whole: str | None, top: str, bottom: str) -> Exact | None:
    if len(top) + len(bottom) + len(whole or "") > LONGEST_COMPUTED or int(bottom) == 0:
        return None
    value = Fraction(int(top), int(bottom))
    if whole is not None:
        if value < 0:
            return None
        value += int(whole)
    return of_fraction(-value if sign == "-" else value)
