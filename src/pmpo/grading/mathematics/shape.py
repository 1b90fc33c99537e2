"""The outer form of an answer: a value, several values, a tuple or interval, a set, a union, a matrix, a relation.

5, 7            list       several values; their order does not count
(5, 7)          bracket    an ordered pair, a point or an open interval: the same text; "[5, 7)" half-open
\\{5, 7\\}        set        equal to the list of its members
x = 5           relation   sides and signs
1 \\pm \\sqrt2    list       of both values
(0,1) \\cup [2,3) sets       an operation on sets
1:2:3           ratio      its terms; a time of day has this form too
\\begin{cases}…   cases      rows of a value and its condition; rows of relations alone are a list of them
"""

import re
from dataclasses import dataclass
from typing import Literal

from pmpo.grading.mathematics.brackets import CASES, MATRIX, enclosing, split, top_level
from pmpo.grading.mathematics.names import name_of, without_label
from pmpo.grading.mathematics.tree import UnreadableError

Kind = Literal["value", "list", "bracket", "set", "sets", "matrix", "relation", "ratio", "cases"]
_DEEPEST = 20
MOST_ITEMS = 400
MOST_SIDES = 20


@dataclass(frozen=True, slots=True)
class Shape:
    """`text`: a value's normalised LaTeX; a bracket's two brackets, such as "[)"; a relation's signs joined by blanks;
    the operation on sets (\\cup, \\cap or \\setminus). A matrix and cases hold their rows as lists."""

    kind: Kind
    text: str = ""
    items: tuple["Shape", ...] = ()


_PAIRS = {("(", ")"), ("(", "]"), ("[", ")"), ("[", "]"), ("\\langle", "\\rangle")}
_RELATIONS = {"=", "<", ">", "\\le", "\\ge", "\\ne", "\\in", "\\approx", "\\equiv", "\\sim", "\\to", "\\simeq"}
_THOUSANDS = re.compile(  # 1,200 as the whole text, or after its last "="
    r"(?:[^,]{0,200}(?:=|\\approx) ?)?[-+]? ?(?:\\dollar ?|€ ?|£ ?)?[-+]?[0-9]{1,3}(?:,[0-9]{3})+(?![0-9])[^,]*"
)
_BUILDER = re.compile(r"[A-Za-z](?: ?\\in ?\\mathbb ?\{ ?R ?\})? ?[|:] ?")
_QUOTED_NUMBER = re.compile(r"\\text ?\{( ?(?:\\dollar ?|€ ?|£ ?)?[-+]?[.]?[0-9][^{}]*)\}")
_QUOTED_LIST = re.compile(r"\\text ?\{([^{}]*(?:,|\band\b|\bor\b)[^{}]*)\}")
_SIGNS = re.compile(r"\\(?:pm|mp)(?![A-Za-z])")
_RELATION_STARTS = ("=", "<", ">", "\\le", "\\ge", "\\ne")
_IF = re.compile(r"\\text ?\{ *(?:if|when|for|where|as) *\}|^(?:if|when|for)(?![A-Za-z])")
_IF_TEXT = re.compile(r"\\text ?\{ *(?:if|when|for) +([^{}]+)\}")
_OTHERWISE = re.compile(r"\\text ?\{ *(?:otherwise|else|elsewhere|in all other cases) *\}|otherwise|else")
_WORD_JOINT = re.compile(r",|\band\b|\bor\b")
_AND = re.compile(r"\\text ?\{ *,? *(?:and|or) *,? *\}|and|or")


def shape(text: str) -> Shape:
    """The form of an answer in normalised LaTeX.

    Raises: UnreadableError when brackets are nested too deep, or there are too many values.
    """
    if text.isdigit():  # by far the most frequent reference, with nothing in it to take apart
        return Shape("value", text)
    return _shape(_tidy(text), 0)


def _tidy(text: str) -> str:
    """Without the label before the answer, and the full stop after it. "5." loses its point, which changes nothing."""
    text = without_label(_without_stop(text).lstrip(",;: ").strip())
    found = _QUOTED_NUMBER.fullmatch(text)
    return found[1].strip() if found else text


