"""What the graders decide by a short way is what the long way says."""

from itertools import product

import pytest

from pmpo.grading.mathematics import extraction_phrases, grader
from pmpo.grading.mathematics.extraction import extract
from pmpo.grading.mathematics.rules import MathRules

NUMBERS = [
    *("18", "018", "0", "-18", "+ 18", "19", "18.", "18.00", ".5", "0.5", "1/2", "-1/2", "2 1/2", "5/2", "10/4"),
    *("1,800", "1 800", "1800", "- 1,800.0", r"1.8 \times 10^3", "1.8e3", "10^{2}", "100", r"\frac{1}{2}", r"\frac12"),
    *(r"2\frac{1}{2}", r"-\frac{1}{3}", "0.33333", "-0.33333", "0.333", r"0.\overline{3}", "1/3", "33.333", "100/3"),
    *("9" * 3_001, "9" * 3_001 + ".0", "9" * 3_000, "0." + "3" * 3_001),
]


@pytest.mark.parametrize("options", [{}, {"units": "require"}, {"units": "ignore", "percent": "optional"}], ids=str)
@pytest.mark.parametrize("tolerance", [0.0, 0.06])
def test_two_numbers_get_the_verdict_that_their_shapes_and_values_get(options, tolerance, monkeypatch) -> None:
    options = {**options, "rel_tolerance": tolerance}

    def verdicts() -> dict[tuple[str, str], tuple[str, str | None]]:
        pairs = product(NUMBERS, NUMBERS)
        grades = {(gold, said): grader.grade(gold, f"\\boxed{{{said}}}", options) for gold, said in pairs}
        return {pair: (grade.status, grade.answer) for pair, grade in grades.items()}

    short = verdicts()
    assert {status for status, _ in short.values()} == {"correct", "wrong"}
    monkeypatch.setattr(grader, "exact", lambda text: None)
    assert verdicts() == short


@pytest.mark.parametrize(
    "text",
    [
        "In all 7 came. The final answer is 5. So the answer: 6",
        "The an\u017fwer is 5. In the final minute 7 came.",
        "The f\u0131nal an\u017fwer is 5, not a final one.",
        "\u0130\u0130\u0130\u0130\u0130\u0130 The answer is 5. Finally the answer is 6.",
    ],
)
def test_announcements_are_those_that_the_whole_text_has(text: str) -> None:
    whole = [found.span() for found in extraction_phrases._ENGLISH.finditer(text)]
    assert whole and list(extraction_phrases._announcements(text)) == whole


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("If I am right, the answer is 5", "5"),
        ("If so the answer is 5", "4"),
        ("You, he said, might\nthink the answer is 5", "4"),
        ("Suppose it rains! Then the answer is 5", "5"),
        ("He asks: why? Unless the answer is 5", "4"),
    ],
)
def test_suppositions_reach_up_to_their_comma(text: str, answer: str) -> None:
    assert extract(f"The answer is 4. {text}", MathRules()).text == answer
