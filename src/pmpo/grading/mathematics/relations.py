"""What a relation says: the name on its left, the plain values that it stands for, the set that it puts a name into."""

import re
from collections.abc import Iterable, Sequence

from pmpo.grading.mathematics import numeric, zero
from pmpo.grading.mathematics.names import LONGEST_NAME, Name, name_of
from pmpo.grading.mathematics.shape import Shape
from pmpo.grading.mathematics.tree import Node, UnreadableError
from pmpo.grading.mathematics.value import Value

INEQUALITIES = {"<", ">", "\\le", "\\ge"}
TURNED = {"<": ">", ">": "<", "\\le": "\\ge", "\\ge": "\\le"}
_COORDINATES = ("x", "y", "z")
_INDEXED = re.compile(r"([A-Za-z])_([0-9]{1,4})")
_POINTS = re.compile(r"(?<![A-Za-z\\])[A-Z] ?[A-Z](?![A-Za-z])")
_ASKED = re.compile(r"\\(?:sum|prod|int|lim|gcd|lcm|max|min|det|sin|cos|tan|cot|sec|csc)(?![A-Za-z])")
_REALS = Shape("bracket", "()", (Shape("value", "-\\infty"), Shape("value", "\\infty")))
_LOOSE = 0.01  # relative distance that "≈" may bridge


def left_name(side: Shape) -> Name | None:
    """The name that a side is, or the names of a tuple (x, y) or ratio a : b as one; None where it is an expression."""
    if side.kind in ("bracket", "ratio"):
        names = left_names(side.items)
        joint = "," if side.kind == "bracket" else ":"
        return Name(f"({joint.join(name.key for name in names)})") if names else None
    return name_of(side.text) if side.kind == "value" else None


def left_names(sides: Iterable[Shape]) -> list[Name]:
    """The names that the sides are; empty where one of them is no name."""
    names: list[Name] = []
    for side in sides:
        if (name := left_name(side)) is None:
            return []
        names.append(name)
    return names


def readings(relation: Shape, *, quantities: bool = False) -> list[Shape]:
    """The plain values or intervals that a relation stands for; none when it is only a relation, or false.

    A chain of equations stands for its last side where the first is a name, or all sides are numbers. `quantities`:
    also where the first is an expression of several names, m + n = 65, which is no equation for one of them.
    """
    signs, sides = relation.text.split(), relation.items
    if set(signs) <= {"=", "\\approx", "\\simeq"}:
        if left_name(sides[-1]) is not None and _numeric(sides[0]):  # 65 = x
            sides, signs = sides[::-1], signs[::-1]
        named = left_name(sides[0]) is not None or (quantities and _is_asked(sides[0], sides[-1]))
        values = sides[1:] if named else sides
        if not named and not all(_numeric(side) for side in sides):
            return []
        if not _chain_holds(values, signs[1:] if named else signs):
            return []
        if set(signs) == {"="}:
            return [values[-1]]
        return list(dict.fromkeys(values))
    found = region(relation)
    return [found] if found else []


def _is_asked(left: Shape, right: Shape) -> bool:
    """Whether a number other than zero stands on the right of a quantity."""
    return _numeric(right) and not _is_zero(right) and _is_quantity(left)


def _is_quantity(side: Shape) -> bool:
    """Whether an expression is one whose value can be asked for: of several names, or a sum, a limit, a sine. One of a
    single name, x^2 or 2x, is part of an equation for it, and so is one with a constant term, x + y + 1."""
    if side.kind == "ratio":
        return True
    if side.kind != "value" or len(side.text) > LONGEST_NAME:
        return False
    if _ASKED.match(side.text):
        return True
    text = _POINTS.sub(" A ", side.text)  # AB is one segment, and AB^2 = 65 an equation for it
    try:
        tree = Value(text).tree
        names = numeric.symbols(tree)
        return len(names) > 1 and not numeric.value(tree, dict.fromkeys(names, "0"))
    except UnreadableError:
        return False


def _is_zero(side: Shape) -> bool:
    found = numeric.value(Value(side.text).tree, {})
    return found is not None and found == 0


def region(relation: Shape) -> Shape | None:
    """The set that a relation puts one name into."""
    if relation.text == "\\in":
        return relation.items[1] if left_name(relation.items[0]) else None
    if relation.text == "\\ne":
        return _without(relation.items[1:]) if left_name(relation.items[0]) else None
    return _interval(relation)