def _without_stop(text: str) -> str:
    while (text := text.rstrip(" .,;:")).endswith("\\\\"):
        text = text[:-2]
    return text


def _shape(text: str, depth: int) -> Shape:
    if depth > _DEEPEST:
        raise UnreadableError(f"its brackets are nested more than {_DEEPEST} levels deep")
    text = text.strip()
    marks = top_level(text)
    if marks is None:  # brackets that do not match: perhaps a half-open interval in a list
        return Shape("value", text)
    if not marks:
        return _single(text, depth)
    if not (depth == 0 and _THOUSANDS.fullmatch(text)):
        pieces = split(text, [m for m in marks if m[0] in (",", ";") or _AND.fullmatch(m[0])])
        if len(pieces) > 1:
            return _flat("list", _each_named([_shape(piece, depth + 1) for piece, _ in pieces if piece]))
    sides = split(text, [m for m in marks if m[0] in _RELATIONS])
    if len(sides) > 1:
        return _relation(sides, depth)
    for operation in ("\\setminus", "\\cup", "\\cap"):
        pieces = split(text, [m for m in marks if m[0] == operation])
        if len(pieces) > 1:
            return Shape("sets", operation, tuple(_shape(piece, depth + 1) for piece, _ in pieces))
    terms = split(text, [m for m in marks if m[0] == ":"])
    if len(terms) > 1 and all(term for term, _ in terms):
        return Shape("ratio", items=tuple(_shape(term, depth + 1) for term, _ in terms[: MOST_ITEMS + 1]))
    return _single(text, depth)


def _each_named(items: list[Shape]) -> list[Shape]:
    """ "x \\ne 5, -5" as x \\ne 5 and x \\ne -5: a value after an excluded one is excluded too."""
    named: list[Shape] = []
    for item in items:
        left = named[-1] if named else None
        if item.kind == "value" and left is not None and left.kind == "relation" and left.text == "\\ne":
            item = Shape("relation", "\\ne", (left.items[0], item))
        named.append(item)
    return named


def _relation(sides: list[tuple[str, str]], depth: int) -> Shape:
    if not sides[0][0] and sides[1][1] in ("=", "\\approx"):  # "= 5"
        sides = sides[1:]
        if len(sides) == 1:
            return _shape(sides[0][0], depth + 1)
    if len(sides) > MOST_SIDES:
        raise UnreadableError(f"it is a chain of {len(sides)} sides, more than the {MOST_SIDES} that are compared")
    signs = [sign for _, sign in sides[1:]]
    if broken := _broken(sides):
        return _flat("list", [_relation(part, depth) for part in broken])
    parts = [Shape("value", side) if _THOUSANDS.fullmatch(side) else _shape(side, depth + 1) for side, _ in sides]
    if signs == ["\\ne"] and parts[1].kind == "list":  # x \ne \pm 5 excludes both
        return _flat("list", [Shape("relation", "\\ne", (parts[0], value)) for value in parts[1].items])
    return Shape("relation", " ".join(signs), tuple(parts))


def _broken(sides: list[tuple[str, str]]) -> list[list[tuple[str, str]]] | None:
    """The equations that stand side by side without a comma, "y = 2x y = -x": a side ends with the first one's name."""
    name = sides[0][0]
    if len(sides) < 3 or not name or name_of(name) is None:
        return None
    equations, current = [], [sides[0]]
    for side, sign in sides[1:-1]:
        before = side[: -len(name)]
        if side.endswith(f" {name}") and before.strip():
            equations.append([*current, (before.strip(), sign)])
            current = [(name, "")]
        else:
            current.append((side, sign))
    return [*equations, [*current, sides[-1]]] if equations else None


