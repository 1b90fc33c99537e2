"""References from their sources' spellings."""

import pytest

from pmpo.tasks.golds import (
    UnreadableGoldError,
    accepted_forms,
    boxed_answer,
    gsm8k_answer,
    integer_answer,
    text_answer,
)


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ("025", "25"),
        ("000", "0"),
        (25, "25"),
        (142.0, "142"),
        ("27.0", "27"),
        ("27.5", "27.5"),
        (0.5, "0.5"),
        ("x", "x"),
    ],
)
def test_integers(given, text):
    assert integer_answer(given) == text


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), True, {"a": 1}, ["1", "2"]])
def test_what_is_neither_text_nor_number(bad):
    with pytest.raises(UnreadableGoldError):
        text_answer(bad)


@pytest.mark.parametrize(
    ("given", "text"),
    [("a <<1+1=2>> b\n#### 18", "18"), ("#### -1,234", "-1234"), ("1,000", "1000"), ("#### 1\n#### 2", "2")],
)
def test_gsm8k(given, text):
    assert gsm8k_answer(given) == text


@pytest.mark.parametrize(
    ("given", "text"),
    [
        (r"\boxed{1} then \boxed{2}", "2"),
        (r"$\boxed{\frac{1}{\sqrt{2}}}$.", r"\frac{1}{\sqrt{2}}"),
        (r"\fbox{7}", "7"),
        (r"\boxed {8}", "8"),
        (r"so $\boxed 2$.", "2"),
        (r"\boxed{3} and \boxed{4", "3"),
    ],
)
def test_boxes(given, text):
    assert boxed_answer(given) == text


def test_forms_keep_their_order_and_lose_repeats():
    assert accepted_forms([" a\n", "b", "a"]) == ["a", "b"]
    assert accepted_forms("x\n") == ["x"]
