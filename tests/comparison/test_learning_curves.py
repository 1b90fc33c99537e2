"""Curves as one number, learning rates chosen on other seeds, and times that are only known to be long."""

import math

import numpy as np
import pytest
from scipy import stats

from pmpo.comparison.curves import area, area_under_curve
from pmpo.comparison.learning_rates import best_rate, duel, good_range, mean_of_runs, tuned
from pmpo.comparison.results import Point, RunResult
from pmpo.comparison.targets import median_time, rollouts_until

NAN = math.nan


def run(curve, status="finished", steps=100):
    return RunResult("grpo", {}, 0, status, tuple(Point(s, 8 * s, v) for s, v in curve), steps)


def test_the_area_is_the_mean_height_on_any_grid():
    assert area_under_curve([0, 10, 20], [0.0, 0.5, 1.0]) == pytest.approx(0.5)
    assert area_under_curve([0, 2, 20], [0.0, 0.1, 1.0]) == pytest.approx(0.5), "the same line on another grid"
    assert area_under_curve([0, 5, 10, 20], [0.0, NAN, 0.5, 1.0]) == pytest.approx(0.5)
    assert area_under_curve([3], [0.7]) == 0.7 and math.isnan(area_under_curve([], []))
    with pytest.raises(ValueError, match="that rise"):
        area_under_curve([0, 5, 4], [0.0, 0.1, 0.2])


def test_after_a_run_has_diverged_its_score_is_nothing():
    half = [(0, 0.4), (50, 0.4)]
    assert area(run(half, "diverged")) == pytest.approx(0.2) and area(run(half, steps=50)) == pytest.approx(0.4)
    assert area(run([], "crashed")) == 0.0


def test_no_seed_decides_about_itself():
    """Seed 2 alone is lucky at the second rate: it is the others' choice for nobody, also not for itself."""
    values = [[0.5, 0.5, 0.5], [0.4, 0.4, 0.9]]
    choice, found = tuned(values)
    assert best_rate(values) == 1
    assert list(choice) == [1, 1, 0] and list(found) == [0.4, 0.4, 0.5]


def test_tuned_goes_without_missing_runs():
    choice, found = tuned([[0.5, NAN, 0.5], [0.4, 0.6, NAN]])
    assert list(choice) == [1, 0, 0] and [found[0], found[2]] == [0.4, 0.5] and math.isnan(found[1])
    assert tuned([[0.5]])[0] == [-1]
    assert list(mean_of_runs([[0.5, NAN, 0.7]])) == pytest.approx([0.6]) and np.isnan(mean_of_runs([[NAN]]))


def test_tuning_on_the_reported_seeds_would_flatter():
    rng = np.random.default_rng(0)
    noise = rng.normal(0, 1, (400, 4, 5))  # four rates of equal worth
    honest = np.mean([tuned(values)[1].mean() for values in noise])
    assert abs(honest) < 0.1 and noise.mean(axis=2).max(axis=1).mean() > 0.4


def test_the_good_range_is_unbroken():
    assert good_range([0.5, 0.46, 0.2, 0.49]) == (0, 1)
    assert good_range([0.44, 0.46, 0.5, 0.45, 0.1]) == (1, 3)
    assert good_range([NAN, 0.5, NAN]) == (1, 1)
    with pytest.raises(ValueError, match="No learning rate"):
        good_range([NAN])


def test_a_duel_counts_on_other_seeds():
    margins, agreement = duel([[0.5, 0.6, 0.7], [0.4, 0.4, 0.4], [0.0, 0.0, 0.0]])
    assert list(margins) == pytest.approx([0.1, 0.2, 0.3]) and agreement == 1.0
    margins, agreement = duel([[0.9, 0.2, 0.2], [0.3, 0.3, 0.3]])
    assert list(margins) == pytest.approx([-0.6, -0.1, -0.1]) and agreement == pytest.approx(2 / 3)
    assert duel([[0.5, 0.6]])[0].size == 0 and duel([])[0].size == 0


def test_the_first_measurement_that_reaches_the_target():
    one = run([(0, 0.1), (10, NAN), (20, 0.5), (30, 0.4)])
    assert rollouts_until(one, 0.45) == 160.0 and rollouts_until(one, 0.6) is None


def test_censored_runs_are_neither_dropped_nor_counted_as_reached():
    """Five runs, two censored at 90: S falls by 1/5 at 10, 20 and 30, so the median is 30; without them it were 20."""
    assert median_time([10, 20, 30, 90, 90], [False, False, False, True, True]).value == 30
    assert median_time([10, 20, 30], [False] * 3).value == 20
    assert median_time([10, 20, 90, 90, 90], [False, False, True, True, True]).value == math.inf
    assert median_time([90, 90], [True, True]).value == math.inf


def test_the_interval_of_a_median_of_five_reaches_from_the_first_to_the_last():
    found = median_time([10, 20, 30, 40, 50], [False] * 5)
    assert (found.value, found.low, found.high) == (30, 10, 50)
    late = median_time([10, 20, 30, 90, 90], [False] * 3 + [True] * 2)
    assert (late.low, late.high) == (10, math.inf)


def test_a_censored_run_before_the_others_counts_as_long_as_it_was_seen():
    """Kaplan and Meier by hand: (1 − 1/5)(1 − 1/3) = .53 after 20, then (1 − 1/2) of it at 30."""
    times, censored = [10, 15, 20, 30, 40], [False, True, False, False, False]
    assert median_time(times, censored).value == 30
    curve = stats.ecdf(stats.CensoredData.right_censored(times, censored)).sf
    assert curve.evaluate([20, 30]) == pytest.approx([8 / 15, 4 / 15])
