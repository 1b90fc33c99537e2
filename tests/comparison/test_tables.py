"""The tables of a study, on runs made up by hand."""

import math

import numpy as np
import pytest

from pmpo.comparison.measures import collapsed
from pmpo.comparison.results import Point, RunResult, by_cell
from pmpo.comparison.tables import (
    against_best,
    improvement_matrix,
    overall,
    paired_to_baseline,
    regime_grid,
    robustness,
    rollouts_to_target,
    summarise_cells,
    tuned_scores,
)
from pmpo.foundation.errors import InputError


def made(objective: str, seed: int, *scores: float, status: str = "finished", **settings) -> RunResult:
    """A run that starts at 0.1 and measures every 10 steps of 80 completions each."""
    curve = tuple(Point(10 * k, 800 * k, score) for k, score in enumerate((0.1, *scores)))
    return RunResult(objective, settings, seed, status, curve, 20)


def cell(objective: str, *scores: float, **settings) -> list[RunResult]:
    return [made(objective, seed, score, **settings) for seed, score in enumerate(scores)]


def test_a_cell_has_its_means_and_counts_what_broke():
    results = [made("grpo", 0, 0.5), made("grpo", 1, 0.7), made("grpo", 2, 0.9, status="diverged")]
    (row,) = summarise_cells([*results, made("grpo", 3, 0.8, 0.3), made("grpo", 4, status="crashed")])
    assert row.seeds == (0, 1, 2, 3, 4) and row.values == (0.5, 0.7, 0.0, 0.3, 0.0)
    assert row.mean.value == pytest.approx(0.3) and row.interquartile_mean.value == pytest.approx(0.8 / 3)
    assert (row.diverged, row.crashed, row.collapsed) == (1, 1, 3), "0.8 -> 0.3 is lost as well"


def test_a_run_that_never_learnt_has_not_collapsed():
    assert not collapsed(made("grpo", 0, 0.12, 0.11)) and collapsed(made("grpo", 0, 0.12, 0.04))
    assert collapsed(made("grpo", 0, 0.5, math.nan)), "no number is no score"
    assert summarise_cells([made("grpo", 0, 0.5, math.nan)])[0].values == (0.0,)
    for status, lost in (("finished", False), ("diverged", True)):
        assert collapsed(RunResult("grpo", {}, 0, status, (Point(0, 0, 0.0),), 20)) == lost


def test_the_area_is_another_measure():
    (row,) = summarise_cells([made("grpo", 0, 0.3, 0.5)], measure="area")
    assert row.values == (pytest.approx(0.3),)
    with pytest.raises(InputError, match="Unknown measure of a run, 'auc'; write one of score, area"):
        summarise_cells([], measure="auc")


def test_pairs_are_those_of_common_seeds_in_one_cell():
    results = [*cell("grpo", 0.5, 0.6, 0.7, k=1), *cell("pmpo", 0.6, 0.8, k=1), *cell("pmpo", 0.1, k=2)]
    (row,) = paired_to_baseline(results, "grpo")
    assert (row.objective, row.settings, row.seeds) == ("pmpo", {"k": 1}, (0, 1))
    assert row.differences == pytest.approx((0.1, 0.2)) and row.improvement.value == 1.0
    with pytest.raises(InputError, match="No run is of the objective 'gmpo'; there are runs of grpo, pmpo"):
        paired_to_baseline(results, "gmpo")


def test_the_matrix_has_both_directions():
    results = [*cell("a", 0.1, 0.2, k=1), *cell("b", 0.3, 0.4, k=1), *cell("a", 0.5, 0.6, k=2), *cell("b", 0.1, k=2)]
    matrix = improvement_matrix([*results, *cell("c", 0.1, k=3)])
    assert matrix.objectives == ("a", "b", "c") and matrix.cells["a", "b"] == 2 and matrix.cells["a", "c"] == 0
    assert matrix.probability["a", "b"].value == matrix.probability["b", "a"].value == 0.5
    assert math.isnan(matrix.probability["a", "c"].value)


def test_one_objective_beside_the_best_of_the_others():
    results = [*cell("ours", 0.5, 0.6), *cell("b", 0.4, 0.3), *cell("c", 0.4, 0.5)]
    (row,) = against_best(results, "ours")
    assert (row.best, row.difference.value, row.improvement.value) == ("c", pytest.approx(0.1), 0.875)


def test_all_cells_count_where_every_objective_has_runs():
    results = [*cell("a", 0.2, 0.4, k=1), *cell("b", 0.3, 0.5, k=1), *cell("a", 0.6, 0.6, k=2), *cell("b", 0.7, k=2)]
    one, two = overall([*results, *cell("a", 0.0, k=3)], "a")
    assert (one.cells, one.mean.value, one.difference) == (2, pytest.approx(0.45), None)
    assert (two.mean.value, two.difference.value) == (pytest.approx(0.55), pytest.approx(0.1))
    assert overall([*cell("a", 0.1, k=1), *cell("b", 0.1, k=2)]) == []


