"""Units after a number: "5 cm", "864 \\mbox{ inches}^2", "90^\\circ", "\\$18.90", "15000 \\text{ kcal m}^{-2}".
The base of a numeral, "204_5", is treated as one.

Units are spelt out to one form and never converted: 5 cm equals 5\\text{ centimetres}, and neither 5 m nor 0.05 m.
"""

import re
from dataclasses import dataclass
from functools import lru_cache

from pmpo.grading.mathematics import qualifiers, scales
from pmpo.grading.mathematics.characters import GREEK_NAMES

_SPELLINGS = {
    "cm": "centimeter centimeters centimetre centimetres cms",
    "m": "meter meters metre metres",
    "mm": "millimeter millimeters millimetre millimetres",
    "km": "kilometer kilometers kilometre kilometres kms",
    "in": "inch inches",
    "ft": "foot feet",
    "yd": "yard yards",
    "mi": "mile miles",
    "g": "gram grams gm gms",
    "kg": "kilogram kilograms kilo kilos kgs",
    "mg": "milligram milligrams",
    "lb": "pound pounds lbs",
    "oz": "ounce ounces",
    "s": "second seconds sec secs",
    "min": "minute minutes mins",
    "h": "hour hours hr hrs",
    "day": "days",
    "week": "weeks wk wks",
    "month": "months mo",
    "year": "years yr yrs",
    "L": "liter liters litre litres l",
    "mL": "milliliter milliliters ml",
    "N": "newton newtons",
    "J": "joule joules",
    "W": "watt watts",
    "V": "volt volts",
    "Hz": "hertz hz",
    "A": "ampere amperes amp amps",
    "C": "coulomb coulombs",
    "F": "farad farads",
    "T": "tesla teslas",
    "M": "molar",
    "K": "kelvin kelvins",
    "Pa": "pascal pascals",
    "mol": "mole moles",
    "eV": "ev",
    "kJ": "kj",
    "MHz": "mhz",
    "GHz": "ghz",
    "nm": "nanometer nanometers",
    "ohm": "ohms Omega",
    "rad": "radian radians",
    "degree": "degrees deg",
    "dollar": "dollars usd",
    "cent": "cents",
    "euro": "euros eur",
    "erg": "ergs",
    "kcal": "kilocalorie kilocalories",
    "sq": "square",
    "cu": "cubic",
}
_CANONICAL = {word: unit for unit, words in _SPELLINGS.items() for word in (unit, *words.split())}
_COMPOUND = {"mph": "mi/h", "kph": "km/h", "kmh": "km/h", "kmph": "km/h"}
_BARE = sorted((word for word in {*_CANONICAL, *_COMPOUND} if len(word) > 1), key=len, reverse=True)
_FILLER = {*scales.NAMES, "", "unit", "units", "of", "the", "a", "an", "each", "total", "about"} | {
    "approximately",
    "roughly",
    "exactly",
}