def as_union(shape: Shape) -> Shape | None:
    """ "x < 2 or x > 3" as (-∞, 2) ∪ (3, ∞), "x ≠ 1, x ≠ 2" as all but these; None for other lists."""
    if shape.kind != "list" or any(item.kind != "relation" for item in shape.items):
        return None
    excluded = [item.items[1] for item in shape.items if item.text == "\\ne" and left_name(item.items[0])]
    if excluded:
        same = len(excluded) == len(shape.items) and len({subject(i) for i in shape.items}) == 1
        return _without(excluded) if same else None
    regions = [found for item in shape.items if (found := region(item))]
    if len(regions) < len(shape.items) or len({subject(item) for item in shape.items}) > 1:
        return None
    return Shape("sets", "\\cup", tuple(regions))


def _without(excluded: Sequence[Shape]) -> Shape | None:
    """The real numbers without these; None where one of them is no number."""
    if not all(_numeric(value) for value in excluded):
        return None
    return Shape("sets", "\\setminus", (_REALS, Shape("set", items=tuple(excluded))))


def as_point(shape: Shape) -> Shape | None:
    """ "x = 3, y = 4" as (3, 4), coordinates in the order of their names (x, y, z, or by index), others in the order
    in which they stand; None where a name repeats, or an item is no such equation."""
    if shape.kind != "list" or any(item.kind != "relation" or item.text != "=" for item in shape.items):
        return None
    names = left_names(item.items[0] for item in shape.items)
    if not names or len({name.key for name in names}) < len(names):
        return None
    places = [_place(name.key) for name in names]
    items = [item.items[1] for item in shape.items]
    if len({letter for letter, _ in places}) == 1 and places[0][0]:
        items = [item for _, item in sorted(zip(places, items, strict=True), key=lambda pair: pair[0][1])]
    return Shape("bracket", "()", tuple(items))


def _place(key: str) -> tuple[str, int]:
    """Of which kind a coordinate of this name is, "" for none, and where it stands among its like."""
    if key in _COORDINATES:
        return "x", _COORDINATES.index(key)
    found = _INDEXED.fullmatch(key)
    return (found[1], int(found[2])) if found else ("", 0)


def subject(relation: Shape) -> str:
    """The name that an inequality bounds."""
    return next(name.key for side in relation.items if (name := left_name(side)))


def _numeric(side: Shape) -> bool:
    try:
        return side.kind == "value" and not numeric.symbols(Value(side.text).tree)
    except UnreadableError:
        return False


def _chain_holds(sides: tuple[Shape, ...], signs: list[str]) -> bool:
    """False when two neighbouring numbers in a chain of equations differ. Sides with symbols are definitions.

    Raises: UnreadableError when that takes more precision than is affordable.
    """
    for left, right, sign in zip(sides, sides[1:], signs, strict=False):
        if _numeric(left) and _numeric(right):
            trees = [Value(side.text).tree for side in (left, right)]
            if not (zero.same_number(*trees) if sign == "=" else _near(*trees)):
                return False
    return True


def _near(left: Node, right: Node) -> bool:
    a, b = (numeric.value(tree, {}) for tree in (left, right))
    return a is not None and b is not None and numeric.close(a, b, _LOOSE)


def _interval(relation: Shape) -> Shape | None:
    """x > 2 as (2, ∞), 1 < x ≤ 3 as (1, 3]; None where it is not one name between bounds."""
    signs, sides = relation.text.split(), list(relation.items)
    if not set(signs) <= INEQUALITIES or any(side.kind != "value" for side in sides):
        return None
    if signs[0] in (">", "\\ge"):
        signs, sides = [TURNED[s] for s in reversed(signs)], sides[::-1]
    if any(sign not in ("<", "\\le") for sign in signs):
        return None
    low, high = Shape("value", "-\\infty"), Shape("value", "\\infty")
    names = [left_name(side) for side in sides]
    if len(sides) == 3 and names[1]:
        return Shape("bracket", _edge(signs[0], 0) + _edge(signs[1], 1), (sides[0], sides[2]))
    if len(sides) == 2 and names[0] and not names[1]:
        return Shape("bracket", "(" + _edge(signs[0], 1), (low, sides[1]))
    if len(sides) == 2 and names[1] and not names[0]:
        return Shape("bracket", _edge(signs[0], 0) + ")", (sides[0], high))
    return None


def _edge(sign: str, end: int) -> str:
    return "()"[end] if sign == "<" else "[]"[end]
