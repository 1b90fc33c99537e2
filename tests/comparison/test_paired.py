"""Differences on the same seeds, and probabilities of improvement."""

import math

import numpy as np
import pytest
from scipy import stats

from pmpo.comparison.estimate import NOTHING, Z
from pmpo.comparison.paired import (
    differences,
    paired_difference,
    paired_improvement,
    probability_of_improvement,
)


def test_what_a_seed_makes_easy_for_both_cancels():
    found = paired_difference([0.1, 0.5, 0.9], [0.0, 0.4, 0.8])
    assert (found.value, found.low, found.high) == pytest.approx((0.1, 0.1, 0.1)) and found.sign == 1


def test_pairs_need_a_partner_each():
    with pytest.raises(ValueError, match="as many of ours as of theirs"):
        differences([1.0, 2.0], [1.0])


def test_ties_count_half():
    assert paired_improvement([0.1, 0.0, -0.1, 0.2]).value == 0.625
    assert probability_of_improvement([[1.0, 2.0]], [[1.0, 0.0, 3.0]]).value == pytest.approx((1.5 + 2) / 6)
    assert paired_improvement([]) is NOTHING and probability_of_improvement([], []) is NOTHING


def test_the_value_is_mann_and_whitneys():
    rng = np.random.default_rng(0)
    ours, theirs = rng.integers(0, 4, 7).astype(float), rng.integers(0, 4, 5).astype(float)
    u = stats.mannwhitneyu(ours, theirs, alternative="greater").statistic
    assert probability_of_improvement([ours], [theirs]).value == pytest.approx(u / 35)


def test_the_paired_interval_is_scipys_wilson():
    found = paired_improvement([0.1, 0.2, 0.3, -0.1, 0.1])
    wilson = stats.binomtest(4, 5).proportion_ci(0.95, method="wilson")
    assert (found.low, found.high) == pytest.approx((wilson.low, wilson.high))
    assert paired_improvement([0.1] * 5).high == 1.0 and paired_improvement([0.1] * 5).low == pytest.approx(
        0.5655, abs=1e-4
    )


def test_all_runs_better_by_hand():
    """θ̂ = 1 and n = m = 2: (1 − θ)² = z² θ(1 − θ)(1 + (1 − θ)/(2 − θ) + θ/(1 + θ)) / 4."""
    low = probability_of_improvement([[3.0, 4.0]], [[1.0, 2.0]]).low
    spread = low * (1 - low) * (1 + (1 - low) / (2 - low) + low / (1 + low)) / 4
    assert 0 < low < 1 and (1 - low) == pytest.approx(Z * math.sqrt(spread))


def test_more_cells_make_it_surer_and_the_sides_mirror():
    ours, theirs = [0.1, 0.3, 0.5, 0.7, 0.9], [0.0, 0.2, 0.4, 0.6, 0.8]
    one, four = probability_of_improvement([ours], [theirs]), probability_of_improvement([ours] * 4, [theirs] * 4)
    assert one.value == four.value and one.low < four.low < four.high < one.high
    back = probability_of_improvement([theirs], [ours])
    assert (back.value, back.low, back.high) == pytest.approx((1 - one.value, 1 - one.high, 1 - one.low), abs=1e-6)


def test_cells_of_both_sides_must_match():
    with pytest.raises(ValueError):
        probability_of_improvement([[1.0]], [[1.0], [2.0]])
    with pytest.raises(ValueError, match="at least one run"):
        probability_of_improvement([[1.0]], [[]])
