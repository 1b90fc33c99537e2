"""Whether two single values are equal: text, exact numbers, units and percent, then expressions.

Expressions are decided in this order, and the first that can tell has the last word:

1. rational numbers exactly (`rational`),
2. other numbers by as many bits as decide whether their difference is zero (`zero`),
3. expressions with names by their values at many points (`identity`),
4. what differs may still be a decimal and the number that it rounds (`rounding`), or lie within `rel_tolerance`.

math-verify is told of what was found equal, and may dispute it (`adviser`).
"""

from fractions import Fraction

from pmpo.grading.mathematics import adviser, identity, numeric, rounding, zero
from pmpo.grading.mathematics.decimals import is_rounding
from pmpo.grading.mathematics.evaluation import Point
from pmpo.grading.mathematics.exact import Exact, of_fraction
from pmpo.grading.mathematics.rational import rational
from pmpo.grading.mathematics.rules import MathRules
from pmpo.grading.mathematics.tree import Node, degrees
from pmpo.grading.mathematics.value import Value

_INFINITY = Node("constant", text="inf")


def equal(gold: Value, answer: Value, rules: MathRules) -> bool:
    """Whether the answer's value equals the reference's.

    Raises: UnreadableError when neither texts nor numbers settle it and one of the expressions cannot be read.
    """
    if gold.skeleton == answer.skeleton and gold.skeleton:
        return True
    angles = {gold.unit, answer.unit} <= {"degree", "rad", ""} and "degree" in (gold.unit, answer.unit)
    if angles and "\\pi" in gold.core + answer.core:  # 60° is π/3
        return trees_equal(_angle(gold), _angle(answer), rules)
    if answer.unit.startswith("base ") and not gold.unit:
        return gold.number is not None and gold.number.text == _from_base(answer)
    if not _units_agree(gold.unit, answer.unit, rules):
        return False
    if gold.number is not None and answer.number is not None:
        readings = _percent_readings(gold, answer, gold.number, answer.number, rules)
        return any(numbers_equal(g, a, rules) for g, a in readings)
    if gold.is_text or answer.is_text:
        return _texts_equal(gold, answer)
    return _expressions_equal(gold, answer, rules)


def _from_base(value: Value) -> str | None:
    """40_9 as "36"."""
    base = int(value.unit.removeprefix("base "))
    try:
        return str(int(value.core, base)) if 2 <= base <= 36 and len(value.core) <= 1000 else None
    except ValueError:
        return None


def _angle(value: Value) -> Node:
    """The angle in radians."""
    return degrees(value.tree) if value.unit == "degree" else value.tree


def _units_agree(gold: str, answer: str, rules: MathRules) -> bool:
    if rules.units == "ignore" or gold == answer:
        return True
    return rules.units == "compare" and not (gold and answer)


def _percent_readings(
    gold: Value, answer: Value, gold_number: Exact, answer_number: Exact, rules: MathRules
) -> list[tuple[Exact, Exact]]:
    """The pairs of numbers any of which may agree: with the signs' values, and, if the rules allow, without them."""
    bare = (gold_number, answer_number)
    if gold.percent == answer.percent:
        return [bare]
    by_value = (_hundredth(gold_number, gold.percent), _hundredth(answer_number, answer.percent))
    return [by_value, bare] if rules.percent == "optional" else [by_value]


def _hundredth(number: Exact, percent: bool) -> Exact:
    if not percent or number.value is None:
        return number
    return of_fraction(number.value / 100, number.place / 100 if number.place else None)


def numbers_equal(gold: Exact, answer: Exact, rules: MathRules) -> bool:
    """Whether two numbers are equal, or one rounds the other, or they are close enough by the rules."""
    if gold.text == answer.text:
        return True
    if gold.value is None or answer.value is None:
        return False
    distance = abs(gold.value - answer.value)
    if gold.place and not answer.finite and is_rounding(gold.value, gold.place, answer.value):
        return True
    if answer.place and not gold.finite and is_rounding(answer.value, answer.place, gold.value):
        return True
    return distance <= Fraction(rules.rel_tolerance) * abs(gold.value)


def _texts_equal(gold: Value, answer: Value) -> bool:
    """Words are equal whatever their case; a single bare letter is a symbol and keeps its case."""
    if gold.words_only is None or answer.words_only is None:
        return False
    return gold.words_only.lower() == answer.words_only.lower()


def _expressions_equal(gold: Value, answer: Value, rules: MathRules) -> bool:
    if rules.percent == "optional" and gold.percent != answer.percent:
        bare = [value.tree.args[0] if value.percent else value.tree for value in (gold, answer)]
        return trees_equal(gold.tree, answer.tree, rules) or trees_equal(bare[0], bare[1], rules)
    return trees_equal(gold.tree, answer.tree, rules)


def trees_equal(gold: Node, answer: Node, rules: MathRules) -> bool:
    """Whether two measured expressions are equal, by the rules in the order above.

    Raises: UnreadableError when it would take more precision than is affordable to tell.
    """
    if gold == answer:
        return True
    if _infinite(gold) or _infinite(answer):
        return _infinite(gold) == _infinite(answer)
    if _same(gold, answer):
        return True
    if rounding.may_round(gold, answer) and _agree(gold, answer, lambda point: rounding.rounds(gold, answer, point)):
        return True
    if not rules.rel_tolerance:
        return False
    return _agree(gold, answer, lambda point: _near(gold, answer, point, rules.rel_tolerance))


def _same(gold: Node, answer: Node) -> bool:
    exact = rational(gold), rational(answer)
    if None not in exact:
        return exact[0] == exact[1]
    if not _agree(gold, answer, lambda point: zero.compare(gold, answer, point)):
        return False
    adviser.ask(gold, answer)
    return True


def _agree(gold: Node, answer: Node, agrees: identity.Agrees) -> bool:
    """Whether the two agree by some standard: at every point that counts, or as numbers."""
    if numeric.symbols(gold, answer):
        return identity.same_everywhere(gold, answer, agrees)
    verdict = agrees({})
    return verdict is not None and verdict.same


def _near(gold: Node, answer: Node, at: Point, tolerance: float) -> zero.Verdict | None:
    """Whether |answer − gold| ≤ tolerance·|gold| at a point."""
    reference, value = (numeric.value(tree, at) for tree in (gold, answer))
    return None if reference is None or value is None else zero.Verdict(numeric.close(reference, value, tolerance))


def _infinite(tree: Node) -> int:
    """1 for ∞, -1 for -∞, 0 for anything else."""
    if tree.kind == "neg":
        return -_infinite(tree.args[0])
    return int(tree == _INFINITY)
