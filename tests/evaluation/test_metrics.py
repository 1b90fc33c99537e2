"""Metrics against their definitions, spelt out."""

from itertools import combinations
from math import comb

import numpy as np
import pytest

from pmpo.evaluation.metrics import avg_at_n, macro_average, maj_at_n, pass_at_k


@pytest.mark.parametrize("n", [1, 2, 5, 8])
def test_pass_at_k_is_the_share_of_subsets_with_a_correct_completion(n):
    for correct in range(n + 1):
        row = [True] * correct + [False] * (n - correct)
        for k in range(1, n + 1):
            subsets = list(combinations(row, k))
            expected = sum(any(subset) for subset in subsets) / len(subsets)
            assert pass_at_k(np.array([row]), k) == pytest.approx([expected])


def test_pass_at_k_of_many_completions_against_the_binomials():
    n, correct, k = 2000, 37, 100
    row = np.arange(n) < correct
    exact = 1 - comb(n - correct, k) / comb(n, k)  # Python's integers do not overflow
    assert pass_at_k(row[None], k)[0] == pytest.approx(exact, rel=1e-12)


def test_pass_at_1_is_avg_at_n_and_order_has_no_say():
    rows = np.random.default_rng(0).random((50, 7)) < 0.3
    assert pass_at_k(rows, 1) == pytest.approx(avg_at_n(rows))
    assert avg_at_n(rows) == pytest.approx([sum(row) / 7 for row in rows.tolist()])
    assert pass_at_k(rows[:, ::-1], 3) == pytest.approx(pass_at_k(rows, 3))


@pytest.mark.parametrize("k", [0, 5, -1])
def test_k_outside_the_completions_is_refused(k):
    with pytest.raises(ValueError, match=rf"k in 1\.\.4.*got {k}"):
        pass_at_k(np.zeros((2, 4), dtype=bool), k)


@pytest.mark.parametrize(
    ("answers", "right", "expected"),
    [
        (["5", "5", "7"], [1, 1, 0], 1.0),  # the majority is right
        (["5", "7", "7"], [1, 0, 0], 0.0),  # the majority is wrong
        (["5", "7"], [1, 0], 0.5),  # a tie of right and wrong
        (["5", "7", "9"], [1, 0, 0], 1 / 3),
        (["5", "7", "5", "7", "9"], [1, 0, 1, 0, 0], 0.5),
        ([None, None, "5"], [0, 0, 1], 1.0),  # those without an answer do not vote
        ([None, None], [0, 0], 0.0),  # nobody votes
        (["5", "5", "7"], [0, 0, 0], 0.0),
        (["5", "5", "7"], [1, 0, 0], 0.5),  # a form that the grader judged both ways counts its share
    ],
)
def test_majority(answers, right, expected):
    assert maj_at_n(np.array([right], dtype=bool), [answers]) == pytest.approx([expected])


def test_no_votes_where_right_completions_have_no_answer():
    assert maj_at_n(np.array([[True, False]]), [[None, "x"]]) is None


def test_the_macro_average_weighs_benchmarks_alike():
    assert macro_average([np.array([1.0, 0.0]), np.array([1.0] * 98 + [0.0] * 2)]) == pytest.approx((0.5 + 0.98) / 2)