def rates(objective: str, table: dict[float, list[float]], **settings) -> list[RunResult]:
    return [run for rate, scores in table.items() for run in cell(objective, *scores, learning_rate=rate, **settings)]


def test_tuned_is_apart_from_robust():
    results = rates("pmpo", {4e-4: [0.4, 0.4, 0.9], 1e-4: [0.5, 0.5, 0.5], 2e-4: [0.2, 0.2, 0.02]}, noise=0.5)
    (row,) = tuned_scores(results)
    assert row.settings == {"noise": 0.5} and row.best_rate == 4e-4
    assert (row.tuning_seeds, row.rate) == ((0,), 1e-4) and (row.seeds, row.values) == ((1, 2), (0.5, 0.5))
    (wide,) = robustness(results)
    assert list(wide.means) == [1e-4, 2e-4, 4e-4] and (wide.lowest, wide.highest, wide.width) == (4e-4, 4e-4, 1.0)
    assert wide.collapsed == pytest.approx(1 / 9) and wide.runs == 9


def test_tuning_on_the_reported_seeds_would_flatter():
    """Four rates of equal worth: the best of them looks better than it is on the seeds that chose it."""
    rng, tuned, flattered = np.random.default_rng(0), [], []
    for _ in range(60):
        table = {rate: list(rng.normal(0.5, 0.05, 6)) for rate in (1e-4, 2e-4, 4e-4, 8e-4)}
        tuned.append(np.mean(tuned_scores(rates("pmpo", table))[0].values))
        flattered.append(max(map(np.mean, table.values())))
    assert abs(np.mean(tuned) - 0.5) < 0.01 and np.mean(flattered) > 0.515


def test_the_same_seeds_choose_for_all_objectives_of_a_regime():
    results = rates("a", {1e-4: [0.5] * 6, 2e-4: [0.4] * 6}) + rates("b", {1e-4: [0.5] * 3, 2e-4: [0.4] * 3})
    assert [row.tuning_seeds for row in tuned_scores(results)] == [(0,), (0,)]
    assert [row.seeds for row in tuned_scores(results)] == [(1, 2, 3, 4, 5), (1, 2)]


def test_a_study_without_learning_rates_has_one():
    results = cell("pmpo", 0.4, 0.5)
    assert tuned_scores(results)[0].values == (0.4, 0.5) and robustness(results)[0].runs == 2


def test_a_single_seed_cannot_be_tuned():
    results = rates("pmpo", {1e-4: [0.4], 2e-4: [0.5]})
    (row,) = tuned_scores(results)
    assert (row.rate, row.values) == (2e-4, ()) and math.isnan(row.score.value)
    assert regime_grid(results)[0].winner == ""


def test_who_wins_a_regime():
    fresh = [*cell("a", 0.5, 0.6, 0.55), *cell("b", 0.4, 0.45, 0.45)]
    stale = [*cell("a", 0.1, 0.1, 0.1, old=8), *cell("b", 0.4, 0.5, 0.45, old=8), *cell("c", 0.3, 0.3, old=8)]
    first, second = regime_grid([*fresh, *stale])
    assert (first.winner, first.runner_up, first.agreement) == ("a", "b", 1.0)
    assert first.margin.value == pytest.approx((0.1 + 0.15 + 0.1) / 3) and first.margin.sign == 1
    assert second.settings == {"old": 8} and list(second.scores) == ["b", "c", "a"]
    assert second.margin.n == 2, "on the seeds that all have"


def test_rollouts_until_a_target():
    results = [made("a", 0, 0.5, 0.6), made("a", 1, 0.3, 0.6), made("a", 2, 0.3, 0.4)]
    results += [made("b", 0, 0.2, 0.5), made("b", 1, 0.2, 0.3), made("b", 2, 0.4, status="diverged")]
    ours, base = rollouts_to_target(results, 0.5, baseline="b")
    assert ours.rollouts == (800, 1600, 1600) and ours.censored == (False, False, True) and ours.reached == 2
    assert ours.median.value == 1600 and ours.restricted_mean.value == pytest.approx(4000 / 3)
    assert base.rollouts == (1600, 1600, 1600) and base.censored == (False, True, True), "broken: never, not at 800"
    assert base.median.value == math.inf and base.difference is None
    assert ours.difference.value == pytest.approx(-800 / 3)
    assert rollouts_to_target([made("a", 0, 0.2, status="diverged")], 0.5) == []


def test_settings_that_are_lists_make_cells_too():
    results = [made("gmpo", 0, 0.5, reward=names) for names in (["a"], ["a", "b"])]
    assert [dict(cell) for cell in by_cell(results)] == [{"reward": '["a"]'}, {"reward": '["a", "b"]'}]
