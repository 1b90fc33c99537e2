"""The tables of a study, on runs made up by hand."""

from pmpo.comparison.results import Point, RunResult
from pmpo.comparison.tables import summarise_cells


def made(objective: str, seed: int, score: float, *, status: str = "finished", **settings) -> RunResult:
    curve = (Point(0, 0, 0.1), Point(10, 100, score))
    return RunResult(objective, settings, seed, status, curve, 10)


def test_a_cell_has_its_mean_and_counts_what_broke():
    rows = summarise_cells([made("grpo", 0, 0.5), made("grpo", 1, 0.7), made("grpo", 2, 0.9, status="diverged")])
    assert [row.values for row in rows] == [(0.5, 0.7, 0.0)]
    assert abs(rows[0].mean.value - 0.4) < 1e-12 and rows[0].diverged == rows[0].collapsed == 1
