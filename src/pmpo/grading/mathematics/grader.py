"""The grader of final answers in mathematics, kind "math".

    grade("\\\\frac12", "… so it is \\\\boxed{0.5}", {})     # Grade("correct", …, answer="1/2")

A completion is hostile text. It is searched for its final answer (`extraction`), brought to one spelling (`latex`) and
compared with the reference: as exact numbers where both are (`exact`), else by form (`shape`, `equality`) and value
(`values`). Nothing is evaluated whose size has not been bounded first (`bounds`), and nothing is ever run as code.
"""

import hashlib
import math
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from pmpo.foundation.errors import shortened
from pmpo.grading.grades import Grade
from pmpo.grading.mathematics import adviser
from pmpo.grading.mathematics.characters import has_foreign_digits
from pmpo.grading.mathematics.compare_answers import Comparison, canonical_text
from pmpo.grading.mathematics.compare_values import numbers_equal
from pmpo.grading.mathematics.exact import Exact, exact
from pmpo.grading.mathematics.extraction import Extracted, extract
from pmpo.grading.mathematics.extraction_visible import visible
from pmpo.grading.mathematics.latex import LONGEST_ANSWER, normalise
from pmpo.grading.mathematics.relations import left_name
from pmpo.grading.mathematics.rules import MathRules
from pmpo.grading.mathematics.shape import Shape, shape
from pmpo.grading.mathematics.tree import UnreadableError
from pmpo.grading.mathematics.value import Value
from pmpo.grading.mathematics.zero import TooCloseError


def grade(gold: Any, completion: str, options: Mapping[str, Any]) -> Grade:
    """Grade one completion.

    Args:
        gold: the reference: LaTeX with or without `$`, an int or float, or a list of accepted forms, any of which is
            right.
        completion: the model's text.
        options: those of `MathRules`.
    Returns: status "correct", "wrong", "no_answer" (nothing announced), "unparsable" (the answer cannot be read within
        bounds, and is not the reference's text), or "error" (the reference cannot be read).
    Raises: InputError for options that are no rules.
    """
    rules = _rules(tuple(sorted(options.items())))
    found = extract(completion, rules)
    if found.how in ("last expression", "none"):
        said = visible(completion, thoughts=rules.thoughts == "include")
        if _is_reference(gold, said, rules):
            return Grade("correct", "The text is the reference, word for word.", _canonical(normalise(said), rules))
    if found.text is None:
        problem = _gold_problem(gold)
        return Grade("error", problem) if problem else Grade("no_answer", f"No answer was found: {found.problem}.")
    forms = _forms(gold)
    if isinstance(forms, str):
        return Grade("error", forms)
    return _verdict(forms, found, rules)


def warm_up() -> None:
    """Make the slow imports, so that they are no part of the first completion's time."""
    import math_verify
    import mpmath

    _ = math_verify, mpmath


def check_gold(gold: Any, options: Mapping[str, Any]) -> str | None:
    """None when the reference can be read, else a sentence on why not."""
    _rules(tuple(sorted(options.items())))
    if problem := _gold_problem(gold):
        return problem
    problems = []
    for form in _forms(gold):
        problem = _form_problem(form)
        if problem is None:
            return None
        problems.append(f"The reference answer {_short(form)} cannot be read: {problem}.")
    return problems[0]


def _is_reference(gold: Any, said: str, rules: MathRules) -> bool:
    """Whether a text that announces no answer is nothing but the reference, such as "SRAC=LRAC"."""
    said = said.strip()
    if not rules.last_expression or rules.require == "boxed" or len(said) > 2 * LONGEST_ANSWER:
        return False
    forms = _forms(gold)
    skeleton = Value(normalise(said)).skeleton
    return not isinstance(forms, str) and any(Value(form).skeleton == skeleton for form in forms)


def _canonical(text: str, rules: MathRules) -> str | None:
    try:
        return canonical_text(shape(text), rules)
    except UnreadableError:
        return None


@lru_cache(maxsize=64)
def _rules(options: tuple[tuple[str, Any], ...]) -> MathRules:
    return MathRules.from_options(dict(options))


def _gold_problem(gold: Any) -> str | None:
    forms = _forms(gold)
    return forms if isinstance(forms, str) else None


def _forms(gold: Any) -> tuple[str, ...] | str:
    """The accepted forms as normalised LaTeX, or a sentence on why there are none."""
    items = gold if isinstance(gold, list | tuple) else [gold]
    forms = []
    for item in items:
        if isinstance(item, bool) or not isinstance(item, str | int | float):
            return f"The reference answer {_short(item)} is a {type(item).__name__}; give text or a number."
        if isinstance(item, float) and not math.isfinite(item):
            return f"The reference answer {item} is no finite number."
        text = _number_text(item) if isinstance(item, int | float) else item
        if len(text) > LONGEST_ANSWER:
            return f"The reference answer {_short(text)} is longer than {LONGEST_ANSWER:,} characters."
        if has_foreign_digits(text):
            return f"The reference answer {_short(text)} has digits other than 0-9; write it with those."
        if form := _normalised(text):
            forms.append(form)
    return tuple(forms) or f"The reference answer {_short(gold)} is empty."