def _single(text: str, depth: int) -> Shape:
    """A text without commas, relations and unions at its top level."""
    if text == "\\mathbb{R}":
        text = "(-\\infty,\\infty)"
    found = enclosing(text)
    if found == MATRIX:
        return _matrix(text, depth)
    if found == CASES:
        return _cases(text, depth)
    if found == ("\\{", "\\}"):
        return _set(text, depth)
    if found == ("{", "}"):
        return _shape(text[1:-1], depth + 1)
    if found in _PAIRS:
        inside = text[len(found[0]) : -len(found[1])]
        items = split(inside, [m for m in top_level(inside) or [] if m[0] in (",", ";")])
        if len(items) > 1:
            brackets = "()" if found[0] == "\\langle" else "".join(found)
            return Shape("bracket", brackets, tuple(_shape(item, depth + 1) for item, _ in items))
        if (matrix := inside.strip()).startswith("\\begin{matrix}"):
            return _shape(matrix, depth + 1)
        if inside.strip() and found in (("(", ")"), ("[", "]")):
            return _shape(inside, depth + 1)
    if quoted := _QUOTED_LIST.fullmatch(text):
        words = [word.strip() for word in _WORD_JOINT.split(quoted[1]) if word.strip()]
        return _flat("list", [Shape("value", f"\\text{{{word}}}") for word in words]) if words else Shape("value", text)
    if _SIGNS.search(text):
        return _flat("list", [_shape(side, depth + 1) for side in _both_signs(text)])
    return Shape("value", text)


def _set(text: str, depth: int) -> Shape:
    inside = text[2:-2].strip()
    if found := _BUILDER.match(inside):  # {x : x > 0} is what its condition says of x
        return _shape(inside[found.end() :], depth + 1)
    if not inside:
        return Shape("value", "\\emptyset")
    inner = _shape(inside, depth + 1)
    return Shape("set", items=inner.items if inner.kind == "list" else (inner,))


def _both_signs(text: str) -> tuple[str, str]:
    plus = re.sub(r"\\pm(?![A-Za-z])", "+", re.sub(r"\\mp(?![A-Za-z])", "-", text))
    minus = re.sub(r"\\pm(?![A-Za-z])", "-", re.sub(r"\\mp(?![A-Za-z])", "+", text))
    return plus, minus


def _matrix(text: str, depth: int) -> Shape:
    inside = text[len(MATRIX[0]) : -len(MATRIX[1])]
    if MATRIX[0] in inside:
        raise UnreadableError("it holds a matrix inside a matrix")
    rows = [_cells(row) for row in _rows(inside)]
    return Shape("matrix", items=tuple(Shape("list", items=tuple(_shape(c, depth + 1) for c in row)) for row in rows))


def _cases(text: str, depth: int) -> Shape:
    """A function by cases; or, where every row is a relation, those relations side by side."""
    rows = [_cells(row) for row in _rows(text[len(CASES[0]) : -len(CASES[1])])]
    if all(len(row) == 1 or row[1].startswith(_RELATION_STARTS) for row in rows):
        return _flat("list", [_shape(_without_stop(" ".join(row)), depth + 1) for row in rows])
    if any(len(row) != 2 for row in rows):
        raise UnreadableError("a row of its cases is no value with a condition")
    return Shape("cases", items=tuple(Shape("list", items=_case(row[0], row[1], depth + 1)) for row in rows))


def _case(value: str, condition: str, depth: int) -> tuple[Shape, Shape]:
    condition = _IF.sub("", _IF_TEXT.sub(r"\1", _without_stop(condition))).strip()
    otherwise = _OTHERWISE.fullmatch(condition)
    return _shape(_without_stop(value), depth), _shape(r"\text{otherwise}" if otherwise else condition, depth)


def _rows(inside: str) -> list[str]:
    return [row for row, _ in split(inside, [m for m in top_level(inside) or [] if m[0] == "\\\\"]) if row]


def _cells(row: str) -> list[str]:
    return [cell for cell, _ in split(row, [m for m in top_level(row) or [] if m[0] == "&"])]


def _flat(kind: Kind, shapes: list[Shape]) -> Shape:
    """Lists in a list are spread out: "1 \\pm 2, 5" has three values."""
    items: list[Shape] = []
    for one in shapes:
        items.extend(one.items if one.kind == "list" else [one])
    if len(items) > MOST_ITEMS:
        raise UnreadableError(f"it lists {len(items):,} values, more than the {MOST_ITEMS} that are compared")
    return items[0] if len(items) == 1 else Shape(kind, items=tuple(items))