_LONGEST = 400  # characters; the patterns below are not meant for more
_MOST_CACHED = 1024  # units, which repeat from answer to answer
_EXPONENT = r"(?: ?\^ ?(?:\{? ?-?[0-9] ?\}?))?"
_INSIDE = r"(?:[^{}]|\^ ?\{[^{}]*\})*"
_NUMBER_END = r"(?P<core>.*(?:[0-9.})!]|\\pi))"
_TEXT_UNIT = re.compile(rf"(?P<core>.*?[^ ]) ?(?P<unit>(?:[ /]*\\text ?\{{{_INSIDE}\}}{_EXPONENT})+)", re.DOTALL)
_NAMES = rf"(?:\\text ?\{{[^{{}}]*\}}{_EXPONENT} ?)+"
_UNIT_FRACTION = re.compile(rf"\\frac ?\{{ ?(?P<top>{_NAMES})\}} ?\{{ ?(?P<bottom>{_NAMES})\}}\Z")
_UNIT_IN_BRACKETS = re.compile(r"(?<=[0-9.} ])\( ?(\\text ?\{[^{}]*\}) ?\)\Z")
_OHM = re.compile(r"(?P<core>[-+]?[0-9.]+) ?(?P<unit>\\Omega)")
_BARE_UNIT = re.compile(
    rf"{_NUMBER_END} ?(?P<unit>(?:(?:{'|'.join(_BARE)}){_EXPONENT}|(?<= )(?:sq|square|cubic|per)|[ /.]){{1,12}})",
    re.DOTALL,
)
_LETTER = rf"[mgshLlNJWVK]{_EXPONENT}"
_LETTER_UNIT = re.compile(rf"{_NUMBER_END} (?P<unit>{_LETTER}(?: ?/ ?{_LETTER})?)", re.DOTALL)
_WORDS = re.compile(
    r"(?P<core>[-+]? ?(?:[0-9][0-9,]*(?:\.[0-9]+)?|\.[0-9]+)(?: ?/ ?[0-9]+)?) ?"
    r"(?P<unit>/? ?[A-Za-z]{2,}(?:[ /.'-]+[A-Za-z]+)*)[ .]*"
)
_ANY_EXPONENT = re.compile(r"\^ ?\{? ?-?[0-9] ?\}?")
_LONE_LETTER = re.compile(r"(?<![A-Za-z°])[A-Za-z](?![A-Za-z])")
_DEGREES = re.compile(
    r"(?P<core>.*[^ ^]) ?\^ ?(?:\\circ|\{ ?\\circ ?\}) ?(?:\\text ?\{ ?)?(?P<scale>[CFK]?) ?\}?", re.DOTALL
)
_FUNCTION = re.compile(r"\\(?:arc)?(?:sin|cos|tan|cot|sec|csc)")  # the degrees of \sin 30^\circ are its argument's
_ARC = re.compile(r"(?P<core>.*[0-9]) ?(?:\^ ?\{)? ?(?P<marks>'(?: ?')?) ?\}?", re.DOTALL)
_BASES = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"]
_IN_BASE = r"(?P<base>[0-9]{1,2}|[a-z]{3,7})"
_BASE = re.compile(
    r"\(?(?P<core>[0-9A-Fa-f]+)\)? ?"
    rf"(?:_ ?(?:(?P<single>[0-9])|\{{ ?(?:\\text ?\{{ ?)?\(? ?{_IN_BASE} ?\)? ?\}}?(?: ?\}})?)"
    rf"|\\text ?\{{ *\(?(?:in )?base {_IN_BASE.replace('base', 'words')}\)? *\}})"
)
_CURRENCY = re.compile(r"(?P<minus>-?) ?(?P<sign>\\dollar|€|£|\\pounds|\\euro) ?(?P<core>.*)", re.DOTALL)
_CURRENCIES = {"\\dollar": "dollar", "€": "euro", "\\euro": "euro", "£": "£", "\\pounds": "£"}
_NO_BRACKETS = str.maketrans("()\\", "   ")
_PART = re.compile(r"(/|per\b)|([A-Za-z]+|[^\sA-Za-z0-9^{}./-]+)(?: ?\^ ?\{? ?(-?[0-9]) ?\}?)?")


@dataclass(frozen=True, slots=True)
class Measured:
    """A text split into `core` and its `unit`, in canonical spelling ("cm", "kcal·m^-2", "base 8"), "" where none."""

    core: str
    unit: str


def split_unit(text: str, *, letters: bool = False, words: bool = False) -> Measured:
    """Take the unit off the end (or a currency off the front) of normalised LaTeX.

    Args:
        letters: also read a single bare letter as a unit ("5 m"); it could as well be a symbol.
        words: also read whatever words follow a plain number as its unit ("18 large eggs").
    """
    if len(text) > _LONGEST:
        return Measured(text, "")
    if text.endswith(")"):
        text = _UNIT_IN_BRACKETS.sub(r" \1", text)
    if "\\frac" in text:
        text = _UNIT_FRACTION.sub(r"\g<top> / \g<bottom>", text)
    if found := _CURRENCY.fullmatch(text):
        inner = split_unit(found["core"], words=words)
        return Measured(found["minus"] + inner.core, _CURRENCIES[found["sign"]])
    if (found := _BASE.fullmatch(text)) and (base := _base(found)):
        return Measured(found["core"], f"base {base}")
    if "\\circ" in text and (found := _DEGREES.fullmatch(text)) and not _FUNCTION.search(found["core"]):
        return Measured(found["core"], f"°{found['scale']}" if found["scale"] else "degree")
    if "'" in text and (found := _ARC.fullmatch(text)):
        return Measured(found["core"], "arcsecond" if found["marks"].count("'") == 2 else "arcminute")
    patterns = [_OHM, _TEXT_UNIT, _BARE_UNIT, *([_LETTER_UNIT] if letters else []), *([_WORDS] if words else [])]
    for pattern in patterns:
        found = pattern.fullmatch(text)
        if pattern is _WORDS and found and _is_product(text[found.end("core") :]):
            continue
        if found and _is_quantity(found["core"]) and _is_unit(found["unit"]):
            return _scaled(found["core"].rstrip(" \\"), found["unit"])
    if text.endswith("\\dollar"):
        return Measured(text[: -len("\\dollar")].rstrip(), "dollar")
    return Measured(text, "")


