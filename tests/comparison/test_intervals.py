"""Intervals over seeds: the plain bootstrap is scipy's, its stretch is Student's, and they hold the truth."""

import math

import numpy as np
import pytest
from scipy import stats

from pmpo.comparison.estimate import NOTHING, Estimate
from pmpo.comparison.intervals import interquartile_mean, mean

FIVE = [0.2, 0.4, 0.5, 0.6, 0.8]


def test_of_five_runs_the_middle_three_count():
    assert interquartile_mean(FIVE).value == pytest.approx(0.5)
    assert interquartile_mean([0.0, 0.4, 0.5, 0.6, 9.0]).value == pytest.approx(0.5)
    assert interquartile_mean([0.0, 0.4, 9.0]).value == pytest.approx(9.4 / 3), "a quarter of three is no run"


def test_one_stratum_is_as_wide_as_students_interval():
    found = mean(FIVE)
    reach = stats.t.ppf(0.975, 4) * np.std(FIVE, ddof=1) / math.sqrt(5)
    assert found.value == pytest.approx(0.5) and found.n == 5
    assert (found.high - found.low) / 2 == pytest.approx(reach, rel=0.06)


def test_strata_have_the_width_of_welch_and_satterthwaite():
    """Two cells, (0.04 + 0.16) / 2² = 0.05 by hand for s²/n of 0.04 and 0.16."""
    one = np.array([-2.0, -1.0, 0.0, 1.0, 2.0]) * math.sqrt(0.04 * 5 / 2.5)
    two = 10 + np.array([-2.0, -1.0, 0.0, 1.0, 2.0]) * math.sqrt(0.16 * 5 / 2.5)
    found = mean(one, two, resamples=40_000)
    degrees = 0.2**2 / (0.04**2 / 4 + 0.16**2 / 4)
    assert found.value == pytest.approx(5.0)
    assert (found.high - found.low) / 2 == pytest.approx(stats.t.ppf(0.975, degrees) * math.sqrt(0.05), rel=0.06)


def test_every_cell_counts_the_same_in_a_mean_and_every_run_in_an_interquartile_mean():
    assert mean([0.0] * 9 + [1.0], [1.0, 1.0]).value == pytest.approx(0.55)
    assert interquartile_mean([0.0] * 9, [1.0, 1.0, 1.0]).value == pytest.approx(0.0), "3 of 12 are cut at each end"


def test_the_same_values_give_the_same_interval():
    assert mean(FIVE, FIVE[:3]) == mean(FIVE, FIVE[:3]) and interquartile_mean(FIVE) == interquartile_mean(FIVE)


@pytest.mark.parametrize("statistic", [mean, interquartile_mean])
def test_what_shows_no_spread(statistic):
    assert statistic([0.3]) == Estimate(0.3, -math.inf, math.inf, 1)
    assert statistic([0.25] * 5) == Estimate(0.25, 0.25, 0.25, 5)
    assert statistic([]) is NOTHING and statistic([], FIVE) == statistic(FIVE)


def test_an_estimate_says_whether_it_is_decided():
    assert [Estimate(1, *ends, 5).sign for ends in ((0.1, 2), (-2, -0.1), (-1, 1), (0, 1))] == [1, -1, 0, 0]
    assert str(Estimate(0.5, 0.25, 0.75, 5)) == "0.500 [0.250, 0.750]" and str(NOTHING) == "–"


@pytest.mark.parametrize("statistic", [mean, interquartile_mean])
def test_intervals_of_five_seeds_hold_the_truth(statistic):
    """The full measurement is benchmarks/interval_coverage.py; the plain bootstrap of the mean would hold 84 %."""
    rng = np.random.default_rng(0)
    found = [statistic(rng.normal(0.5, 0.05, 5), resamples=500) for _ in range(400)]
    share = np.mean([one.low <= 0.5 <= one.high for one in found])
    assert 0.92 <= share <= 0.985