def _number_text(number: int | float) -> str:
    if isinstance(number, int):
        return str(number)
    return str(int(number)) if number.is_integer() and abs(number) < 1e15 else repr(number)


@lru_cache(maxsize=4096)
def _normalised(text: str) -> str:
    return normalise(text)


@lru_cache(maxsize=1024)
def _gold_shape(form: str) -> Shape:
    return shape(form)


def _form_problem(form: str) -> str | None:
    """Why a form of the reference can be compared as text only."""
    try:
        _read_all(_gold_shape(form))
    except UnreadableError as problem:
        return str(problem)
    return None


def _read_all(part: Shape) -> None:
    if part.kind != "value":
        named = part.kind == "relation" and left_name(part.items[0]) is not None
        for item in part.items[1 if named else 0 :]:
            _read_all(item)
        return
    value = Value(part.text)
    if value.number is None and not value.is_text and part.text != "\\emptyset":
        _ = value.tree


def _verdict(forms: tuple[str, ...], found: Extracted, rules: MathRules) -> Grade:
    if len(found.text) > LONGEST_ANSWER:
        return Grade("unparsable", f"The answer is longer than {LONGEST_ANSWER:,} characters.")
    if has_foreign_digits(found.text):
        return Grade("unparsable", "The answer has digits other than 0-9.")
    text = normalise(found.text)
    number = exact(text)
    if number is not None and len(forms) == 1 and (reference := exact(forms[0])) is not None:
        return _numbers(reference, number, forms[0], rules, found)
    try:
        answer = shape(text)
        several = _several(forms)
        if several and found.joined and answer.kind not in ("list", "set"):
            answer = shape(normalise(found.joined))
        canonical = _capped(canonical_text(answer, rules))
    except UnreadableError as problem:
        same = any(Value(form).skeleton == Value(text).skeleton for form in forms)
        return _textual(same, problem, found)
    return _compared(forms, answer, canonical, rules, found)


def _numbers(reference: Exact, number: Exact, form: str, rules: MathRules, found: Extracted) -> Grade:
    """The verdict on a number for a number. Spelt out as `exact` reads them, both are single values without unit,
    percent sign or words; so it is the one of `_compared`, which would take them apart to find just that."""
    said = _capped(number.text)
    if number.text == reference.text:
        return Grade("correct", f"{found.how}: the same number.", said)
    return _right(said, found) if numbers_equal(reference, number, rules) else _wrong(said, form, found)


def _right(canonical: str, found: Extracted, doubt: str = "") -> Grade:
    return Grade("correct", f"{found.how}: {_short(canonical)} equals the reference{doubt}.", canonical)


def _wrong(canonical: str, form: str, found: Extracted) -> Grade:
    return Grade("wrong", f"{found.how}: {_short(canonical)} is not the reference {_short(form)}.", canonical)


def _capped(text: str) -> str:
    """A long canonical text by its start and digest; votes over thousands of samples keep all of them."""
    if len(text) <= 500:
        return text
    return f"{text[:200]}…{hashlib.sha256(text.encode()).hexdigest()[:16]}"


def _textual(same: bool, problem: UnreadableError, found: Extracted) -> Grade:
    if same:
        return Grade("correct", f"{found.how}: the same text.")
    return Grade("unparsable", f"The answer {_short(found.text)} cannot be read: {problem}.")


def _several(forms: tuple[str, ...]) -> bool:
    try:
        return any(_gold_shape(form).kind in ("list", "set") for form in forms)
    except UnreadableError:
        return False


def _compared(forms: tuple[str, ...], answer: Shape, canonical: str, rules: MathRules, found: Extracted) -> Grade:
    unreadable: UnreadableError | None = None
    readable_forms = 0
    for form in forms:
        try:
            with adviser.asked() as advice:
                equal = Comparison(_gold_shape(form), rules).matches(answer)
            if equal:
                return _right(canonical, found, f"; {adviser.DISPUTED}" if advice.disputes else "")
            readable_forms += 1
        except UnreadableError as problem:
            unreadable = problem
    if unreadable is None:
        return _wrong(canonical, forms[0], found)
    answer_problem = str(unreadable) if isinstance(unreadable, TooCloseError) else _answer_problem(answer)
    if answer_problem:
        return Grade("unparsable", f"The answer {_short(found.text)} cannot be read: {answer_problem}.", canonical)
    if readable_forms or all(_form_problem(form) is None for form in forms):
        return _wrong(canonical, forms[0], found)
    return Grade("error", f"The reference answer {_short(forms[0])} cannot be read: {unreadable}.", canonical)


def _answer_problem(answer: Shape) -> str | None:
    try:
        _read_all(answer)
    except UnreadableError as problem:
        return str(problem)
    return None


def _short(value: Any, limit: int = 80) -> str:
    text = value if isinstance(value, str) else repr(value) if not isinstance(value, int) else f"{value:.0e}"
    return repr(shortened(text, limit))