def _scaled(core: str, unit: str) -> Measured:
    """5 million dollars are 5·10^6 dollars."""
    if power := scales.scale(unit.strip())[0]:
        core = rf"{core} \times 10^{{{power}}}"
    return Measured(core, canonical_unit(unit))


def _base(found: re.Match[str]) -> int | None:
    """The base of a numeral; None where its digits are none in that base, as in the name a_1."""
    written = found["base"] or found["words"] or found["single"]
    base = int(written) if written.isdigit() else _BASES.index(written) if written in _BASES else 0
    digits = found["core"]
    hexadecimal = base == 16 and len(digits) > 1
    if not 2 <= base <= 16 or not (digits[0].isdigit() or hexadecimal):
        return None
    return base if all(int(digit, 16) < base for digit in digits) else None


def _is_product(after: str) -> bool:
    """Whether letters after a number may be symbols, as in 5xy or 5pi, and no word: too short, or a letter's name."""
    word = re.sub(r"[^A-Za-z].*", "", after.strip(" /"), flags=re.DOTALL)
    if word in _CANONICAL or word.lower() in _COMPOUND:
        return False
    return word in GREEK_NAMES or len(word) < (3 if after.startswith(" ") else 4)


@lru_cache(maxsize=_MOST_CACHED)
def _is_unit(text: str) -> bool:
    """Whether what follows a number only says what it counts: no second number, no doubt, no alternative."""
    text = scales.scale(text.strip())[1]
    if (
        qualifiers.says_more(text)
        or scales.changes_number(text)
        or any(c.isdigit() for c in _ANY_EXPONENT.sub("", text))
    ):
        return False
    letters = _LONE_LETTER.findall(_ANY_EXPONENT.sub("", text))
    return all(letter in _CANONICAL or letter in _FILLER for letter in letters)


def _is_quantity(core: str) -> bool:
    return any(c.isdigit() for c in core) or "\\pi" in core


@lru_cache(maxsize=_MOST_CACHED)
def canonical_unit(text: str) -> str:
    """One spelling for a unit: " inches}^2" -> "in^2", "m per second" -> "m·s^-1"."""
    text = re.sub(rf"\\text ?\{{({_INSIDE})\}}", r" \1 ", text).translate(_NO_BRACKETS)
    text = re.sub(r"\b(?:mph|kph|kmh|kmph)\b", lambda found: _COMPOUND[found[0]], text)
    if re.fullmatch(r" *\^ *\\circ *", text):
        return "degree"
    exponents: dict[str, int] = {}
    direction, area = 1, 1
    for found in _PART.finditer(text):
        if found[1]:
            direction = -1
            continue
        name = _CANONICAL.get(found[2]) or _CANONICAL.get(found[2].lower()) or _singular(found[2].lower())
        if name in ("sq", "cu"):
            area = 2 if name == "sq" else 3
        elif name not in _FILLER:
            exponents[name] = exponents.get(name, 0) + direction * area * int(found[3] or 1)
            area = 1
        elif found[3] and not exponents:
            continue
    if "squared" in exponents or "cubed" in exponents:
        power = 2 if exponents.pop("squared", 0) else 3
        exponents.pop("cubed", 0)
        exponents = {name: count * power for name, count in exponents.items()}
    return "·".join(name if power == 1 else f"{name}^{power}" for name, power in sorted(exponents.items()) if power)


def _singular(word: str) -> str:
    return word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith("ss") else word
